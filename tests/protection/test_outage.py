"""During an outage of Twilio nobody waits for it in vain, and the first answer ends it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from tests.support.factories import ANSWERS, make_webchat
from tests.support.visitor import VisitorClient
from tests.support.waiting import PATIENCE
from webchat.errors import ChatRefused, Code
from webchat.flex import FlexError
from webchat.models import ChatSession, Outage
from webchat.protection import limits, outage
from webchat.protection.outage import FAILURE_WINDOW_SECONDS, FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, Bulkhead

pytestmark = pytest.mark.django_db

Reason = FlexError.Reason
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def fresh(monkeypatch):
    """Breakers of several processes: none believes what it read before."""
    monkeypatch.setattr(outage, "REREAD_SECONDS", -1)


def fail(breaker, reason=Reason.UNREACHABLE, **facts):
    with pytest.raises(FlexError) as failure, breaker.passage():
        raise FlexError(reason, **facts)
    return failure.value


def refused(breaker):
    """The seconds to wait, when the breaker lets nobody through."""
    called = False
    with pytest.raises(ChatRefused) as failure, breaker.passage():
        called = True
    assert not called
    assert failure.value.code is Code.CHAT_UNAVAILABLE
    return failure.value.retry_after


def succeed(breaker):
    with breaker.passage():
        pass


def open_it(breaker):
    for _ in range(FAILURES_TO_OPEN):
        fail(breaker)


@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.UNCLEAR])
def test_failures_in_a_row_open_it_for_every_process(fresh, reason):
    one, other = Breaker(), Breaker()
    with time_machine.travel(NOW, tick=False):
        for _ in range(FAILURES_TO_OPEN - 1):
            fail(one, reason)
        assert not other.is_open
        fail(other, reason)
        assert one.is_open
        assert [refused(one), refused(other)] == [OPEN_SECONDS, OPEN_SECONDS]


def test_failures_far_apart_do_not(fresh):
    breaker = Breaker()
    for number in range(3 * FAILURES_TO_OPEN):
        with time_machine.travel(NOW + timedelta(seconds=number * FAILURE_WINDOW_SECONDS / 3), tick=False):
            fail(breaker)
    assert not breaker.is_open


@pytest.mark.parametrize(
    ("reason", "status"),
    [(Reason.REFUSED, 401), (Reason.REFUSED, 404), (Reason.GONE, 410), (Reason.BUSY, 429), (Reason.EXISTS, 409)],
)
def test_a_refusal_is_an_answer_and_no_outage(fresh, reason, status):
    """One webchat that is set up wrongly must not close the others."""
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN - 1):
        fail(breaker)
    for _ in range(FAILURES_TO_OPEN):
        fail(breaker, reason, status=status)
    assert not Outage.objects.exists()
    succeed(breaker)


def test_our_own_refusal_says_nothing_about_twilio(fresh):
    breaker = Breaker()
    fail(breaker)
    fail(breaker, Reason.BUSY, retry_after=2)
    assert Outage.objects.get().failures == 1


def test_after_the_pause_one_probe_goes_through_and_its_success_closes_it(fresh):
    one, other = Breaker(), Breaker()
    with time_machine.travel(NOW, tick=False) as clock:
        open_it(one)
        clock.shift(OPEN_SECONDS + 1)
        with one.passage():
            assert refused(other) >= 1
            assert refused(one) >= 1
        succeed(other)
    assert not Outage.objects.exists()


def test_a_probe_that_fails_opens_it_again_and_one_that_died_is_forgotten(fresh):
    breaker = Breaker()
    with time_machine.travel(NOW, tick=False) as clock:
        open_it(breaker)
        clock.shift(OPEN_SECONDS + 1)
        fail(breaker)
        assert refused(breaker) == OPEN_SECONDS
        clock.shift(OPEN_SECONDS + 1)
        breaker.passage().__enter__()  # and is never heard of again
        clock.shift(outage.PROBE_SECONDS + 1)
        succeed(breaker)
    assert not Outage.objects.exists()


@pytest.mark.parametrize("refusal", [ChatRefused(Code.CHAT_UNAVAILABLE), FlexError(Reason.BUSY)], ids=["pace", "busy"])
def test_a_probe_that_never_came_to_twilio_leaves_the_next_caller_to_be_one(fresh, refusal):
    one, other = Breaker(), Breaker()
    with time_machine.travel(NOW, tick=False) as clock:
        open_it(one)
        clock.shift(OPEN_SECONDS + 1)
        with pytest.raises(type(refusal)), one.passage():
            raise refusal
        succeed(other)
    assert not Outage.objects.exists()


def test_failures_that_come_late_do_not_prolong_it(fresh):
    breaker = Breaker()
    with time_machine.travel(NOW, tick=False) as clock:
        slow = breaker.passage()
        slow.__enter__()
        open_it(breaker)
        clock.shift(OPEN_SECONDS - 1)
        assert not slow.__exit__(FlexError, FlexError(Reason.UNCLEAR), None)
        assert refused(breaker) == 1


def test_while_all_is_well_a_process_reads_once_a_second_and_writes_nothing(django_assert_num_queries):
    breaker = Breaker()
    with django_assert_num_queries(1):
        for _ in range(20):
            succeed(breaker)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_come_after_the_pause_exactly_one_is_the_probe(fresh):
    with time_machine.travel(NOW, tick=False) as clock:
        open_it(Breaker())
        clock.shift(OPEN_SECONDS + 1)
        barrier, passed, refusals = threading.Barrier(8), [], threading.Semaphore(0)

        def come():
            try:
                barrier.wait()
                with Breaker().passage():
                    passed.append(True)
                    # It is the probe as long as any other one may come.
                    assert all(refusals.acquire(timeout=PATIENCE) for _ in range(7))
            except ChatRefused:
                refusals.release()
            finally:
                connection.close()

        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert passed == [True]


# --- The bulkhead ----------------------------------------------------------------------------------------------------


def test_half_of_the_threads_may_wait_and_the_next_one_is_refused_at_once(settings):
    settings.WEBCHAT_THREADS = 4
    bulkhead = Bulkhead()
    with bulkhead.passage():
        with bulkhead.passage():
            with pytest.raises(ChatRefused) as failure, bulkhead.passage():
                pass
            assert (failure.value.reason, failure.value.retry_after) == ("busy", outage.BULKHEAD_RETRY_SECONDS)
        with bulkhead.passage():
            pass


def test_a_single_thread_may_wait(settings):
    settings.WEBCHAT_THREADS = 1
    with Bulkhead().passage():
        pass


def test_the_room_of_who_failed_is_free_again(settings):
    settings.WEBCHAT_THREADS = 2
    bulkhead = Bulkhead()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), bulkhead.passage():
            _ = 1 / 0


# --- At the start of a chat ------------------------------------------------------------------------------------------


def test_an_outage_is_over_with_the_first_chat_that_starts(sandbox, settings, fresh):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat()
    visitor = VisitorClient()
    sandbox.fault("*", "/v*", status=503, times=100)
    with time_machine.travel(NOW) as clock:
        visitor.open_panel()
        for number in range(FAILURES_TO_OPEN):
            assert visitor.start(ANSWERS, key=f"key-number-{number}").status_code == 503
        calls = len(sandbox.log())
        response = visitor.start(ANSWERS, key="one-more-key")
        assert response.status_code == 503
        assert OPEN_SECONDS - 2 <= int(response["Retry-After"]) <= OPEN_SECONDS
        assert len(sandbox.log()) == calls
        assert ChatSession.objects.filter(status="failed").count() == 1

        sandbox.clear_faults()
        clock.shift(OPEN_SECONDS + 1)
        assert visitor.start(ANSWERS, key="one-more-key").status_code == 201
        assert visitor.start(ANSWERS, key="key-number-0").status_code == 201
    assert not Outage.objects.exists()


def test_a_start_that_the_pace_refuses_does_not_prolong_an_outage(sandbox, settings, fresh, monkeypatch):
    make_webchat()
    visitor = VisitorClient()
    open_it(Breaker())
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=OPEN_SECONDS + 1)):
        with monkeypatch.context() as busy:
            busy.setattr(limits, "wait_for_turn", lambda: False)
            assert visitor.start(ANSWERS).status_code == 503
        assert visitor.start(ANSWERS).status_code == 201
    assert not Outage.objects.exists()


def test_while_it_is_open_an_end_calls_nobody_and_is_kept_for_the_worker(sandbox, settings, fresh):
    make_webchat()
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    open_it(Breaker())
    calls = len(sandbox.log())
    assert visitor.end(credentials["session_id"]).status_code == 200
    assert len(sandbox.log()) == calls
    assert ChatSession.objects.get().close_pending
