"""Statements that are built once do what the ORM's own do."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import IntegrityError, models, transaction
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from tests.support.factories import make_webchat
from webchat.models import ChatSession, PreEngagementField, Webchat
from webchat.models.compiled import Select, change, insert

pytestmark = pytest.mark.django_db


def values_of(row: models.Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def new_session(webchat: Webchat, **values: object) -> ChatSession:
    return ChatSession(
        webchat=webchat,
        api=webchat.api,
        owner="o" * 32,
        key=uuid4().hex,
        answers={"name": "José “Pepe” Müller", "nested": [1, True, None]},
        customer_friendly_name="José",
        lease_until=timezone.now(),
        **values,
    )


@pytest.fixture
def webchat() -> Webchat:
    return make_webchat(attachments=True, attachment_kinds=["images"], daily_cap=7)


@pytest.fixture
def session(webchat) -> ChatSession:
    session = new_session(webchat, started_at=timezone.now(), account_matches=["email"])
    session.save()
    return session


# --- Select ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Webchat, PreEngagementField, ChatSession])
def test_rows_are_the_orms_in_its_order(session, model):
    rows = Select(model.objects.all)()
    expected = list(model.objects.all())
    assert expected
    assert [values_of(row) for row in rows] == [values_of(row) for row in expected]


def test_a_row_can_be_changed_and_saved(webchat):
    [found] = Select(Webchat.objects.all, "slug")(slug=webchat.slug)
    found.name = "Other"
    found.save()
    assert Webchat.objects.get().name == "Other"


def test_every_value_counts(session):
    find = Select(ChatSession.objects.all, "owner", "id", "webchat")
    values = {"owner": session.owner, "id": session.pk, "webchat": session.webchat_id}
    assert find(**values) == [session]
    for name, other in {"owner": "x" * 32, "id": uuid4(), "webchat": session.webchat_id + 1}.items():
        assert find(**values | {name: other}) == []


def test_what_is_left_out_is_read_when_it_is_asked_for(session, django_assert_num_queries):
    find = Select(lambda: ChatSession.objects.only("identity"), "id")
    with django_assert_num_queries(1):
        [found] = find(id=session.pk)
        assert found.identity == session.identity
    with django_assert_num_queries(1):
        assert found.answers == session.answers


def test_the_sql_is_built_once(webchat, monkeypatch):
    built = []
    as_sql = SQLCompiler.as_sql
    monkeypatch.setattr(SQLCompiler, "as_sql", lambda self, *args: built.append(self) or as_sql(self, *args))
    find = Select(Webchat.objects.all, "slug")
    assert [find(slug=slug) for slug in (webchat.slug, "absent", webchat.slug)] == [[webchat], [], [webchat]]
    assert len(built) == 1


# --- Change ----------------------------------------------------------------------------------------------------------


def test_a_change_is_here_and_in_the_database(session):
    now = timezone.now()
    assert change(session, {"status": "active", "started_at": now, "failure": ""}, {"status": "starting"})
    assert (session.status, session.started_at) == ("active", now)
    assert values_of(ChatSession.objects.get()) == values_of(session)


def test_no_other_row_is_changed(session):
    other = new_session(session.webchat)
    other.save()
    change(session, {"failure": "REFUSED"})
    assert ChatSession.objects.get(pk=other.pk).failure == ""


def test_who_saw_an_older_row_changes_nothing_not_even_the_object(session):
    late = ChatSession.objects.get()
    assert change(session, {"attempts": 2}, {"attempts": 1})
    before = values_of(late)
    assert not change(late, {"attempts": 2, "failure": "late"}, {"attempts": 1})
    assert values_of(late) == before
    assert ChatSession.objects.get().failure == ""


# --- Insert ----------------------------------------------------------------------------------------------------------


def test_an_inserted_row_is_as_if_it_had_been_saved(webchat):
    session = new_session(webchat, consents=[{"name": "terms"}])
    insert(session)
    assert session.created_at is not None
    assert values_of(ChatSession.objects.get()) == values_of(session)
    session.failure = "x"
    session.save()  # it knows that it is there
    assert ChatSession.objects.get().failure == "x"


def test_a_row_that_is_there_already_is_no_second_one(session):
    again = new_session(session.webchat)
    again.key = session.key
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(again)
    assert ChatSession.objects.get() == session


@pytest.mark.django_db(transaction=True)
def test_after_an_error_a_transaction_cannot_go_on_by_half(session):
    again = new_session(session.webchat)
    again.key = session.key
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(again)
        with pytest.raises(transaction.TransactionManagementError):
            ChatSession.objects.count()
        transaction.set_rollback(True)
