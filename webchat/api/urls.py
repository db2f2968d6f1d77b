from __future__ import annotations

from django.urls import path

from webchat.api import views

app_name = "webchat-api"

urlpatterns = [
    path("<slug:slug>/sessions/", views.SessionsView.as_view(), name="sessions"),
    path("<slug:slug>/sessions/current/", views.CurrentSessionView.as_view(), name="current"),
    path("<slug:slug>/messages/", views.MessagesView.as_view(), name="messages"),
    path("visitor/", views.WhoView.as_view(), name="visitor"),
    path("sessions/<uuid:session_id>/token/", views.TokenView.as_view(), name="token"),
    path("sessions/<uuid:session_id>/end/", views.EndView.as_view(), name="end"),
    path("sessions/<uuid:session_id>/messages/", views.ConversationView.as_view(), name="conversation"),
    path("sessions/<uuid:session_id>/rating/", views.RatingView.as_view(), name="rating"),
    path("sessions/<uuid:session_id>/transcript/", views.TranscriptView.as_view(), name="transcript"),
]
