"""Time that a busy machine does not lengthen, for bars that code must keep in seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

TICK = 0.005  # seconds


class Stopwatch:
    """`with Stopwatch() as watch:` measures `watch.seconds`: those of the clock, less those for which this process was
    not let run. A second thread asks to be woken every few milliseconds, and counts how late it is.

    For upper bars. A lower bar holds by any clock: `watch.elapsed`.
    """

    def __enter__(self) -> Self:
        self._late = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._count_lateness, daemon=True)
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = time.monotonic()
        self._stopped.set()
        self._thread.join()
        self.elapsed = self._ended - self._began
        self.seconds = self.elapsed - self._late

    def _count_lateness(self) -> None:
        stopped = False
        while not stopped:
            due = time.monotonic() + TICK
            stopped = self._stopped.wait(TICK)
            # The measured code may end before this thread is woken from a halt: its last wait counts too.
            woken = self._ended if stopped else time.monotonic()
            self._late += max(0.0, woken - due)


@contextmanager
def at_most(seconds: float, *, at_least: float = 0.0) -> Iterator[None]:
    """Fails what takes longer, or less than `at_least`."""
    with Stopwatch() as watch:
        yield
    assert watch.elapsed >= at_least
    assert watch.seconds <= seconds
