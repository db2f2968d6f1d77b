"""What is counted of each chat, and what counting costs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.signals import request_finished
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, make_field, make_hours, make_legacy, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat import counters as module
from webchat.chats import retention, worker
from webchat.chats.start import Attempt, note_failure
from webchat.chats.token import AGE_CAP
from webchat.counters import counters
from webchat.flex import Failure, FlexError, failure_of
from webchat.models import ChatSession, HourlyCount, QueueFigures, Webchat
from webchat.models.counts import Event, hour_of
from webchat.models.session import LEASE
from webchat.protection import limits
from webchat.protection.limits import Limit
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def counted() -> dict[str, int]:
    """All numbers since the last time, by event."""
    counters.flush()
    found: Counter[str] = Counter()
    for row in HourlyCount.objects.all():
        found[row.name] += row.number
    HourlyCount.objects.all().delete()
    return {name: number for name, number in found.items() if number}


@pytest.fixture
def webchat(sandbox) -> Webchat:
    return make_webchat(ask_rating=True)


# --- What is counted ---------------------------------------------------------------------------------------------------


@time_machine.travel(NOON, tick=False)
def test_the_way_of_a_chat(webchat):
    visitor = VisitorClient()
    visitor.open_panel()
    assert counted()["opened"] >= 1
    session_id = visitor.start(ANSWERS).json()["session_id"]
    assert visitor.start(ANSWERS).status_code == 200, "the same submit again"
    assert counted() == {"started": 1}
    visitor.client.get("/webchat/support/panel/")  # the running chat, after a reload
    assert counted() == {}
    visitor.end(session_id, ended_by="agent")
    visitor.end(session_id)
    assert counted() == {"ended_agent": 1, "lasted_60": 1}


@pytest.mark.parametrize("minutes", [0.5, 1, 4, 14, 29, 31])
def test_how_long_a_chat_lasted(webchat, minutes):
    with time_machine.travel(NOON, tick=False) as clock:
        visitor = VisitorClient()
        session_id = visitor.start(ANSWERS).json()["session_id"]
        clock.shift(timedelta(minutes=minutes))
        counted()
        visitor.end(session_id)
        bucket = next((f"lasted_{most}" for most in (60, 300, 900, 1800) if minutes * 60 <= most), "lasted_longer")
        assert counted() == {"ended_visitor": 1, bucket: 1, "lasted_sum": minutes * 60}


def test_a_rating_that_is_changed_is_counted_once(webchat):
    with time_machine.travel(NOON.replace(minute=55), tick=False) as clock:
        visitor = VisitorClient()
        session_id = visitor.start(ANSWERS).json()["session_id"]
        visitor.end(session_id)
        ChatSession.objects.update(answered=True)
        for score in (2, 2, 5):
            path, headers = f"/api/webchat/sessions/{session_id}/rating/", {"X-CSRFToken": visitor.csrf}
            assert visitor.client.post(path, {"score": score}, headers=headers).status_code == 200
            clock.shift(timedelta(minutes=3))  # the last in another hour
        counters.flush()
        rated = HourlyCount.objects.filter(name__startswith="rated").values_list("hour", "name", "number")
        assert {row for row in rated if row[2]} == {(hour_of(NOON), "rated_5", 1)}


def test_a_message(sandbox):
    make_webchat(hours=make_hours(), when_closed="message")
    visitor = VisitorClient()
    visitor.open_panel()
    assert set(counted()) == {"closed"}
    assert visitor.leave(ANSWERS).status_code == 201
    assert visitor.leave(ANSWERS).status_code == 200
    assert counted() == {"message": 1}


def test_nobody_is_there(sandbox):
    make_webchat(queue_sid=account.TASK_QUEUE_SID, queue_name="Everyone", when_nobody="message")
    now = datetime.now(UTC)
    QueueFigures.objects.create(
        queue_sid=account.TASK_QUEUE_SID, asked_at=now, taken_at=now, readings_of_nobody=2, due_at=now
    )
    Client().get("/webchat/support/panel/")
    assert counted() == {"nobody": 1}


def test_forms_that_are_refused(sandbox):
    make_webchat(require_form=True)
    visitor = VisitorClient()
    visitor.start({**ANSWERS, "email": "nobody"})
    assert counted()["invalid"] == 1
    visitor.start(ANSWERS, key="x" * 40)
    assert counted() == {"refused_form": 1}


@pytest.mark.parametrize(
    ("name", "allowed", "event"),
    [
        ("PER_BROWSER", Limit("start:browser", 1, 600), "refused_browser"),
        ("PER_ADDRESS", Limit("start:address", 1, 600), "refused_address"),
        ("PER_WEBCHAT", Limit("start:webchat", 1, 600), "refused_webchat"),
    ],
)
def test_which_limit_refused(webchat, monkeypatch, name, allowed, event):
    monkeypatch.setattr(limits, name, allowed)
    visitor = VisitorClient()
    visitor.start(ANSWERS)
    counted()
    assert visitor.start(ANSWERS, key="another-key").status_code == 429
    assert counted() == {event: 1}


def test_the_cap_of_a_day_and_guesses(sandbox, monkeypatch):
    make_webchat(daily_cap=1)
    assert VisitorClient().start(ANSWERS).status_code == 201
    assert VisitorClient().start(ANSWERS).status_code == 429
    assert counted()["refused_day"] == 1
    monkeypatch.setattr(limits, "MEMBER_BY_ADDRESS", Limit("member:address", 1, 600))
    members = make_webchat(slug="members", fields=False)
    make_field(members, "email", type="email", match="require", user_lookup="email")
    visitor = VisitorClient(slug="members")
    counted()
    statuses = [visitor.start({"email": "nobody@example.com"}, key=f"{visitor.key}").status_code for _ in range(2)]
    assert statuses == [400, 429]
    assert counted() == {"invalid": 1, "refused_member": 1}


# No form is refused by these.
NOT_OF_FORMS = {limits.PACE, limits.READ_BY_BROWSER, limits.READ_BY_ADDRESS}


def test_every_limit_of_a_form_has_its_event():
    names = {one.name for one in vars(limits).values() if isinstance(one, Limit)} - {one.name for one in NOT_OF_FORMS}
    assert {*names, "day", *(f"{name}:48" for name in names if name.endswith((":address", ":value")))} == set(
        module._BY_LIMIT
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "credentials"),
        ({"status": 403}, "not_allowed"),
        ({"status": 404}, "not_there"),
        ({"status": 400}, "refused"),
        ({"status": 503}, "unclear"),
        ({"status": 429, "headers": {"Retry-After": "60"}}, "busy"),
    ],
)
def test_why_a_start_failed(webchat, sandbox, fault, code):
    visitor = VisitorClient()
    visitor.open_panel()
    counted()
    sandbox.fault("POST", "/v2/WebChats", before=True, times=9, **fault)
    assert visitor.start(ANSWERS).status_code == 503
    assert counted() == {f"failed_{code}": 1}
    assert ChatSession.objects.get().failure_code == code
    sandbox.clear_faults()


def test_a_start_without_credentials(webchat, settings):
    visitor = VisitorClient()
    settings.TWILIO_API_KEY_SECRET = ""
    assert visitor.start(ANSWERS).status_code == 503
    assert counted()["failed_not_configured"] == 1


def test_a_start_that_its_process_did_not_survive(webchat):
    VisitorClient().start(ANSWERS)
    ChatSession.objects.update(status="starting", channel_sid="")
    counted()
    with time_machine.travel(datetime.now(UTC) + LEASE + worker.ABANDONED + timedelta(seconds=1)):
        worker.settle_starts()
    assert ChatSession.objects.get().failure_code == "abandoned"
    assert counted() == {"failed_abandoned": 1}


def test_an_unclear_start_is_one_failure(webchat, sandbox):
    VisitorClient().start(ANSWERS)
    session = ChatSession.objects.get()
    ChatSession.objects.update(status="starting", channel_sid="")
    session.status = "starting"
    note_failure(Attempt(session, in_doubt=True), "unclear (HTTP 503)", is_certain=False)
    counted()
    with time_machine.travel(datetime.now(UTC) + LEASE + worker.ABANDONED + timedelta(seconds=1)):
        worker.settle_starts()
    assert counted() == {}


@pytest.mark.parametrize("reason", FlexError.Reason)
@pytest.mark.parametrize("status", [None, 400, 404, 503])
def test_every_text_of_an_error_has_its_kind(reason, status):
    error = FlexError(reason, status=status, twilio_code=20001)
    assert failure_of(str(error)) is not Failure.OTHER
    assert (failure_of(str(error)) is Failure.NOT_THERE) == (reason == "refused" and status == 404)


def test_every_failure_and_every_end_has_its_event():
    assert {f"failed_{one}" for one in Failure} == {one for one in Event if one.startswith("failed_")}
    assert {f"ended_{one}" for one in ChatSession.EndedBy} == {one for one in Event if one.startswith("ended_")}
    assert failure_of("something else!") is Failure.OTHER


def test_ends_by_age_and_account(webchat):
    user = make_user()
    visitor = VisitorClient()
    visitor.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    visitor.start(ANSWERS)
    VisitorClient().start(ANSWERS)
    counted()
    user.set_password("another")
    user.save()
    assert counted()["ended_account"] == 1
    with time_machine.travel(datetime.now(UTC) + AGE_CAP + timedelta(minutes=1)):
        worker.end_old_chats()
    assert counted().items() >= {"ended_age": 1, "lasted_longer": 1}.items()


def test_the_legacy_api_counts_too(sandbox, settings):
    make_legacy(widget="own")
    VisitorClient().start(ANSWERS)
    assert counted()["started"] == 1


# --- What it costs -----------------------------------------------------------------------------------------------------


def test_neither_a_panel_nor_a_start_writes_a_count(webchat):
    with CaptureQueriesContext(connection) as queries:
        VisitorClient().start(ANSWERS)
    assert [query["sql"] for query in queries if HourlyCount._meta.db_table in query["sql"]] == []
    assert counted() == {"opened": 1, "started": 1}


@time_machine.travel(NOON, tick=False)
def test_counts_of_one_hour_are_one_row_of_one_statement(webchat, django_assert_num_queries):
    for _ in range(3):
        counters.count(webchat.pk, Event.OPENED, at=NOON)
        counters.count(webchat.pk, Event.STARTED, at=NOON + timedelta(minutes=59))
    with django_assert_num_queries(2):  # which webchats there are, and the statement
        counters.flush()
    counters.count(webchat.pk, Event.OPENED, at=NOON)
    counters.count(webchat.pk, Event.OPENED, at=NOON + timedelta(hours=1))
    counters.flush()
    with django_assert_num_queries(0):
        counters.flush()
    noon = hour_of(NOON)
    assert sorted(HourlyCount.objects.values_list("webchat", "hour", "name", "number")) == [
        (webchat.pk, noon, "opened", 4),
        (webchat.pk, noon, "started", 3),
        (webchat.pk, noon + 1, "opened", 1),
    ]


def test_what_a_deleted_webchat_counted_is_dropped(webchat):
    other = make_webchat(slug="other")
    counters.count(other.pk, Event.OPENED)
    counters.count(webchat.pk, Event.OPENED)
    counters.flush()
    counters.count(other.pk, Event.OPENED)
    other.delete()
    assert counted() == {"opened": 1}


def test_the_worker_keeps_what_it_has_counted(webchat):
    counters.count(webchat.pk, Event.OPENED)
    worker.pass_once()
    assert HourlyCount.objects.get().number == 1


@pytest.mark.django_db(transaction=True)
def test_counts_are_kept_after_an_answer_and_a_failing_database_loses_none(sandbox, monkeypatch, log):
    make_webchat()
    counters.forget()
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0)
    table = HourlyCount._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    Client().get("/webchat/support/panel/")  # which may close a connection that is old
    with pytest.raises(DatabaseError):
        counters.flush()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert log.lines("counts_not_kept")
    request_finished.send(sender=None)
    assert HourlyCount.objects.get().number == 1


def test_they_are_kept_for_400_days(webchat):
    now = datetime.now(UTC)
    for days in (2, 399, 401, 402):
        counters.count(webchat.pk, Event.OPENED, at=now - timedelta(days=days))
    counters.flush()
    assert retention.prune() == 2
    assert sorted((hour_of(now) - hour) // 24 for hour in HourlyCount.objects.values_list("hour", flat=True)) == [
        2,
        399,
    ]
