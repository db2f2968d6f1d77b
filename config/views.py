"""The company's pages, and what anybody sees when something is wrong."""

from __future__ import annotations

import re
import sys

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_cache_control
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from config.theme import theme
from webchat.api.errors import error_response
from webchat.errors import TRY_AGAIN_SECONDS, Code
from webchat.forms.written import written_answers
from webchat.hours import state_of, what_is_taken
from webchat.models import Webchat
from webchat.models.copies import webchat_named, webchat_of_site

# As in config/urls.py.
_FOR_SCRIPTS = re.compile(r"/api/|/webchat/[-\w]+/flex-ui/")
ALLOW_COOKIES = gettext_lazy(
    "This site needs a cookie to know that what you send is yours. Please allow cookies for this site in your browser, "
    "then try again."
)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


@require_safe
def support(request: HttpRequest) -> HttpResponse:
    """Invites to the chat only while it takes something: chats, or messages."""
    webchat = webchat_of_site()
    taken = what_is_taken(webchat, state_of(webchat, timezone.now())) if webchat else None
    context = {"has_webchat": webchat is not None, "takes_questions": taken is not None and taken.is_something}
    return render(request, "support.html", context)


@require_safe
def legacy(request: HttpRequest) -> HttpResponse:
    return render(request, "legacy.html")


@require_safe
def site_theme(request: HttpRequest) -> HttpResponse:
    """The company's colour as CSS: a strict policy allows no style attribute that could carry it."""
    css, version = theme(settings.COMPANY_COLOUR)
    response = HttpResponse(css, content_type="text/css; charset=utf-8")
    if request.GET.get("v") == version:
        patch_cache_control(response, public=True, max_age=31_536_000, immutable=True)
    else:
        patch_cache_control(response, public=True, max_age=60)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return error_response(request, Code.UNREADABLE)
    return render(request, "400.html", status=400)


def too_large(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return error_response(request, Code.TOO_LARGE)
    return render(request, "413.html", status=413)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return error_response(request, Code.FORBIDDEN)
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    without_cookies = settings.CSRF_COOKIE_NAME not in request.COOKIES
    if _is_api(request):
        return error_response(request, Code.CSRF_FAILED, ALLOW_COOKIES if without_cookies else None)
    values = {"allow_cookies": ALLOW_COOKIES if without_cookies else "", "written": _written(request)}
    response = render(request, "403_csrf.html", values, status=403)
    add_never_cache_headers(response)
    return response


def _written(request: HttpRequest) -> list[str]:
    """What was told to a form of the chat, to be copied, as after a sign-in in another tab; and none of another site's,
    which would speak by our page."""
    match = request.resolver_match
    if match is None or match.app_name != "webchat" or request.headers.get("Sec-Fetch-Site") != "same-origin":
        return []
    try:
        return written_answers(webchat_named(match.kwargs.get("slug", "")), request.POST)
    except Webchat.DoesNotExist:
        return []


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return error_response(request, Code.NOT_FOUND)
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug is a 500; a database that does not answer is a 503, and over in a moment. Renders without the request: a
    context processor, the session or the database may be what failed."""
    is_outage = isinstance(sys.exc_info()[1], DatabaseError)
    if _is_api(request):
        return error_response(request, Code.CHAT_UNAVAILABLE if is_outage else Code.SERVER_ERROR)
    status = 503 if is_outage else 500
    values = {
        "company_name": settings.COMPANY_NAME,
        "company_tagline": settings.COMPANY_TAGLINE,
        "status": status,
    }
    response = HttpResponse(loader.get_template("500.html").render(values), status=status)
    if is_outage:
        response["Retry-After"] = str(TRY_AGAIN_SECONDS)
    return response


def _is_api(request: HttpRequest) -> bool:
    """Whether scripts ask here: the API, and what Flex Webchat UI calls."""
    return _FOR_SCRIPTS.match(request.path) is not None
