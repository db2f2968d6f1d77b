"""What the worker settles, sends, closes, ends and forgets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, change, make_user, make_webchat
from tests.support.site import demo_database
from tests.support.visitor import VisitorClient
from tests.support.waiting import until
from webchat.chats import retention, worker
from webchat.chats.end import close_channel, end_chat
from webchat.chats.question import post_lost_question
from webchat.chats.start import activate
from webchat.chats.token import AGE_CAP
from webchat.flex import FlexError, gateway_for
from webchat.management.commands import webchat_worker
from webchat.models import ChatSession, LimitCounter, Rating, Work
from webchat.models.session import LEASE
from webchat.protection import limits
from webchat.protection.outage import FAILURES_TO_OPEN, breaker
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

CREATE = {"conversations": "/v2/WebChats", "web_channels": "/v1/WebChannels"}
HALT = timedelta(seconds=1)
# Nearly as long as a start waits for Twilio: it goes on as soon as the faults are cleared.
STANDSTILL_MS = 4500


@pytest.fixture(params=["conversations", "web_channels"])
def webchat(request, sandbox):
    return make_webchat(api=request.param)


def later(span):
    return time_machine.travel(datetime.now(UTC) + span)


def after_the_lease(span):
    """Of the only chat; and the clock stands, so that a slow machine makes it no later."""
    return time_machine.travel(ChatSession.objects.get().lease_until + span, tick=False)


def work():
    breaker.forget()
    return worker.pass_once()


def cut_short(sandbox, webchat, *, created):
    """A visitor whose start had no certain outcome, and the row."""
    visitor = VisitorClient()
    sandbox.fault("POST", CREATE[webchat.api], status=500, before=not created)
    sandbox.fault("GET", "/v1/*", status=503)
    assert visitor.start(ANSWERS).status_code == 503
    session = ChatSession.objects.get()
    assert session.status == "starting"
    return visitor, session


# --- Starts that were cut short --------------------------------------------------------------------------------------


@pytest.mark.parametrize("created", [True, False])
def test_a_start_that_nobody_came_back_for_is_settled_and_its_channel_closed(webchat, sandbox, created):
    visitor, session = cut_short(sandbox, webchat, created=created)
    with later(LEASE + worker.ABANDONED + HALT):
        assert work() == 1
        assert work() == 0
        channels = [one for one in sandbox.conversations() if session.identity in str(sandbox.participants(one["sid"]))]
        assert [one["state"] for one in channels] == ["closed"] * created
        session.refresh_from_db()
        assert session.status == "failed"
        assert "abandoned" in session.failure
        # Who comes back after all gets a chat of its own.
        answer = visitor.start(ANSWERS)
    assert answer.status_code == 201
    assert answer.json()["channel_sid"] not in {one["sid"] for one in channels}


def test_a_start_that_may_still_be_repeated_is_left_alone(webchat, sandbox):
    cut_short(sandbox, webchat, created=True)
    assert work() == 0
    with after_the_lease(worker.ABANDONED - HALT):
        assert work() == 0


def test_a_start_that_cannot_be_looked_up_is_settled_when_twilio_is_back(webchat, sandbox):
    _visitor, session = cut_short(sandbox, webchat, created=True)
    sandbox.fault("GET", "/v1/*", status=503)
    with later(LEASE + worker.ABANDONED + HALT):
        work()
        session.refresh_from_db()
        assert session.status == "starting"
    with later(2 * (LEASE + worker.ABANDONED + HALT)):
        work()
    session.refresh_from_db()
    assert session.status == "failed"


def test_a_visitor_who_comes_back_while_it_is_settled_waits_and_then_starts(webchat, sandbox):
    visitor, session = cut_short(sandbox, webchat, created=True)
    with later(LEASE + worker.ABANDONED + HALT):
        session.begin_attempt()
        assert visitor.start(ANSWERS).status_code == 409
        worker.settle(session)
        assert visitor.start(ANSWERS).status_code == 201


# --- Attempts that come late -----------------------------------------------------------------------------------------


def stopped_start(sandbox, path, meanwhile, *, before=False, **fault):
    """A start whose process stands still in its call of `path` until `meanwhile` is done; its answer."""
    visitor = VisitorClient()
    sandbox.fault("POST", path, delay_ms=STANDSTILL_MS, before=before, **fault)
    answers = []

    def start():
        try:
            answers.append(visitor.start(ANSWERS))
        finally:
            connection.close()

    thread = threading.Thread(target=start)
    thread.start()
    until(lambda: any(call["fault"] and (before or call["created"]) for call in sandbox.log()))
    try:
        meanwhile(ChatSession.objects.select_related("webchat").get())
    finally:
        sandbox.clear_faults()
        thread.join()
    return answers[0]


def open_channels(sandbox, identity):
    return [
        one["sid"]
        for one in sandbox.conversations()
        if one["state"] == "active" and any(who["identity"] == identity for who in sandbox.participants(one["sid"]))
    ]


@pytest.mark.django_db(transaction=True)
def test_an_end_during_the_start_wins(webchat, sandbox):
    """Such as a sign-in in another tab."""
    answer = stopped_start(sandbox, CREATE[webchat.api], lambda session: end_chat(session, ChatSession.EndedBy.SIGN_IN))
    assert answer.status_code == 410
    session = ChatSession.objects.get()
    assert (session.status, session.ended_by, session.close_pending) == ("ended", "sign_in", False)
    assert session.channel_sid
    assert open_channels(sandbox, session.identity) == []


@pytest.mark.django_db(transaction=True)
def test_an_attempt_that_was_taken_over_neither_doubles_nor_undoes_what_the_other_did(webchat, sandbox):
    def take_over(session):
        ChatSession.objects.update(lease_until=datetime.now(UTC) - HALT)
        session.refresh_from_db()
        assert session.begin_attempt()
        activate(session, gateway_for(session.destination).find(session.identity))

    answer = stopped_start(sandbox, CREATE[webchat.api], take_over)
    assert answer.status_code == 409
    session = ChatSession.objects.get()
    assert session.is_active
    assert open_channels(sandbox, session.identity) == [session.channel_sid]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ended", [True, False])
def test_a_channel_that_comes_after_anothers_is_closed(sandbox, ended):
    """The other attempt looked too early and made one of its own."""

    def overtake(session):
        ChatSession.objects.update(lease_until=datetime.now(UTC) - HALT)
        session.refresh_from_db()
        assert session.begin_attempt()
        activate(session, gateway_for(session.destination).open(session.engagement))
        if ended:
            end_chat(session, ChatSession.EndedBy.VISITOR)

    answer = stopped_start(sandbox, CREATE[make_webchat().api], overtake)
    assert answer.status_code == (410 if ended else 409)
    session = ChatSession.objects.get()
    assert open_channels(sandbox, session.identity) == ([] if ended else [session.channel_sid])


@pytest.mark.django_db(transaction=True)
def test_an_attempt_that_fails_after_it_was_taken_over_changes_nothing(webchat, sandbox):
    session = None

    def take_over(found):
        nonlocal session
        session = found
        ChatSession.objects.update(lease_until=datetime.now(UTC) - HALT)
        session.refresh_from_db()
        assert session.begin_attempt()

    answer = stopped_start(sandbox, CREATE[webchat.api], take_over, before=True, status=401)
    assert answer.status_code == 503
    assert ChatSession.objects.get().lease_until == session.lease_until
    assert ChatSession.objects.get().status == "starting"


def test_a_chat_that_ended_while_its_start_was_killed_is_closed_by_the_worker(webchat, sandbox):
    _visitor, session = cut_short(sandbox, webchat, created=True)
    end_chat(session, ChatSession.EndedBy.LOGOUT)
    assert session.close_pending
    assert open_channels(sandbox, session.identity)
    with later(LEASE + HALT):
        assert work() == 1
    session.refresh_from_db()
    assert not session.close_pending
    assert open_channels(sandbox, session.identity) == []


def test_sign_in_ends_what_is_still_being_started(sandbox):
    webchat = make_webchat()
    visitor, session = cut_short(sandbox, webchat, created=True)
    make_user()
    login = {"username": "ada", "password": "sandbox", "csrfmiddlewaretoken": visitor.csrf}
    assert visitor.client.post("/accounts/login/", login).status_code == 302
    session.refresh_from_db()
    assert (session.status, session.ended_by, session.close_pending) == ("ended", "sign_in", True)


def test_a_chat_goes_on_when_staff_enter_another_chat_service(webchat, sandbox):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    service = webchat.chat_service_sid
    webchat.chat_service_sid = "IS" + "1" * 32
    webchat.save()
    renewed = visitor.renew(credentials["session_id"]).json()
    assert ChatSession.objects.get().chat_service_sid == service
    claims = jwt.decode(renewed["token"], options={"verify_signature": False})
    assert claims["grants"]["chat"]["service_sid"] == service


# --- Questions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrived", [True, False])
def test_a_question_that_got_lost_is_sent_once(webchat, sandbox, arrived):
    sandbox.fault("POST", "/v1/Conversations/*", fault="reset", before=not arrived)
    credentials = VisitorClient().start(ANSWERS).json()
    assert work() == 0
    with later(LEASE + HALT):
        assert [work(), work()] == [1, 0]
    [message] = sandbox.messages(credentials["channel_sid"])
    assert message["body"] == ANSWERS["question"]
    assert ChatSession.objects.get().question_sent_at


@pytest.mark.parametrize("written", [1, 12])
def test_what_the_visitor_writes_meanwhile_is_not_the_question(webchat, sandbox, written):
    sandbox.fault("POST", "/v1/Conversations/*", status=503)
    credentials = VisitorClient().start(ANSWERS).json()
    channel, identity = credentials["channel_sid"], credentials["identity"]
    for number in range(written):
        sandbox.say(channel, identity, f"It is blue ({number}).")
    with later(LEASE + HALT):
        assert work() == 1
    assert sandbox.messages(channel)[written]["body"] == ANSWERS["question"]
    ChatSession.objects.update(question_sent_at=None)  # the process died in between
    with later(LEASE + HALT + 2 * worker.HOLD):
        assert work() == 1
    assert len(sandbox.messages(channel)) == written + 1


@pytest.mark.django_db(transaction=True)
def test_a_question_that_is_being_sent_is_not_sent_again(webchat, sandbox):
    """By a second tab, or by the worker."""

    def look(session):
        session.refresh_from_db()
        post_lost_question(session)
        assert work() == 0

    answer = stopped_start(sandbox, "/v1/Conversations/*", look, before=True)
    assert len(sandbox.messages(answer.json()["channel_sid"])) == 1


def test_a_question_is_not_sent_to_nobody(webchat, sandbox):
    sandbox.fault("POST", "/v1/Conversations/*", status=500, times=100)
    VisitorClient().start(ANSWERS)
    sandbox.clear_log()
    with later(worker.QUESTION_TRIES + HALT):
        work()
    assert not [call for call in sandbox.log() if call["method"] == "POST"]


def test_a_chat_that_was_closed_before_its_question_ends(webchat, sandbox):
    """The webhook came before the row knew its channel."""
    sandbox.fault("POST", "/v1/Conversations/*", status=500)
    credentials = VisitorClient().start(ANSWERS).json()
    sandbox.close(credentials["channel_sid"])
    with later(LEASE + HALT):
        work()
    assert ChatSession.objects.get().ended_by == "agent"


# --- Ends ------------------------------------------------------------------------------------------------------------


def test_an_end_that_twilio_did_not_take_is_made_up_for(webchat, sandbox):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    sandbox.fault("POST", "/v1/*", status=503, times=2)
    visitor.end(credentials["session_id"])
    assert sandbox.desk(credentials["channel_sid"])["state"] != "closed"
    with later(LEASE + HALT):
        work()
        assert ChatSession.objects.get().close_pending
        sandbox.clear_faults()
        assert work() == 0  # not at once again
    with later(LEASE + worker.HOLD + 2 * HALT):
        assert work() == 1
    assert sandbox.desk(credentials["channel_sid"])["state"] == "closed"
    assert not ChatSession.objects.get().close_pending


def test_a_chat_past_its_age_is_ended(webchat, sandbox):
    credentials = VisitorClient().start(ANSWERS).json()
    with later(AGE_CAP + timedelta(minutes=1)):
        work()
    assert ChatSession.objects.get().ended_by == "age"
    assert sandbox.desk(credentials["channel_sid"])["state"] == "closed"


@pytest.mark.parametrize("closed", [True, False])
def test_an_end_that_no_webhook_told_is_noticed(webchat, sandbox, closed):
    credentials = VisitorClient().start(ANSWERS).json()
    if closed:
        sandbox.desk(credentials["channel_sid"], "complete", author="Robin")
    with after_the_lease(worker.LOOK - HALT):
        assert work() == 0
    with after_the_lease(worker.LOOK + HALT):
        assert [work(), work()] == [1, 0]
    session = ChatSession.objects.get()
    assert (session.status, session.ended_by) == (("ended", "agent") if closed else ("active", ""))


def test_during_an_outage_the_worker_calls_once_and_then_nobody(webchat, sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    for _ in range(3):
        visitor = VisitorClient()
        credentials = visitor.start(ANSWERS).json()
        sandbox.fault("POST", "/v1/*", status=503)
        visitor.end(credentials["session_id"])
    sandbox.clear_log()
    sandbox.fault("*", "/v*", status=503, times=100)
    with later(LEASE + HALT):
        work()
        assert len(sandbox.log()) == 1
        for number in range(FAILURES_TO_OPEN):
            visitor.start(ANSWERS, key=f"key-number-{number}")
        sandbox.clear_log()
        assert work() == 0
        assert sandbox.log() == []


@pytest.mark.django_db(transaction=True)
def test_several_workers_do_each_thing_once(sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat()
    sandbox.fault("POST", "/v1/Conversations/*", status=500, times=6)
    channels = [VisitorClient().start(ANSWERS).json()["channel_sid"] for _ in range(6)]
    done = []

    def one_worker():
        try:
            done.append(worker.pass_once())
        finally:
            connection.close()

    with later(LEASE + HALT):
        threads = [threading.Thread(target=one_worker) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(done) == 6
    assert [len(sandbox.messages(channel)) for channel in channels] == [1] * 6


# --- Retention -------------------------------------------------------------------------------------------------------


def texts_of_all_rows():
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {ChatSession._meta.db_table}")  # noqa: S608
        return str(cursor.fetchall())


def test_answers_are_forgotten_after_a_month_and_sessions_after_three(webchat, sandbox, monkeypatch):
    monkeypatch.setattr(retention, "PRUNE_BATCH", 2)
    for number in range(5):
        visitor = VisitorClient()
        session_id = visitor.start(ANSWERS).json()["session_id"]
        if number:
            visitor.end(session_id)
    day = timedelta(days=1)
    with later(29 * day):
        retention.prune()
        assert ANSWERS["email"] in texts_of_all_rows()
    ChatSession.objects.update(status="ended")
    with later(31 * day):
        assert retention.prune() >= 5
        assert retention.prune() == 0
        rows = texts_of_all_rows()
        assert not [canary for canary in ANSWERS.values() if canary in rows]
        assert "M\\u00fcller" not in rows
        assert ChatSession.objects.count() == 5
    with later(91 * day):
        assert retention.prune() == 5
    assert ChatSession.objects.count() == 0


def test_a_batch_of_rows_goes_by_the_same_queries_as_one_row(sandbox):
    def queries_for(number):
        for _chat in range(number):
            visitor = VisitorClient()
            visitor.end(visitor.start(ANSWERS).json()["session_id"])
            Rating.objects.create(session=ChatSession.objects.latest("created_at"), score=5)
        with later(timedelta(days=91)), CaptureQueriesContext(connection) as queries:
            assert retention.prune(allow_most=True) >= number
        assert not ChatSession.objects.exists()
        return len(queries)

    make_webchat()
    assert queries_for(1) == queries_for(6)


def test_a_running_chat_is_not_pruned(webchat, sandbox):
    VisitorClient().start(ANSWERS)
    with later(timedelta(days=100)):
        retention.prune()
    assert ChatSession.objects.get().question


@pytest.mark.parametrize(
    "values",
    [{"status": "active"}, {"status": "starting"}, {"status": "ended", "close_pending": True}],
    ids=["running", "starting", "to be closed"],
)
def test_no_channel_outlives_its_row(webchat, sandbox, values):
    """After months without a worker, or by code of a site."""
    VisitorClient().start(ANSWERS)
    ChatSession.objects.update(**values)
    with later(timedelta(days=100)):
        retention.prune()
    session = ChatSession.objects.get()
    with pytest.raises(ProtectedError), transaction.atomic():
        session.delete()
    with pytest.raises(ProtectedError), transaction.atomic():
        ChatSession.objects.all().delete()
    assert ChatSession.objects.exists()
    end_chat(session, ChatSession.EndedBy.AGE)
    close_channel(ChatSession.objects.get())
    session.delete()
    states = {channel["sid"]: channel["state"] for channel in sandbox.conversations()}
    assert states[session.channel_sid] == "closed"


def test_the_site_sets_how_long_it_keeps_what(webchat, sandbox, settings):
    settings.WEBCHAT_KEEP_ANSWERS_DAYS, settings.WEBCHAT_KEEP_SESSIONS_DAYS = 1, 2
    visitor = VisitorClient()
    visitor.end(visitor.start(ANSWERS).json()["session_id"])
    with later(timedelta(days=1, minutes=1)):
        retention.prune()
    assert ChatSession.objects.get().answers == {}
    with later(timedelta(days=2, minutes=1)):
        retention.prune()
    assert not ChatSession.objects.exists()


SEASON = timedelta(days=100)


def ended_chats(count):
    """Of this webchat, the oldest first."""
    for _ in range(count):
        visitor = VisitorClient()
        visitor.end(visitor.start(ANSWERS).json()["session_id"])
    return list(ChatSession.objects.order_by("created_at"))


def at_twilio(sandbox, session):
    """Whether the conversation, and whether the visitor's user is there."""
    paths = (f"/v1/Conversations/{session.channel_sid}", f"/v1/Users/{session.identity}")
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    return [sandbox.request("GET", path, auth=credentials).status_code == 200 for path in paths]


