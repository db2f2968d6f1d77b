"""The idempotency key that a rendered form carries is a ticket: signed for the browser that the form was shown to, good
for one chat, and it tells how long the form was looked at."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.core import signing
from django.utils.translation import gettext_lazy as _

from webchat.models.session import SessionError
from webchat.visitors import Visitor

# Nobody reads and fills a form faster.
MIN_AGE = timedelta(seconds=2)
# As long as the cookie of the visitor: nobody is hurried.
MAX_AGE = timedelta(days=1)


def issue(visitor: Visitor) -> str:
    """A key for one form. Single use is the row's doing: a visitor's key starts one session."""
    return _signer(visitor).sign(secrets.token_urlsafe(16))


def check(key: str, visitor: Visitor) -> None:
    """Raises SessionError: form_expired for what is no ticket of this browser, too_early for a form just shown."""
    try:
        _signer(visitor).unsign(key, max_age=MAX_AGE)
    except signing.BadSignature as error:
        raise SessionError("form_expired", _("This form is out of date. Please reload it.")) from error
    try:
        _signer(visitor).unsign(key, max_age=MIN_AGE)
    except signing.SignatureExpired:
        return
    raise SessionError("too_early", _("One moment, please."), retry_after=int(MIN_AGE.total_seconds()))


def _signer(visitor: Visitor) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"webchat.ticket.{visitor.key}")
