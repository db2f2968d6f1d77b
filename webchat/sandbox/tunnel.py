"""The HTTP requests that the SDK sends through Twilsock.

Their hosts are strings inside frames, which nothing ever resolves, so they are routed on the path alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .errors import TwilioError, invalid, not_found
from .events import Origin, sdk
from .faults import Fault, Faults
from .frames import Frame, FrameError
from .twilsock import Answer, Connection


@dataclass(frozen=True, slots=True)
class Call:
    """One tunnelled request."""

    connection: Connection
    method: str
    path: str
    params: dict[str, str]
    body: dict[str, Any]

    @property
    def identity(self) -> str:
        return self.connection.identity

    @property
    def origin(self) -> Origin:
        return sdk(self.identity)

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is None or isinstance(value, str):
            return value
        raise invalid(f"{name} must be a string")


Handler = Callable[..., Answer]
Route = tuple[str, str, Handler]  # method, path with {names}, what answers


class Tunnel:
    """Routes the requests; whatever is wrong with one becomes an error answer."""

    def __init__(self, faults: Faults, routes: list[Route]) -> None:
        self.faults = faults
        self._routes = [
            (method, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), handler)
            for method, path, handler in routes
        ]

    async def answer(self, connection: Connection, frame: Frame) -> Answer | None:
        """HTTP status and JSON body; None if a fault swallows the answer."""
        try:
            call = _call(connection, frame)
        except TwilioError as error:
            return error.status, error.to_json()
        fault = self.faults.take(call.method, call.path)
        return await self._faulty(fault, call) if fault else self._dispatch(call)

    def _dispatch(self, call: Call) -> Answer:
        try:
            for method, pattern, handler in self._routes:
                match = pattern.fullmatch(call.path)
                if match and method == call.method:
                    return handler(call, **{name: unquote(value) for name, value in match.groupdict().items()})
            raise not_found(call.path)
        except TwilioError as error:
            return error.status, error.to_json()

    async def _faulty(self, fault: Fault, call: Call) -> Answer | None:
        answer = None if fault.before else self._dispatch(call)
        await self.faults.delay(fault)
        if fault.only_delays:
            return answer or self._dispatch(call)
        if fault.fault == "hang":
            return None
        if fault.fault == "reset":
            call.connection.abort()
            return None
        return fault.answer_status, fault.json()


def _call(connection: Connection, frame: Frame) -> Call:
    match frame.header.get("http_request"):
        case {"method": str(method), "path": str(path), **rest}:
            pass
        case _:
            raise invalid("http_request is missing")
    params = rest.get("params")
    try:
        body = frame.body()
    except FrameError as error:
        raise invalid(str(error)) from error
    return Call(
        connection,
        method.upper(),
        path,
        {name: unquote(str(value)) for name, value in params.items()} if isinstance(params, dict) else {},
        body,
    )
