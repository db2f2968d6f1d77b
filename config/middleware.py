"""What holds for every request: its id and line in the log, what it may bring, and where it may come from."""

from __future__ import annotations

import codecs
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.signals import got_request_exception
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, get_callable, resolve

from config import views
from config.logs import network_in_log
from webchat.visitors import network_of

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_PLAIN = re.compile(r"[-A-Za-z0-9_]{1,64}")


class RequestMiddleware:
    """Gives each request an id, that of a proxy of ours if it sent a sound one, binds it to every line that is logged
    meanwhile, names it in the answer, and logs the request when it is done."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        if settings.TWILIO_SANDBOX_URL:
            logger.warning("sandbox_in_use", sandbox=settings.TWILIO_SANDBOX_URL)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a proxy in front a stranger would choose it, and could make two requests one in the log.
        sent = request.META.get("HTTP_X_REQUEST_ID", "") if settings.TRUSTED_PROXY_COUNT else ""
        request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = request.request_id = request_id  # type: ignore[attr-defined]
        request.began = time.perf_counter()  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id, network=network_in_log(network_of(request)) or "unknown"
        )
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        # A failure has a line of its own, and a load balancer asks for the health each second.
        if not hasattr(request, "has_failed") and not request.path.startswith("/health/"):
            # A bug and an outage have events of their own, at the level of an error.
            log = logger.warning if response.status_code >= 500 else logger.info
            log("request_finished", **line_of(request, response.status_code))
        structlog.contextvars.clear_contextvars()
        return response


def log_failure(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Logs what no view caught. A page that the database did not answer for is no bug."""
    request.has_failed = True  # type: ignore[attr-defined]
    error = sys.exc_info()[1]
    event, status = ("database_failed", 503) if isinstance(error, DatabaseError) else ("request_failed", 500)
    logger.error(event, exc_info=error, **line_of(request, status))


got_request_exception.connect(log_failure)


def line_of(request: HttpRequest, status: int) -> dict[str, Any]:
    return {
        "status": status,
        "method": request.method,
        "path": path_in_log(request, status),
        "ms": round((time.perf_counter() - request.began) * 1000, 1),  # type: ignore[attr-defined]
    }


def path_in_log(request: HttpRequest, status: int) -> str:
    """The path, without the query, the token of a password reset, and whatever else a visitor may have written into it.
    "?" stands for an address that is not there."""
    path = request.path
    try:
        found = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return path if status < 400 else "?"  # a static file
    for name, value in found.kwargs.items():
        if value and (name in ("token", "uidb64") or not _PLAIN.fullmatch(str(value))):
            path = path.replace(str(value), f"<{name}>")
    return path


class HealthMiddleware:
    """Answers a load balancer before anything asks for the Host or for TLS: it calls each server by its address."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/health/"):
            with suppress(Resolver404):
                answer: HttpResponse = resolve(request.path_info).func(request)
                return answer
        return self.get_response(request)


class SoundTextMiddleware:
    """No NUL gets in: no database stores one, and PostgreSQL fails on it. A query loses it, a cookie or header with one is
    as if it were not there: cookies stay in a browser for long, and its owner may not know. Bodies are refused by what reads
    them: the API's parsers, Django's forms, the admin site."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query or "\0" in query:
            request.META["QUERY_STRING"] = query.replace("%00", "").replace("\0", "")
        for name in [name for name, value in request.META.items() if name.startswith("HTTP_") and "\0" in value]:
            if name != "HTTP_HOST":  # which Django refuses
                del request.META[name]
        for name in [name for name, value in request.COOKIES.items() if "\0" in name or "\0" in value]:
            del request.COOKIES[name]
        return self.get_response(request)


class BodyMiddleware:
    """Refuses by its headers what is too large for a page, before anything reads it: WSGI gives no more than the length that
    the client named. Only signed-in staff may send more, in the admin. And what is not in UTF-8, which no browser sends: in
    parts, Django would fail with a charset such as base64. The API and the webhooks have their own limits."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        if request.path.startswith(("/api/", "/webhooks/")):
            return None
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError as error:  # at which Django would fail where it reads the body
            return views.bad_request(request, error)
        if request.encoding and codecs.lookup(request.encoding).name != "utf-8":
            return views.bad_request(request, BadRequest())
        if length > settings.PAGE_BODY_MAX_BYTES and length > self._most(request):
            return views.too_large(request)
        return None

    def _most(self, request: HttpRequest) -> int:
        match = request.resolver_match
        is_admin = match is not None and match.app_names[:1] == ["admin"]
        return (
            settings.DATA_UPLOAD_MAX_MEMORY_SIZE if is_admin and request.user.is_staff else settings.PAGE_BODY_MAX_BYTES
        )


class FetchSiteMiddleware:
    """Refuses unsafe requests that, by the browser's own word, another site made: beside the CSRF token and the Origin
    header, for every address. A client that sends no Sec-Fetch-Site (an old browser, or none) meets those two.

    `Sec-Fetch-Site: none` is a navigation by the user, such as a form that is sent again by a reload. It is allowed on
    pages, but never on the API, which only scripts call. https://www.w3.org/TR/fetch-metadata/
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            site = request.META.get("HTTP_SEC_FETCH_SITE", "same-origin")
            if site != "same-origin" and (site != "none" or request.path.startswith("/api/")):
                return self.refuse(request)
        return self.get_response(request)

    def refuse(self, request: HttpRequest) -> HttpResponse:
        reason = "Sec-Fetch-Site checking failed"
        # In the words and in the log of Django's own refusals.
        logging.getLogger("django.security.csrf").warning("Forbidden (%s): %s", reason, request.path)
        response: HttpResponse = get_callable(settings.CSRF_FAILURE_VIEW)(request, reason=reason)
        return response
