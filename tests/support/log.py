"""The site's log in tests."""

from __future__ import annotations

import io
import json


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
