"""Points of a start at which a test may have the process killed, for a site that runs under crash_settings.

A file `<point>.<anything>` in CRASH_FOLDER orders one kill -9: whoever comes to that point first takes it away and dies.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.apps import AppConfig

POINTS = (
    "before_row",
    "after_row",
    "in_call",
    "after_answer",
    "before_commit",
    "after_commit",
    "before_question",
    "after_question",
)

_creating = threading.local()


def order(folder: Path, point: str, number: int) -> None:
    (folder / f"{point}.{number}").touch()


def outstanding(folder: Path) -> int:
    return len(list(folder.iterdir()))


def crash(point: str, after: float = 0) -> None:
    for token in Path(os.environ["CRASH_FOLDER"]).glob(f"{point}.*"):
        with suppress(FileNotFoundError):
            token.unlink()
            time.sleep(after)
            os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, before: str = "", after: str = "") -> None:
    """Dies before or after what this function or method does."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            crash(before)
        result = original(*args, **kwargs)
        if after:
            crash(after)
        return result

    setattr(owner, name, wrapped)


class CrashPoints(AppConfig):
    name = "tests.faults"
    label = "crash_points"

    def ready(self) -> None:
        from urllib3.connection import HTTPConnection

        from webchat.chats import question, start
        from webchat.flex.conversations import ConversationsGateway
        from webchat.flex.web_chats import WebChats
        from webchat.legacy.gateway import WebChannels
        from webchat.models import session

        if lease := os.environ.get("CRASH_LEASE"):
            for module in (session, start, question):
                module.LEASE = timedelta(seconds=float(lease))
        around(start, "claim", before="before_row", after="after_row")
        for gateway in (WebChats, WebChannels):
            mark_creates(gateway)
            around(gateway, "open", after="after_answer")
        die_before_the_answer(HTTPConnection)
        around(start, "activate", before="before_commit", after="after_commit")
        around(question, "post_question", before="before_question")
        around(ConversationsGateway, "post_message", after="after_question")


def mark_creates(gateway: type) -> None:
    original = gateway.open  # type: ignore[attr-defined]

    def open_(self: Any, engagement: Any) -> Any:
        _creating.now = True
        try:
            return original(self, engagement)
        finally:
            _creating.now = False

    gateway.open = open_  # type: ignore[attr-defined]


def die_before_the_answer(connection: type) -> None:
    """The request is sent: Twilio acts on it, and nobody is there for the answer."""
    original = connection.getresponse  # type: ignore[attr-defined]

    def getresponse(self: Any) -> Any:
        if getattr(_creating, "now", False):
            crash("in_call", after=0.05)
        return original(self)

    connection.getresponse = getresponse  # type: ignore[attr-defined]
