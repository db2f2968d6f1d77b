"""What staff configure, as every page view, panel and start reads it: kept in each process for at most a second.

The process that saves a webchat, a field or opening hours drops its copies at once; every other process shows the change
within a second. The copies are shared by all threads: they are for reading.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction

from webchat.models.webchat import Webchat, WebchatQuerySet

FRESH_SECONDS = 1.0

# By slug, or by site for the webchat of a page that names none: when it was read, and what was there.
_copies: dict[str | int, tuple[float, Webchat | None]] = {}


def webchat_named(slug: str) -> Webchat:
    """The webchat of this slug with its fields and opening hours. Raises Webchat.DoesNotExist."""
    webchat = _fresh(slug, lambda: _complete().filter(slug=slug).first())
    if webchat is None:
        raise Webchat.DoesNotExist
    return webchat


def webchat_of_site() -> Webchat | None:
    """The webchat of a page that names none."""
    return _fresh(settings.SITE_ID, lambda: _complete().of_site().first())


def forget_copies() -> None:
    _copies.clear()


def forget_copies_of_saved(**_signal: Any) -> None:
    """Now and once the change is committed: in between another thread may read the old state."""
    forget_copies()
    transaction.on_commit(forget_copies)


def _complete() -> WebchatQuerySet:
    return Webchat.objects.select_related("refused", "hours").prefetch_related(
        "fields", "hours__spans", "hours__special_days"
    )


def _fresh(key: str | int, read: Callable[[], Webchat | None]) -> Webchat | None:
    read_at, webchat = _copies.get(key, (float("-inf"), None))
    now = time.monotonic()
    if now - read_at > FRESH_SECONDS:
        webchat = read()
        if webchat is None:
            _copies.pop(key, None)  # what is not there is not kept: anybody can ask for any slug
        else:
            _copies[key] = (now, webchat)
    return webchat
