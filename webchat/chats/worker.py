"""What remains to be done after failures: the work of `manage.py webchat_worker`, with retention beside it.

Any number of workers may run. Each row is reserved for one of them by its lease, so a worker that dies leaves nothing
undone, only later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Count, Min, QuerySet

from webchat.audit import note_implausible_work
from webchat.chats.accounts import end_chats_of_retired_keys, end_chats_without_account
from webchat.chats.end import LOOK, close_channel, end_chat, end_here, end_if_over
from webchat.chats.note import post_note
from webchat.chats.question import post_question
from webchat.chats.token import AGE_CAP
from webchat.clock import database_now
from webchat.counters import counters
from webchat.flex import FlexError, gateway_for
from webchat.models import ChatSession
from webchat.models.counts import Event
from webchat.models.due import BATCH, Stop, never, take_due
from webchat.models.session import LEASE, ChatSessionQuerySet, failure_columns
from webchat.protection.outage import breaker

logger = structlog.get_logger(__name__)

Status = ChatSession.Status

# A start that nobody repeated for so long after its lease: the visitor has left.
ABANDONED = timedelta(minutes=2)
# A question is tried again for so long: later, nobody waits for the answer.
QUESTION_TRIES = timedelta(minutes=15)
# How long a worker reserves a row, and so the pause before a try is repeated.
HOLD = timedelta(seconds=30)
# Work that ends or deletes most of all chats, and at least so many, more likely goes by a wrong clock than by a right one:
# if what is due was due for longer than the worker ever waits.
MANY = 20
WAITS_TO_END = timedelta(hours=1)


@dataclass
class DueRows:
    """Rows that a job would end or delete, as their time in this column is before that moment, among all of their kind."""

    what: str
    rows: QuerySet[Any]
    among: QuerySet[Any]
    column: str
    before: Any  # of the column's type, as `waits` is of its differences
    waits: Any

    def is_plausible(self) -> bool:
        """False, and said to staff, when they are most of all, and more have come due than in the worker's pauses."""
        found = self.rows.aggregate(number=Count("pk"), oldest=Min(self.column))
        number, oldest = found["number"], found["oldest"]
        if number < MANY or self.before - oldest < self.waits:
            return True
        total = self.among.count()
        if 2 * number <= total:
            return True
        note_implausible_work(self.what, number, total)
        return False


def jobs(*, allow_most: bool = False) -> dict[str, Callable[[Stop], int]]:
    """What is due and needs Twilio, by name. Each returns how many sessions it looked after. `allow_most`: even if it ends
    most of the running chats."""
    return {
        "accounts": lambda _stop: end_chats_without_account(ChatSession.objects.all()),
        "retired keys": lambda _stop: end_chats_of_retired_keys(),
        "starts": settle_starts,
        "questions": send_questions,
        "notes": send_notes,
        "age": lambda stop: end_old_chats(stop, allow_most=allow_most),
        "closes": close_channels,
        "looks": lambda stop: end_chats_over(stop, allow_most=allow_most),
        "counts": keep_counts,
    }


def keep_counts(_stop: Stop = never) -> int:
    """What this process has counted. No sessions are looked after."""
    counters.flush()
    return 0


def pass_once(*, allow_most: bool = False) -> int:
    """All of these, one after the other. Returns the number of sessions that were looked after."""
    return sum(job(never) for job in jobs(allow_most=allow_most).values())


def settle_starts(stop: Stop = never) -> int:
    """Starts that ended without a certain outcome: their channel, if there is one, is closed. It is never handed to
    anybody: an agent would be called to a visitor who has left. A visitor who comes back after all starts anew."""
    # As ChatSession.begin_attempt(): whoever comes back meanwhile waits for this attempt.
    return look_after_each(abandoned_starts(), settle, stop, hold=LEASE, counter="attempts")


def abandoned_starts() -> ChatSessionQuerySet:
    return ChatSession.objects.filter(status=Status.STARTING, lease_until__lte=database_now() - ABANDONED)


