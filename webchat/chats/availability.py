"""Whether an agent is there, by TaskRouter's figures: asked by the worker alone, and only while visitors open panels.

A panel reads what is known and waits for nothing. It fails open: without fresh figures it is as if somebody were there.
These calls have a thread of the worker's and pauses after failures of their own, so they cost no start anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from webchat.clock import database_now
from webchat.flex import Deadline, FlexError
from webchat.flex.taskrouter import TaskRouter
from webchat.models import QueueFigures, Webchat
from webchat.models.due import Stop, never, pause_after, take_due
from webchat.protection.outage import breaker

logger = structlog.get_logger(__name__)

# Between two readings of a queue. Twilio's figures are a few seconds old themselves.
READ_EACH = timedelta(seconds=15)
# How long a queue is read after a visitor has opened a panel, so that the next one finds two readings.
READ_FOR = timedelta(minutes=10)
# How often panels note that they were opened.
NOTE_EACH = timedelta(seconds=10)
# After failures in a row the pause doubles, up to the longest.
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
CALL_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Availability:
    """`waiting` visitors have no agent yet. `nobody_is_there`: no agent in two readings."""

    somebody_is_free: bool
    nobody_is_there: bool
    waiting: int


def availability_of(webchat: Webchat) -> Availability | None:
    """What is known of the webchat's queue at the moment; None where nothing is, or it has none."""
    if not webchat.queue_sid:
        return None
    now = database_now()
    figures, _is_new = QueueFigures.objects.get_or_create(
        queue_sid=webchat.queue_sid, defaults={"asked_at": now, "due_at": now}
    )
    if now - figures.asked_at > NOTE_EACH:
        QueueFigures.objects.filter(pk=figures.pk).update(asked_at=now)
    if breaker.is_open or not figures.is_fresh(now):
        return None
    return Availability(
        somebody_is_free=figures.available_agents > 0 and not figures.waiting,
        nobody_is_there=figures.nobody_is_there,
        waiting=figures.waiting,
    )


def read_due_queues(stop: Stop = never) -> int:
    """Reads the figures of the queues that are due. Returns their number."""
    asked = QueueFigures.objects.filter(asked_at__gt=database_now() - READ_FOR)
    done = 0
    for figures in take_due(asked, READ_EACH, lambda: stop() or breaker.is_open):
        done += 1
        try:
            read = TaskRouter(Deadline(CALL_SECONDS)).figures(figures.queue_sid)
        except FlexError as error:
            _note_failure(figures, error)
        else:
            QueueFigures.objects.filter(pk=figures.pk).update(
                taken_at=database_now(),
                available_agents=read.available_agents,
                waiting=read.waiting,
                readings_of_nobody=0 if read.available_agents else min(figures.readings_of_nobody + 1, 1000),
                failures=0,
                failure="",
            )
    return done


def _note_failure(figures: QueueFigures, error: FlexError) -> None:
    failures = min(figures.failures + 1, 100)
    pause = pause_after(failures, FIRST_PAUSE, LONGEST_PAUSE)
    QueueFigures.objects.filter(pk=figures.pk).update(
        due_at=database_now() + pause, readings_of_nobody=0, failures=failures, failure=str(error)[:200]
    )
    log = logger.warning if failures == 1 else logger.info
    log("queue_not_read", sid=figures.queue_sid, reason=str(error), failures=failures)
