"""The error contract: {"code", "detail", "fields"?, "request_id"} for every refusal below /api/."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DatabaseError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.request import Request

from webchat.api.serializers import ErrorSerializer
from webchat.audit import note_refusal
from webchat.errors import ChatRefused, Code

logger = structlog.get_logger(__name__)

# For what Django and DRF raise. Their own words may quote the request.
_CODES: dict[type[Exception], Code] = {
    Http404: Code.NOT_FOUND,
    ObjectDoesNotExist: Code.NOT_FOUND,
    PermissionDenied: Code.FORBIDDEN,
    RequestDataTooBig: Code.TOO_LARGE,
    SuspiciousOperation: Code.UNREADABLE,
    BadRequest: Code.UNREADABLE,
    MultiPartParserError: Code.UNREADABLE,
    UnreadablePostError: Code.UNREADABLE,
    exceptions.MethodNotAllowed: Code.METHOD_NOT_ALLOWED,
    exceptions.NotAcceptable: Code.NOT_ACCEPTABLE,
    exceptions.UnsupportedMediaType: Code.UNSUPPORTED_MEDIA_TYPE,
    DatabaseError: Code.CHAT_UNAVAILABLE,
}


def error_response(
    request: HttpRequest | Request,
    code: Code,
    detail: Any = None,
    *,
    fields: Mapping[str, list[str]] | None = None,
    retry_after: int | None = None,
    opens_at: datetime | None = None,
) -> JsonResponse:
    """Any refusal as JSON, also what goes wrong outside of the API's views: no such address, CSRF, a bug. `detail` and
    `retry_after` (seconds) are the code's unless they are given."""
    kind = code.value
    told = {
        "code": kind.code,
        "detail": kind.words if detail is None else detail,
        "request_id": getattr(request, "request_id", ""),
    }
    known = {name: value for name, value in (("fields", fields), ("opens_at", opens_at)) if value is not None}
    response = JsonResponse(ErrorSerializer(told | known).data, status=kind.status)
    response["Cache-Control"] = "no-store"
    if seconds := retry_after or kind.retry_after:
        response["Retry-After"] = str(seconds)
    return response


def exception_handler(error: Exception, context: Mapping[str, Any]) -> JsonResponse | None:
    """Turns what a view raises into the contract; None, and so a 500, only for a bug of ours. Always JSON, whatever
    the client would rather have."""
    view, request = context["view"], context["request"]
    match error:
        case ChatRefused():
            response = error_response(
                request,
                error.code,
                error.detail,
                fields=error.fields,
                retry_after=error.retry_after,
                opens_at=error.opens_at,
            )
        case exceptions.ParseError():
            response = error_response(request, Code.UNREADABLE, error.detail)
        case _:
            code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), None)
            if code is None:
                return None
            response = error_response(request, code)
    if isinstance(error, DatabaseError):
        logger.error("database_failed", exc_info=error)
    # The webchat's slug, where the address has one.
    note_refusal(error, view.kwargs.get("slug", ""))
    if response.status_code == 405:
        response["Allow"] = ", ".join(view.allowed_methods)
    return response
