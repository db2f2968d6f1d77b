"""One deadline for several calls to Twilio: what a visitor waits for is their sum."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All calls inside, taken together, end within so many seconds; each within the client's own limits still."""
    token = _ends.set(min(_ends.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def deadline_at() -> float:
    """When the calls made here and now must end, by time.monotonic()."""
    return _ends.get()


def time_left() -> float:
    """Seconds; infinite outside of deadline()."""
    return _ends.get() - time.monotonic()
