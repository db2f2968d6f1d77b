"""The site's admin, as an app configuration."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig
from django.core.checks import register


class SiteAdminConfig(AdminConfig):
    default_site = "config.admin.SiteAdmin"

    def ready(self) -> None:
        from config.theme import check_company_colour

        super().ready()
        register(check_company_colour)