@pytest.mark.parametrize("too", [True, False])
def test_retention_erases_at_twilio_where_the_webchat_wants_it(webchat, sandbox, log, too):
    """Off unless staff switch it on."""
    assert webchat.forget_at_twilio is False
    if too:
        change(webchat, forget_at_twilio=True)
    (session,) = ended_chats(1)
    with later(timedelta(days=89)):
        retention.prune()
    assert at_twilio(sandbox, session) == [True, True]
    with later(SEASON):
        retention.prune()
    assert not ChatSession.objects.exists()
    assert at_twilio(sandbox, session) == [not too, not too]
    assert [line["session"] for line in log.lines("chat_forgotten")] == [str(session.pk)] * too
    assert not [canary for canary in ANSWERS.values() if canary in log.text]


@pytest.mark.parametrize("path", ["/v1/Conversations/*", "/v1/Users/*"])
@pytest.mark.parametrize("before", [True, False], ids=["not done", "done, answer lost"])
def test_what_twilio_did_not_erase_keeps_its_row_until_the_next_time(webchat, sandbox, log, settings, path, before):
    settings.WEBCHAT_LIMITS = "off"
    change(webchat, forget_at_twilio=True)
    sessions = ended_chats(3)
    sandbox.fault("DELETE", path, status=503, before=before)
    with later(SEASON):
        breaker.forget()
        retention.prune()
    # Nobody is asked again at once: the rest waits.
    assert ChatSession.objects.count() == 3
    assert len(log.lines("work_not_done")) == 1
    with later(SEASON + timedelta(hours=1)):
        breaker.forget()
        retention.prune()
    assert not ChatSession.objects.exists()
    assert [at_twilio(sandbox, session) for session in sessions] == [[False, False]] * 3


