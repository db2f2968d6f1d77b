"""What the genuine UI calls. Its refresh is always at its token's address with /refresh, without a slash at the end."""

from __future__ import annotations

from django.urls import path

from webchat.legacy import views

urlpatterns = [
    path("token", views.TokenView.as_view(), name="flex-ui-token"),
    path("token/refresh", views.RefreshView.as_view(), name="flex-ui-refresh"),
    path("web-channels", views.WebChannelsView.as_view(), name="flex-ui-web-channels"),
]
