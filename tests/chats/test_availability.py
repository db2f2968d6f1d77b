"""Whether somebody is there: read by one process while panels are opened, shown in words, and open where it fails."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client

from tests.support.factories import ANSWERS, change, make_hours, make_webchat
from tests.support.visitor import VisitorClient
from webchat.chats.availability import READ_EACH, READ_FOR, availability_of, read_due_queues
from webchat.models import Message, Outage, QueueFigures
from webchat.protection.outage import breaker
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIGURES = f"/v1/Workspaces/{account.WORKSPACE_SID}/TaskQueues/{account.TASK_QUEUE_SID}/RealTimeStatistics"


@pytest.fixture
def webchat(sandbox):
    switch(sandbox, available=True)
    for chat in sandbox.desk()["conversations"]:
        if chat["waiting"]:  # of other tests
            sandbox.close(chat["sid"])
    for task in sandbox.request("GET", "/desk/queue").json()["tasks"]:
        sandbox.request("POST", f"/desk/tasks/{task['sid']}/complete")
    yield make_webchat(queue_sid=account.TASK_QUEUE_SID, queue_name="Everyone")
    switch(sandbox, available=True)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def switch(sandbox, *, available):
    sandbox.request("POST", "/desk/agent", json={"available": available})


def readings(sandbox):
    return len([call for call in sandbox.log() if call["path"] == FIGURES])


def read(clock, times=1):
    """So many readings after a panel was opened."""
    panel()
    for _ in range(times):
        assert read_due_queues() == 1
        clock.shift(READ_EACH)


def panel():
    html = Client().get("/webchat/support/panel/").content.decode()
    return re.search(r'data-webchat-state="(\w+)"', html)[1], said_in(html)


def said_in(html):
    said = re.search(r'<p class="webchat-availability"[^>]*>\s*(.*?)\s*</p>', html, re.DOTALL)
    return said and said[1]


# --- Who reads, and when -----------------------------------------------------------------------------------------------


def test_nobody_reads_a_queue_that_no_panel_asks_about(webchat, sandbox, clock):
    assert read_due_queues() == 0
    Client().get("/")
    assert read_due_queues() == 0
    panel()
    assert read_due_queues() == 1
    clock.shift(READ_FOR)
    assert read_due_queues() == 0
    assert readings(sandbox) == 1


def test_a_queue_is_read_each_15_seconds_whoever_asks(webchat, sandbox, clock):
    make_webchat(slug="other", queue_sid=account.TASK_QUEUE_SID)
    for _ in range(5):
        panel()
        Client().get("/webchat/other/panel/")
    assert [read_due_queues() for _ in range(3)] == [1, 0, 0]
    clock.shift(READ_EACH - timedelta(seconds=1))
    assert read_due_queues() == 0
    clock.shift(timedelta(seconds=1))
    assert read_due_queues() == 1
    assert readings(sandbox) == 2


def test_a_webchat_without_a_queue_asks_nobody(sandbox, clock):
    webchat = make_webchat()
    assert panel() == ("form", None)
    assert availability_of(webchat) is None
    assert not QueueFigures.objects.exists()


def test_a_panel_writes_at_most_each_ten_seconds(webchat, clock, django_assert_num_queries):
    panel()
    with django_assert_num_queries(1):
        availability_of(webchat)


# --- What visitors read ------------------------------------------------------------------------------------------------


def test_somebody_is_there(webchat, clock):
    assert panel() == ("form", None)  # nothing is known yet
    read(clock)
    assert panel() == ("form", "Somebody is there for you.")


@pytest.mark.parametrize(
    ("waiting", "words"),
    [(1, "1 person is waiting."), (9, "9 people are waiting."), (10, "Many people are waiting.")],
)
def test_how_many_wait_is_said_in_words(webchat, sandbox, clock, waiting, words):
    read(clock)
    QueueFigures.objects.update(waiting=waiting)
    assert panel() == ("form", words)


def test_the_figures_are_those_of_the_queue(webchat, sandbox, clock):
    path = f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks"
    task = sandbox.rest("POST", path, WorkflowSid=account.WORKFLOW_SID)
    read(clock)
    before = QueueFigures.objects.get()
    sandbox.request("POST", f"/desk/tasks/{task['sid']}/complete")
    read(clock)
    after = QueueFigures.objects.get()
    assert (before.available_agents, after.available_agents) == (1, 1)
    assert before.waiting == after.waiting + 1


def test_one_reading_of_nobody_is_no_news_and_two_are_said(webchat, sandbox, clock):
    switch(sandbox, available=False)
    read(clock, 1)
    assert panel() == ("form", None)
    read(clock, 1)
    assert panel() == ("form", "Nobody is free right now. It may take longer until somebody answers.")
    switch(sandbox, available=True)
    read(clock, 1)
    assert panel() == ("form", "Somebody is there for you.")


@pytest.mark.parametrize(("waiting", "words"), [(0, None), (1, "2 people are waiting."), (2, "3 people are waiting.")])
def test_a_visitor_who_waits_reads_how_many_do_and_is_one_of_them(webchat, sandbox, clock, waiting, words):
    visitor = VisitorClient()
    visitor.start(ANSWERS)
    for _ in range(waiting):
        VisitorClient().start(ANSWERS)
    read(clock)
    html = visitor.client.get("/webchat/support/panel/").content.decode()
    assert 'data-webchat-state="running"' in html
    assert said_in(html) == words


def panel_of(visitor):
    return visitor.client.get("/webchat/support/panel/").content.decode()


def test_what_denies_that_somebody_comes_soon_takes_the_place_of_that_promise(webchat, sandbox, clock):
    visitor = VisitorClient()
    visitor.start(ANSWERS)
    read(clock, 2)
    QueueFigures.objects.update(waiting=0, available_agents=1)
    assert said_in(panel_of(visitor)) is None  # the first words say as much, the later ones would be denied
    QueueFigures.objects.update(waiting=5)
    assert "data-webchat-in-place" not in panel_of(visitor)
    QueueFigures.objects.update(available_agents=0, readings_of_nobody=2)
    assert '<p class="webchat-availability" data-webchat-in-place>' in panel_of(visitor)


def test_who_waits_when_the_hours_end_reads_so(sandbox, clock):
    webchat = make_webchat(closed_text="We are closed.")
    visitor = VisitorClient()
    visitor.start(ANSWERS)
    assert "webchat-availability" not in panel_of(visitor)
    change(webchat, closure="until", closed_until=NOON + timedelta(hours=20))
    html = panel_of(visitor)
    assert 'data-webchat-state="running"' in html
    told = re.search(r'<p class="webchat-availability" data-webchat-in-place>(.*?)</p>', html, re.DOTALL)[1]
    assert "We are closed." in told
    assert "We are back on" in told
    change(webchat, enabled=False)  # running chats go on, and agents answer them
    assert "webchat-availability" not in panel_of(visitor)


def test_a_panel_says_in_how_many_seconds_its_answer_may_change(sandbox, clock):
    """Soon where a queue has figures; else when the webchat closes, and each five minutes: staff may close it by hand."""
    webchat = make_webchat(hours=make_hours((NOON.weekday(), "08:00", "13:00"), time_zone="UTC"), stop_before_close=0)
    visitor = VisitorClient()
    visitor.start(ANSWERS)

    def seconds():
        return int(re.search(r'data-ask-again="(\d+)"', panel_of(visitor))[1])

    assert seconds() == 300
    clock.move_to(NOON + timedelta(minutes=58, seconds=30))
    assert seconds() == 90
    clock.move_to(NOON + timedelta(minutes=60))
    assert seconds() == 300
    change(webchat, queue_sid=account.TASK_QUEUE_SID)
    assert seconds() == 30
    assert "data-ask-again" not in panel_of(VisitorClient())


def test_staff_may_have_a_message_form_shown_instead(webchat, sandbox, clock):
    change(webchat, when_nobody="message")
    switch(sandbox, available=False)
    read(clock, 2)
    assert panel() == ("message", None)
    assert VisitorClient().leave(ANSWERS).status_code == 201
    # The form of a chat that was opened before starts one: nobody is turned away on a figure.
    assert VisitorClient().start(ANSWERS).status_code == 201
    assert Message.objects.count() == 1


def test_a_closed_chat_looks_at_no_queue(webchat, clock):
    change(webchat, enabled=False)
    panel()
    assert not QueueFigures.objects.exists()


# --- Fails open -------------------------------------------------------------------------------------------------------


@pytest.fixture
def nobody(webchat, sandbox, clock):
    change(webchat, when_nobody="message")
    switch(sandbox, available=False)
    read(clock, 2)
    assert panel()[0] == "message"


def test_old_figures_count_as_none(nobody, clock):
    clock.shift(timedelta(minutes=2, seconds=1))
    assert panel() == ("form", None)


def test_an_open_breaker_counts_as_no_figures_and_keeps_the_reader_quiet(nobody, sandbox, clock):
    Outage.objects.create(since=NOON.timestamp(), failures=5, open_until=NOON.timestamp() + 40)
    breaker.forget()
    assert panel() == ("form", None)
    assert read_due_queues() == 0


@pytest.mark.parametrize(
    "fault",
    [{"status": 401}, {"status": 403}, {"status": 429}, {"status": 500}, {"fault": "garbage"}, {"fault": "empty"}],
)
def test_a_failed_reading_counts_as_no_figures_costs_no_start_and_is_tried_less_often(nobody, sandbox, clock, fault):
    sandbox.fault("GET", FIGURES, times=5, **fault)
    calls = readings(sandbox)
    for _ in range(8):
        panel()
        read_due_queues()
        clock.shift(READ_EACH)
    assert readings(sandbox) - calls <= 4
    assert panel() == ("form", None)
    assert not Outage.objects.exists()
    assert VisitorClient().start(ANSWERS).status_code == 201


def test_figures_that_are_not_there_in_the_answer_are_a_failure(webchat, sandbox, clock):
    sandbox.fault("GET", FIGURES, status=200, body='{"total_available_workers": null, "tasks_by_status": {}}')
    panel()
    assert read_due_queues() == 1
    assert QueueFigures.objects.get().failure == "unclear"
    assert panel() == ("form", None)


def test_numbers_may_come_as_texts(webchat, sandbox, clock):
    body = {"total_available_workers": "2", "tasks_by_status": {"pending": "3", "reserved": "1"}}
    sandbox.fault("GET", FIGURES, status=200, body=json.dumps(body))
    panel()
    read_due_queues()
    assert panel() == ("form", "4 people are waiting.")


# --- Staff hear of it ------------------------------------------------------------------------------------------------


def test_check_and_check_flex_say_that_the_key_may_not_read_the_figures(webchat, sandbox, clock, capsys):
    sandbox.fault("GET", FIGURES, times=5, status=403)
    panel()
    read_due_queues()
    [warning] = [each for each in run_checks(databases=["default"]) if each.id == "webchat.W004"]
    assert "Everyone" in warning.msg
    assert "HTTP 403" in warning.msg
    with pytest.raises(CommandError):
        call_command("check_flex")
    assert "The figures of the queue “Everyone” cannot be read: refused (HTTP 403" in capsys.readouterr().out


def test_the_worker_reads_them(webchat, sandbox, clock):
    panel()
    call_command("webchat_worker", "--once")
    assert QueueFigures.objects.get().taken_at
