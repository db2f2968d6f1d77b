"""Whatever comes in, the sandbox refuses it and goes on."""

from __future__ import annotations

import asyncio
import json
import logging

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import Browser, access_token, run
from webchat.sandbox import account
from webchat.sandbox.frames import FrameError, decode, encode

GARBAGE = [
    b"",
    b"\x00" * 100,
    b"TWILSOCK V3.0",
    b"TWILSOCK V3.0 2\r\n{}",
    b"TWILSOCK V3.0 9999999\r\n{}\r\n",
    b"TWILSOCK V3.0 99999999999999999999\r\n{}\r\n",
    b"TWILSOCK V3.0 -1\r\n{}\r\n",
    b"TWILSOCK V4.0 2\r\n{}\r\n",
    b"TWILSOCK V3.0 2\r\n[]\r\n",
    b"TWILSOCK V3.0 4\r\nnull\r\n",
    b"TWILSOCK V3.0 2\r\n\xff\xff\r\n",
    b"TWILSOCK V3.0 40000\r\n" + b"[" * 40_000 + b"\r\n",
    *(
        b"TWILSOCK V3.0 %d\r\n%b\r\n" % (len(header), header)
        for header in (
            json.dumps(header).encode()
            for header in (
                {"payload_size": -1},
                {"payload_size": 10**30},
                {"payload_size": "x"},
                {"payload_size": True},
                {"payload_size": [1]},
                {"method": []},
                {"method": {"a": 1}},
                {"method": "message"},
                {"method": "message", "http_request": None},
                {"method": "message", "http_request": {"path": 1, "method": 2}},
                {"method": "message", "http_request": {"path": "/" * 5000, "method": "GET"}},
                {"method": "message", "http_request": {"path": "/v3/Maps/%ff%00", "method": "GET", "params": [1]}},
                {
                    "method": "message",
                    "http_request": {"path": "/v3/Maps/x/Items", "method": "GET", "params": {"": {}}},
                },
                {"method": "message", "id": {"x": []}, "http_request": {"path": "/v4/Subscriptions", "method": "POST"}},
                {"method": "init", "token": {"a": [1]}, "registrations": "x"},
                {"method": "init", "token": "\ud800"},
                {"method": "update", "token": [[]]},
                {"method": "put_notification_ctx"},
                {"method": "reply", "id": None},
                {"method": "telemetry.v1"},
                {"method": "unheard_of"},
            )
        )
    ),
]
BODIES = [
    [],
    "text",
    {"requests": 1},
    {"requests": [None, 1, "x", {}, {"object_sid": [], "object_type": {}, "last_event_id": "x"}]},
    {"requests": [{"object_sid": "x", "object_type": "map", "last_event_id": 10**40}], "action": "establish"},
    {"requests": [{}] * 1001, "action": "cancel"},
    {"ChannelSid": {}},
    {"body": "\ud800", "attributes": '{"half": "\\ud800"}'},
    {"last_read_message_index": 10**40},
    {"friendly_name": "\ud800\x00"},
]


@pytest.fixture
def silent_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.parametrize("signed_in", [False, True])
def test_garbage_frames(sandbox: SandboxServer, silent_log: pytest.LogCaptureFixture, signed_in: bool) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            if signed_in:
                await browser.init(access_token("fuzz"))
            for data in GARBAGE:
                await browser.socket.send_bytes(data)
            await browser.socket.send_str("TWILSOCK V3.0 2\r\n{}\r\n")
            if not signed_in:
                await browser.init(access_token("fuzz"))
            assert (await browser.get("/Client/v2/Configuration"))["identity"] == "fuzz"

    run(scenario())
    assert not [record for record in silent_log.records if record.levelno >= logging.ERROR]


def test_garbage_bodies(sandbox: SandboxServer, silent_log: pytest.LogCaptureFixture) -> None:
    sid = sandbox.open_webchat("bodies")
    paths = [
        ("POST", "/v4/Subscriptions"),
        ("POST", "/Client/v2/typing"),
        ("POST", f"/Client/v2/Conversations/{sid}/Messages"),
        ("POST", f"/Client/v2/Users/me/Conversations/{sid}"),
        ("POST", "/Client/v2/Users/bodies"),
        ("DELETE", f"/Client/v2/Conversations/{sid}/Participants/nobody"),
        ("GET", f"/v3/Lists/{sid}.messages/Items"),
        ("PATCH", "/v3/Nothing/x"),
    ]

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("bodies"))
            for method, path in paths:
                for body in BODIES:
                    status, _ = await browser.request(method, path, body)
                    assert status < 500
            # The half surrogate pair that one body holds is legal JSON, and so is handed out again.
            listed = await browser.get(f"/v3/Lists/{sid}.messages/Items")
            assert "\ud800" in {item["data"]["text"] for item in listed["items"]}

    run(scenario())
    assert sandbox.desk(sid)["messages"]
    assert not [record for record in silent_log.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded; charset=klingon", "text/plain", "a/b; ="])
@pytest.mark.parametrize("path", ["/v2/WebChats", "/v1/Conversations", "/faults", "/desk/conversations/CH0/accept"])
def test_garbage_requests(
    sandbox: SandboxServer, silent_log: pytest.LogCaptureFixture, path: str, content_type: str
) -> None:
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    for body in (b"", b"\xff\xfe=\x00", b"%ff=%zz&&=;", b"a" * 10_000):
        answer = sandbox.request("POST", path, data=body, headers={"Content-Type": content_type}, auth=credentials)
        assert answer.status_code < 500
    assert not [record for record in silent_log.records if record.levelno >= logging.ERROR]


def test_too_large_a_frame_ends_the_connection_only(sandbox: SandboxServer) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.socket.send_bytes(b"x" * 1_100_000)
            message = await asyncio.wait_for(browser.socket.receive(), 60)
            assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        async with Browser.to(sandbox) as browser:
            assert (await browser.init(access_token()))["code"] == 200

    run(scenario())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(lambda data: b"TWILSOCK V3.0 9\r\n" + data)))
def test_decode_refuses_or_reads(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError:
        return
    assert isinstance(frame.header, dict)


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3),
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=20), min_size=1, max_size=3),
)
def test_frames_survive_the_way(header: dict[str, str], payload: dict[str, object]) -> None:
    header = {name: value for name, value in header.items() if not name.startswith("payload")}
    frame = decode(encode(header, payload) + b"\r\n")
    assert header.items() <= frame.header.items()
    assert frame.body() == payload
