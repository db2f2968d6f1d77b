"""The site's admin, as an app configuration."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.checks import Tags, register

logger = structlog.get_logger("config.security")


class SiteAdminConfig(AdminConfig):
    default_site = "config.admin.SiteAdmin"

    def ready(self) -> None:
        from config.checks import check_database_timeouts, check_database_tls, check_metrics_token, check_proxy
        from config.password_reset import register_mails
        from config.second_factor import check_second_factor
        from config.theme import check_company_colour

        super().ready()
        register_mails()
        register(check_company_colour)
        register(check_proxy, Tags.security)
        register(check_database_tls, Tags.security)
        register(check_metrics_token, Tags.security)
        register(check_database_timeouts, Tags.database)
        register(check_second_factor)
        user_logged_in.connect(note_login)
        user_login_failed.connect(note_failed_login)


def note_login(sender: object, user: Any, **kwargs: Any) -> None:
    logger.info("login_succeeded", user=user.pk)


def note_failed_login(sender: object, **kwargs: Any) -> None:
    """Without the name that was tried: people type their password there."""
    logger.warning("login_failed")
