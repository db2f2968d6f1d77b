"""Attacks on what calls to Twilio cost: the turns of the site's pace, and the threads that wait for an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.page_form import as_shown
from tests.support.sandbox import SandboxServer
from tests.support.visitor import VisitorClient
from webchat.chats import worker
from webchat.flex import FlexError
from webchat.models import ChatSession, LimitCounter, Outage, RefusedWebchat
from webchat.models.copies import forget_copies
from webchat.protection import limits, refusals
from webchat.protection.limits import Limit
from webchat.protection.outage import FAILURES_TO_OPEN, Breaker, breaker, bulkhead
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

NOBODYS_ADDRESS = "IG" + "f" * 32


def visitor_at(address: str, slug: str = "support") -> VisitorClient:
    return VisitorClient(slug, Client(enforce_csrf_checks=True, REMOTE_ADDR=address))


def creates(sandbox: SandboxServer) -> int:
    return sum(call["method"] == "POST" and call["path"] == "/v2/WebChats" for call in sandbox.log())


def turns_taken() -> list[float]:
    """What the site's pace says: the same as long as no start takes a turn."""
    return list(LimitCounter.objects.filter(key=limits.PACE.row("")).values_list("room_at", flat=True))


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """As if so many seconds had passed, for every process."""
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)):
        forget_copies()
        breaker.forget()
        yield


@contextmanager
def an_outage(settings=None) -> Iterator[None]:
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(FlexError), Breaker().passage():
            raise FlexError(FlexError.Reason.UNREACHABLE)
    breaker.forget()
    yield
    Outage.objects.all().delete()
    breaker.forget()


@contextmanager
def a_full_bulkhead(settings) -> Iterator[None]:
    settings.WEBCHAT_THREADS = 2
    with bulkhead.passage():
        yield


# --- Attempts are limited, not rows ----------------------------------------------------------------------------------


@pytest.fixture
def few_retries(monkeypatch) -> None:
    monkeypatch.setattr(limits, "RETRY_BY_BROWSER", Limit("retry:browser", 3, 600))
    monkeypatch.setattr(limits, "RETRY_BY_ADDRESS", Limit("retry:address", 5, 600))


@pytest.mark.usefixtures("few_retries")
def test_one_browser_repeats_a_failed_start_so_often_and_then_waits(sandbox):
    make_webchat()
    visitor = visitor_at("192.0.2.1")
    # Nothing that would refuse every chat: no breaker ends this.
    sandbox.fault("POST", "/v2/WebChats", status=400, body=json.dumps({"code": 45745}), times=1000)
    answers = [visitor.start(ANSWERS) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [503] * 4 + [429] * 8
    assert creates(sandbox) == 4
    assert 1 <= int(answers[-1]["Retry-After"]) <= 200
    assert answers[-1].json()["code"] == "too_many"

    # Nothing is lost: in time the same form starts the chat.
    sandbox.clear_faults()
    with later(int(answers[-1]["Retry-After"])):
        assert visitor.start(ANSWERS).status_code == 201


@pytest.mark.usefixtures("few_retries")
def test_one_address_with_many_keys_takes_few_turns(sandbox):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=400, body=json.dumps({"code": 45745}), times=1000)
    visitors = [visitor_at("192.0.2.1") for _ in range(4)]
    for visitor in visitors:
        assert visitor.start(ANSWERS).status_code == 503
    codes = [visitor.start(ANSWERS).status_code for _ in range(4) for visitor in visitors]
    assert codes.count(503) == 5
    assert codes.count(429) == 11
    assert creates(sandbox) == 4 + 5

    # Others notice nothing.
    sandbox.clear_faults()
    assert visitor_at("198.51.100.7").start(ANSWERS).status_code == 201


@pytest.mark.usefixtures("few_retries")
def test_retries_that_twilio_is_too_busy_for_take_no_more_turns_than_others(sandbox):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=429, body=json.dumps({"code": 20429}), times=1000)
    visitors = [visitor_at("192.0.2.1") for _ in range(4)]
    codes = [visitor.start(ANSWERS).status_code for _ in range(5) for visitor in visitors]
    assert codes.count(503) == 4 + 5
    assert creates(sandbox) == 4 + 5


@pytest.mark.usefixtures("few_retries")
def test_a_retry_that_is_refused_at_once_is_not_counted(sandbox):
    make_webchat()
    visitor = visitor_at("192.0.2.1")
    sandbox.fault("POST", "/v2/WebChats", status=400, body=json.dumps({"code": 45745}), times=1)
    assert visitor.start(ANSWERS, key="first-of-all").status_code == 503
    with an_outage():
        for _ in range(10):
            assert visitor.start(ANSWERS, key="first-of-all").status_code == 503
    assert visitor.start(ANSWERS, key="first-of-all").status_code == 201


# --- A webchat that Twilio refuses for certain -----------------------------------------------------------------------


