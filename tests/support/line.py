"""A line between a browser and a server that a test cuts and mends, with no tool of the browser in the way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

TIMEOUT = 20  # seconds


class Line:
    """`with Line(port) as line:` listens at `line.url` and forwards to that port of this machine.

    While it is cut, a connection that asks for an address of which the pattern is a part is closed without an answer.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._pattern: bytes | None = None
        self._refused, self._refusal = 0, threading.Condition()

    def cut(self, pattern: str = "/") -> None:
        self._pattern = pattern.encode()

    def wait_for_refusals(self, count: int) -> None:
        with self._refusal:
            assert self._refusal.wait_for(lambda: self._refused >= count, TIMEOUT), f"only {self._refused} were refused"

    def mend(self) -> None:
        self._pattern = None

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closed alone, it would go on waiting in the thread.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                browser, _address = self._listener.accept()
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    browser.close()
                    continue
                threading.Thread(target=self._copy, args=(browser, server, self._is_refused), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, browser, lambda _data: False), daemon=True).start()

    def _is_refused(self, data: bytes) -> bool:
        """Browsers write one request at a time, so its first line is at the start of what comes."""
        request_line = data.split(b"\r\n", 1)[0]
        if self._pattern is None or not request_line.endswith(b" HTTP/1.1") or self._pattern not in request_line:
            return False
        with self._refusal:
            self._refused += 1
            self._refusal.notify_all()
        return True

    def _copy(self, source: socket.socket, target: socket.socket, is_refused: Callable[[bytes], bool]) -> None:
        with suppress(OSError):
            while (data := source.recv(65536)) and not is_refused(data):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
