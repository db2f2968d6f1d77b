"""Many threads of one process that write to SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse

from webchat.chats.afterwards import do_after
from webchat.models import ChatSession, Outage
from webchat.silent_database import turn_to_write, watched_database

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no such queue"),
]


@contextmanager
def noted_statements() -> Iterator[list[tuple[str, bool]]]:
    """The first word of each statement of this thread, and whether another thread has to wait meanwhile."""
    seen: list[tuple[str, bool]] = []
    with ThreadPoolExecutor(1) as other:

        def is_free() -> bool:
            free = other.submit(turn_to_write.acquire, blocking=False).result()
            if free:
                other.submit(turn_to_write.release).result()
            return free

        def note(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            seen.append((sql.split()[0], not is_free()))
            return execute(sql, *arguments)

        with connection.execute_wrapper(note):
            yield seen


def test_one_waits_at_sqlite_and_the_others_queue_and_no_reader_does() -> None:
    with watched_database(), noted_statements() as seen:
        Outage.objects.first()
        Outage.objects.update(failures=0)
        with transaction.atomic():  # which has the lock of SQLite, for as long as it likes
            Outage.objects.update(failures=0)
    assert seen == [("SELECT", False), ("UPDATE", True), ("BEGIN", True), ("UPDATE", False)]


def test_what_is_done_after_an_answer_waits_in_that_queue_too() -> None:
    response = HttpResponse()
    with noted_statements() as outside:

        def work() -> None:
            with noted_statements() as inside:
                Outage.objects.update(failures=0)
            assert inside == [("UPDATE", True)]

        do_after(response, ChatSession(), work, "left")
        response.close()
    assert outside[0] == ("UPDATE", False)
