"""Who may talk to the sandbox. It runs beside a browser that also shows foreign pages."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from django.core.management import CommandError, call_command

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import Browser, access_token, run
from webchat.sandbox import account
from webchat.sandbox.loopback import is_loopback
from webchat.sandbox.server import start

OWN = ["/", "/desk/conversations", "/desk/events", "/faults", "/log", "/v1/Conversations"]
MEDIA = f"/mcs/v1/Services/{account.CHAT_SERVICE_SID}/Media"


@pytest.mark.parametrize("path", [*OWN, MEDIA, "/v3/wsconnect"])
@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "192.168.1.2", "[", ""])
def test_foreign_host_is_refused(sandbox: SandboxServer, path: str, host: str) -> None:
    """A name that an attacker made resolve to 127.0.0.1: DNS rebinding."""
    assert sandbox.request("GET", path, headers={"Host": host}, stream=True).status_code in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.3.2.1"])
def test_loopback_names_are_let_in(sandbox: SandboxServer, host: str) -> None:
    headers = {"Host": f"{host}:{sandbox.port}"}
    assert sandbox.request("GET", "/desk/conversations", headers=headers).status_code == 200


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "http://127.0.0.1:1", "http://["])
def test_foreign_origin_is_refused(sandbox: SandboxServer, path: str, origin: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        answer = sandbox.request(method, path, headers={"Origin": origin}, stream=True)
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_own_origin_is_let_in(sandbox: SandboxServer) -> None:
    answer = sandbox.request("GET", "/desk/conversations", headers={"Origin": sandbox.url})
    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "http://localhost:5173", "https://localhost"])
def test_the_site_may_use_media(sandbox: SandboxServer, origin: str) -> None:
    preflight = sandbox.request("OPTIONS", MEDIA, headers={"Origin": origin})
    assert preflight.status_code == 204
    assert "X-Twilio-Token" in preflight.headers["Access-Control-Allow-Headers"]
    for headers in ({"X-Twilio-Token": access_token()}, {}):
        answer = sandbox.request("POST", MEDIA, data=b"x", headers={"Origin": origin, **headers})
        assert answer.status_code == (201 if headers else 401)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Vary"] == "Origin"


def test_foreign_page_may_use_neither_media_nor_twilsock(sandbox: SandboxServer) -> None:
    headers = {"Origin": "https://attacker.example", "X-Twilio-Token": access_token()}
    assert sandbox.request("POST", MEDIA, data=b"x", headers=headers).status_code == 403

    async def scenario() -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with Browser.to(sandbox, origin="https://attacker.example"):
                pass
        async with Browser.to(sandbox, origin="http://localhost:8000") as browser:
            assert (await browser.init(access_token()))["code"] == 200

    run(scenario())


@pytest.mark.parametrize("host", ["192.168.1.2", "example.org", "::"])
def test_listens_on_loopback_only(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(CommandError, match="loopback"):
        call_command("flexsandbox", host=host)
    with pytest.raises(ValueError, match="loopback"):
        asyncio.run(start(host, 0, auto_agent=False))


def test_command_says_that_the_port_is_taken(sandbox: SandboxServer) -> None:
    with pytest.raises(CommandError, match=f"port {sandbox.port}"):
        call_command("flexsandbox", port=sandbox.port)
