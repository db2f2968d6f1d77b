"""Chat sessions in the admin, of which there may be a million."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.plans import count_rows, plans
from tests.support.visitor import VisitorClient
from webchat.admin.tools import BoundedPaginator
from webchat.models import ChatSession, Message, Webchat
from webchat.models.session import new_identity

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["chat", "message"])
def test_deleting_a_webchat_that_was_used_is_refused_and_loads_no_chat(admin_client, sandbox, kind):
    webchat = make_webchat()
    if kind == "chat":
        VisitorClient().start(ANSWERS)
    else:
        Message.objects.create(webchat=webchat, answers={}, text="Hello")
    action = {"action": "delete_selected", "_selected_action": webchat.pk, "post": "yes"}
    with CaptureQueriesContext(connection) as captured:
        pages = [
            admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/delete/"),
            admin_client.post(f"/admin/webchat/webchat/{webchat.pk}/delete/", {"post": "yes"}),
            admin_client.post("/admin/webchat/webchat/", action),
        ]
        with pytest.raises(ProtectedError), transaction.atomic():
            webchat.delete()
        with pytest.raises(ProtectedError), transaction.atomic():
            Webchat.objects.all().delete()
    for page in pages:
        assert page.status_code == 200
        assert "Support: chat sessions · messages" in page.content.decode()
    assert Webchat.objects.exists()
    for model in (ChatSession, Message):
        table = model._meta.db_table
        read = [query["sql"] for query in captured if f'FROM "{table}"' in query["sql"]]
        assert all(statement.endswith("LIMIT 1") for statement in read), read
    assert f'"{ChatSession._meta.db_table}"' in str(captured.captured_queries)


def test_one_that_nobody_used_is_deleted(admin_client):
    webchat = make_webchat()
    admin_client.post(f"/admin/webchat/webchat/{webchat.pk}/delete/", {"post": "yes"})
    assert not Webchat.objects.exists()


# --- Among many ------------------------------------------------------------------------------------------------------


LIST = "/admin/webchat/chatsession/"


@pytest.fixture
def many() -> list[ChatSession]:
    """Ten pages of chats."""
    now, webchat = datetime.now(UTC), make_webchat()
    users = [make_user(), make_user("bob")]
    return ChatSession.objects.bulk_create(
        ChatSession(
            webchat=webchat, api=webchat.api, browser=uuid4().hex, owner=uuid4().hex, key=str(number), status="ended",
            identity=new_identity(), channel_sid=f"CH{uuid4().hex}", customer_friendly_name=f"Visitor {number:04}",
            answers={}, created_at=now - timedelta(minutes=number), lease_until=now,
            user=users[number] if number < len(users) else None,
        )
        for number in range(1000)
    )  # fmt: skip


def names(page) -> list[str]:
    return [row.customer_friendly_name for row in page.context["cl"].result_list]


def test_the_list_counts_and_reads_no_more_than_it_shows(admin_client, many, monkeypatch):
    monkeypatch.setattr(BoundedPaginator, "MOST", 300)
    count_rows()
    with plans() as found:
        pages = [admin_client.get(LIST, {"p": number}) for number in (1, 3)]
        admin_client.get(LIST, {"status__exact": "failed"})
        admin_client.get(LIST, {"webchat__id__exact": many[0].webchat_id})
    assert [names(page)[0] for page in pages] == ["Visitor 0000", "Visitor 0200"]
    assert pages[0].context["cl"].paginator.num_pages == 3
    counts = [text for text in found.texts if text.startswith("SELECT COUNT") and "webchat_chatsession" in text]
    assert len(counts) == 4
    assert all("LIMIT 300" in text for text in counts)
    assert len([text for text in found.of_whole("webchat_chatsession") if text not in counts]) == 0


@pytest.mark.parametrize("table", ["webchat_message", "accounts_user"])
def test_other_long_lists_count_no_more_than_that_either(admin_client, table):
    with plans() as found:
        admin_client.get(f"/admin/{table.replace('_', '/')}/")
    counts = [text for text in found.texts if text.startswith("SELECT COUNT") and table in text]
    assert len(counts) == 1
    assert "LIMIT 10001" in counts[0]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("visitor 000", [f"Visitor {number:04}" for number in range(10)]),
        ("VISITOR 0999", ["Visitor 0999"]),
        ("ada@EXAMPLE.com", ["Visitor 0000"]),
        ("isitor", []),
        ("%", []),
    ],
)
def test_a_search_finds_by_an_index(admin_client, many, term, found):
    count_rows()
    with plans() as how:
        page = admin_client.get(LIST, {"q": term})
    assert names(page) == found
    assert how.of_whole("webchat_chatsession", "accounts_user") == []


@pytest.mark.parametrize("column", ["channel_sid", "identity"])
def test_a_search_by_what_twilio_knows(admin_client, many, column):
    page = admin_client.get(LIST, {"q": f" {getattr(many[7], column)} "})
    assert names(page) == ["Visitor 0007"]
