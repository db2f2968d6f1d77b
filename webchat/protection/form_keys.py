"""The idempotency key that a rendered form carries: signed for the browser that the form was shown to, with its time and
what it asked.

It works once because (browser, key) is unique among chat sessions.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from django.core import signing

from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.visitors import Visitor

# Nobody reads and fills a form faster.
SHOWN_AT_LEAST_SECONDS = 2
# As long as the visitor's cookie: nobody is hurried.
SHOWN_AT_MOST_SECONDS = 86_400


def issue(visitor: Visitor, shape: str) -> str:
    """A key for one form of this shape: at most 128 visible characters."""
    return _signer(visitor).sign_object([secrets.token_urlsafe(12), int(database_now().timestamp()), shape])


def is_of_another_shape(key: str, visitor: Visitor, shape: str) -> bool:
    """Whether the key is of a form of ours that asked this browser something else. A key that a program made is not."""
    told = _told(key, visitor)
    return told is not None and told[1] != shape


def check(key: str, visitor: Visitor) -> None:
    """Raises ChatRefused: FORM_EXPIRED for a key that is not of a form of this browser, TOO_EARLY for a form that was
    shown just now."""
    shown = shown_at(key, visitor)
    if shown is None:
        raise ChatRefused(Code.FORM_EXPIRED)
    age = (database_now() - shown).total_seconds()
    if age > SHOWN_AT_MOST_SECONDS:
        raise ChatRefused(Code.FORM_EXPIRED)
    if age < SHOWN_AT_LEAST_SECONDS:
        raise ChatRefused(Code.TOO_EARLY)


def shown_at(key: str, visitor: Visitor) -> datetime | None:
    """When the form of this key was shown, in UTC; None for a key that is not of a form of this browser."""
    told = _told(key, visitor)
    return told and told[0]


def _told(key: str, visitor: Visitor) -> tuple[datetime, str] | None:
    """When the form of this key was shown, and its shape; None for a key that is not of a form of this browser."""
    try:
        _random, seconds, shape = _signer(visitor).unsign_object(key)
    except (signing.BadSignature, ValueError):
        return None
    return datetime.fromtimestamp(seconds, UTC), shape


def _signer(visitor: Visitor) -> signing.Signer:
    return signing.Signer(salt=f"webchat.form_key.{visitor.browser}")