def test_a_refused_webchat_calls_nobody_and_takes_no_turn_of_the_others(sandbox):
    broken = make_webchat(slug="broken", name="Broken", address_sid=NOBODYS_ADDRESS)
    make_webchat()
    assert visitor_at("192.0.2.1", "broken").start(ANSWERS).status_code == 503
    assert creates(sandbox) == 1

    taken = turns_taken()
    for number in range(30):
        answer = visitor_at(f"192.0.2.{number}", "broken").start(ANSWERS)
        assert answer.status_code == 503
        assert 1 <= int(answer["Retry-After"]) <= refusals.PROBE_EACH_SECONDS
    assert creates(sandbox) == 1
    assert turns_taken() == taken

    assert visitor_at("198.51.100.7").start(ANSWERS).status_code == 201
    assert RefusedWebchat.objects.get().webchat == broken


def test_one_start_a_minute_tries_again_and_its_success_opens_the_webchat(sandbox):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=404, body=json.dumps({"code": 45765}), times=2)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    with later(refusals.PROBE_EACH_SECONDS + 1):
        assert visitor_at("192.0.2.2").start(ANSWERS).status_code == 503  # the probe
        assert visitor_at("192.0.2.3").start(ANSWERS).status_code == 503  # no other
        assert creates(sandbox) == 2
    with later(2 * refusals.PROBE_EACH_SECONDS + 2):
        assert visitor_at("192.0.2.4").start(ANSWERS).status_code == 201
        assert visitor_at("192.0.2.5").start(ANSWERS).status_code == 201
    assert not RefusedWebchat.objects.exists()


@pytest.mark.parametrize("gate", [a_full_bulkhead, an_outage], ids=["bulkhead", "breaker"])
def test_a_probe_that_another_gate_stops_leaves_the_next_start_to_be_one(sandbox, settings, gate):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=404, body=json.dumps({"code": 45765}), times=1)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    with later(refusals.PROBE_EACH_SECONDS + 1):
        with gate(settings):
            assert visitor_at("192.0.2.2").start(ANSWERS).status_code == 503
        assert visitor_at("192.0.2.3").start(ANSWERS).status_code == 201


@pytest.mark.parametrize("change", [{}, {"address_sid": account.ADDRESS_SID}], ids=["unchanged", "mended"])
def test_every_save_lets_the_next_start_try(sandbox, change):
    webchat = make_webchat(address_sid=NOBODYS_ADDRESS)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    for name, value in change.items():
        setattr(webchat, name, value)
    webchat.save()
    answer = visitor_at("192.0.2.2").start(ANSWERS)
    assert creates(sandbox) == 2
    assert answer.status_code == (201 if change else 503)


def test_a_start_from_before_a_save_closes_nothing_of_what_was_saved(sandbox):
    webchat = make_webchat(address_sid=NOBODYS_ADDRESS)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    # As the late refusal of a start with the old address would leave it.
    late = RefusedWebchat.objects.get()
    webchat.address_sid = account.ADDRESS_SID
    webchat.save()
    late.save(force_insert=True)
    forget_copies()
    assert visitor_at("192.0.2.2").start(ANSWERS).status_code == 201


@pytest.mark.parametrize("code", [45745, 45731, 99999])
def test_what_may_be_about_one_visitors_answers_closes_the_chat_to_nobody_else(sandbox, code):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=400, body=json.dumps({"code": code}), times=1)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    assert visitor_at("192.0.2.2").start(ANSWERS).status_code == 201


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 45741), (404, 20404), (410, 20410), (400, 45761)])
def test_what_every_visitor_would_meet_is_asked_once(sandbox, status, code):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=status, body=json.dumps({"code": code}), times=1)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    assert visitor_at("192.0.2.2").start(ANSWERS).status_code == 503
    assert creates(sandbox) == 1


def test_a_probe_time_of_a_wrong_clock_does_no_harm(sandbox):
    make_webchat()
    sandbox.fault("POST", "/v2/WebChats", status=404, body=json.dumps({"code": 45765}), times=1)
    assert visitor_at("192.0.2.1").start(ANSWERS).status_code == 503
    with later(86_400):
        probe_at = RefusedWebchat.objects.get().probe_at + 86_400
    RefusedWebchat.objects.update(probe_at=probe_at)
    forget_copies()
    assert visitor_at("192.0.2.2").start(ANSWERS).status_code == 201


# --- Every call in a request passes the bulkhead and the breaker -----------------------------------------------------

Gate = Callable[..., object]
GATES: dict[str, Gate] = {"bulkhead": a_full_bulkhead, "breaker": an_outage}


