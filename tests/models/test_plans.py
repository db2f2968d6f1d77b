"""How the database finds rows among many: no job of the worker, look-up of an account or list of staff reads a whole table.

By the database's own plan of each statement that the code runs; PostgreSQL has counted the rows before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.factories import make_webchat
from webchat.chats import worker
from webchat.fields.lookups import matches_one_user, offered_lookups
from webchat.mail import send_due
from webchat.messages.task import make_due_tasks
from webchat.models import ChatSession, Message, OutgoingMail, RetiredKey, Webchat
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
    RetiredKey.objects.bulk_create(RetiredKey(key=str(number), retired_at=now) for number in range(ROWS))
    count_rows()
    return webchat


def count_rows() -> None:
    """Without it PostgreSQL thinks that the tables are empty. SQLite does without."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


class Plans:
    """Of the statements that were run, as the database explains them."""

    def __init__(self, statements: list[str]) -> None:
        self.texts = []
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        for statement in statements:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                with connection.cursor() as cursor:
                    cursor.execute(f"{explain} {statement}")
                    plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
                self.texts.append(f"{statement}\n{plan}")

    def of_whole(self, *tables: str) -> list[str]:
        """The plans that read one of the tables from its first row to its last."""
        whole = re.compile(rf"(Seq Scan on|SCAN) ({'|'.join(tables)})\b(?! USING INDEX)")
        return [text for text in self.texts if whole.search(text)]

    def use(self, index: str) -> bool:
        return any(index in text for text in self.texts)


@contextmanager
def plans() -> Iterator[Plans]:
    found = Plans([])
    with CaptureQueriesContext(connection) as captured:
        yield found
    found.texts = Plans([query["sql"] for query in captured.captured_queries]).texts


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
        worker.prune()
    assert found.of_whole(*TABLES, RetiredKey._meta.db_table) == []
    for index in ("webchat_session_told", "webchat_message_told", "webchat_mail_done"):
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
