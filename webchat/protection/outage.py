"""What keeps a slow or absent Twilio from taking the site with it.

The bulkhead: only some of a process's threads may wait for Twilio, so that the others serve pages. The circuit breaker:
after some failures in a row nobody waits for Twilio at all, in any process, until one start has tried it again.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import transaction

from webchat.clock import database_now
from webchat.conf import conf
from webchat.errors import ChatRefused, Code
from webchat.flex import FlexError
from webchat.models import Outage

logger = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 5
# Failures further apart than this are not in a row.
FAILURE_WINDOW_SECONDS = 30
OPEN_SECONDS = 15
# A probe that never comes back, since its process died, is given up after this.
PROBE_SECONDS = 15
# The row is read at most so often by a process, and written only while calls fail.
REREAD_SECONDS = 1.0
BULKHEAD_RETRY_SECONDS = 5

_OUTAGE = (FlexError.Reason.UNREACHABLE, FlexError.Reason.UNCLEAR)


class Bulkhead:
    """Lets half of the process's threads in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    @contextmanager
    def passage(self, *, even_if_full: bool = False) -> Iterator[None]:
        """Around what waits for Twilio. Raises ChatRefused at once when there is no room; `even_if_full` is for what a
        start has begun and must end: it counts, and is never refused."""
        with self._lock:
            if not even_if_full and self._inside >= max(1, conf.WEBCHAT_THREADS // 2):
                raise ChatRefused(Code.BUSY, retry_after=BULKHEAD_RETRY_SECONDS, reason="busy")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1


class Breaker:
    """Shared by all processes through one row of the database, which is there only during an outage."""

    def __init__(self) -> None:
        self._row: Outage | None = None
        self._read_at = -math.inf

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Around calls to Twilio: learns how they go. Raises ChatRefused at once during an outage."""
        probing_until = self._enter()
        try:
            yield
        except FlexError as error:
            if error.reason in _OUTAGE:
                self._note_failure(bool(probing_until))
            elif error.status:  # a refusal is an answer
                self._note_answer()
            else:
                self._give_probe_back(probing_until)
            raise
        except ChatRefused:  # before Twilio was asked
            self._give_probe_back(probing_until)
            raise
        self._note_answer()

    @property
    def is_open(self) -> bool:
        return _open_for(self._known()) > 0

    def require_closed(self) -> None:
        """Raises ChatRefused during an outage."""
        if seconds := _open_for(self._known()):
            raise ChatRefused(Code.CHAT_UNAVAILABLE, retry_after=math.ceil(seconds), reason="unreachable")

    def forget(self) -> None:
        """Reads the row again the next time."""
        self._read_at = -math.inf

    def _known(self) -> Outage | None:
        if time.monotonic() - self._read_at > REREAD_SECONDS:
            self._keep(Outage.objects.first())
        return self._row

    def _keep(self, row: Outage | None) -> None:
        self._row, self._read_at = row, time.monotonic()

    def _enter(self) -> float:
        """Until when this caller is the probe; 0 when it is none."""
        row = self._known()
        if row is None or not row.open_until:
            return 0
        if seconds := _open_for(row):
            raise ChatRefused(Code.CHAT_UNAVAILABLE, retry_after=math.ceil(seconds), reason="unreachable")
        # Compare-and-set: one of several callers wins, the others see another time.
        self.forget()
        probing_until = database_now().timestamp() + PROBE_SECONDS
        if not Outage.objects.filter(open_until=row.open_until).update(open_until=probing_until):
            raise ChatRefused(Code.CHAT_UNAVAILABLE, retry_after=1, reason="unreachable")
        return probing_until

    def _give_probe_back(self, probing_until: float) -> None:
        """The next caller is the probe, at once: this one learned nothing."""
        if probing_until:
            now = database_now().timestamp()
            Outage.objects.filter(open_until=probing_until).update(open_until=now)
            self.forget()

    def _note_failure(self, is_probe: bool) -> None:
        now = database_now().timestamp()
        with transaction.atomic():
            row, _ = Outage.objects.select_for_update().get_or_create(pk=1, defaults={"since": now})
            if not 0 <= now - row.since <= FAILURE_WINDOW_SECONDS and not row.open_until:
                row.since, row.failures = now, 0
            row.failures += 1
            opens = is_probe or (row.failures >= FAILURES_TO_OPEN and not row.open_until)
            if opens:
                row.open_until = now + OPEN_SECONDS
            row.save()
        self._keep(row)
        if opens:
            logger.error("breaker_opened", seconds=OPEN_SECONDS, failures=row.failures)

    def _note_answer(self) -> None:
        if self._known() is not None:
            Outage.objects.all().delete()
            self._keep(None)
            logger.info("breaker_closed")


def _open_for(row: Outage | None) -> float:
    """Seconds; 0 where it is not open. What is further ahead than it can be was written by a wrong clock."""
    if row is None:
        return 0
    seconds = row.open_until - database_now().timestamp()
    return max(0.0, seconds) if seconds <= OPEN_SECONDS + PROBE_SECONDS else 0


bulkhead, breaker = Bulkhead(), Breaker()


@contextmanager
def passage_to_twilio(*, even_if_full: bool = False) -> Iterator[None]:
    """Around every call to Twilio in a request but a start's own. Raises ChatRefused at once during an outage, and when
    there is no room. How the calls go says nothing to the breaker: they end before a slow Twilio would answer."""
    breaker.require_closed()
    with bulkhead.passage(even_if_full=even_if_full):
        yield
