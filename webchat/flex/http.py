"""HTTP by urllib3, with bounds: every exchange ends by its deadline, and no answer is larger than it may be.

urllib3 bounds each wait alone, so a server that sends a byte a second, be it of the head, could hold a thread for as
long as it likes. Here the time-out that urllib3 sets on a socket is for all that follows, until it sets the next one.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import certifi
from urllib3 import HTTPConnectionPool, Retry, Timeout
from urllib3.connection import HTTPConnection

NO_RETRIES = Retry(False)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and bytes."""

    total: float = 5.0  # one call, a retry included
    connect: float = 2.0  # TCP over all addresses of the host, TLS, and sending the request
    read: float = 3.0  # one wait for the other side
    idle: float = 60.0  # age of a kept connection: routers on the way forget older ones without a word
    answer: int = 64 * 1024  # head and body


class Deadline:
    """A moment by which several calls, taken together, have ended."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; negative when it is over."""
        return self._ends - time.monotonic()

    def within(self, seconds: float) -> Deadline:
        """The same moment, or the one so many seconds from now if that is sooner."""
        return Deadline(min(seconds, self.left))


class NotSentError(Exception):
    """The request was certainly never sent. The cause is the OSError or ValueError that says why."""


def _seconds_until(ends: float) -> float:
    """`ends` is by time.monotonic(). Raises TimeoutError when it is past."""
    seconds = ends - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline is over")
    return seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """The names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Socket(socket.socket):
    """A socket whose time-out is for all its waits together, and for answers of a limited size. The names are those of
    the class that it bounds."""

    limits = Limits()
    ends = math.inf
    bytes_left = 0
    heard_at = 0.0

    def settimeout(self, seconds: float | None) -> None:
        super().settimeout(seconds)
        self.ends = time.monotonic() + (math.inf if seconds is None else seconds)
        self.bytes_left = self.limits.answer

    def _bound_the_next_wait(self) -> None:
        super().settimeout(min(_seconds_until(self.ends), self.limits.read))

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound_the_next_wait()
        size = super().recv_into(*args, **kwargs)
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise OSError("the answer is too large")
        self.heard_at = time.monotonic()
        return size

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._bound_the_next_wait()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._bound_the_next_wait()
        super().sendall(*args, **kwargs)


class _TlsSocket(_Socket, ssl.SSLSocket):
    """The same over TLS."""


class _Connection(HTTPConnection):
    """A connection whose failure to connect cannot pass for one of the request. urllib3 sets `timeout`, and connects
    when the first request is sent."""

    sock: _Socket

    def __init__(self, *args: Any, limits: Limits, tls: ssl.SSLContext | None, **kwargs: Any) -> None:
        if tls:
            self.default_port = 443  # type: ignore[misc] # as it is for urllib3's own HTTPSConnection
        super().__init__(*args, **kwargs)
        self.limits = limits
        self.tls = tls
        self._pieces: list[bytes] = []

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Sends head and body as one: in one packet, where they fit."""
        self._pieces.clear()
        super().request(*args, **kwargs)
        super().send(b"".join(self._pieces))

    def send(self, data: Any) -> None:
        """Keeps a piece for request()."""
        self._pieces.append(data)

    def connect(self) -> None:
        ends = time.monotonic() + cast(float, self.timeout)
        try:
            self.sock = self._open(ends)
        except (OSError, ValueError) as error:
            raise NotSentError from error
        self.sock.limits, self.sock.ends = self.limits, ends  # what is left is for sending

    def _open(self, ends: float) -> _Socket:
        """Every address of the host gets its share of the time. That of the name look-up is the resolver's own: none
        can be set from here."""
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        failure = OSError("the host has no address")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = _Socket(family, kind, protocol)
            try:
                sock.settimeout(_seconds_until(ends) / (len(addresses) - tried))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.tls:
                    sock.settimeout(_seconds_until(ends))
                    # sslsocket_class makes it a _TlsSocket.
                    sock = cast(_Socket, self.tls.wrap_socket(sock, server_hostname=self.host))
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure

    @property
    def is_connected(self) -> bool:
        """Whether the other side has neither closed the kept connection nor said anything out of turn."""
        return super().is_connected and time.monotonic() - self.sock.heard_at < self.limits.idle


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class Connections:
    """Kept connections to a few hosts, shared by the threads of a process. No redirects, no proxies of the environment,
    no retries, certificates always checked."""

    def __init__(self, limits: Limits | None = None, size: int = 32, certificates: str | None = None) -> None:
        """`size`: connections kept for each host. `certificates`: a file of the authorities to trust."""
        self.limits = limits or Limits()
        self._size = size
        self._certificates = certificates or certifi.where()
        self._pools: dict[tuple[str, str], HTTPConnectionPool] = {}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._certificates)
        context.sslsocket_class = _TlsSocket
        return context

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Answer:
        """One request and its whole answer.

        Raises NotSentError, or else urllib3's HTTPError, after which nothing is known.
        """
        target = urlsplit(url)
        try:
            pool = self._pools.get(target[:2]) or self._pools.setdefault(target[:2], self._new_pool(target))
            timeout = Timeout(total=deadline.left, connect=self.limits.connect)
        except (OSError, ValueError) as error:
            raise NotSentError from error
        path = target._replace(scheme="", netloc="").geturl()
        with pool.urlopen(
            method, path, body or None, headers, NO_RETRIES, redirect=False, timeout=timeout, preload_content=False
        ) as response:
            content = b"".join(response.stream(self.limits.answer, decode_content=False))
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)

    def _new_pool(self, target: SplitResult) -> HTTPConnectionPool:
        """Raises ValueError for an impossible host, OSError without certificates."""
        tls = self._tls if target.scheme == "https" else None
        return _Pool(target.hostname or "", target.port, maxsize=self._size, limits=self.limits, tls=tls)
