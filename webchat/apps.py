from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebchatConfig(AppConfig):
    name = "webchat"
    verbose_name = _("Webchat")

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in, user_logged_out

        from webchat import checks, visitors  # noqa: F401  (importing the checks registers them)

        user_logged_in.connect(visitors.end_chats_at_sign_in)
        user_logged_out.connect(visitors.end_chats_at_logout)
