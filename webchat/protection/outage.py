"""What keeps a slow or absent Twilio from taking the site with it. Only starts pass here: renewals call nobody, and
what else fails is kept for the worker.

The bulkhead: only some of a process's threads may wait for Twilio, so that the others serve pages. The breaker: after
some failures in a row nobody waits for Twilio at all, in any process, until one start has tried it again.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import transaction

from webchat.flex import FlexError
from webchat.models.outage import Outage

logger = logging.getLogger(__name__)

# Seconds, but FAILURES. The row is read at most once in FRESH by a process, and written only while starts fail.
FAILURES, WINDOW, PAUSE, FRESH = 5, 30, 15, 1.0
# A probe that never comes back, since its process died, is given up after this.
PROBE = 15
BULKHEAD_RETRY = 5

_OUTAGE = (FlexError.Reason.UNREACHABLE, FlexError.Reason.UNCLEAR)


class Bulkhead:
    """Lets half of the process's threads in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Raises FlexError(BUSY) at once when there is no room."""
        with self._lock:
            if self._inside >= max(1, settings.WEBCHAT_THREADS // 2):
                raise FlexError(FlexError.Reason.BUSY, retry_after=BULKHEAD_RETRY)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1


class Breaker:
    """Shared by all processes through one row of the database."""

    def __init__(self) -> None:
        self._row: Outage | None = None
        self._read_at = -math.inf

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Around calls to Twilio: learns how they go. Raises FlexError(UNREACHABLE) at once during an outage."""
        is_probe = self._enter()
        try:
            yield
        except FlexError as error:
            if error.reason in _OUTAGE:
                self._note_failure(is_probe)
            elif error.status:  # a refusal is an answer
                self._note_answer()
            raise
        self._note_answer()

    @property
    def is_open(self) -> bool:
        row = self._known()
        return row is not None and row.open_until > time.time()

    def forget(self) -> None:
        """Reads the row again the next time."""
        self._read_at = -math.inf

    def _known(self) -> Outage | None:
        if time.monotonic() - self._read_at > FRESH:
            self._remember(Outage.objects.first())
        return self._row

    def _remember(self, row: Outage | None) -> None:
        self._row, self._read_at = row, time.monotonic()

    def _enter(self) -> bool:
        """Whether this caller is the probe."""
        row, now = self._known(), time.time()
        if row is None or not row.open_until:
            return False
        if row.open_until > now:
            raise FlexError(FlexError.Reason.UNREACHABLE, retry_after=math.ceil(row.open_until - now))
        # One of several callers wins, the others see another time.
        self.forget()
        if not Outage.objects.filter(open_until=row.open_until).update(open_until=now + PROBE):
            raise FlexError(FlexError.Reason.UNREACHABLE, retry_after=1)
        return True

    def _note_failure(self, is_probe: bool) -> None:
        now = time.time()
        with transaction.atomic():
            row, _ = Outage.objects.select_for_update().get_or_create(pk=1, defaults={"since": now})
            if now - row.since > WINDOW and not row.open_until:
                row.since, row.failures = now, 0
            row.failures += 1
            opens = is_probe or (row.failures >= FAILURES and not row.open_until)
            if opens:
                row.open_until = now + PAUSE
            row.save()
        self._remember(row)
        if opens:
            logger.error("no chat is started for %d s: Twilio failed %d times", PAUSE, row.failures)

    def _note_answer(self) -> None:
        if self._known() is not None:
            Outage.objects.all().delete()
            self._remember(None)
            logger.info("Twilio answers again")


bulkhead, breaker = Bulkhead(), Breaker()
