"""What Twilio accepts, and what the sandbox keeps in memory.

Twilio's: https://www.twilio.com/docs/conversations-classic/conversations-limits. Sizes are bytes of UTF-8 unless said.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import TwilioError, invalid

IDENTITY = NAME = 256  # characters
BODY = 32 * 1024
CONVERSATION_ATTRIBUTES = 16 * 1024
MESSAGE_ATTRIBUTES = PARTICIPANT_ATTRIBUTES = USER_ATTRIBUTES = 4 * 1024
PRE_ENGAGEMENT_DATA = 16 * 1024
TASK_ATTRIBUTES = 4 * 1024
PARTICIPANTS = 1000
MEDIA_PER_MESSAGE = 10

# The sandbox's own.
CONVERSATIONS_KEPT = 2000
USERS_KEPT = 10_000  # unless more are in conversations
MESSAGES_KEPT = 1000  # of one conversation
CHARACTERS_KEPT = 64 * 1024 * 1024  # of all messages
MEDIA_SIZE = 32 * 1024 * 1024
MEDIA_KEPT = 128 * 1024 * 1024
FRAME = 1024 * 1024
QUEUED_FOR_ONE_CONNECTION = 8 * 1024 * 1024
CONNECTIONS = 2000


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def text(name: str, value: str | None, limit: int = NAME) -> str | None:
    """The value, if it has no more than `limit` characters."""
    if value is not None and len(value) > limit:
        raise invalid(f"{name} is longer than {limit} characters")
    return value


def body(value: str | None) -> str | None:
    if value is not None and size(value) > BODY:
        raise TwilioError(400, 20001, f"Body is larger than {BODY} bytes")
    return value


def parse_json(value: str) -> Any:
    """Strict JSON: no NaN, no Infinity, no nesting deeper than Python follows. Raises ValueError."""
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def attributes(value: str | None, limit: int) -> str:
    """Attributes as JSON text; absent or empty means `{}`."""
    if not value:
        return "{}"
    if size(value) > limit:
        raise TwilioError(400, 50303, "Attributes too long")
    try:
        parse_json(value)
    except ValueError as error:
        raise invalid("Attributes not valid JSON") from error
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
