"""A message becomes a task at the next opening, once, whatever happens on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command

from tests.support.factories import ANSWERS, change, make_hours, make_webchat
from tests.support.visitor import VisitorClient
from webchat.flex.taskrouter import LONGEST_TASK_SECONDS
from webchat.messages.task import FIRST_PAUSE, HOLD, MOST_ATTEMPTS, make_due_tasks
from webchat.models import Message
from webchat.models.due import take_due
from webchat.models.webchat import MOST_TASK_DAYS
from webchat.protection.outage import breaker
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

SUNDAY = datetime(2026, 11, 29, 20, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)  # 9 o'clock in Berlin
TASKS = f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks"


@pytest.fixture
def clock():
    with time_machine.travel(SUNDAY, tick=False) as clock:
        yield clock


@pytest.fixture
def webchat(sandbox, clock):
    for task in desk(sandbox):
        sandbox.request("POST", f"/desk/tasks/{task['sid']}/complete")
    return make_webchat(
        hours=make_hours((0, "09:00", "17:00")),
        when_closed="message",
        task_workflow_sid=account.WORKFLOW_SID,
        task_days=14,
    )


@pytest.fixture
def message(webchat):
    assert VisitorClient().leave(ANSWERS).status_code == 201
    return Message.objects.get()


def desk(sandbox):
    return sandbox.request("GET", "/desk/queue").json()["tasks"]


def creates(sandbox):
    return len([call for call in sandbox.log() if (call["method"], call["path"]) == ("POST", TASKS)])


def test_a_task_is_made_at_the_opening_and_not_before(message, sandbox, clock):
    for _ in range(3):
        make_due_tasks()
        clock.shift(timedelta(hours=1))
    clock.move_to(MONDAY - timedelta(seconds=1))
    make_due_tasks()
    assert creates(sandbox) == 0
    clock.move_to(MONDAY)
    assert make_due_tasks() == 1
    [task] = desk(sandbox)
    assert task["attributes"] == {
        "type": "webchat_message",
        "message_id": str(message.pk),
        "webchat": "support",
        "name": ANSWERS["name"],
        "email": ANSWERS["email"],
        "text": ANSWERS["question"],
        "url": f"http://127.0.0.1:8000/admin/webchat/message/{message.pk}/change/",
    }
    made = sandbox.rest("GET", f"{TASKS}/{task['sid']}")
    assert (made["timeout"], made["task_channel_unique_name"]) == (LONGEST_TASK_SECONDS, "default")
    clock.shift(timedelta(days=7))
    assert make_due_tasks() == 0
    assert creates(sandbox) == 1


def test_days_of_a_task_are_no_more_than_twilio_takes():
    assert timedelta(days=MOST_TASK_DAYS).total_seconds() == LONGEST_TASK_SECONDS


def test_an_opening_that_staff_bring_forward_counts(message, webchat, sandbox, clock):
    make_due_tasks()
    change(webchat, hours=None)
    clock.shift(timedelta(minutes=15))
    make_due_tasks()
    assert len(desk(sandbox)) == 1


def test_without_a_workflow_there_is_no_task(webchat, sandbox, clock):
    change(webchat, task_workflow_sid="")
    VisitorClient().leave(ANSWERS)
    clock.move_to(MONDAY)
    assert make_due_tasks() == 0


def test_a_workflow_that_is_taken_away_or_a_message_that_is_forgotten_makes_none(message, webchat, sandbox, clock):
    Message.objects.update(text="")
    clock.move_to(MONDAY)
    assert make_due_tasks() == 1
    assert make_due_tasks() == 0
    assert creates(sandbox) == 0


@pytest.mark.parametrize("created", [True, False])
def test_after_an_unclear_outcome_it_is_looked_up_before_it_is_made_again(message, sandbox, clock, created):
    clock.move_to(MONDAY)
    sandbox.fault("POST", TASKS, status=500, before=not created)
    make_due_tasks()
    assert Message.objects.get().task_due_at == MONDAY + FIRST_PAUSE
    clock.shift(FIRST_PAUSE)
    breaker.forget()
    make_due_tasks()
    assert len(desk(sandbox)) == 1
    assert creates(sandbox) == (1 if created else 2)
    assert Message.objects.get().task_due_at is None


def test_a_worker_that_dies_over_it_leaves_it_to_the_next(message, sandbox, clock):
    clock.move_to(MONDAY)
    next(take_due(Message.objects.all(), HOLD, column="task_due_at", counter="task_attempts"))  # and does no more
    assert make_due_tasks() == 0  # reserved for the one that died
    clock.shift(HOLD)
    assert make_due_tasks() == 1
    assert len(desk(sandbox)) == 1


def test_what_twilio_refuses_is_tried_less_often_and_given_up(message, sandbox, clock):
    clock.move_to(MONDAY)
    sandbox.fault("POST", TASKS, status=400, times=3)
    pauses = []
    for _ in range(3):
        make_due_tasks()
        due_at = Message.objects.get().task_due_at
        pauses.append(due_at - datetime.now(UTC))
        clock.move_to(due_at)
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    Message.objects.update(task_attempts=MOST_ATTEMPTS - 1)
    sandbox.fault("GET", TASKS, status=400)
    make_due_tasks()
    assert Message.objects.get().task_due_at is None


def test_a_long_message_fits_into_the_attributes(webchat, sandbox, clock):
    VisitorClient().leave({**ANSWERS, "name": "ä" * 80, "question": "😀" * 2000})
    clock.move_to(MONDAY)
    assert make_due_tasks() == 1
    assert len(desk(sandbox)) == 1


def test_the_worker_makes_them(message, sandbox, clock):
    clock.move_to(MONDAY)
    call_command("webchat_worker", "--once")
    assert len(desk(sandbox)) == 1