def test_one_that_twilio_refuses_to_erase_holds_up_no_other(webchat, sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    change(webchat, forget_at_twilio=True)
    first, *others = ended_chats(3)
    sandbox.fault("DELETE", f"/v1/Conversations/{first.channel_sid}", status=400)
    with later(SEASON):
        retention.prune()
    assert list(ChatSession.objects.all()) == [first]
    assert [at_twilio(sandbox, session) for session in others] == [[False, False]] * 2


def test_retention_asks_nobody_while_the_breaker_is_open_or_the_worker_stops(webchat, sandbox):
    change(webchat, forget_at_twilio=True)
    (session,) = ended_chats(1)
    sandbox.clear_log()
    with time_machine.travel(datetime.now(UTC) + SEASON, tick=False):  # so that the breaker stays open
        retention.prune(lambda: True)
        for _ in range(FAILURES_TO_OPEN):
            with suppress(FlexError), breaker.passage():
                raise FlexError(FlexError.Reason.UNREACHABLE)
        retention.prune()
    assert sandbox.log() == []
    assert ChatSession.objects.get() == session
    breaker.forget()


def test_a_wrong_clock_erases_nothing_at_twilio(webchat, sandbox, settings, log):
    settings.WEBCHAT_LIMITS = "off"
    change(webchat, forget_at_twilio=True)
    ended_chats(1)
    session = ChatSession.objects.get()
    more = [
        ChatSession(
            webchat=webchat, api=webchat.api, status="ended", lease_until=session.lease_until, answers={}, key=str(number),
            created_at=session.created_at - number * timedelta(days=1),
        )
        for number in range(1, worker.MANY)
    ]  # fmt: skip
    ChatSession.objects.bulk_create(more)
    sandbox.clear_log()
    with later(SEASON):
        assert retention.prune() == 0
    assert sandbox.log() == []
    assert ChatSession.objects.count() == worker.MANY
    assert log.lines("worker_stopped")


def test_limits_that_are_past_are_forgotten_and_those_of_today_hold():
    with time_machine.travel(datetime(2026, 11, 23, 12, tzinfo=UTC), tick=False) as clock:
        limit = limits.Limit("test", 2, 60)
        assert limit.take("somebody") is None
        assert limits.take_day("day", 1) is None
        assert limits.forget_past() == 0
        clock.shift(timedelta(hours=11))
        assert limits.forget_past() == 0
        assert limits.take_day("day", 1)
        clock.shift(timedelta(hours=14))
        assert limits.forget_past() == 2
    assert not LimitCounter.objects.exists()


# --- The command -----------------------------------------------------------------------------------------------------


def test_one_pass_on_demand(webchat, sandbox, caplog):
    caplog.set_level("INFO")
    sandbox.fault("POST", "/v1/Conversations/*", status=500, before=True)
    credentials = VisitorClient().start(ANSWERS).json()
    breaker.forget()
    with later(LEASE + HALT):
        call_command("webchat_worker", "--once")
    assert len(sandbox.messages(credentials["channel_sid"])) == 1
    last = [record.msg for record in caplog.records if record.name.startswith("webchat.")][-1]
    assert (last["event"], last["session"]) == ("question_sent", credentials["session_id"])
    assert not [canary for canary in ANSWERS.values() if canary in caplog.text]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_stops_no_other(sandbox, settings, log):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat()
    sandbox.fault("POST", "/v1/*", status=503, times=2)
    visitor = VisitorClient()
    visitor.end(visitor.start(ANSWERS).json()["session_id"])
    breaker.forget()
    stopping = threading.Event()

    def database_fails(stop):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")
        return 0

    def has_a_bug(stop):
        raise ValueError(ANSWERS["email"])

    def stops(stop):
        stopping.set()
        return 0

    jobs = {"database": database_fails, "bug": has_a_bug, **worker.jobs(), "stops": stops}
    with later(LEASE + HALT):
        webchat_worker.keep_doing(Work.CHATS, jobs, 60, stopping)
    assert [line["kind"] for line in log.lines("database_failed")] == ["database"]
    assert [(line["level"], line["kind"]) for line in log.lines("job_failed")] == [("error", "bug")]
    assert ANSWERS["email"] not in log.text
    assert not ChatSession.objects.filter(close_pending=True).exists()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_takes_long_holds_up_no_other(monkeypatch, log):
    monkeypatch.setattr(webchat_worker, "TURN_SECONDS", 0)
    stopping, turns = threading.Event(), []

    def takes_long(stop):
        until(stop)
        turns.append("long")
        return 1

    def stops(stop):
        turns.append("other")
        if len(turns) == 4:
            stopping.set()
        return 0

    # It is not done: the next pass begins at once.
    webchat_worker.keep_doing(Work.CHATS, {"long": takes_long, "other": stops}, 3600, stopping)
    assert turns == ["long", "other"] * 2
    assert log.lines("job_failed") == []


def test_sigterm_is_obeyed_between_two_rows(sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat()
    sandbox.fault("POST", "/v1/Conversations/*", status=500, times=3)
    for _ in range(3):
        VisitorClient().start(ANSWERS)
    breaker.forget()
    with later(LEASE + HALT):
        assert worker.send_questions(lambda: ChatSession.objects.exclude(question_sent_at=None).exists()) == 1
        assert retention.prune(lambda: True) == 0
        assert worker.send_questions() == 2


def test_sigterm_ends_the_process(tmp_path):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'worker.sqlite3'}",
    }
    shutil.copy(demo_database(), tmp_path / "worker.sqlite3")
    log = tmp_path / "log"
    with log.open("w") as stderr:
        worker = subprocess.Popen([sys.executable, "manage.py", "webchat_worker"], env=environment, stderr=stderr)
    try:
        until(lambda: "worker_running" in log.read_text())
        worker.terminate()
        assert worker.wait(60) == 0
    finally:
        worker.kill()


