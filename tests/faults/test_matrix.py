"""Twilio fails in every way there is, and each start still has one certain end: what the visitor is told and how soon,
how many channels there are, what the row says. Then the same submit is repeated, and finds or makes its one chat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.support.factories import ANSWERS, Type, make_field, make_webchat
from tests.support.faulty_server import (
    FaultyServer,
    answering,
    cut_after_the_json,
    drip,
    flood,
    hang,
    hang_up,
    listener_that_never_accepts,
    no_last_chunk,
    properly,
    raw,
    refusal,
    reset,
    sid,
)
from tests.support.site import free_port
from tests.support.stopwatch import at_most
from tests.support.visitor import VisitorClient
from webchat.chats import worker
from webchat.models import ChatSession
from webchat.models.session import LEASE
from webchat.protection.outage import breaker
from webchat.protection.refusals import PROBE_EACH_SECONDS

pytestmark = pytest.mark.django_db

HTML = b"<html><body>Bad gateway</body></html>"
# For the machine, not for Twilio: bars are seconds of a wait, and the tests may share their processors.
SLACK = 1.0


@dataclass(frozen=True)
class Case:
    """`faults` serve the first calls of the start. `lost` is whether the visitor gets a chat only by repeating."""

    name: str
    faults: tuple[Any, ...]
    seconds: float
    status: int = 503
    reason: str = ""
    row: str = "starting"
    channels: int = 0
    calls: int | None = None

    def __str__(self) -> str:
        return self.name


def unclear(name: str, *faults: Any, seconds: float = 1, reason: str = "unclear", **more: Any) -> Case:
    """Nothing was created, and nobody can know."""
    return Case(name, faults, seconds, reason=reason, **more)


def adopted(name: str, *faults: Any, seconds: float = 1) -> Case:
    """It was created, and the look-up finds it."""
    return Case(name, faults, seconds, status=201, row="active", channels=1)


def refused(name: str, *faults: Any, reason: str = "refused", calls: int = 1, **more: Any) -> Case:
    """Certainly nothing was created."""
    return Case(name, faults, 1, reason=reason, row="failed", calls=calls, **more)


OTHER = sid("AC")
CASES = [
    # 3, 4: no answer
    unclear("hang before", hang(done=False), seconds=5.5),
    adopted("hang after", hang(done=True), seconds=5.5),
    unclear("reset before", reset(done=False)),
    adopted("reset after", reset(done=True)),
    adopted("closed after", hang_up),
    # 5, 6: too many requests
    Case("429, wait 1", (answering(429, {}, headers={"Retry-After": "1"}),), 3, 201, row="active", channels=1, calls=3),
    *[
        refused(f"429, wait {wait}", answering(429, {}, headers={"Retry-After": wait} if wait else {}), reason="busy")
        for wait in ("60", "", "abc", "-1", "Wed, 21 Oct 2026 07:28:00 GMT")
    ],
    refused(
        "429 twice",
        *[answering(429, {}, headers={"Retry-After": "0"})] * 2,
        reason="busy",
        calls=2,
    ),
    # 7: errors of Twilio's own
    *[
        unclear(f"{status} {kind}", answering(status, body), reason=f"unclear (HTTP {status}")
        for status in (500, 502, 503, 504)
        for kind, body in (("json", {"code": 20500, "status": status}), ("html", HTML), ("empty", b""))
    ],
    adopted("500 after", answering(500, HTML, done=True)),
    # 8: refusals
    *[refused(f"{status}", answering(*refusal(status, 20003))) for status in (400, 401)],
    # 9: answers that are none
    *[
        unclear(f"201 {name}", answering(201, body))
        for name, body in (
            ("html", HTML),
            ("cut", b'{"conversation_sid": "CH'),
            ("empty object", {}),
            ("list", []),
            ("wrong types", {"conversation_sid": 7, "sid": 7, "identity": [], "account_sid": {}}),
            ("wrong sid", {"conversation_sid": "CH../../x", "sid": "CH../../x", "identity": "w_1"}),
            ("another account", {"conversation_sid": "", "sid": sid("CH"), "account_sid": OTHER}),
        )
    ],
    unclear("not http", raw(b"SSH-2.0-OpenSSH\r\n")),
    adopted("shorter than promised", cut_after_the_json, seconds=1),
    adopted("last chunk missing", no_last_chunk, seconds=1),
    # 10: too slow, too large
    Case("slow body", (drip(None),), 5.5, reason="unclear", channels=1),
    Case("slow header", (drip(0),), 5.5, reason="unclear", channels=1),
    adopted("50 MB", flood(50_000_000)),
    adopted("50 MB of headers", flood(50_000_000, in_head=True)),
    # 11: a redirect, which is not followed
    refused("redirect", answering(302, {}, headers={"Location": "http://169.254.169.254/latest/meta-data"})),
]
# By the legacy API: those that differ, and one of each kind.
LEGACY = [
    *[case for case in CASES if case.name in ("reset before", "reset after", "503 html", "201 empty object", "429, wait 60")],
    unclear("201 of another account", answering(201, {"sid": sid("CH"), "account_sid": OTHER})),
    *[refused(f"{status}", answering(*refusal(status, 20404)), reason="gone") for status in (403, 404, 410)],
    # 13: the name is there already
    *[adopted(f"{code}", answering(409, {"code": code}, done=True)) for code in (45208, 50307, 50353)],
]  # fmt: skip


@pytest.fixture
def twilio(settings: Any) -> Iterator[FaultyServer]:
    with FaultyServer() as server:
        settings.TWILIO_SANDBOX_URL = server.url
        yield server


@pytest.mark.parametrize(
    ("api", "case"),
    [("conversations", case) for case in CASES] + [("web_channels", case) for case in LEGACY],
    ids=str,
)
def test_a_start_has_one_certain_end(twilio: FaultyServer, caplog: pytest.LogCaptureFixture, api: str, case: Case):
    webchat = make_webchat(api=api, **({"address_sid": ""} if api == "web_channels" else {}))  # no successor
    visitor = VisitorClient()
    twilio.script(*case.faults)
    with at_most(case.seconds + SLACK):
        response = visitor.start(ANSWERS)
    assert response.status_code == case.status, response.content
    if case.calls:
        assert len(twilio.calls) == case.calls
    assert len(twilio.created) == case.channels
    session = ChatSession.objects.get()
    assert session.status == case.row
    if case.status == 503:
        if case.reason == "busy" and case.name != "429, wait 60":
            assert (response.json()["code"], int(response["Retry-After"]) >= 1) == ("busy", True)
        else:
            refused_as_promised(response, webchat)
        assert session.failure.startswith(case.reason)
        [line] = [record.msg for record in caplog.records if "chat_not_started" in str(record.msg)]
        assert line["reason"].startswith(case.reason)
    assert "Traceback" not in caplog.text
    assert not [word for word in ("secret of Twilio", *ANSWERS.values()) if word in caplog.text]

    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=PROBE_EACH_SECONDS)):
        again = visitor.start(ANSWERS)
    assert again.status_code == (200 if case.status == 201 else 201)
    assert [one.sid for one in twilio.created] == [again.json()["channel_sid"]]
    assert twilio.created[0].messages == [(again.json()["identity"], ANSWERS["question"])]


def refused_as_promised(response: Any, webchat: Any) -> None:
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert (body["code"], body["detail"]) == ("chat_unavailable", webchat.unavailable_text)
    assert int(response["Retry-After"]) >= 1


# --- 1, 2: no connection ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "twilio.invalid"])
def test_a_refused_connection_and_a_host_without_an_address(settings: Any, sandbox: Any, host: str):
    webchat = make_webchat()
    visitor = VisitorClient()
    settings.TWILIO_SANDBOX_URL = f"http://{host}:{free_port()}"
    with at_most(1 + SLACK):
        refused_as_promised(visitor.start(ANSWERS), webchat)
    session = ChatSession.objects.get()
    assert (session.status, session.failure) == ("failed", "unreachable")
    settings.TWILIO_SANDBOX_URL = sandbox.url
    assert visitor.start(ANSWERS).status_code == 201  # at once: nothing can be on its way


def test_a_connection_that_is_never_made(settings: Any):
    webchat = make_webchat()
    visitor = VisitorClient()
    with listener_that_never_accepts() as port:
        settings.TWILIO_SANDBOX_URL = f"http://127.0.0.1:{port}"
        with at_most(2.5 + SLACK):
            refused_as_promised(visitor.start(ANSWERS), webchat)
    assert ChatSession.objects.get().status == "failed"


def test_without_javascript_the_page_says_it_and_keeps_what_was_typed(twilio: FaultyServer):
    webchat = make_webchat()
    visitor = VisitorClient()
    twilio.script(reset(done=False), answering(503, {}))
    body = {**ANSWERS, "idempotency_key": visitor.key, "csrfmiddlewaretoken": visitor.csrf}
    response = visitor.client.post("/webchat/support/", body)
    html = response.content.decode()
    assert response.status_code == 503
    assert webchat.unavailable_text in html
    assert all(value in html for value in ANSWERS.values())
    assert f'value="{visitor.key}"' in html
    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        assert visitor.client.post("/webchat/support/", body).status_code == 302
    assert len(twilio.created) == 1


def test_while_all_of_twilio_fails_the_start_ends_in_time(twilio: FaultyServer):
    """Neither the look-up nor anything else adds to the wait."""
    make_webchat()
    visitor = VisitorClient()
    twilio.script(*[hang(done=True)] * 5)
    with at_most(5.5 + SLACK):
        assert visitor.start(ANSWERS).status_code == 503


# --- 14: what Twilio would refuse is refused before --------------------------------------------------------------------


def test_data_that_are_too_large_for_flex_never_reach_it(twilio: FaultyServer):
    webchat = make_webchat()
    names = [f"text_{number}" for number in range(8)]
    for name in names:
        make_field(webchat, name, type=Type.TEXTAREA)
    response = VisitorClient().start({**ANSWERS, **dict.fromkeys(names, "x" * 1900)})
    assert response.status_code == 400
    assert twilio.calls == []


# --- 24, 25: ends and renewals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [hang(done=False), reset(done=False), answering(503, HTML), drip(0)], ids=range(4))
def test_an_end_is_an_end_at_once_and_twilio_hears_of_it_later(twilio: FaultyServer, fault: Any):
    make_webchat()
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    twilio.script(fault, fault)
    with at_most(1 + SLACK):
        assert visitor.end(credentials["session_id"]).status_code == 200
    assert visitor.renew(credentials["session_id"]).status_code == 410
    closed_by_then = twilio.created[0].state == "closed"
    assert ChatSession.objects.get().close_pending
    twilio._faults.clear()
    breaker.forget()
    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        worker.pass_once()
    assert closed_by_then or twilio.created[0].state == "closed"
    assert not ChatSession.objects.get().close_pending


def test_a_renewal_needs_no_twilio(settings: Any, sandbox: Any):
    make_webchat()
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    settings.TWILIO_SANDBOX_URL = f"http://127.0.0.1:{free_port()}"
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=50)):
        assert visitor.renew(credentials["session_id"]).status_code == 200


def test_a_question_that_hangs_does_not_keep_the_visitor_for_long(twilio: FaultyServer):
    make_webchat()
    visitor = VisitorClient()
    twilio.script(properly, hang(done=False))
    with at_most(3 + SLACK):
        assert visitor.start(ANSWERS).status_code == 201
    assert ChatSession.objects.get().question_sent_at is None
