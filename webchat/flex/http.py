"""HTTP with bounds: one deadline for a whole call, whoever drips, and one limit to the size of an answer.

urllib3 and requests bound each wait, so a server that sends a byte a second holds a thread for as long as it likes;
and neither tells whether a failed request had been sent. Here every wait of a socket ends at the call's deadline, and
connecting is a step of its own, so that both are certain.
"""

from __future__ import annotations

import http.client
import math
import queue
import socket
import ssl
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import certifi
from urllib3.util import wait_for_read


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and bytes."""

    total: float = 5.0  # one call, a retry included
    connect: float = 2.0  # TCP and TLS, over all addresses of the host
    read: float = 3.0  # one wait for the other side
    idle: float = 60.0  # age of a kept connection: routers on the way forget older ones without a word
    answer: int = 64 * 1024  # head and body


class Budget:
    """What is left of the time and bytes of one call."""

    def __init__(self, limits: Limits, ends: float = math.inf) -> None:
        """`ends` is when the caller's own deadline is over, by time.monotonic()."""
        self.limits = limits
        self._ends = min(time.monotonic() + limits.total, ends)
        self._bytes = limits.answer

    @property
    def left(self) -> float:
        return self._ends - time.monotonic()

    def wait(self, at_most: float | None = None) -> float:
        """How long the next wait may take. Raises TimeoutError when there is no time left."""
        seconds = min(self.left, self.limits.read if at_most is None else at_most)
        if seconds <= 0:
            raise TimeoutError("the call's deadline is over")
        return seconds

    def spend(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0:
            raise OSError("the answer is too large")


class NotSentError(Exception):
    """The request was certainly never sent. The cause is the OSError or ValueError that says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Socket(socket.socket):
    """A socket of which no wait outlasts the call. The names are those of the class that it bounds."""

    budget: Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.budget.wait())
        size = super().recv_into(*args, **kwargs)
        self.budget.spend(size)
        return size

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.budget.wait())
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.budget.wait())
        super().sendall(*args, **kwargs)


class _TlsSocket(_Socket, ssl.SSLSocket):
    """The same over TLS. Its handshake ends by the time-out that the plain socket has by then."""


class _Connection(http.client.HTTPConnection):
    """A connection that is opened by open(), so that a failure to connect cannot pass for one of the request."""

    sock: _Socket
    kept_since = 0.0

    def __init__(self, origin: SplitResult, tls: ssl.SSLContext | None) -> None:
        if tls:
            self.default_port = http.client.HTTPS_PORT
        super().__init__(origin.hostname or "", origin.port)
        self._tls = tls
        self._pieces: list[bytes] = []

    def send(self, data: Any) -> None:
        """Keeps a piece of the request, until flush() sends them as one: head and body in one packet."""
        self._pieces.append(data)

    def flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        self.sock.sendall(b"".join(pieces))

    def open(self, budget: Budget) -> None:
        """Raises OSError. The time-out of the name look-up is the resolver's own: none can be set from here."""
        ends = time.monotonic() + budget.limits.connect
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        failure = OSError("the host has no address")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = _Socket(family, kind, protocol)
            try:
                sock.settimeout(budget.wait((ends - time.monotonic()) / (len(addresses) - tried)))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    sock.settimeout(budget.wait(ends - time.monotonic()))
                    # sslsocket_class makes it a _TlsSocket.
                    sock = cast(_Socket, self._tls.wrap_socket(sock, server_hostname=self.host))
            except OSError as error:
                sock.close()
                failure = error
            else:
                self.sock = sock
                return
        raise failure

    @property
    def is_alive(self) -> bool:
        """Whether the other side has neither closed the idle connection nor said anything out of turn."""
        return not wait_for_read(self.sock, timeout=0)


def _close_all(pools: Mapping[tuple[str, str], queue.LifoQueue[_Connection]]) -> None:
    for pool in list(pools.values()):
        while not pool.empty():
            pool.get_nowait().close()


class Transport:
    """Keep-alive connections to a few hosts, shared by the threads of a process. No redirects, no proxies of the
    environment, no retries, certificates always checked."""

    def __init__(self, limits: Limits, size: int, certificates: str | None = None) -> None:
        """`size`: connections kept for each host. `certificates`: a file of the authorities to trust."""
        self.limits = limits
        self._size = size
        self._certificates = certificates or certifi.where()
        self._idle: dict[tuple[str, str], queue.LifoQueue[_Connection]] = {}
        weakref.finalize(self, _close_all, self._idle)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._certificates)
        context.sslsocket_class = _TlsSocket
        return context

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes, budget: Budget) -> Answer:
        """One request and its whole answer.

        Raises NotSentError, or else OSError, HTTPException or ValueError, after which nothing is known.
        """
        target = urlsplit(url)
        pool = self._idle.setdefault((target.scheme, target.netloc), queue.LifoQueue(self._size))
        connection = self._connection(pool, target, budget)
        try:
            connection.sock.budget = budget
            path = f"{target.path}?{target.query}" if target.query else target.path
            connection.request(method, path, body or None, dict(headers))
            connection.flush()
            with connection.getresponse() as response:
                content = response.read(self.limits.answer)
                if response.length:
                    raise http.client.IncompleteRead(content, response.length)
                answer = Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, content)
                if response.will_close or not response.isclosed():
                    connection.close()
        except BaseException:
            connection.close()
            raise
        self._keep(pool, connection)
        return answer

    def _connection(self, pool: queue.LifoQueue[_Connection], target: SplitResult, budget: Budget) -> _Connection:
        while True:
            try:
                kept = pool.get_nowait()
            except queue.Empty:
                break
            if time.monotonic() - kept.kept_since < self.limits.idle and kept.is_alive:
                return kept
            kept.close()
        try:
            connection = _Connection(target, self._tls if target.scheme == "https" else None)
            connection.open(budget)
        except (OSError, ValueError) as error:
            raise NotSentError from error
        return connection

    @staticmethod
    def _keep(pool: queue.LifoQueue[_Connection], connection: _Connection) -> None:
        if connection.sock is None:
            return
        connection.kept_since = time.monotonic()
        try:
            pool.put_nowait(connection)
        except queue.Full:
            connection.close()
