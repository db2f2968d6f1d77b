"""What the genuine UI calls. Its refresh is always at its token's address with /refresh, without a slash at the end."""

from __future__ import annotations

from django.urls import path

from webchat.legacy import views

app_name = "webchat_legacy"
urlpatterns = [
    path("token", views.TokenView.as_view(), name="token"),
    path("token/refresh", views.RefreshView.as_view(), name="refresh"),
    path("web-channels", views.WebChannelsView.as_view(), name="web-channels"),
]
