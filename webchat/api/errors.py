"""The error contract: {"code", "detail", "fields"?, "request_id"} for every refusal below /api/."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions

from webchat.audit import note_refusal
from webchat.flex import FlexError
from webchat.models.session import ChatSession, SessionError

logger = logging.getLogger(__name__)

# Seconds after which a visitor should try again when Twilio did not say.
TRY_AGAIN = 10

SESSION_STATUS = {
    "invalid": 400,
    "form_expired": 403,
    "proof_needed": 403,
    "too_early": 409,
    "in_progress": 409,
    "session_ended": 410,
    "key_reused": 422,
    "too_many": 429,
    "chat_unavailable": 503,
}
_UNAVAILABLE = _("The chat is not available at the moment.")
_NOT_FOUND = (404, "not_found", _("There is nothing here, or it is not yours."))
_UNREADABLE = (400, "invalid", _("The request cannot be read."))
# Status, code and words for what Django and DRF raise. Their own words may quote the request.
_PLAIN: dict[type[Exception], tuple[int, str, Any]] = {
    Http404: _NOT_FOUND,
    ChatSession.DoesNotExist: _NOT_FOUND,
    PermissionDenied: (403, "forbidden", _("This is not allowed.")),
    RequestDataTooBig: (413, "too_large", _("The request is too large.")),
    SuspiciousOperation: _UNREADABLE,
    BadRequest: _UNREADABLE,
    MultiPartParserError: _UNREADABLE,
    UnreadablePostError: _UNREADABLE,
    exceptions.MethodNotAllowed: (405, "method_not_allowed", _("This address does not take that method.")),
    exceptions.NotAcceptable: (406, "not_acceptable", _("The answer is JSON.")),
    exceptions.UnsupportedMediaType: (415, "unsupported_media_type", _("Send JSON or a form.")),
    DatabaseError: (503, "chat_unavailable", _UNAVAILABLE),
}


class Invalid(Exception):  # noqa: N818
    """A form that is not valid. `fields` are the errors by field name, `detail` those of the form as a whole."""

    def __init__(self, detail: Any, fields: Mapping[str, list[str]]) -> None:
        super().__init__("invalid")
        self.detail, self.fields = detail, fields


def body_of(
    request: HttpRequest | Any, code: str, detail: Any, fields: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code, "detail": str(detail), "request_id": getattr(request, "request_id", "")}
    if fields is not None:
        body["fields"] = fields
    return body


def error_response(
    request: HttpRequest,
    status: int,
    code: str,
    detail: Any,
    fields: Mapping[str, list[str]] | None = None,
    retry_after: int | None = None,
) -> JsonResponse:
    """The same answer for what goes wrong outside of the API's views: no such address, CSRF, a bug."""
    response = JsonResponse(body_of(request, code, detail, fields), status=status)
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
    match error:
        case Invalid():
            status, code, detail, fields = 400, "invalid", error.detail, error.fields
        case SessionError():
            status, code, detail = SESSION_STATUS[error.code], error.code, error.detail
            retry_after = error.retry_after
        case FlexError():
            status, code, retry_after = 503, "chat_unavailable", error.retry_after
            detail = view.unavailable_text or _UNAVAILABLE
        case exceptions.ParseError():
            status, code, detail = 400, "invalid", error.detail
        case _:
            known = next((_PLAIN[kind] for kind in type(error).__mro__ if kind in _PLAIN), None)
            if known is None:
                return None
            status, code, detail = known
    if isinstance(error, DatabaseError):
        logger.error("the database failed", exc_info=error)
    # The webchat's slug, where the address has one.
    note_refusal(error, view.kwargs.get("slug", ""))
    if status == 503 and not retry_after:
        retry_after = TRY_AGAIN
    response = error_response(context["request"]._request, status, code, detail, fields, retry_after or None)
    if status == 405:
        response["Allow"] = ", ".join(view.allowed_methods)
    return response
