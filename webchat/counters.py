"""Counts what happens. It is kept in the process and added to the database at most each ten seconds, after an answer has
left: no visitor waits for it. The worker adds its own with each pass, and a process that stops all that is left. A process
that is killed loses the counts of seconds, and no chat.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from django.db import DatabaseError, close_old_connections, connection

from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.flex import failure_of
from webchat.models import ChatSession, Webchat
from webchat.models.counts import LATE, Counts, Event, HourlyCount, hour_of
from webchat.silent_database import watched_database

logger = structlog.get_logger(__name__)

FLUSH_SECONDS = 10
LASTED_SECONDS = (60, 300, 900, 1800)
ANSWER_SECONDS = (30, 60, 120, 300)
_BY_CODE = {
    Code.INVALID: Event.INVALID,
    Code.FORM_EXPIRED: Event.REFUSED_FORM,
    Code.FORM_CHANGED: Event.REFUSED_FORM,
    Code.PROOF_NEEDED: Event.REFUSED_PROOF,
    Code.CHAT_CLOSED: Event.CLOSED,
}
# By the part of a limit's name that says whose it is.
_BY_LIMIT = {
    "start:browser": Event.REFUSED_BROWSER,
    "start:address": Event.REFUSED_ADDRESS,
    "start:address:48": Event.REFUSED_ADDRESS,
    "start:user": Event.REFUSED_USER,
    "start:webchat": Event.REFUSED_WEBCHAT,
    "day": Event.REFUSED_DAY,
    "retry:browser": Event.REFUSED_RETRY,
    "retry:address": Event.REFUSED_RETRY,
    "retry:address:48": Event.REFUSED_RETRY,
    "member:address": Event.REFUSED_MEMBER,
    "member:address:48": Event.REFUSED_MEMBER,
    "member:value": Event.REFUSED_MEMBER,
    "member:value:48": Event.REFUSED_MEMBER,
}


class Counters:
    """The counts of this process, until they are added to the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, int, str]] = Counter()
        self._due_at = 0.0
        self._will_end = False

    def count(self, webchat_id: int, event: Event, number: int = 1, at: datetime | None = None) -> None:
        """At this time, or now. Asks the database nothing."""
        hour = hour_of(at or database_now())
        with self._lock:
            if not self._counts:
                self._due_at = time.monotonic() + FLUSH_SECONDS
            if not self._will_end:
                self._will_end = True
                atexit.register(self._flush_last)
            self._counts[webchat_id, hour, event] += number

    def flush(self) -> None:
        """Adds them to the database. Raises DatabaseError, after which they are kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            HourlyCount.add({**counts, **late(counts)})
        except BaseException:
            with self._lock:
                for key, number in counts.items():
                    self._counts[key] += number
                self._due_at = time.monotonic() + FLUSH_SECONDS
            raise

    def flush_when_due(self, **_signal: object) -> None:
        """After a request's answer, in its thread. Raises nothing."""
        if not self._counts or time.monotonic() < self._due_at or connection.in_atomic_block:
            return
        try:
            with watched_database():
                self.flush()
        except DatabaseError as error:
            logger.warning("counts_not_kept", error=type(error).__name__)
        close_old_connections()  # as Django has done after the request: a pool wants it back

    def forget(self) -> None:
        with self._lock:
            self._counts.clear()

    def _flush_last(self) -> None:
        self._due_at = 0.0
        self.flush_when_due()


def late(counts: Counts) -> dict[tuple[int, int, str], int]:
    """What is kept only after its day (UTC) is over, once more in the hour of now: /metrics begins anew at midnight."""
    now = hour_of(database_now())
    midnight = now - now % 24
    found: Counter[tuple[int, int, str]] = Counter()
    for (webchat, hour, event), number in counts.items():
        if midnight - 24 <= hour < midnight:
            found[webchat, now, f"{LATE}{event}"] += number
    return dict(found)


counters = Counters()


@contextmanager
def refusals_counted(webchat: Webchat) -> Iterator[None]:
    """Around what a form that was sent asks for."""
    try:
        yield
    except ChatRefused as refused:
        _count_refusal(webchat, refused)
        raise


def _count_refusal(webchat: Webchat, refused: ChatRefused) -> None:
    """One that only waits for its turn is not refused."""
    event = _BY_CODE.get(refused.code)
    if refused.code is Code.TOO_MANY:
        event = _BY_LIMIT[refused.limit]
    elif refused.code is Code.CHAT_UNAVAILABLE and refused.reason:
        event = Event(f"failed_{failure_of(refused.reason)}")
    if event:
        counters.count(webchat.pk, event)


def count_answer(session: ChatSession) -> None:
    """Counts the session's first answer, which has its time."""
    if session.started_at and session.answered_at:
        counters.count(session.webchat_id, Event.ANSWERED)
        _count_seconds(session, "answer", ANSWER_SECONDS, session.started_at, session.answered_at)


def count_end(session: ChatSession) -> None:
    """Counts a session that has just ended. One that was never started was no chat."""
    if not (session.started_at and session.ended_at):
        return
    counters.count(session.webchat_id, Event(f"ended_{session.ended_by}"))
    if session.messages_told and not session.answered_at:
        counters.count(session.webchat_id, Event.UNANSWERED)
    _count_seconds(session, "lasted", LASTED_SECONDS, session.started_at, session.ended_at)


def _count_seconds(session: ChatSession, what: str, buckets: tuple[int, ...], since: datetime, until: datetime) -> None:
    seconds = max(0, round((until - since).total_seconds()))
    bucket = next((str(most) for most in buckets if seconds <= most), "longer")
    counters.count(session.webchat_id, Event(f"{what}_{bucket}"))
    counters.count(session.webchat_id, Event(f"{what}_sum"), seconds)