class Visit:
    """A visitor with a running chat."""

    def __init__(self, *, signed_in: bool = False) -> None:
        self.webchat = make_webchat()
        self.user = make_user("ada", is_staff=True, is_superuser=True)
        self.visitor = visitor_at("192.0.2.1")
        if signed_in:
            assert self.sign_in() == 302
            self.visitor.open_panel()
        self.id = self.visitor.start(ANSWERS).json()["session_id"]

    def session(self) -> ChatSession:
        return ChatSession.objects.get(pk=self.id)

    def lose_the_question(self) -> None:
        past = datetime.now(UTC) - timedelta(seconds=60)
        ChatSession.objects.update(question_sent_at=None, lease_until=past)

    def post(self, path: str, **data: str) -> int:
        return self.visitor.client.post(path, data, headers={"X-CSRFToken": self.visitor.csrf}).status_code

    # What a request can ask of Twilio

    def end(self) -> int:
        return self.visitor.end(self.id).status_code

    def end_on_the_page(self) -> int:
        return self.post("/webchat/support/end/")

    def end_by_age(self) -> int:
        ChatSession.objects.update(started_at=datetime.now(UTC) - timedelta(days=1))
        return self.visitor.renew(self.id).status_code

    def renew_with_a_lost_question(self) -> int:
        self.lose_the_question()
        return self.visitor.renew(self.id).status_code

    def come_back_with_a_lost_question(self) -> int:
        self.lose_the_question()
        return self.visitor.current().status_code

    def sign_in(self) -> int:
        return self.post("/accounts/login/", username="ada", password="sandbox")

    def sign_in_over(self) -> int:
        make_user("bob")
        return self.post("/accounts/login/", username="bob", password="sandbox")

    def sign_out(self) -> int:
        return self.post("/accounts/logout/", end_chat="yes")

    def test_the_connection(self) -> int:
        staff = Client()
        staff.force_login(self.user)
        action = {"action": "test_connection", "_selected_action": [self.webchat.pk]}
        return staff.post("/admin/webchat/webchat/", action).status_code

    def move(self) -> int:
        make_webchat(slug="legacy", name="Legacy", api="web_channels")
        staff = Client()
        staff.force_login(self.user)
        legacy = type(self.webchat).objects.get(slug="legacy")
        url = f"/admin/webchat/webchat/{legacy.pk}/move/"
        return staff.post(url, {"address_sid": account.ADDRESS_SID, **as_shown(staff, url)}).status_code

    def set_up(self) -> int:
        staff = Client()
        staff.force_login(self.user)
        return staff.get(f"/admin/webchat/webchat/{self.webchat.pk}/setup/").status_code

    def forget(self) -> int:
        staff = Client()
        staff.force_login(self.user)
        action = {"action": "forget_chats", "_selected_action": [self.id], "erase": "1"}
        return staff.post("/admin/webchat/chatsession/", action).status_code

    def start_another(self) -> int:
        return visitor_at("192.0.2.2").start(ANSWERS).status_code


REQUESTS = {
    Visit.end: 200,
    Visit.end_on_the_page: 302,
    Visit.end_by_age: 410,
    Visit.renew_with_a_lost_question: 200,
    Visit.come_back_with_a_lost_question: 200,
    Visit.sign_in_over: 302,
    Visit.sign_out: 302,
    Visit.test_the_connection: 302,
    Visit.move: 200,
    Visit.set_up: 200,
    Visit.forget: 302,
    Visit.start_another: 503,
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
@pytest.mark.parametrize(("ask", "status"), REQUESTS.items(), ids=lambda given: getattr(given, "__name__", None))
def test_no_request_calls_twilio_past_a_gate_that_is_shut(sandbox, settings, gate, ask, status):
    visit = Visit(signed_in=ask in (Visit.sign_out, Visit.sign_in_over))
    with gate(settings):
        sandbox.clear_log()
        assert ask(visit) == status
        assert sandbox.log() == []


@pytest.mark.parametrize(("ask", "status"), REQUESTS.items(), ids=lambda given: getattr(given, "__name__", None))
def test_the_same_requests_do_call_twilio_when_the_gates_are_open(sandbox, ask, status):
    """Else the test above would prove nothing."""
    visit = Visit(signed_in=ask in (Visit.sign_out, Visit.sign_in_over))
    sandbox.clear_log()
    ask(visit)
    assert sandbox.log()


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_what_a_gate_stopped_the_worker_does(sandbox, settings, gate):
    visit = Visit()
    with gate(settings):
        visit.lose_the_question()
        visit.visitor.renew(visit.id)
        visit.visitor.end(visit.id)
    assert visit.session().close_pending
    with later(60):
        worker.pass_once()
    assert not visit.session().close_pending


def test_ending_an_ended_chat_calls_nobody(sandbox):
    visit = Visit()
    sandbox.fault("*", "/v*", fault="hang", times=1)
    assert visit.end() == 200
    assert visit.session().close_pending
    sandbox.clear_faults()
    sandbox.clear_log()
    for _ in range(5):
        assert visit.end() == 200
        assert visit.end_on_the_page() == 302
    assert sandbox.log() == []


def test_the_chats_of_one_sign_out_wait_for_twilio_together(sandbox):
    """One after the other they would hold a thread for a second each."""
    visit = Visit(signed_in=True)
    for number in range(4):
        visit.visitor.start(ANSWERS, key=f"another-chat-{number}")
    assert ChatSession.objects.running().count() == 5
    sandbox.clear_log()
    sandbox.fault("*", "/v*", fault="hang", times=100)
    visit.sign_out()
    assert ChatSession.objects.filter(close_pending=True).count() == 5
    assert len(sandbox.log()) == 1
