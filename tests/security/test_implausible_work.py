"""A worker that would end or delete most of the chats, as one with a wrong clock or account does, stops and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command

from tests.support.factories import make_webchat
from webchat.chats import retention, worker
from webchat.chats.end import LOOK, end_chat
from webchat.chats.token import AGE_CAP
from webchat.models import ChatSession, Message
from webchat.models.session import new_identity
from webchat.protection.outage import breaker
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@contextmanager
def clock_ahead(span: timedelta) -> Iterator[None]:
    with time_machine.travel(NOW + span, tick=False):
        breaker.forget()
        yield


def make_chats(ages: list[timedelta], status: str = "active") -> None:
    webchat = make_webchat()
    ChatSession.objects.bulk_create(
        ChatSession(
            webchat=webchat,
            api=webchat.api,
            key=str(number),
            identity=new_identity(),
            status=status,
            answers={"question": "Hello"},
            created_at=NOW - age,
            started_at=NOW - age,
            lease_until=NOW - age,
        )
        for number, age in enumerate(ages)
    )


def running() -> int:
    return ChatSession.objects.running().count()


def told() -> int:
    return ChatSession.objects.exclude(answers={}).count()


def test_a_clock_half_a_day_ahead_ends_no_chat(sandbox, log):
    make_chats([number * HOUR / 5 for number in range(50)])
    with clock_ahead(13 * HOUR):
        worker.pass_once()
        worker.pass_once()
    assert running() == 50
    lines = log.lines("worker_stopped")
    assert [(line["level"], line["reason"], line["counts"]) for line in lines] == [
        ("error", "chats past their age", "50 of 50"),
        ("info", "chats past their age", "50 of 50"),
    ]
    assert lines[0]["logger"] == "webchat.security"


def test_a_clock_a_season_ahead_forgets_and_deletes_nothing(sandbox, log):
    make_chats([number * DAY / 2 for number in range(60)], status="ended")
    with clock_ahead(100 * DAY):
        assert retention.prune() == 0
    assert (ChatSession.objects.count(), told()) == (60, 60)
    assert [line["reason"] for line in log.lines("worker_stopped")] == ["chats past their retention"]


def test_one_a_month_ahead_blanks_nothing(sandbox, log):
    make_chats([number * DAY / 2 for number in range(58)], status="ended")
    with clock_ahead(25 * DAY):
        assert retention.prune() == 0
    assert told() == 58
    assert [line["reason"] for line in log.lines("worker_stopped")] == ["answers past their retention"]


def test_nor_does_it_forget_the_messages_that_were_left(log):
    webchat = make_webchat()
    Message.objects.bulk_create(
        Message(
            webchat=webchat,
            key=str(number),
            text="Please call me",
            answers={},
            received_at=NOW - number * DAY / 2,
        )
        for number in range(58)
    )
    for ahead in (25 * DAY, 100 * DAY):
        with clock_ahead(ahead):
            assert retention.prune() == 0
    assert Message.objects.exclude(text="").count() == 58
    assert {line["reason"] for line in log.lines("worker_stopped")} == {
        "texts past their retention",
        "messages past their retention",
    }


def test_staff_who_know_better_say_so(sandbox, log):
    make_chats([number * HOUR / 5 for number in range(50)])
    with clock_ahead(13 * HOUR):
        call_command("webchat_worker", "--once", "--allow-most")
    assert running() == 0
    with clock_ahead(101 * DAY):
        call_command("webchat_worker", "--once", "--allow-most")
    assert not ChatSession.objects.exists()
    assert not log.lines("worker_stopped")


def test_and_not_for_ever():
    with pytest.raises(CommandError, match="--once"):
        call_command("webchat_worker", "--allow-most")


def test_what_comes_due_as_time_goes_by_is_done(sandbox, log):
    """All chats of a site on a quiet day: those of one busy hour."""
    make_chats([AGE_CAP - number * HOUR / 30 for number in range(25)])
    with clock_ahead(timedelta(minutes=49)):
        worker.pass_once()
    assert running() == 0
    ChatSession.objects.update(close_pending=False)
    with clock_ahead(30 * DAY - 11 * HOUR):
        retention.prune()
    assert told() == 0
    with clock_ahead(90 * DAY - 11 * HOUR):
        retention.prune()
    assert not ChatSession.objects.exists()
    assert not log.lines("worker_stopped")


def test_a_few_chats_are_no_share(sandbox, log):
    make_chats([number * HOUR / 2 for number in range(worker.MANY - 1)])
    with clock_ahead(24 * HOUR):
        worker.pass_once()
    assert running() == 0
    assert not log.lines("worker_stopped")


def test_a_row_stays_until_its_channel_is_closed(sandbox):
    make_chats([DAY], status="ended")
    ChatSession.objects.update(close_pending=True, lease_until=NOW + 200 * DAY)
    with clock_ahead(100 * DAY):
        retention.prune()
        assert ChatSession.objects.exists()
        ChatSession.objects.update(close_pending=False)
        retention.prune()
    assert not ChatSession.objects.exists()


# --- Credentials of another account ----------------------------------------------------------------------------------


def make_strange_chats(number: int, **values: str) -> None:
    """Running chats that the account of the credentials has no conversation of."""
    make_chats([LOOK + HOUR] * number)
    for count, session in enumerate(ChatSession.objects.all()):
        ChatSession.objects.filter(pk=session.pk).update(channel_sid=f"CH{count:032x}", **values)


@pytest.mark.parametrize("number", [1, 30])
def test_in_another_account_no_chat_is_over(sandbox, log, number):
    make_strange_chats(number, chat_service_sid="IS" + "9" * 32)
    worker.pass_once()
    assert running() == number
    lines = log.lines("worker_stopped")
    assert lines[0]["level"] == "error"
    assert {(line["reason"], line["counts"]) for line in lines} == {
        ("chats of another account or chat service", f"{number} of {number}")
    }


def test_in_its_own_account_a_conversation_that_is_not_there_is_over(sandbox, log):
    make_strange_chats(1, chat_service_sid=account.CHAT_SERVICE_SID)
    worker.pass_once()
    assert ChatSession.objects.get().ended_by == "agent"
    assert not log.lines("worker_stopped")


def test_staff_end_those_of_an_account_that_was_left(sandbox):
    make_strange_chats(3, chat_service_sid="IS" + "9" * 32)
    call_command("webchat_worker", "--once", "--allow-most")
    assert running() == 0


def test_nor_is_a_channel_closed_that_is_in_another_account(sandbox):
    make_strange_chats(1, chat_service_sid="IS" + "9" * 32)
    end_chat(ChatSession.objects.select_related("webchat").get(), ChatSession.EndedBy.VISITOR)
    with clock_ahead(HOUR):
        worker.pass_once()
        assert ChatSession.objects.get().close_pending
        ChatSession.objects.update(chat_service_sid=account.CHAT_SERVICE_SID)  # as with the right credentials
    with clock_ahead(2 * HOUR):
        worker.pass_once()
    assert not ChatSession.objects.get().close_pending


def test_the_worker_gives_one_up_after_a_day(sandbox):
    make_strange_chats(1, chat_service_sid="IS" + "9" * 32)
    end_chat(ChatSession.objects.select_related("webchat").get(), ChatSession.EndedBy.VISITOR)
    with clock_ahead(DAY + HOUR):
        worker.pass_once()
    assert not ChatSession.objects.get().close_pending
