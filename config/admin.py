"""The admin site, with the one Content-Security-Policy that it needs."""

from __future__ import annotations

from functools import wraps
from typing import Any
from urllib.parse import urlencode

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db import IntegrityError
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from config import second_factor
from config.sign_in import AdminSignInForm, tell_limit_of_admin

# Django's admin has no inline script, but it knows no nonces either.
_own_scripts = csp_replace({"script-src": [SELF]})


def _once_more(view: Any) -> Any:
    """Somebody else saved the same unique value between this save's check and its write. Nothing was saved, and the next
    check finds that value, and says so at its field."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except IntegrityError:
            return view(request, *args, **kwargs)

    return checked


class SiteAdmin(admin.AdminSite):
    site_header = site_title = _("Administration")
    index_title = _("Webchats and users")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return _own_scripts(super().admin_view(_once_more(view), cacheable))

    login_form = AdminSignInForm

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "GET" and super().has_permission(request) and second_factor.is_missing(request):
            wanted = urlencode({"next": request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")})
            return redirect(f"{reverse('second-factor')}?{wanted}")
        login: Any = _own_scripts(super().login)
        return tell_limit_of_admin(login(request, extra_context))

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not second_factor.is_missing(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("password_change")  # one page, with one set of limits
