"""The contract of a gateway: the same for both generations of the API, whatever happens on the way."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.flex.conftest import APIS, SHORT, AnyGateway, GatewayTo, destination
from tests.support.faulty_server import (
    Fault,
    FaultyServer,
    answering,
    cut_after_the_json,
    drip,
    flood,
    hang,
    hang_up,
    listing,
    no_last_chunk,
    participation,
    raw,
    refusal,
    reset,
    response,
    sid,
)
from tests.support.sandbox import SandboxServer
from tests.support.stopwatch import at_most
from webchat.flex import gateway_for
from webchat.flex.gateway import Channel, Engagement, FlexError
from webchat.flex.http import Limits
from webchat.sandbox import account

Reason = FlexError.Reason
Twilio = FaultyServer | SandboxServer

# Limits under which a Retry-After of a second or two is still obeyed.
PATIENT = Limits(total=4, connect=0.5, read=0.5)
MARGIN = 0.5  # seconds, on a busy machine


@contextmanager
def fails(reason: Reason, *, within: float = SHORT.total, **facts: object) -> Iterator[None]:
    with at_most(within + MARGIN), pytest.raises(FlexError) as caught:
        yield
    error = caught.value
    assert error.reason is reason
    assert error.outcome_is_known == (reason is not Reason.UNCLEAR)
    assert {name: getattr(error, name) for name in facts} == facts
    assert "secret of Twilio" not in f"{error} {error!r}"


# --- What works -----------------------------------------------------------------------------------------------------


def test_a_chat_from_open_to_close(twilio: Twilio, api: str, engagement: Engagement, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(twilio.url, api)
    assert gateway.find(engagement.identity) is None

    channel = gateway.open(engagement)
    assert channel.identity == engagement.identity
    assert gateway.find(engagement.identity) == channel

    gateway.post_message(channel, "Hello", "another")
    assert not gateway.has_message(channel, "question")
    gateway.post_message(channel, "Where is my “parcel”? 📦\n+1 & more", "question")
    assert gateway.has_message(channel, "question")
    assert not gateway.has_message(replace(channel, identity="somebody else"), "question")

    gateway.close(channel.sid)
    assert gateway.find(engagement.identity) is None
    gateway.close(channel.sid)  # again: no error
    with fails(Reason.REFUSED, status=403):
        gateway.post_message(channel, "too late", "question")


def test_closing_an_absent_channel_is_done(twilio: Twilio, api: str, gateway_to: GatewayTo) -> None:
    gateway_to(twilio.url, api).close(sid("CH"))


def test_the_unique_name_makes_a_repeated_legacy_open_harmless(
    twilio: Twilio, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(twilio.url, "web_channels")
    channel = gateway.open(engagement)
    with fails(Reason.EXISTS, status=409, twilio_code=45208):
        gateway.open(engagement)
    assert gateway.find(engagement.identity) == channel


def test_what_is_sent(faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url, api)
    channel = gateway.open(engagement)
    gateway.post_message(channel, "Hello", "question")
    gateway.close(channel.sid)

    created, posted, closed = faulty.calls
    assert json.loads(created.form["PreEngagementData"]) == engagement.pre_engagement_data
    assert "\\u" not in created.form["PreEngagementData"]
    assert created.form["Identity"] == engagement.identity
    assert created.form["ChatFriendlyName"] == "Northwind"
    assert created.form["CustomerFriendlyName"] == "Ada Løvelace"
    if api == "conversations":
        assert (created.path, created.form["AddressSid"]) == ("/v2/WebChats", account.ADDRESS_SID)
        assert (closed.path, closed.form) == (f"/v1/Conversations/{channel.sid}", {"State": "closed"})
        assert closed.headers["x-twilio-webhook-enabled"] == "true"
    else:
        assert (created.path, created.form["FlexFlowSid"]) == ("/v1/WebChannels", account.FLEX_FLOW_SID)
        assert created.form["ChatUniqueName"] == engagement.identity
        assert (closed.path, closed.form) == (f"/v1/WebChannels/{channel.sid}", {"ChatStatus": "inactive"})
    assert posted.path == f"/v1/Conversations/{channel.sid}/Messages"
    attributes = {"Attributes": json.dumps({"client_id": "question"})}
    assert posted.form == {"Author": engagement.identity, "Body": "Hello", **attributes}
    assert posted.headers["x-twilio-webhook-enabled"] == "true"


def test_the_current_api_decides_on_the_identity(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    made = sid("CH")
    faulty.script(answering(201, {"conversation_sid": made, "identity": "another"}))
    assert gateway_to(faulty.url).open(engagement) == Channel(made, "another")


@pytest.mark.parametrize("identity", ["", "w" * 257, "\ud800", "w\0", 5, None])
def test_an_identity_that_no_token_can_be_made_for(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, identity: object
) -> None:
    faulty.script(answering(201, {"conversation_sid": sid("CH"), "identity": identity}))
    with fails(Reason.UNCLEAR):
        gateway_to(faulty.url).open(engagement)


def test_an_agent_is_only_reached_by_a_posted_message(
    sandbox: SandboxServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(sandbox.url, api)
    channel = gateway.open(engagement)
    assert channel.sid not in json.dumps(sandbox.desk())
    gateway.post_message(channel, "Hello", "question")
    assert channel.sid in json.dumps(sandbox.desk())


def test_a_gateway_for_each_api_and_no_other(api: str) -> None:
    assert type(gateway_for(destination(api))) is APIS[api]
    with fails(Reason.NOT_CONFIGURED):
        gateway_for(destination("web_chats"))


# --- What goes wrong: certain, and not done -------------------------------------------------------------------------

HTML = b"<!DOCTYPE html><title>503</title>"

REFUSALS: dict[str, tuple[Fault, Reason]] = {
    "401": (answering(*refusal(401, 20003)), Reason.REFUSED),
    "400": (answering(*refusal(400, 45731)), Reason.REFUSED),
    "400 reserved identity": (answering(*refusal(400, 45211)), Reason.REFUSED),
    "422 without a body": (answering(422, b""), Reason.REFUSED),
    "409": (answering(*refusal(409, 50307)), Reason.EXISTS),
    "400 but the name is taken": (answering(*refusal(400, 50353)), Reason.EXISTS),
    "429": (answering(*refusal(429, 20429)), Reason.BUSY),
    "429 as HTML": (answering(429, HTML), Reason.BUSY),
    "400 but too many": (answering(*refusal(400, 45010)), Reason.BUSY),
    "redirect": (answering(302, b"", headers={"Location": "http://169.254.169.254/latest/meta-data/"}), Reason.REFUSED),
    "redirect that keeps the method": (answering(307, b"", headers={"Location": "/v2/Elsewhere"}), Reason.REFUSED),
}


@pytest.mark.parametrize(("fault", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_refused(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo, fault: Fault, reason: Reason
) -> None:
    gateway = gateway_to(faulty.url, api)
    faulty.script(fault)
    with fails(reason):
        gateway.open(engagement)
    assert len(faulty.calls) == 1
    assert faulty.created == []
    assert gateway.find(engagement.identity) is None


GONE = {"403": (403, 45003), "404": (404, 20404), "410": (410, 45006), "no Flex Flow": (400, 45205)}


@pytest.mark.parametrize(("status", "code"), GONE.values(), ids=GONE)
def test_a_legacy_api_that_is_gone(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, status: int, code: int
) -> None:
    faulty.script(answering(*refusal(status, code)), answering(*refusal(status, code)))
    with fails(Reason.GONE, status=status, twilio_code=code):
        gateway_to(faulty.url, "web_channels").open(engagement)
    with fails(Reason.REFUSED, status=status, twilio_code=code):
        gateway_to(faulty.url, "conversations").open(engagement)
    assert len(faulty.calls) == 2


def test_a_conflict_of_the_legacy_api_is_about_the_unique_name(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    faulty.script(answering(409, HTML), answering(409, HTML))
    with fails(Reason.EXISTS, status=409, twilio_code=None):
        gateway_to(faulty.url, "web_channels").open(engagement)
    with fails(Reason.REFUSED, status=409, twilio_code=None):
        gateway_to(faulty.url, "conversations").open(engagement)


def test_a_chat_of_a_legacy_api_that_is_gone_ends_all_the_same(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, "web_channels")
    channel = gateway.open(engagement)
    faulty.script(answering(410, HTML))
    gateway.close(channel.sid)
    assert faulty.created[0].state == "closed"


def test_text_that_is_no_text_is_refused_here(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    with fails(Reason.REFUSED, status=None):
        gateway_to(faulty.url, api).open(replace(engagement, customer_friendly_name="half \ud83d"))
    assert faulty.calls == []


@pytest.mark.parametrize("no_sid", ["", "CH", "CH" + "0" * 31 + "/", "IM" + "0" * 32, "CH" + "0" * 32 + "\n"])
def test_what_is_no_sid_never_becomes_a_path(
    faulty: FaultyServer, api: str, gateway_to: GatewayTo, no_sid: str
) -> None:
    gateway = gateway_to(faulty.url, api)
    for verb in (gateway.close, lambda sid: gateway.post_message(Channel(sid, "w"), "x", "question")):
        with fails(Reason.REFUSED, status=None):
            verb(no_sid)
    assert faulty.calls == []


def test_an_identity_never_becomes_a_path_either(faulty: FaultyServer, gateway_to: GatewayTo) -> None:
    assert gateway_to(faulty.url, "web_channels").find("../Services?x=#") is None
    assert faulty.calls[0].path == "/v1/Conversations/..%2FServices%3Fx%3D%23"


# --- 429 ------------------------------------------------------------------------------------------------------------


def busy(retry_after: str | None) -> Fault:
    return answering(*refusal(429, 20429), headers={"Retry-After": retry_after} if retry_after else {})


@pytest.mark.parametrize("retry_after", ["0", "1"])
def test_busy_for_a_moment_is_tried_again_once(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo, retry_after: str
) -> None:
    gateway = gateway_to(faulty.url, api, limits=PATIENT)
    faulty.script(busy(retry_after))
    with at_most(int(retry_after) + 0.25 + MARGIN, at_least=int(retry_after)):
        gateway.open(engagement)
    assert len(faulty.created) == 1

    faulty.script(busy(retry_after), busy(retry_after), busy(retry_after))
    with fails(Reason.BUSY, retry_after=int(retry_after), within=PATIENT.total):
        gateway.find(engagement.identity)
    assert len(faulty.calls) == 4


LATER = {"60": 60, "3": 3, "999999999": 3600, None: None, "abc": None, "-1": None, "": None, "1.5": None, "٣": None}
LATER |= {"Wed, 21 Oct 2026 07:28:00 GMT": None, "9" * 5000: None, "1, 1": None}


@pytest.mark.parametrize("header", LATER, ids=lambda header: str(header)[:20])
def test_busy_for_longer_is_left_to_the_caller(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo, header: str | None
) -> None:
    faulty.script(busy(header))
    with fails(Reason.BUSY, status=429, twilio_code=20429, retry_after=LATER[header], within=0.3):
        gateway_to(faulty.url, api, limits=PATIENT).open(engagement)
    assert len(faulty.calls) == 1


def test_no_retry_that_the_deadline_would_cut(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    faulty.script(busy("1"))
    with fails(Reason.BUSY, retry_after=1, within=0.3):
        gateway_to(faulty.url).open(engagement)
    assert len(faulty.calls) == 1


# --- What goes wrong: unclear ---------------------------------------------------------------------------------------

FOREIGN_ACCOUNT = {"sid": sid("CH"), "account_sid": sid("AC"), "conversation_sid": sid("ME"), "identity": "x"}

UNCLEAR: dict[str, tuple[Fault, int]] = {
    "hang, not done": (hang(done=False), 0),
    "hang, done": (hang(done=True), 1),
    "reset, not done": (reset(done=False), 0),
    "reset, done": (reset(done=True), 1),
    "hang up": (hang_up, 1),
    "slow head": (drip(5), 1),
    "slow status line": (drip(0), 1),
    "slow body": (drip(None), 1),
    "50 MB": (flood(50_000_000), 1),
    "50 MB of headers": (flood(50_000_000, in_head=True), 1),
    "endless 100 Continue": (raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, done=True), 1),
    "500 JSON": (answering(*refusal(500, 45700), done=True), 1),
    "502 HTML": (answering(502, HTML), 0),
    "503 empty": (answering(503, b"", headers={"Retry-After": "7"}), 0),
    "504 cut JSON": (answering(504, b'{"code": 45'), 0),
    "500 name taken": (answering(*refusal(500, 45208)), 0),
    "408": (answering(408, b""), 0),
    "timeout inside": (answering(*refusal(400, 45209), done=True), 1),
    "600": (answering(600, {}), 0),
    "201 HTML": (answering(201, HTML, done=True), 1),
    "201 empty": (answering(201, b"", done=True), 1),
    "204": (raw(b"HTTP/1.1 204 No Content\r\n\r\n", done=True), 1),
    "201 cut JSON": (answering(201, b'{"sid": "CH12', done=True), 1),
    "201 not UTF-8": (answering(201, b'{"sid": "\xff"}', done=True), 1),
    "201 UTF-16": (answering(201, '{"sid": "x"}'.encode("utf-16"), done=True), 1),
    "201 nested": (answering(201, b"[" * 30_000, done=True), 1),
    "201 {}": (answering(201, {}, done=True), 1),
    "201 []": (answering(201, [], done=True), 1),
    "201 null": (answering(201, None, done=True), 1),
    "201 wrong types": (answering(201, {"sid": 5, "account_sid": [], "conversation_sid": {}, "identity": 0}), 0),
    "201 no SID": (answering(201, {"sid": "CH1", "conversation_sid": "CH1", "identity": "x"}, done=True), 1),
    "201 foreign SID": (answering(201, FOREIGN_ACCOUNT, done=True), 1),
    "201 short body": (answering(201, {"x": 1}, length=500, done=True), 1),
    "201 whole JSON, short body": (cut_after_the_json, 1),
    "201 whole JSON, no last chunk": (no_last_chunk, 1),
    "201 bad chunks": (raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", done=True), 1),
    "201 cut chunks": (raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", done=True), 1),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n", done=True), 1),
    "half a status line": (raw(b"HTTP/1.1 201", done=True), 1),
}


@pytest.mark.parametrize(("fault", "created"), UNCLEAR.values(), ids=UNCLEAR)
def test_unclear_is_never_repeated_and_can_be_looked_up(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo, fault: Fault, created: int
) -> None:
    gateway = gateway_to(faulty.url, api)
    faulty.script(fault)
    with fails(Reason.UNCLEAR):
        gateway.open(engagement)
    assert len(faulty.calls) == 1
    assert len(faulty.created) == created

    found = gateway.find(engagement.identity)
    assert found == (Channel(faulty.created[0].sid, engagement.identity) if created else None)


def test_a_lost_message_can_be_looked_up(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, api)
    channel = gateway.open(engagement)
    for fault, arrived in ((reset(done=False), False), (answering(201, {}), False), (reset(done=True), True)):
        faulty.script(fault)
        with fails(Reason.UNCLEAR):
            gateway.post_message(channel, "Hello", "question")
        assert gateway.has_message(channel, "question") is arrived
    assert len(faulty.created[0].messages) == 1


def test_a_lost_close_can_be_repeated(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, api)
    channel = gateway.open(engagement)
    for fault in (reset(done=False), answering(200, {}), answering(200, {"sid": sid("CH"), "state": "active"})):
        faulty.script(fault)
        with fails(Reason.UNCLEAR):
            gateway.close(channel.sid)
    faulty.script(reset(done=True))
    with fails(Reason.UNCLEAR):
        gateway.close(channel.sid)
    gateway.close(channel.sid)
    assert faulty.created[0].state == "closed"


def test_a_close_that_is_refused_for_other_reasons_is_not_done(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, api)
    channel = gateway.open(engagement)
    faulty.script(answering(*refusal(401, 20003)))
    with fails(Reason.REFUSED, status=401):
        gateway.close(channel.sid)
    assert len(faulty.calls) == 2
    forbidden = answering(*refusal(403, 50400))
    faulty.script(*[forbidden] * (1 if api == "conversations" else 2))
    with fails(Reason.REFUSED, status=403):
        gateway.close(channel.sid)
    assert faulty.created[0].state == "active"


def test_a_look_up_that_fails(faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url, api)
    gateway.open(engagement)
    for status, reason in ((401, Reason.REFUSED), (429, Reason.BUSY), (503, Reason.UNCLEAR)):
        faulty.script(answering(*refusal(status, 20001)))
        with fails(reason, status=status):
            gateway.find(engagement.identity)
    faulty.script(answering(*refusal(404, 20404)))
    assert gateway.find(engagement.identity) is None


ANSWERS_OF_A_LOOK_UP = {
    "{}": {},
    "wrong types": {"sid": 5, "account_sid": 5, "unique_name": [], "state": 5, "conversations": 5, "messages": 5},
    "list of nothing": listing("conversations", [None]),  # type: ignore[list-item]
    "meta is no object": {"conversations": [], "meta": 5},
    "key is absent": {"meta": {"key": "elsewhere"}},
    "foreign account": listing("conversations", [{"account_sid": sid("AC"), "conversation_state": "active"}]),
}


@pytest.mark.parametrize("content", ANSWERS_OF_A_LOOK_UP.values(), ids=ANSWERS_OF_A_LOOK_UP)
def test_a_look_up_that_says_nothing_is_unclear(
    faulty: FaultyServer, api: str, gateway_to: GatewayTo, content: object
) -> None:
    faulty.script(answering(200, content), answering(200, content if content != {} else []))
    gateway = gateway_to(faulty.url, api)
    with fails(Reason.UNCLEAR):
        gateway.find("w")
    if "conversations" not in json.dumps(content):
        with fails(Reason.UNCLEAR):
            gateway.has_message(Channel(sid("CH"), "w"), "question")


Verb = Callable[[AnyGateway], object]
VERBS: dict[str, Verb] = {
    "open": lambda gateway: gateway.open(Engagement("w", "Northwind", "Ada", {})),
    "find": lambda gateway: gateway.find("w"),
    "post_message": lambda gateway: gateway.post_message(Channel(sid("CH"), "w"), "Hello", "question"),
    "has_message": lambda gateway: gateway.has_message(Channel(sid("CH"), "w"), "question"),
    "close": lambda gateway: gateway.close(sid("CH")),
    "has_ended": lambda gateway: gateway.has_ended(sid("CH")),
}
# None of them is what twilio-python takes for granted, and it trips over each in another way.
SHAPES = [
    b"",
    b"null",
    b"[]",
    b"[null]",
    b"5",
    b'"x"',
    HTML,
    b"[" * 30_000,
    b'{"sid": "\xff"}',
    b'{"meta": {"key": []}}',
]


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: repr(shape)[:20])
def test_an_answer_of_another_shape_is_unclear_to_every_verb(
    faulty: FaultyServer, api: str, gateway_to: GatewayTo, verb: Verb, shape: bytes
) -> None:
    faulty.script(answering(200, shape))
    with fails(Reason.UNCLEAR):
        verb(gateway_to(faulty.url, api))


def test_a_look_up_takes_nobody_elses_channel(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    legacy, current = gateway_to(faulty.url, "web_channels"), gateway_to(faulty.url)
    legacy.open(engagement)
    foreign = faulty.created[0]
    faulty.script(answering(200, foreign.view() | {"account_sid": sid("AC")}))
    with fails(Reason.UNCLEAR):
        legacy.find(engagement.identity)
    faulty.script(answering(200, foreign.view()))
    with fails(Reason.UNCLEAR):
        legacy.find("w_another")
    faulty.script(answering(200, listing("conversations", [participation(foreign)])))
    assert current.find("w_another") is None
    no_sid = participation(foreign) | {"conversation_sid": "CH1"}
    faulty.script(answering(200, listing("conversations", [no_sid])))
    with fails(Reason.UNCLEAR):
        current.find(engagement.identity)


@pytest.mark.parametrize(
    ("attributes", "over"),
    [('{"status": "INACTIVE"}', True), ('{"status": "ACTIVE"}', False), ("[]", False), (None, False)],
)
def test_an_inactive_legacy_channel_is_over(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, attributes: str | None, over: bool
) -> None:
    gateway = gateway_to(faulty.url, "web_channels")
    channel = gateway.open(engagement)
    faulty.script(answering(200, faulty.created[0].view() | {"attributes": attributes}))
    assert gateway.find(engagement.identity) == (None if over else channel)
    faulty.script(answering(200, faulty.created[0].view() | {"attributes": "{"}))
    with fails(Reason.UNCLEAR):
        gateway.find(engagement.identity)


def test_a_huge_answer_is_not_kept(faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url)
    gateway.find(engagement.identity)
    faulty.script(flood(50_000_000), flood(50_000_000, in_head=True))
    tracemalloc.start()
    try:
        for _ in range(2):
            with fails(Reason.UNCLEAR):
                gateway.open(engagement)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("fault", [drip(5, every=0.25), drip(None, every=0.25)], ids=["head", "body"])
def test_the_real_deadline(faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, fault: Fault) -> None:
    faulty.script(fault)
    with at_most(5 + MARGIN, at_least=4.5), fails(Reason.UNCLEAR, within=5):
        gateway_to(faulty.url, limits=Limits()).open(engagement)


# --- The sandbox fails as Twilio does -------------------------------------------------------------------------------

PATHS = {"conversations": "/v2/WebChats", "web_channels": "/v1/WebChannels"}
SANDBOX_FAULTS = {
    "reset": ({"fault": "reset", "before": False}, Reason.UNCLEAR),
    "hang": ({"fault": "hang", "before": False}, Reason.UNCLEAR),
    "drip": ({"fault": "drip", "before": False}, Reason.UNCLEAR),
    "garbage": ({"fault": "garbage", "before": False}, Reason.UNCLEAR),
    "empty": ({"fault": "empty", "before": False}, Reason.UNCLEAR),
    "503": ({"status": 503, "before": True}, Reason.UNCLEAR),
    "429": ({"status": 429, "headers": {"Retry-After": "60"}, "before": True}, Reason.BUSY),
}


@pytest.mark.parametrize(("fault", "reason"), SANDBOX_FAULTS.values(), ids=SANDBOX_FAULTS)
def test_faults_of_the_sandbox(
    sandbox: SandboxServer,
    api: str,
    engagement: Engagement,
    gateway_to: GatewayTo,
    fault: dict[str, object],
    reason: Reason,
) -> None:
    gateway = gateway_to(sandbox.url, api)
    sandbox.fault("POST", PATHS[api], **fault)
    with fails(reason):
        gateway.open(engagement)
    sandbox.clear_faults()
    assert (gateway.find(engagement.identity) is not None) == (fault["before"] is False)


def test_responses_of_the_server_are_what_they_seem() -> None:
    assert response(200, {"a": 1}).endswith(b'Content-Length: 8\r\n\r\n{"a": 1}')
