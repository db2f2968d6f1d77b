from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from config import logs
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer


class Log:
    """What the site logs meanwhile, as a log collector gets it."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self, event: str | None = None) -> list[dict]:
        """Parsed; each must be one JSON object."""
        found = [json.loads(line) for line in self.text.split("\n") if line]
        return [line for line in found if event is None or line["event"] == event]


@pytest.fixture
def log() -> Iterator[Log]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(human=False))
    root = logging.getLogger()
    root.addHandler(handler)
    yield Log(stream)
    root.removeHandler(handler)


@pytest.fixture(scope="package")
def site(tmp_path_factory, sandbox_server: SandboxServer) -> Iterator[SiteServer]:
    """The whole site over HTTP, for tests that no client in the process can do."""
    with SiteServer(tmp_path_factory.mktemp("site"), sandbox_server) as server:
        yield server
