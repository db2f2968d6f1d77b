"""The idempotency key that a rendered form carries: signed for the browser that the form was shown to, with its time.

It works once because (browser, key) is unique among chat sessions.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from django.core import signing

from webchat.errors import ChatRefused, Code
from webchat.models.clock import database_now
from webchat.visitors import Visitor

# Nobody reads and fills a form faster.
SHOWN_AT_LEAST_SECONDS = 2
# As long as the visitor's cookie: nobody is hurried.
SHOWN_AT_MOST_SECONDS = 86_400


def issue(visitor: Visitor) -> str:
    """A key for one form: at most 128 visible characters."""
    return _signer(visitor).sign_object([secrets.token_urlsafe(12), int(database_now().timestamp())])


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
    try:
        _random, seconds = _signer(visitor).unsign_object(key)
    except (signing.BadSignature, ValueError):
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _signer(visitor: Visitor) -> signing.Signer:
    return signing.Signer(salt=f"webchat.form_key.{visitor.browser}")
