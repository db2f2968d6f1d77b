"""`manage.py webchat_worker`: finishes what failures left behind, and forgets what must not be kept."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, close_old_connections, connection

from webchat import mail
from webchat.chats import availability, retention, worker
from webchat.messages import task
from webchat.models import Work, WorkerPass
from webchat.models.due import BATCH, Stop
from webchat.silent_database import watched_database

logger = structlog.get_logger(__name__)

Jobs = Mapping[str, Callable[[Stop], int]]

PAUSE = 5  # seconds between two passes
PRUNE_EVERY = 3600
# After which a job lets the next one of its thread have its turn: 50 looks at a slow Twilio would hold up all questions.
TURN_SECONDS = 10
# How often each thread writes down that it lives, at most.
NOTE_EVERY = 10
# How long the end waits for what is just being done.
LAST_SECONDS = 5


def jobs_by_thread() -> list[tuple[Work, Jobs, float]]:
    """With the seconds between two passes. What hangs holds no chat: mail, figures and retention have a thread each."""
    return [
        (Work.CHATS, {**worker.jobs(), "tasks": task.make_due_tasks}, PAUSE),
        (Work.MAIL, {"mail": mail.send_due, "words": worker.note_words}, PAUSE),
        (Work.QUEUES, {"figures": availability.read_due_queues}, PAUSE),
        (Work.RETENTION, {"retention": retention.prune}, PRUNE_EVERY),
    ]


class Command(BaseCommand):
    help = (
        "Settles starts that were cut short, sends questions that did not get through, closes chats at Twilio that have "
        "ended here, sends mail, makes tasks of messages, reads the figures of queues, and deletes what is past its retention. Any number may run; SIGTERM ends it after the call in hand."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass over everything that is due, then end")
        parser.add_argument(
            "--allow-most",
            action="store_true",
            help="with --once: end and delete what is due even if that is most of all chats, after worker_stopped in the log",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            do_once(allow_most=options["allow_most"])
            return
        if options["allow_most"]:
            raise CommandError("--allow-most is for one pass that somebody looks at: give --once, too.")
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        threads = [
            threading.Thread(target=keep_doing, args=(work, jobs, pause, stopping), daemon=True)
            for work, jobs, pause in jobs_by_thread()
        ]
        for thread in threads:
            thread.start()
        logger.info("worker_running")
        while not stopping.wait(1):
            if not all(thread.is_alive() for thread in threads):
                raise CommandError("A thread of the worker has failed.")
        ends = time.monotonic() + LAST_SECONDS
        for thread in threads:
            thread.join(max(0, ends - time.monotonic()))


def do_once(*, allow_most: bool) -> None:
    while worker.pass_once(allow_most=allow_most) >= BATCH:
        pass
    while worker.note_words() >= BATCH:
        pass
    for work in (task.make_due_tasks, mail.send_due, availability.read_due_queues):
        work()
    retention.prune(allow_most=allow_most)
    for done in Work:
        WorkerPass.note(done)


def keep_doing(work: Work, jobs: Jobs, pause: float, stopping: threading.Event) -> None:
    """Does the jobs by turns, each for itself: one that fails is logged, and stops no other; nor does one that takes long,
    where there are others."""
    stop = stopping.is_set
    noted_at = float("-inf")
    while not stop():
        has_more = False
        for name, job in jobs.items():
            ends = time.monotonic() + TURN_SECONDS if len(jobs) > 1 else float("inf")
            if not stop():
                done = _do(name, job, _stop_by(ends, stop))
                has_more |= done >= BATCH or (done > 0 and time.monotonic() >= ends)
            if time.monotonic() - noted_at >= NOTE_EVERY:
                _do("pass", lambda _stop: _note(work), stop)
                noted_at = time.monotonic()
        stopping.wait(0 if has_more else pause)
    connection.close()


def _stop_by(ends: float, stop: Stop) -> Stop:
    return lambda: stop() or time.monotonic() >= ends


def _note(work: Work) -> int:
    WorkerPass.note(work)
    return 0


def _do(name: str, job: Callable[[Stop], int], stop: Stop) -> int:
    try:
        with watched_database():
            close_old_connections()
            return job(stop)
    except DatabaseError as error:
        # It comes back; so does the worker.
        logger.error("database_failed", kind=name, error=type(error).__name__)
    except Exception:
        logger.exception("job_failed", kind=name)
    return 0
