"""The two sides that talk to the sandbox: twilio-python, and the SDK's wire protocol in a few lines."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import ChatGrant
from twilio.rest import Client

from tests.support.sandbox import SandboxServer
from webchat.sandbox import account
from webchat.sandbox.frames import decode, encode

TIMEOUT = 60  # seconds


class Redirected(TwilioHttpClient):
    """Sends everything to the sandbox instead of Twilio's hosts."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=TIMEOUT)
        self.base = urlsplit(base_url)

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Response:
        url = urlunsplit(urlsplit(url)._replace(scheme=self.base.scheme, netloc=self.base.netloc))
        return super().request(method, url, *args, **options)


def rest_client(sandbox: SandboxServer, user: str = account.ACCOUNT_SID, password: str = account.AUTH_TOKEN) -> Client:
    return Client(user, password, account_sid=account.ACCOUNT_SID, http_client=Redirected(sandbox.url))


def access_token(
    identity: str | None = "guest",
    *,
    ttl: int = 3600,
    secret: str = account.API_KEY_SECRET,
    service: str = account.CHAT_SERVICE_SID,
    account_sid: str = account.ACCOUNT_SID,
    key: str = account.API_KEY_SID,
    valid_until: int | None = None,
) -> str:
    token = AccessToken(
        account_sid,
        key,
        secret,
        grants=[ChatGrant(service_sid=service)],
        identity=identity,
        ttl=ttl,
        nbf=int(time.time()) - 30,
    )
    token.valid_until = valid_until or int(time.time()) + ttl
    return str(token.to_jwt())


class Browser:
    """One Twilsock connection, acknowledging nothing and remembering every frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[tuple[dict[str, Any], Any]] = []
        self._ids = itertools.count()

    @classmethod
    @asynccontextmanager
    async def to(cls, sandbox: SandboxServer, **options: Any) -> AsyncIterator[Self]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(sandbox.websocket_url, max_msg_size=0, **options) as socket,
        ):
            yield cls(socket)

    async def send(self, header: dict[str, Any], payload: Any = None) -> str:
        header = {"id": f"TM{next(self._ids)}", **header}
        await self.socket.send_bytes(encode(header, payload))
        return str(header["id"])

    async def frame(self, wanted: Callable[[dict[str, Any], Any], bool]) -> tuple[dict[str, Any], Any]:
        """The first frame, seen or still to come, of that kind. Fails if the connection ends before it."""
        seen = 0
        while True:
            for header, payload in self.frames[seen:]:
                if wanted(header, payload):
                    return header, payload
            seen = len(self.frames)
            message = await asyncio.wait_for(self.socket.receive(), TIMEOUT)
            assert message.type is aiohttp.WSMsgType.BINARY, f"closed instead: {message}"
            received = decode(message.data)
            self.frames.append((received.header, json.loads(received.payload) if received.payload else None))

    async def reply(self, frame_id: str) -> tuple[dict[str, Any], Any]:
        return await self.frame(lambda header, _: header["method"] == "reply" and header["id"] == frame_id)

    async def init(self, token: Any) -> dict[str, Any]:
        """The `status` of the reply."""
        header, _ = await self.reply(await self.send({"method": "init", "token": token}))
        return dict(header["status"])

    async def update(self, token: Any) -> dict[str, Any]:
        header, _ = await self.reply(await self.send({"method": "update", "token": token}))
        return dict(header["status"])

    async def request(
        self, method: str, path: str, body: Any = None, params: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """HTTP status and body of a tunnelled request."""
        request = {"host": "aim.us1.twilio.com", "path": path, "method": method, "params": params or {}, "headers": {}}
        header, payload = await self.reply(
            await self.send({"method": "message", "http_request": request, "active_grant": "ip_messaging"}, body)
        )
        return int(header["http_status"]["code"]), payload

    async def get(self, path: str, **params: str) -> Any:
        status, body = await self.request("GET", path, params=params)
        assert status == 200, body
        return body

    async def subscribe(self, *objects: tuple[str, str, int | None], correlation_id: int = 1) -> None:
        requests = [
            {"object_sid": sid, "object_type": kind, "last_event_id": event_id} for sid, kind, event_id in objects
        ]
        body = {"action": "establish", "correlation_id": correlation_id, "requests": requests}
        status, answer = await self.request("POST", "/v4/Subscriptions", body)
        assert (status, answer["estimated_delivery_in_ms"] > 0) == (202, True)

    async def event(self, event_type: str, **fields: Any) -> Any:
        """The first Sync event of that type and with those fields."""

        def wanted(header: dict[str, Any], payload: Any) -> bool:
            if header["method"] != "notification" or payload.get("event_type") != event_type:
                return False
            return fields.items() <= payload["events"][0].items()

        return (await self.frame(wanted))[1]["events"][0]

    async def events(self) -> list[str]:
        """The types of all Sync events that have come, in order; asks something first, so that none is on its way."""
        await self.get("/Client/v2/Configuration")
        return [payload["event_type"] for header, payload in self.frames if header["method"] == "notification"]


def run(scenario: Awaitable[None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(scenario, 2 * TIMEOUT)

    asyncio.run(limited())
