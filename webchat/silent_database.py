"""Bounds how long a request, or a job of the worker, waits for a database that says nothing any more.

PostgreSQL ends a slow statement itself (`statement_timeout`). A server that is frozen ends nothing, while the kernel of its
machine still acknowledges what it gets, so neither TCP nor libpq gives up. A watchdog thread looks at the connections that
are in use, and hangs up where a command has been without an answer for too long. Its caller gets an error of the database
then, as if the server had closed the connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import structlog
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from psycopg.pq import TransactionStatus

logger = structlog.get_logger(__name__)

# More than the statement_timeout of config/settings.py: a server that is alive ends each statement before.
SILENT_SECONDS = 6
LOOK_EACH_SECONDS = 0.5


class Line:
    """The connection of one thread, and how long its command in hand has been without an answer."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self._wrapper = wrapper
        self._statements = self._seen = 0
        self._silent_since = time.monotonic()

    def count(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        """Django calls it around each statement of this connection."""
        self._statements += 1
        return execute(*arguments)

    def look(self, now: float) -> None:
        """In the watchdog's thread."""
        if self._statements != self._seen or not self._waits():
            self._seen, self._silent_since = self._statements, now
        elif now - self._silent_since > SILENT_SECONDS:
            self._silent_since = now
            self._hang_up()

    def _waits(self) -> bool:
        raw = self._wrapper.connection
        return raw is not None and raw.info.transaction_status == TransactionStatus.ACTIVE

    def _hang_up(self) -> None:
        hang_up(self._wrapper.connection)


class Question:
    """One command on a connection that no thread of the site has yet."""

    def __init__(self, connection: PooledConnection) -> None:
        self._connection = connection
        self._silent_since = time.monotonic()

    def look(self, now: float) -> None:
        """In the watchdog's thread."""
        if now - self._silent_since > SILENT_SECONDS:
            self._silent_since = now
            hang_up(self._connection)


def hang_up(connection: psycopg.Connection[Any]) -> None:
    logger.error("database_silent", seconds=SILENT_SECONDS)
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)  # of the connection itself: both are one


class Watchdog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: set[Line | Question] = set()
        self._process: int | None = None

    @contextmanager
    def watches(self, line: Line | Question) -> Iterator[None]:
        with self._lock:
            self._lines.add(line)
            if self._process != os.getpid():  # a fork leaves threads behind
                self._process = os.getpid()
                threading.Thread(target=self._look, name="database-watchdog", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._lines.discard(line)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EACH_SECONDS)
            with self._lock:
                for line in self._lines:
                    line.look(time.monotonic())


watchdog = Watchdog()


class PooledConnection(psycopg.Connection[Any]):
    """A connection of Django's pool, which asks each one whether it is alive before a request gets it: no longer than for
    an answer to the request itself. Django's statements go by cursors, and not by this."""

    def execute(self, *arguments: Any, **options: Any) -> psycopg.Cursor[Any]:
        with watchdog.watches(Question(self)):
            return super().execute(*arguments, **options)


@contextmanager
def watched_database() -> Iterator[None]:
    """Bounds the wait of this thread, with PostgreSQL."""
    wrapper = connections[DEFAULT_DB_ALIAS]  # of this thread
    if wrapper.vendor != "postgresql":
        yield
        return
    line = Line(wrapper)
    with watchdog.watches(line), wrapper.execute_wrapper(line.count):
        yield


class SilentDatabaseMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with watched_database():
            return self.get_response(request)
