"""A message as a task for the agents in Flex, made at the next opening: at night it would only spoil the queue's figures.

The worker makes it. Twilio knows no idempotency key for tasks, so after the first try it is looked up before it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog
from django.urls import reverse

from webchat.clock import database_now
from webchat.conf import conf
from webchat.flex import Deadline, FlexError
from webchat.flex.taskrouter import TaskRouter
from webchat.hours import state_of
from webchat.models import Message, Webchat
from webchat.models.due import Stop, never, pause_after, take_due
from webchat.protection.outage import breaker

logger = structlog.get_logger(__name__)

# How long a worker reserves a message, longer than its calls may take.
HOLD = timedelta(minutes=1)
CALL_SECONDS = 10
# Staff may change the opening hours meanwhile.
LOOK_EACH = timedelta(minutes=15)
# After the first failure, then twice as long each time, up to the longest.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
MOST_ATTEMPTS = 30

# Twilio takes a few KiB of attributes: 4 for certain.
TEXT_MAX = 700
NAME_MAX = 80


def make_due_tasks(stop: Stop = never) -> int:
    """Makes the tasks that are due, until Twilio fails. Returns the number of messages that were looked after."""
    _wait_for_openings()
    done = 0
    due, is_over = Message.objects.select_related("webchat"), lambda: stop() or breaker.is_open
    for message in take_due(due, HOLD, is_over, column="task_due_at", counter="task_attempts"):
        done += 1
        try:
            _make(message)
        except FlexError as error:
            _note_failure(message, error)
            if error.reason is not FlexError.Reason.REFUSED:
                break
    return done


def _wait_for_openings() -> None:
    """What is due of a webchat that is closed is due again when it opens."""
    now = database_now()
    due = Message.objects.filter(task_due_at__lte=now)
    for webchat in Webchat.objects.filter(pk__in=due.values("webchat")).select_related("hours"):
        state = state_of(webchat, now)
        if not state.is_open:
            again = now + LOOK_EACH
            due.filter(webchat=webchat).update(task_due_at=min(state.until, again) if state.until else again)


def _make(message: Message) -> None:
    webchat = message.webchat
    if webchat.task_workflow_sid and message.text:  # else it was switched off, or forgotten
        router = TaskRouter(Deadline(CALL_SECONDS))
        if message.task_attempts == 1 or not router.has_task("message_id", str(message.pk)):
            seconds = int(timedelta(days=webchat.task_days).total_seconds())
            router.create_task(webchat.task_workflow_sid, webchat.task_channel, _attributes(message), seconds)
            logger.info("task_made", message_id=str(message.pk))
    Message.objects.filter(pk=message.pk).update(task_due_at=None)


def _attributes(message: Message) -> Mapping[str, object]:
    """Names without hyphens: those break the expressions of workflows."""
    return {
        "type": "webchat_message",
        "message_id": str(message.pk),
        "webchat": message.webchat.slug,
        "name": message.customer_friendly_name[:NAME_MAX],
        "email": message.email,
        "text": message.text[:TEXT_MAX],
        "url": conf.PUBLIC_BASE_URL + reverse("admin:webchat_message_change", args=[message.pk]),
    }


def _note_failure(message: Message, error: FlexError) -> None:
    is_final = message.task_attempts >= MOST_ATTEMPTS
    pause = pause_after(message.task_attempts, FIRST_PAUSE, LONGEST_PAUSE)
    due_at = None if is_final else database_now() + pause
    Message.objects.filter(pk=message.pk, task_attempts=message.task_attempts).update(task_due_at=due_at)
    log = logger.error if is_final else logger.warning
    event = "task_given_up" if is_final else "task_not_made"
    log(event, message_id=str(message.pk), reason=str(error), failures=message.task_attempts)
