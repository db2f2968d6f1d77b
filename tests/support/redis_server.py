"""A Redis for tests: redis-server where it is installed, else a Python server that speaks its protocol.

`python -m tests.support.redis_server PORT` is the latter.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Self

import redis

from tests.support.site import ROOT, free_port


class RedisServer:
    """`with RedisServer() as server:` gives `server.url`; it can be killed, frozen and started anew."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url)

    def start(self) -> None:
        if binary := shutil.which("redis-server"):
            folder = tempfile.mkdtemp(prefix="webchat-redis-")
            command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        else:
            command = [sys.executable, "-m", "tests.support.redis_server", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


if __name__ == "__main__":
    from fakeredis import TcpFakeServer

    TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_version=(7, 0)).serve_forever()
