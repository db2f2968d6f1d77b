"""The headers of every answer: its content security policy, what browsers may do with it, and who may keep it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from csp.constants import HEADER, NONE
from csp.middleware import CSPMiddleware, PolicyParts
from django.contrib.auth.signals import user_logged_out
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware

GetResponse = Callable[[HttpRequest], HttpResponse]

# Types that a page loads and no browser shows as a page of its own. SVG is not among them: it may carry scripts.
_SUBRESOURCE = re.compile(r"text/(css|javascript)\b|font/|image/(png|jpeg|gif|webp|x-icon)\b")
# For an answer that is no page: should a browser show it as one, it loads and sends nothing.
_POLICY_OF_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class PolicyMiddleware(CSPMiddleware):
    """The content security policy of the settings. A page that asked for no nonce has no script of ours, so none may
    run there. A template tag has no response to decorate: it adds sources by `request.csp_update`."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.headers.get("Content-Type", "")
        if kind == "application/json":
            response.headers.setdefault(HEADER, _POLICY_OF_DATA)
            return response
        if _SUBRESOURCE.match(kind):  # the policy of the page holds for what it loads
            return response
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if more := getattr(request, "csp_update", None):
            parts.update = {**(parts.update or {}), **more}
        if parts.nonce is None and "script-src" not in (parts.replace or {}):
            parts.replace = {**(parts.replace or {}), "script-src": [NONE]}
        return parts


# Browsers read these headers on pages alone: those of the page hold for what it loads, as its policy does.
_OF_PAGES = (
    "Cross-Origin-Opener-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Frame-Options",
)


def is_of_a_user(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether somebody is signed in and the answer may tell of it: it varies by the cookie."""
    if "cookie" not in response.get("Vary", "").lower() or response.status_code >= 500:
        return False
    try:
        return bool(request.user.is_authenticated)
    except (AttributeError, DatabaseError):  # answered by middleware before that of the users; nobody can tell
        return True


def note_sign_out(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    request.signed_out = True  # type: ignore[attr-defined]


user_logged_out.connect(note_sign_out)


class HeadersMiddleware:
    """The security headers of every answer, also of those that other middleware gives in place of a page.

    It stands first and uses Django's SecurityMiddleware for its answers alone: where that stands itself, it redirects
    and asks for the Host, and the 400 of a Host that is not ours would leave without these headers.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.security = SecurityMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.security.process_response(request, self.get_response(request))
        if request.method == "HEAD" and not response.streaming:
            # The server would drop it, with a warning in the log for each.
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if getattr(request, "signed_out", False):
            # The cache has pages that the browser keeps for Back, too. The header is for the answer to a sign-out alone: files are
            # fetched anew after it.
            response.headers["Clear-Site-Data"] = '"cache"'
        elif is_of_a_user(request, response):
            response.headers["Cache-Control"] = "no-store"
        kind = response.get("Content-Type", "")
        if _SUBRESOURCE.match(kind):
            self._lighten(response, kind)
            return response
        response.headers.setdefault(
            "Permissions-Policy",
            "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
            "microphone=(), midi=(), payment=(), usb=()",
        )
        return response

    @staticmethod
    def _lighten(response: HttpResponse, kind: str) -> None:
        """A page view pays for each header of each file that it loads."""
        for name in _OF_PAGES:
            del response.headers[name]
        if kind.startswith("text/css"):  # which LocaleMiddleware takes for a text in a language
            del response.headers["Content-Language"]
            if "Vary" in response.headers:
                varies = [name for name in response["Vary"].split(", ") if name != "Accept-Language"]
                response.headers["Vary"] = ", ".join(varies)
