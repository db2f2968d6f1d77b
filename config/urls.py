"""Every address of the site."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from config import health, metrics, second_factor, sign_in, views
from config.password_reset import PasswordReset
from webchat.webhooks import ConversationsWebhook, StudioWebhook

urlpatterns = [
    path("", views.home, name="home"),
    # First what is asked for most: Django tries them in this order.
    path("webchat/", include("webchat.urls")),
    path("api/webchat/", include("webchat.api.urls")),
    path("support/", views.support, name="support"),
    # No token, whose cookie each page view would need: another site could change nothing but the language, and
    # FetchSiteMiddleware refuses it.
    path("language/", csrf_exempt(set_language), name="language"),
    path("theme.css", views.site_theme, name="site-theme"),
    path("accounts/login/", sign_in.SignIn.as_view(), name="login"),
    path("accounts/logout/", sign_in.SignOut.as_view(), name="logout"),
    path("accounts/password_change/", sign_in.PasswordChange.as_view(), name="password_change"),
    path("accounts/second-factor/", second_factor.page, name="second-factor"),
    path("accounts/password_reset/", PasswordReset.as_view(), name="password_reset"),
    path("accounts/reset/<uidb64>/<token>/", sign_in.PasswordResetConfirm.as_view(), name="password_reset_confirm"),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("webhooks/twilio/conversations/", ConversationsWebhook.as_view(), name="twilio-conversations"),
    path("webhooks/twilio/studio/", StudioWebhook.as_view(), name="twilio-studio"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
]

if settings.WEBCHAT_LEGACY:
    urlpatterns += [
        path("legacy/", views.legacy, name="legacy"),
        path("webchat/<slug:slug>/flex-ui/", include("webchat.legacy.urls")),
    ]

handler400 = views.bad_request
handler403 = views.permission_denied
handler404 = views.page_not_found
handler500 = views.server_error
