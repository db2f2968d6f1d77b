"""Calls to Twilio for which the visitor does not wait: made by the same request after its answer has left."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from django.core.signals import request_finished
from django.db import DatabaseError
from django.http.response import HttpResponseBase

from webchat.models import ChatSession
from webchat.silent_database import watched_database

logger = structlog.get_logger(__name__)


def do_after(response: HttpResponseBase, session: ChatSession, work: Callable[[], None], left_event: str) -> None:
    """Does the work when the server closes the response: gunicorn's threads do that once the body is sent. The row is its
    outbox. Where the database fails, the log has `left_event`, and the work is the worker's."""
    close = response.close

    def work_and_close() -> None:
        try:
            with watched_database():
                work()
        except DatabaseError as error:
            logger.error(left_event, session=str(session.pk), error=type(error).__name__)
        finally:
            close()

    response.close = work_and_close  # type: ignore[method-assign]


def do_after_request(work: Callable[[], None]) -> None:
    """The same for who has no response at hand, as receivers of signals: at Django's request_finished. A thread serves
    one request at a time. What the work leaves is the worker's."""
    thread = threading.get_ident()

    def work_once(**kwargs: object) -> None:
        if threading.get_ident() != thread:
            return
        request_finished.disconnect(work_once)
        try:
            work()
        except DatabaseError as error:
            logger.error("left_to_worker", error=type(error).__name__)

    request_finished.connect(work_once, weak=False)
