"""Refusals: the one table of code → HTTP status, words and what the visitor may do about it.

Whatever answers a visitor reads this table. What Twilio answers is a FlexError and stays inside of the server: visitors
read CHAT_UNAVAILABLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Seconds after which a visitor should try again when nobody knows better.
TRY_AGAIN_SECONDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """`code` is the one of the JSON contract, `retry_after` in seconds. `needs_new_key`: the form's key belongs to
    something else or to no form of ours, so the next try takes a new one."""

    code: str
    status: int
    words: Promise
    needs_new_key: bool = False
    retry_after: int | None = None


class Code(Enum):
    INVALID = _Kind("invalid", 400, _("Please check the marked answers."))
    BAD_KEY = _Kind(
        "invalid",
        400,
        _("Send an Idempotency-Key header of 8 to 128 visible characters, new per form."),
        needs_new_key=True,
    )
    FORM_EXPIRED = _Kind("form_expired", 403, _("This form is out of date. Please reload it."), needs_new_key=True)
    FORM_CHANGED = _Kind(
        "form_expired",
        403,
        _("This form has changed meanwhile. Please check your answers and send it again."),
        needs_new_key=True,
    )
    PROOF_NEEDED = _Kind(
        "proof_needed",
        403,
        _("Many chats are being started at the moment. Please reload the form, with JavaScript switched on."),
    )
    TOO_EARLY = _Kind("too_early", 409, _("One moment, please."), retry_after=2)
    IN_PROGRESS = _Kind("in_progress", 409, _("Your chat is being started."), retry_after=1)
    SESSION_ENDED = _Kind("session_ended", 410, _("This chat has ended. Please start a new one."), needs_new_key=True)
    KEY_REUSED = _Kind(
        "key_reused",
        422,
        _("This form was already sent with other answers. Please reload it."),
        needs_new_key=True,
    )
    RATING_OVER = _Kind("rating_over", 410, _("This chat can no longer be rated."))
    TOO_MANY = _Kind("too_many", 429, _("Too many chats were started from here. Please try again later."))
    BUSY = _Kind(
        "busy",
        503,
        _("Many visitors are starting a chat right now. Yours starts in a moment, by itself."),
        retry_after=2,
    )
    CHAT_UNAVAILABLE = _Kind(
        "chat_unavailable", 503, _("The chat is not available at the moment."), retry_after=TRY_AGAIN_SECONDS
    )
    CHAT_CLOSED = _Kind("chat_closed", 503, _("The chat is closed at the moment."), needs_new_key=True)

    # What Django and DRF refuse, or what is no request of the chat's at all.
    UNREADABLE = _Kind("invalid", 400, _("The request cannot be read."))
    FORBIDDEN = _Kind("forbidden", 403, _("This is not allowed."))
    CSRF_FAILED = _Kind("csrf_failed", 403, _("This page is out of date. Reload it and try again."))
    NOT_FOUND = _Kind("not_found", 404, _("There is nothing here, or it is not yours."))
    METHOD_NOT_ALLOWED = _Kind("method_not_allowed", 405, _("This address does not take that method."))
    NOT_ACCEPTABLE = _Kind("not_acceptable", 406, _("The answer is JSON."))
    TOO_LARGE = _Kind("too_large", 413, _("The request is too large."))
    UNSUPPORTED_MEDIA_TYPE = _Kind("unsupported_media_type", 415, _("Send JSON or a form, in UTF-8."))
    SERVER_ERROR = _Kind("server_error", 500, _("Something went wrong on our side."))

    @property
    def status(self) -> int:
        return self.value.status

    @property
    def needs_new_key(self) -> bool:
        return self.value.needs_new_key


class ChatRefused(Exception):  # noqa: N818  (a refusal is an answer, not a fault)
    """What a visitor asked for is not done. `detail` and `retry_after` (seconds) are the table's unless they are given.

    `fields` are a form's errors by field name. `opens_at` is when a closed chat opens, in UTC, if that is known. `reason` is for the log alone: fixed words, nothing of the visitor's.
    `limit` is the name of the one that is empty, of TOO_MANY. `webchat` is the slug, where the address does not say it.
    """

    def __init__(
        self,
        code: Code,
        detail: Any = None,
        *,
        retry_after: int | None = None,
        fields: Mapping[str, list[str]] | None = None,
        opens_at: datetime | None = None,
        reason: str = "",
        limit: str = "",
        webchat: str = "",
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = code.value.words if detail is None else detail
        self.retry_after = retry_after or code.value.retry_after
        self.fields = fields
        self.opens_at = opens_at
        self.reason = reason
        self.limit = limit
        self.webchat = webchat

    def __str__(self) -> str:
        return self.reason or self.code.value.code
