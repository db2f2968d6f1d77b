"""`manage.py webchat_worker`: finishes what failures left behind, and forgets what must not be kept."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, close_old_connections, connection

from webchat import mail
from webchat.chats import availability, worker
from webchat.messages import task

logger = structlog.get_logger(__name__)

PAUSE = 5  # seconds between two passes
PRUNE_EVERY = 3600
# That the end waits for a message which is just being sent.
LAST_MAIL_SECONDS = 5
# What hangs holds no chat: each of these has a thread of its own. How many it does in one pass at most.
ASIDE: dict[Callable[[], int], int] = {mail.send_due: mail.BATCH, availability.read_due_queues: availability.BATCH}


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
        aside = [threading.Thread(target=keep_doing, args=(*work, stopping), daemon=True) for work in ASIDE.items()]
        for thread in aside:
            thread.start()
        logger.info("worker_running")
        pruned_at = -float(PRUNE_EVERY)
        while not stopping.is_set():
            if not all(thread.is_alive() for thread in aside):
                raise CommandError("A thread of the worker has failed.")
            close_old_connections()
            try:
                busy = worker.pass_once() + task.make_due_tasks()
                if time.monotonic() - pruned_at >= PRUNE_EVERY:
                    worker.prune()
                    pruned_at = time.monotonic()
            except DatabaseError as error:
                # It comes back; so does the worker.
                logger.error("database_failed", error=type(error).__name__)
                busy = 0
            stopping.wait(0 if busy >= worker.BATCH else PAUSE)
        for thread in aside:
            thread.join(LAST_MAIL_SECONDS)


def do_once(*, allow_most: bool) -> None:
    while worker.pass_once(allow_most=allow_most) >= worker.BATCH:
        pass
    task.make_due_tasks()
    for work in ASIDE:
        work()
    worker.prune(allow_most=allow_most)


def keep_doing(work: Callable[[], int], batch: int, stopping: threading.Event) -> None:
    while not stopping.is_set():
        close_old_connections()
        try:
            busy = work()
        except DatabaseError as error:
            logger.error("database_failed", error=type(error).__name__)
            busy = 0
        stopping.wait(0 if busy >= batch else PAUSE)
    connection.close()