# --- An hour without a worker ----------------------------------------------------------------------------------------


def test_after_an_hour_without_a_worker_nothing_is_lost_doubled_or_ended_that_goes_on(
    sandbox, settings, log, mailoutbox
):
    settings.WEBCHAT_LIMITS = "off"
    webchat = make_webchat(message_recipients="staff@example.com")

    def begin():
        visitor = VisitorClient()
        credentials = visitor.start(ANSWERS).json()
        return visitor, ChatSession.objects.get(pk=credentials["session_id"])

    _visitor, cut = cut_short(sandbox, webchat, created=True)
    sandbox.clear_faults()
    _visitor, running = begin()
    _visitor, completed = begin()
    sandbox.desk(completed.channel_sid, "complete", author="Robin")
    leaving, left = begin()
    sandbox.fault("POST", "/v1/*", status=503, times=2)
    leaving.end(str(left.pk))
    sandbox.clear_faults()
    aged = [begin()[1] for _ in range(worker.MANY)]
    ages = [AGE_CAP - number * timedelta(minutes=2) for number in range(worker.MANY)]
    for session, age in zip(aged, ages, strict=True):
        ChatSession.objects.filter(pk=session.pk).update(started_at=session.started_at - age)
    change(webchat, closure="reopened", when_closed="message")
    assert VisitorClient().leave(ANSWERS).status_code == 201
    sandbox.clear_log()

    with later(timedelta(minutes=59)):
        breaker.forget()
        call_command("webchat_worker", "--once")
        done = len(sandbox.log())
        call_command("webchat_worker", "--once")
    assert len(sandbox.log()) == done, "the second pass found something to do again"
    assert not log.lines("worker_stopped")
    said = {session.pk: (session.status, session.ended_by) for session in ChatSession.objects.all()}
    assert {
        "cut short": said[cut.pk],
        "running": said[running.pk],
        "completed": said[completed.pk],
        "left": said[left.pk],
        "aged": {said[session.pk] for session in aged},
    } == {
        "cut short": ("failed", ""),
        "running": ("active", ""),
        "completed": ("ended", "agent"),
        "left": ("ended", "visitor"),
        "aged": {("ended", "age")},
    }
    still_open = [open_channels(sandbox, session.identity) for session in ChatSession.objects.order_by("status")]
    assert [channels for channels in still_open if channels] == [[running.channel_sid]]
    assert not ChatSession.objects.filter(close_pending=True).exists()
    assert [len(sandbox.messages(one.channel_sid)) for one in (running, left, *aged)] == [1] * (worker.MANY + 2)
    assert len(mailoutbox) == 1
