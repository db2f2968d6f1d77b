"""Faults before and after the action: the caller sees the same, the log tells the difference."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.support.sandbox import SandboxServer
from tests.support.stopwatch import at_most
from tests.support.twilio_clients import Browser, access_token, run
from tests.support.waiting import until
from webchat.sandbox import account

CREDENTIALS = (account.ACCOUNT_SID, account.AUTH_TOKEN)


def create(sandbox: SandboxServer, timeout: float = 5) -> requests.Response:
    form = {"AddressSid": account.ADDRESS_SID, "Identity": "faulty"}
    # A connection of its own: a retry on a kept-alive one would hide what happened.
    return requests.post(f"{sandbox.url}/v2/WebChats", data=form, auth=CREDENTIALS, timeout=timeout)


def count(sandbox: SandboxServer) -> int:
    query = {"Identity": "faulty", "PageSize": 1000}
    answer = sandbox.request("GET", "/v1/ParticipantConversations", params=query, auth=CREDENTIALS)
    return len(answer.json()["conversations"])


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"fault": "reset"}, {"fault": "hang"}, {"fault": "garbage"}, {"fault": "empty"}],
    ids=str,
)
def test_created_and_answered_differ(sandbox: SandboxServer, fault: dict[str, Any], before: bool) -> None:
    there = count(sandbox)
    sandbox.clear_log()
    sandbox.fault("POST", "/v2/WebChats", before=before, **fault)
    status: int | None = 503 if "status" in fault else 201
    match fault.get("fault"):
        case "reset":
            with pytest.raises(requests.ConnectionError, match="reset by peer"):
                create(sandbox)
            status = None
        case "hang":
            with pytest.raises(requests.ReadTimeout):
                create(sandbox, timeout=0.3)
            status = None
        case "garbage":
            answer = create(sandbox)
            assert (answer.status_code, answer.headers["Content-Type"]) == (201, "text/html")
            assert answer.text.startswith("<!doctype html>")
        case "empty":
            answer = create(sandbox)
            assert (answer.status_code, answer.content) == (201, b"")
        case None:
            answer = create(sandbox)
            assert (answer.status_code, answer.json()["code"]) == (503, 20503)
    until(lambda: before or sandbox.log()[0]["created"])  # also when nobody waited for it
    (call,) = sandbox.log()
    assert (call["method"], call["path"]) == ("POST", "/v2/WebChats")
    assert call["status"] == status
    assert bool(call["created"]) is not before
    assert count(sandbox) == there + (not before)
    assert create(sandbox).status_code == 201


@pytest.mark.parametrize("before", [True, False])
def test_drip_sends_a_byte_at_a_time(sandbox: SandboxServer, before: bool) -> None:
    there = count(sandbox)
    sandbox.fault("POST", "/v2/WebChats", fault="drip", before=before)
    form = {"AddressSid": account.ADDRESS_SID, "Identity": "faulty"}
    started = time.monotonic()
    # Each byte comes within the timeout, the whole does not: only a deadline for the whole call ends such an answer.
    with requests.post(f"{sandbox.url}/v2/WebChats", data=form, auth=CREDENTIALS, timeout=1, stream=True) as answer:
        assert answer.status_code == 201
        first = b"".join(chunk for chunk, _ in zip(answer.iter_content(1), range(20), strict=False))
        assert time.monotonic() - started > 0.8
        assert int(answer.headers["Content-Length"]) > 20
    assert first == (b" " * 20 if before else b'{"conversation_sid":'[:20])
    assert count(sandbox) == there + (not before)


def test_times_headers_and_body(sandbox: SandboxServer) -> None:
    sandbox.fault("POST", "/v2/WebChats", status=429, headers={"Retry-After": "7"}, body="slow down", times=2)
    for _ in range(2):
        answer = create(sandbox)
        assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (429, "7", "slow down")
    assert create(sandbox).status_code == 201


def test_prefix_and_any_method(sandbox: SandboxServer) -> None:
    sandbox.fault("*", "/v1/*", status=500, times=2)
    assert create(sandbox).status_code == 201
    assert sandbox.request("GET", "/v1/Conversations", auth=CREDENTIALS).status_code == 500
    assert sandbox.request("POST", "/v1/WebChannels", auth=CREDENTIALS).status_code == 500
    assert sandbox.request("GET", "/v1/Conversations", auth=CREDENTIALS).status_code == 200


@pytest.mark.parametrize("before", [True, False])
def test_delay_alone(sandbox: SandboxServer, before: bool) -> None:
    sandbox.fault("POST", "/v2/WebChats", delay_ms=300, before=before)
    with at_most(2, at_least=0.3):
        assert create(sandbox).status_code == 201


def test_faults_queue_up_and_clear(sandbox: SandboxServer) -> None:
    for status in (500, 502, 504):
        sandbox.fault("POST", "/v2/WebChats", status=status)
    assert [create(sandbox).status_code for _ in range(2)] == [500, 502]
    sandbox.clear_faults()
    assert create(sandbox).status_code == 201


@pytest.mark.parametrize(
    "fault",
    [
        {},
        [],
        {"method": "GET"},
        {"method": "GET", "path": "/v1/x"},
        {"method": "GET", "path": "v1/x", "status": 500},
        {"method": "GET", "path": "/v1/x", "status": 99},
        {"method": "GET", "path": "/v1/x", "status": "500"},
        {"method": "GET", "path": "/v1/x", "fault": "explode"},
        {"method": "GET", "path": "/v1/x", "fault": "reset", "status": 500},
        {"method": "GET", "path": "/v1/x", "status": 500, "times": 0},
        {"method": "GET", "path": "/v1/x", "status": 500, "before": "yes"},
        {"method": "GET", "path": "/v1/x", "status": 500, "headers": {"a": 1}},
        {"method": "GET", "path": "/v1/x", "delay_ms": -1},
        {"method": "GET", "path": "/v1/x", "status": 500, "unknown": 1},
        {"method": "POST", "path": "/Client/v2/typing", "fault": "drip"},
    ],
    ids=str,
)
def test_malformed_faults_are_refused(sandbox: SandboxServer, fault: Any) -> None:
    assert sandbox.request("POST", "/faults", json=fault).status_code == 400


def test_log_holds_no_secrets(sandbox: SandboxServer) -> None:
    sandbox.open_webchat("logged", PreEngagementData='{"secret": "hush"}')
    sandbox.request("GET", "/v1/Conversations?PageSize=5", auth=(account.ACCOUNT_SID, "wrong"))
    created, refused = sandbox.log()
    assert created.keys() == {"method", "path", "status", "created", "parameters", "fault", "at"}
    assert (created["status"], created["created"][:2], created["fault"]) == (201, "CH", None)
    assert (refused["path"], refused["status"], refused["created"]) == ("/v1/Conversations", 401, False)
    log = sandbox.request("GET", "/log").text
    assert "hush" not in log
    assert "wrong" not in log
    assert account.AUTH_TOKEN not in log


def test_tunnelled_requests_take_faults_too(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("tunnel")
    path = f"/Client/v2/Conversations/{sid}/Messages"

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("tunnel"))
            sandbox.fault("POST", path, status=429)
            status, answer = await browser.request("POST", path, {"body": "one"})
            assert (status, answer["code"]) == (429, 20429)
            sandbox.fault("POST", path, status=500, before=False, body='{"code": 1}')
            assert await browser.request("POST", path, {"body": "two"}) == (500, {"code": 1})
            sandbox.fault("POST", path, delay_ms=200)
            slow = await browser.send(
                {"method": "message", "http_request": {"path": path, "method": "POST"}}, {"body": "three"}
            )
            # A slow answer holds up no other one.
            assert (await browser.request("GET", "/Client/v2/Configuration"))[0] == 200
            assert slow not in {header["id"] for header, _ in browser.frames}
            await browser.reply(slow)
            sandbox.fault("GET", "/Client/v2/Configuration", delay_ms=60_000)
            await browser.send(
                {"method": "message", "http_request": {"path": "/Client/v2/Configuration", "method": "GET"}}
            )
            sandbox.fault("POST", path, fault="hang")
            await browser.send({"method": "message", "http_request": {"path": path, "method": "POST"}})
            sandbox.fault("POST", path, fault="reset", before=False)
            with pytest.raises((AssertionError, ConnectionError)):
                await browser.request("POST", path, {"body": "four"})

    run(scenario())
    assert [message["body"] for message in sandbox.messages(sid)] == ["two", "three", "four"]
    until(lambda: sandbox.desk(sid)["customer"]["online"] is False)


@pytest.mark.parametrize(
    ("action", "method", "code"),
    [("about_to_expire", "client_update", None), ("expire", "close", 410), ("offload", "close", 308)],
)
def test_connection_actions(sandbox: SandboxServer, action: str, method: str, code: int | None) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as one, Browser.to(sandbox) as other:
            await one.init(access_token("one"))
            await other.init(access_token("other"))
            assert sandbox.connections(action, "one") == 1
            header, _ = await one.frame(lambda header, _: header["method"] == method)
            assert header.get("status", {}).get("code") == code
            await other.get("/Client/v2/Configuration")
            assert method not in {header["method"] for header, _ in other.frames}

    run(scenario())


def test_unknown_connection_action(sandbox: SandboxServer) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token())
            assert sandbox.request("POST", "/faults/connections", json={"action": "explode"}).status_code == 400

    run(scenario())
