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
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.request import Request

from webchat.api.serializers import ErrorSerializer
from webchat.audit import note_refusal
from webchat.errors import TRY_AGAIN_SECONDS, ChatRefused, Code

logger = structlog.get_logger(__name__)

_NOT_FOUND = (404, "not_found", _("There is nothing here, or it is not yours."))
_UNREADABLE = (400, "invalid", _("The request cannot be read."))
# Status, code and words for what Django and DRF raise. Their own words may quote the request.
_PLAIN: dict[type[Exception], tuple[int, str, Any]] = {
    Http404: _NOT_FOUND,
    ObjectDoesNotExist: _NOT_FOUND,
    PermissionDenied: (403, "forbidden", _("This is not allowed.")),
    RequestDataTooBig: (413, "too_large", _("The request is too large.")),
    SuspiciousOperation: _UNREADABLE,
    BadRequest: _UNREADABLE,
    MultiPartParserError: _UNREADABLE,
    UnreadablePostError: _UNREADABLE,
    exceptions.MethodNotAllowed: (405, "method_not_allowed", _("This address does not take that method.")),
    exceptions.NotAcceptable: (406, "not_acceptable", _("The answer is JSON.")),
    exceptions.UnsupportedMediaType: (415, "unsupported_media_type", _("Send JSON or a form.")),
    DatabaseError: (503, Code.CHAT_UNAVAILABLE.value.code, Code.CHAT_UNAVAILABLE.value.words),
}


def body_of(
    request: HttpRequest | Any,
    code: str,
    detail: Any,
    fields: Mapping[str, list[str]] | None = None,
    opens_at: datetime | None = None,
) -> dict[str, Any]:
    told = {"code": code, "detail": detail, "request_id": getattr(request, "request_id", "")}
    known = {name: value for name, value in (("fields", fields), ("opens_at", opens_at)) if value is not None}
    return dict(ErrorSerializer(told | known).data)


def error_response(
    request: HttpRequest | Request,
    status: int,
    code: str,
    detail: Any,
    fields: Mapping[str, list[str]] | None = None,
    retry_after: int | None = None,
    opens_at: datetime | None = None,
) -> JsonResponse:
    """The same answer for what goes wrong outside of the API's views: no such address, CSRF, a bug."""
    response = JsonResponse(body_of(request, code, detail, fields, opens_at), status=status)
    response["Cache-Control"] = "no-store"
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def exception_handler(error: Exception, context: Mapping[str, Any]) -> JsonResponse | None:
    """Turns what a view raises into the contract; None, and so a 500, only for a bug of ours. Always JSON, whatever
    the client would rather have."""
    view = context["view"]
    fields: Mapping[str, list[str]] | None = None
    retry_after: int | None = None
    opens_at: datetime | None = None
    match error:
        case ChatRefused(code=refusal):
            status, code, detail = refusal.status, refusal.value.code, error.detail
            fields, retry_after, opens_at = error.fields, error.retry_after, error.opens_at
        case exceptions.ParseError():
            status, code, detail = 400, "invalid", error.detail
        case _:
            known = next((_PLAIN[kind] for kind in type(error).__mro__ if kind in _PLAIN), None)
            if known is None:
                return None
            status, code, detail = known
    if isinstance(error, DatabaseError):
        logger.error("database_failed", exc_info=error)
        retry_after = TRY_AGAIN_SECONDS
    # The webchat's slug, where the address has one.
    note_refusal(error, view.kwargs.get("slug", ""))
    response = error_response(context["request"], status, code, detail, fields, retry_after, opens_at)
    if status == 405:
        response["Allow"] = ", ".join(view.allowed_methods)
    return response
