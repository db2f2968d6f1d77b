"""The admin site, with the one Content-Security-Policy that it needs."""

from __future__ import annotations

from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

# Django's admin has no inline script, but it knows no nonces either.
_own_scripts = csp_replace({"script-src": [SELF]})


class SiteAdmin(admin.AdminSite):
    site_header = site_title = _("Administration")
    index_title = _("Webchats and users")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return _own_scripts(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        login: Any = _own_scripts(super().login)
        return login(request, extra_context)
