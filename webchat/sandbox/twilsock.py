"""Twilsock, the WebSocket protocol of Twilio's browser SDKs: sessions, tokens and their timers, delivery of events."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from . import limits
from .entities import TYPING_SECONDS, User
from .events import Event
from .frames import Frame, FrameError, decode, encode
from .store import Store
from .sync import SyncObject
from .tokens import OTHER_IDENTITY, TokenError, verify

PING_SECONDS = 30
SILENT_PINGS = 3  # the SDK acknowledges each ping, so a client that is silent for so many is gone
INIT_SECONDS = 30
WARNING_SECONDS = 240  # "token about to expire" comes so long before the token's end
LINGER_SECONDS = 5  # the SDK takes about 3 s to close a socket that it was told is ending
CLOSE_SECONDS = 1.0  # a client that does not answer the WebSocket's closing is waited for no longer
CAPABILITIES = ["client_update", "offline_storage", "telemetry.v1"]

Answer = tuple[int, Any]  # HTTP status and JSON body of a tunnelled request


class Connection:
    """One browser. Frames leave through one queue, so that they keep their order; who does not read is dropped."""

    def __init__(self, hub: Hub, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.hub = hub
        self.origin = f"{request.scheme}://{request.host}"
        self.identity = ""
        self.user: User | None = None
        self.subscriptions: set[SyncObject] = set()
        self.one_event_each = False  # Sync's event protocol up to version 3, which the older SDK asks for
        self._socket = socket
        self._transport = request.transport
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._queued = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._heard = time.monotonic()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Serves the connection until it ends."""
        async with asyncio.TaskGroup() as tasks:
            running = {tasks.create_task(self._write()), tasks.create_task(self._ping())}
            no_init = self._loop.call_later(INIT_SECONDS, self._expect_init)
            try:
                async for message in self._socket:
                    if message.type is WSMsgType.BINARY:
                        self._heard = time.monotonic()
                        # A task of its own: an answer that is delayed holds up no other one.
                        received = tasks.create_task(self._receive(message.data))
                        running.add(received)
                        received.add_done_callback(running.discard)
            finally:
                no_init.cancel()
                self._cancel_timers()
                for task in running:
                    task.cancel()

    # Out

    def send(self, header: Mapping[str, Any], payload: Any = None) -> None:
        frame = encode({"id": f"TM{uuid.uuid4()}", **header}, payload)
        self._queued += len(frame)
        if self._queued > limits.QUEUED_FOR_ONE_CONNECTION:
            self.abort()
        else:
            self._outgoing.put_nowait(frame)

    def notify(self, message_type: str, payload: Mapping[str, Any]) -> None:
        if self.one_event_each and "events" in payload:
            [event] = payload["events"]
            payload = {**{name: value for name, value in payload.items() if name != "events"}, "event": event}
        self.send({"method": "notification", "message_type": message_type, "notification_ctx_id": ""}, payload)

    def reply(self, frame: Frame, code: int = 200, status: str = "OK", payload: Any = None, **header: Any) -> None:
        self.send({"method": "reply", "id": frame.id, "status": {"code": code, "status": status}, **header}, payload)

    def warn_of_expiry(self) -> None:
        self.send(
            {
                "method": "client_update",
                "client_update_type": "token_about_to_expire",
                "client_update_message": f"Your token is about to expire. Time left: less than {WARNING_SECONDS}000 ms",
            }
        )

    def expire(self) -> None:
        self._end({"code": 410, "status": "TOKEN_EXPIRED", "errorCode": 51207})

    def offload(self) -> None:
        """Asks the client to reconnect, as a Twilio server that is taken out of service does."""
        self._end({"code": 308, "status": "PERMANENT_REDIRECT"}, {"backoff_policy": {"reconnect_min_ms": 500}})

    async def drop(self) -> None:
        """Closes the WebSocket without a Twilsock frame."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    def abort(self) -> None:
        """Cuts the TCP connection."""
        if self._transport:
            self._transport.abort()

    def _end(self, status: dict[str, Any], payload: Any = None) -> None:
        self.send({"method": "close", "status": status}, payload)
        self._cancel_timers()
        self._after(LINGER_SECONDS, self.abort)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                frame = await self._outgoing.get()
                await self._socket.send_bytes(frame)
                self._queued -= len(frame)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            if time.monotonic() - self._heard > SILENT_PINGS * PING_SECONDS:
                self.abort()
            self.send({"method": "ping"})

    # In

    def _expect_init(self) -> None:
        if self.user is None:
            self.abort()

    async def _receive(self, data: bytes) -> None:
        try:
            frame = decode(data)
        except FrameError:
            return  # Twilio's own clients log and ignore what they cannot read
        match frame.header.get("method"):
            case "init":
                self._init(frame)
            case "update" if self.user:
                self._update(frame)
            case "message" if self.user:
                await self._message(frame)
            case "close":
                await self._socket.close()
            case "put_notification_ctx" | "delete_notification_ctx" if self.user:
                self.reply(frame)
            case "update" | "message" | "put_notification_ctx" | "delete_notification_ctx":
                self.reply(frame, 401, "UNAUTHORIZED")
            case _:
                pass  # an acknowledgement, telemetry, or unknown

    def _init(self, frame: Frame) -> None:
        if self.user:
            return self.reply(frame, 400, "ALREADY_INITIALIZED")
        try:
            token = verify(frame.header.get("token"))
        except TokenError as error:
            return self._refuse(frame, error)
        self.user = self.hub.store.users.get_or_create(token.identity)
        self.identity = token.identity
        self.hub.joined(self)
        self._schedule(token.expires_at)
        registrations = frame.header.get("registrations")
        self.reply(
            frame,
            capabilities=CAPABILITIES,
            continuation_token=f"ct-{uuid.uuid4()}",
            continuation_token_status={
                "reissued": True,
                "reissue_reason": "MISSING",
                "reissue_message": "Continuation token is not provided",
            },
            offline_storage={"ip_messaging": {"storage_id": uuid.uuid5(uuid.NAMESPACE_URL, self.identity).hex}},
            init_registrations=[
                {**registration, "notification_ctx_id": str(uuid.uuid4())}
                for registration in (registrations if isinstance(registrations, list) else [])
                if isinstance(registration, dict)
            ],
        )
        return None

    def _update(self, frame: Frame) -> None:
        try:
            token = verify(frame.header.get("token"))
            if token.identity != self.identity:
                raise TokenError(OTHER_IDENTITY, "Token update must keep identity and service")
        except TokenError as error:
            self._refuse(frame, error)
        else:
            self._schedule(token.expires_at)
            self.reply(frame)

    async def _message(self, frame: Frame) -> None:
        answer = await self.hub.answer(self, frame)
        if answer is None:
            return
        status, body = answer
        self.reply(
            frame,
            payload=body,
            http_headers={"content-type": "application/json"},
            http_status={"code": status, "status": "OK" if status < 400 else "ERROR"},
        )

    def _refuse(self, frame: Frame, error: TokenError) -> None:
        status = {
            "code": 401,
            "status": "UNAUTHORIZED",
            "description": error.description,
            "errorCode": error.code,
        }
        self.send({"method": "reply", "id": frame.id, "status": status})

    # Timers of the token

    def _schedule(self, expires_at: float) -> None:
        self._cancel_timers()
        left = expires_at - time.time()
        self._after(max(left - WARNING_SECONDS, 0.5), self.warn_of_expiry)
        self._after(left, self.expire)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, action))

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


class Hub:
    """All connections. `answer` serves the HTTP requests that come through them."""

    def __init__(self, store: Store, answer: Callable[[Connection, Frame], Awaitable[Answer | None]]) -> None:
        self.store = store
        self.answer = answer
        self._connections: set[Connection] = set()
        store.listeners.append(self._hear)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if len(self._connections) >= limits.CONNECTIONS:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, max_msg_size=limits.FRAME, compress=False)
        await socket.prepare(request)
        connection = Connection(self, socket, request)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._left(connection)
        return socket

    def connections(self, identity: str | None = None) -> list[Connection]:
        """Those of one identity, or all."""
        return [one for one in self._connections if identity is None or one.identity == identity]

    def joined(self, connection: Connection) -> None:
        if connection.user:
            self.store.connected(connection.user, 1)

    async def close(self) -> None:
        await asyncio.gather(*(connection.drop() for connection in self.connections()))

    def _left(self, connection: Connection) -> None:
        for sync_object in connection.subscriptions:
            sync_object.subscribers.discard(connection)
        if connection.user:
            self.store.connected(connection.user, -1)

    def _hear(self, event: Event) -> None:
        if event.type != "Typing":
            return
        payload = {
            "channel_sid": event.conversation.sid,
            "identity": event.identity,
            "typing_timeout": TYPING_SECONDS + 1,  # one second for the way, as the SDK's own notes say
        }
        for connection in self._connections:
            if connection.identity != event.identity and connection.identity in event.conversation.participants:
                connection.notify("twilio.ipmsg.typing_indicator", payload)
