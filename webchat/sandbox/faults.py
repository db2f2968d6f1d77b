"""Faults on demand, and the log of REST calls.

A fault is either before the action, which then does not happen, or after it: the action happens, and the answer goes
wrong. What a caller can know is the same in both cases; what Twilio did is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aiohttp import web

from .clock import now, timestamp
from .configuration import Configuration
from .errors import TwilioError, invalid
from .limits import parse_json
from .rest import CREATED, PARAMETERS, Handler, is_rest, json_body
from .twilsock import Hub

HANG_SECONDS = 60
DRIP_SECONDS = 0.05  # per byte
CALLS_KEPT = 5000
FAULTS_KEPT = 1000
GARBAGE = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"

Kind = Literal["reset", "hang", "drip", "garbage", "empty"]

# Requests inside Twilsock have no HTTP answer of their own that could drip or be garbage.
TUNNELLED = ("/Client/", "/v3/Documents", "/v3/Lists", "/v3/Maps", "/v4/")
CONTENT_TYPE_JSON = {"Content-Type": "application/json"}
CONTROLS = ("/account", "/faults", "/log", "/desk")


@dataclass(slots=True, kw_only=True)
class Fault:
    method: str
    path: str
    status: int | None = None
    fault: Kind | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    delay_ms: int = 0
    before: bool = True
    times: int = 1

    @classmethod
    def of(cls, body: Any) -> Fault:
        """Raises TwilioError for anything but a well-formed fault."""
        if not isinstance(body, dict) or not {"method", "path"} <= body.keys() <= cls.__dataclass_fields__.keys():
            raise invalid("A fault is an object with method and path")
        fault = cls(**{name: value for name, value in body.items() if value is not None})
        checks = (
            isinstance(fault.method, str) and isinstance(fault.path, str) and fault.path.startswith("/"),
            fault.status is None or (type(fault.status) is int and 200 <= fault.status <= 599),
            fault.fault is None or (fault.fault in get_args(Kind) and fault.status is None),
            isinstance(fault.headers, dict) and all(isinstance(value, str) for value in fault.headers.values()),
            fault.body is None or isinstance(fault.body, str),
            type(fault.delay_ms) is int and 0 <= fault.delay_ms <= 600_000,
            type(fault.before) is bool,
            type(fault.times) is int and 1 <= fault.times <= 1_000_000,
            fault.status is not None or fault.fault is not None or fault.delay_ms > 0,
        )
        if not all(checks):
            raise invalid("Malformed fault")
        if fault.path.startswith(TUNNELLED) and fault.fault in {"drip", "garbage", "empty"}:
            raise invalid(f"{fault.fault} is a fault of HTTP, which {fault.path} is not")
        return fault

    @property
    def only_delays(self) -> bool:
        return self.status is None and self.fault is None

    @property
    def answer_status(self) -> int:
        return self.status or 500

    def text(self) -> str:
        """The body to answer with: the one asked for, else Twilio's error JSON."""
        if self.body is not None:
            return self.body
        if self.answer_status < 400:
            return "{}"
        code = 20003 if self.answer_status == 401 else 20000 + self.answer_status
        return json.dumps(TwilioError(self.answer_status, code, "Fault on demand").to_json())

    def json(self) -> Any:
        """The same for a tunnelled request, whose body is JSON always."""
        try:
            return parse_json(self.text())
        except ValueError:
            return {"message": self.text()}

    def matches(self, method: str, path: str) -> bool:
        if self.method not in {method, "*"}:
            return False
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


