"""Chat sessions in the admin, of which there may be a million."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession, Message, Webchat

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
