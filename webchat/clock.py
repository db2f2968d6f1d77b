"""The database's time: the one clock that all machines share, so that a machine whose own clock is wrong does no harm.

And how a point in time is written for programs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.db import connection
from django.utils import timezone

# RFC 3339 in UTC and whole seconds.
UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# How long a process goes by what it has read, with its own steady clock.
REREAD_SECONDS = 60
# An answer that took longer says too little about the moment: it is used once and read again.
PROMPT_SECONDS = 0.1

_offset: tuple[float, float] = (0.0, float("-inf"))


def database_now() -> datetime:
    """Aware, in UTC. With SQLite the database is in this process, and so is its clock."""
    global _offset
    if connection.vendor == "sqlite":
        return timezone.now()
    ahead, read_at = _offset
    began = time.monotonic()
    if began - read_at > REREAD_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
            there = float(cursor.fetchone()[0])
        now = time.monotonic()
        ahead = there - now
        if now - began <= PROMPT_SECONDS:
            _offset = (ahead, now)
    return datetime.fromtimestamp(time.monotonic() + ahead, UTC)


def utc_text(instant: datetime) -> str:
    """Like 2026-12-01T09:00:00Z, whatever zone the aware time is in."""
    return instant.astimezone(UTC).strftime(UTC_FORMAT)