class Faults:
    """The scripted faults and the log. A call takes the oldest fault that matches it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._cleared = asyncio.Event()
        self.calls: deque[dict[str, Any]] = deque(maxlen=CALLS_KEPT)

    def add(self, fault: Fault) -> None:
        if len(self._faults) >= FAULTS_KEPT:
            raise invalid("Too many faults")
        self._faults.append(fault)

    def clear(self) -> None:
        """Forgets the faults, and ends the delays that are under way."""
        self._faults.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def delay(self, fault: Fault) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cleared.wait(), fault.delay_ms / 1000)

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.matches(method, path):
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                return fault
        return None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/" or request.path.startswith(CONTROLS):
            return await handler(request)
        call: dict[str, Any] = {
            "method": request.method,
            "path": request.path,
            "status": None,
            "created": False,
            "parameters": sorted(request.query),
            "fault": None,
            "at": timestamp(now()),
        }
        if is_rest(request):
            self.calls.append(call)

        async def act() -> web.StreamResponse:
            answer = await handler(request)
            call["created"] = request.get(CREATED, False)
            call["parameters"] += request.get(PARAMETERS, [])
            return answer

        fault = self.take(request.method, request.path)
        if fault is None:
            answer: web.StreamResponse | None = await act()
        else:
            call["fault"] = fault.fault or fault.status or "delay"
            answer = await self._faulty(fault, request, act)
        if answer is None:
            return web.Response()  # which nobody gets: the connection is cut
        call["status"] = answer.status
        return answer

    async def _faulty(
        self, fault: Fault, request: web.Request, act: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse | None:
        """The faulty answer, or None if there is none because the connection is cut."""
        if fault.before:
            answer = None
            # The caller is to have sent everything, or it may fail in sending and never see how the answer goes wrong.
            with contextlib.suppress(web.HTTPRequestEntityTooLarge):
                await request.read()
        else:
            answer = await act()
        await self.delay(fault)
        if fault.only_delays:
            return answer or await act()
        status = answer.status if answer else 201 if request.method == "POST" else 200
        match fault.fault:
            case "garbage":
                return web.Response(status=status, body=GARBAGE, content_type="text/html")
            case "empty":
                return web.Response(status=status)
            case "drip":
                body = answer.body if isinstance(answer, web.Response) else None
                return await _drip(request, status, body if isinstance(body, bytes) else b" " * 1200)
            case "hang":
                await _hang(request)
                _reset(request)
                return None
            case "reset":
                _reset(request)
                return None
            case _:
                return web.Response(
                    status=fault.answer_status, text=fault.text(), headers=CONTENT_TYPE_JSON | fault.headers
                )


def _reset(request: web.Request) -> None:
    """Ends the TCP connection by RST, not by an orderly FIN."""
    transport = request.transport
    if transport:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def _hang(request: web.Request) -> None:
    for _ in range(HANG_SECONDS * 20):
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(0.05)


async def _drip(request: web.Request, status: int, body: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(status=status, headers=CONTENT_TYPE_JSON)
    answer.content_length = len(body)
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        for byte in body:
            await answer.write(bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS)
    return answer


class FaultsApi:
    """The control side, for tests: `/account`, `/faults`, `/faults/connections`, `/log`."""

    def __init__(self, faults: Faults, hub: Hub, configuration: Configuration) -> None:
        self.faults = faults
        self.hub = hub
        self.configuration = configuration

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/account", self.become),
            web.post("/faults", self.add),
            web.delete("/faults", self.clear),
            web.post("/faults/connections", self.connections),
            web.get("/log", self.log),
            web.delete("/log", self.clear_log),
        ]

    async def become(self, request: web.Request) -> web.Response:
        self.configuration.become((await json_body(request)).get("kind"))
        return web.json_response({"kind": self.configuration.kind})

    async def add(self, request: web.Request) -> web.Response:
        self.faults.add(Fault.of(await json_body(request)))
        return web.json_response({}, status=201)

    async def clear(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)

    async def connections(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        connections = self.hub.connections(body.get("identity"))
        for connection in connections:
            match body.get("action"):
                case "about_to_expire":
                    connection.warn_of_expiry()
                case "expire":
                    connection.expire()
                case "offload":
                    connection.offload()
                case "abort":
                    connection.abort()
                case "drop":
                    await connection.drop()
                case _:
                    raise invalid("action must be about_to_expire, expire, offload, abort or drop")
        return web.json_response({"connections": len(connections)})

    async def log(self, request: web.Request) -> web.Response:
        return web.json_response({"calls": list(self.faults.calls)})

    async def clear_log(self, request: web.Request) -> web.Response:
        self.faults.calls.clear()
        return web.Response(status=204)
