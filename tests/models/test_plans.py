"""How the database finds rows among many: no job of the worker, look-up of an account or list of staff reads a whole table.

By the database's own plan of each statement that the code runs; PostgreSQL has counted the rows before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model

from tests.support.factories import make_webchat
from tests.support.plans import count_rows, plans
from webchat.chats import retention, worker
from webchat.fields.lookups import matches_one_user, offered_lookups
from webchat.mail import send_due
from webchat.messages.task import make_due_tasks
from webchat.models import ChatSession, HourlyCount, Message, OutgoingMail, RetiredKey, Webchat
from webchat.models.counts import Event, hour_of
from webchat.models.session import new_identity

pytestmark = pytest.mark.django_db

ROWS = 1000
AGO = timedelta(days=60) / ROWS


@pytest.fixture
def webchat() -> Webchat:
    """With chats and messages of 60 days, which are over, and blanked where they are older than a month."""
    webchat, now = make_webchat(), datetime.now(UTC)
    rows = [(number, now - number * AGO, number * AGO < timedelta(days=30)) for number in range(ROWS)]
    ChatSession.objects.bulk_create(
        ChatSession(
            webchat=webchat, api=webchat.api, browser=uuid4().hex, owner=uuid4().hex, key=str(number), status="ended",
            identity=new_identity(), channel_sid=f"CH{uuid4().hex}", customer_friendly_name=f"Visitor {number}" * told,
            answers={"question": "Hello"} if told else {}, created_at=at, started_at=at, lease_until=at,
        )
        for number, at, told in rows
    )  # fmt: skip
    Message.objects.bulk_create(
        Message(webchat=webchat, key=str(number), text="Hello" * told, answers={}, received_at=at)
        for number, at, told in rows
    )
    OutgoingMail.objects.bulk_create(
        OutgoingMail(key=str(number), kind="x", due_at=None, created_at=at) for number, at, told in rows if told
    )
    HourlyCount.objects.bulk_create(
        HourlyCount(webchat=webchat, hour=hour_of(now) - number, name=Event.OPENED, number=1) for number in range(ROWS)
    )
    RetiredKey.objects.bulk_create(RetiredKey(key=str(number), retired_at=now) for number in range(ROWS))
    count_rows()
    return webchat


TABLES = [model._meta.db_table for model in (ChatSession, Message, OutgoingMail)]


def test_a_pass_of_the_worker_reads_what_is_due(webchat, sandbox):
    ChatSession.objects.filter(pk=ChatSession.objects.order_by("created_at")[100].pk).update(close_pending=True)
    with plans() as found:
        worker.pass_once()
        make_due_tasks()
        send_due()
    assert found.of_whole(*TABLES) == []
    assert found.use("webchat_session_to_close")


def test_retention_reads_what_is_not_blanked_yet(webchat):
    with plans() as found:
        retention.prune()
    assert found.of_whole(*TABLES, RetiredKey._meta.db_table) == []
    for index in ("webchat_hourly_count_hour", "webchat_session_told", "webchat_message_told", "webchat_mail_done"):
        assert found.use(index), index


def test_an_account_is_found_by_an_index():
    user_model = get_user_model()
    user_model.objects.bulk_create(
        user_model(
            username=f"user{number}", email=f"user{number}@example.com", first_name=f"First {number}",
            last_name=f"Last {number}", phone=f"+4144{number:07}", customer_number=f"C-{number}",
        )
        for number in range(ROWS)
    )  # fmt: skip
    count_rows()
    known = {
        "username": "User77",
        "email": "user77@EXAMPLE.com",
        "first_name": "first 77",
        "last_name": "last 77",
        "phone": "+41440000077",
        "customer_number": "c-77",
    }
    assert set(known) == set(offered_lookups())
    with plans() as found:
        for path, value in known.items():
            assert matches_one_user({path: value}), path
            assert not matches_one_user({path: f"{value}777"}), path
        assert matches_one_user(known)
    assert len(found.texts) == 2 * len(known) + 1
    assert found.of_whole(user_model._meta.db_table) == []