def settle(session: ChatSession) -> None:
    """The caller has begun this attempt. Raises FlexError, after which it remains to be done."""
    gateway = gateway_for(session.destination)
    channel = gateway.find(session.identity)
    if channel:
        gateway.close(channel.sid)
    failure = "abandoned, channel closed" if channel else "abandoned"
    counted = bool(session.failure)  # by the request that met it
    if session.change_attempt(status=Status.FAILED, **failure_columns(failure)):
        if not counted:
            counters.count(session.webchat_id, Event.FAILED_ABANDONED)
        logger.info("chat_abandoned", session=str(session.pk), reason=failure)


def send_questions(stop: Stop = never) -> int:
    """Chats that no agent hears of, since their first message did not get through."""
    return look_after_each(questions_to_send(), _send_question, stop)


def questions_to_send() -> ChatSessionQuerySet:
    return ChatSession.objects.with_unsent_question().filter(started_at__gt=database_now() - QUESTION_TRIES)


def _send_question(session: ChatSession) -> None:
    post_question(session, look_first=True)
    if not session.question_sent_at:
        end_if_over(session)


def send_notes(stop: Stop = never) -> int:
    """What agents are still to be told."""
    return look_after_each(ChatSession.objects.running().exclude(note=""), post_note, stop)


def end_old_chats(stop: Stop = never, *, allow_most: bool = False) -> int:
    running, before = ChatSession.objects.running(), database_now() - AGE_CAP
    aged = running.filter(started_at__lt=before)
    due = DueRows("chats past their age", aged, running, "started_at", before, WAITS_TO_END)
    if not (allow_most or due.is_plausible()):
        return 0
    return look_after_each(aged, lambda session: end_chat(session, ChatSession.EndedBy.AGE), stop)


def close_channels(stop: Stop = never) -> int:
    """Chats that have ended here and not yet at Twilio."""
    return look_after_each(ChatSession.objects.to_close(), close_channel, stop)


def end_chats_over(stop: Stop = never, *, allow_most: bool = False) -> int:
    """Chats that have ended at Twilio, and no webhook came or it came too early."""
    return look_after_each(unheard_chats(), lambda session: _look(session, allow_most=allow_most), stop)


def unheard_chats() -> ChatSessionQuerySet:
    return ChatSession.objects.running().filter(lease_until__lte=database_now() - LOOK)


def _look(session: ChatSession, *, allow_most: bool) -> None:
    """Ends a chat that is over. One of another account or chat service than the credentials reach goes on, unless
    `allow_most`, and staff are told how many there are."""
    try:
        end_if_over(session)
    except FlexError as error:
        if not error.is_not_there:
            raise
        if allow_most:
            end_here(session, ChatSession.EndedBy.AGENT, is_over_there=True)
            return
        running = ChatSession.objects.running()
        theirs = running.filter(chat_service_sid=session.chat_service_sid)
        note_implausible_work("chats of another account or chat service", theirs.count(), running.count())


def note_words(stop: Stop = never) -> int:
    """Has staff's search find chats by what visitors told, the latest first. Needs nothing but the database."""
    done = 0
    for session in ChatSession.objects.with_unknown_words().only("pk")[:BATCH]:
        if stop():
            break
        session.note_words()
        done += 1
    return done


def look_after_each(
    due: ChatSessionQuerySet,
    work: Callable[[ChatSession], None],
    stop: Stop,
    *,
    hold: timedelta = HOLD,
    counter: str = "",
) -> int:
    """Does the work for each due session, until Twilio fails: the rest waits for the next pass."""
    done = 0
    due = due.select_related("webchat")
    for session in take_due(due, hold, lambda: stop() or breaker.is_open, column="lease_until", counter=counter):
        done += 1
        try:
            work(session)
        except FlexError as error:
            logger.warning("work_not_done", session=str(session.pk), reason=str(error))
            if error.reason is not FlexError.Reason.REFUSED:
                return done - 1
    return done
