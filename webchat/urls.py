"""The chat as HTML."""

from __future__ import annotations

from django.urls import path

from webchat import views

app_name = "webchat"

urlpatterns = [
    path("history/", views.history, name="history"),
    path("history/<uuid:session_id>/", views.past_chat, name="past-chat"),
    path("<slug:slug>/", views.page, name="page"),
    path("<slug:slug>/panel/", views.panel, name="panel"),
    path("<slug:slug>/message/", views.message, name="message"),
    path("<slug:slug>/end/", views.end, name="end"),
    path("<slug:slug>/offer/", views.offer, name="offer"),
    path("<slug:slug>/rating/<uuid:session_id>/", views.rating, name="rating"),
    path("<slug:slug>/launcher.css", views.stylesheet, name="stylesheet"),
]
