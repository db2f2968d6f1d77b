"""What remains to be done after failures, and what must not be kept: the work of `manage.py webchat_worker`.

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
from webchat.chats.forget import erase_chat
from webchat.chats.note import post_note
from webchat.chats.question import post_question
from webchat.chats.token import AGE_CAP
from webchat.clock import database_now
from webchat.conf import conf
from webchat.counters import counters
from webchat.flex import FlexError, gateway_for
from webchat.models import ChatSession, HourlyCount, Message, OutgoingMail, Rating, RetiredKey, Webchat
from webchat.models.counts import HOUR, Event, hour_of
from webchat.models.due import BATCH, Stop, never, take_due
from webchat.models.session import LEASE, ChatSessionQuerySet, failure_columns
from webchat.protection import limits
from webchat.protection.outage import breaker

logger = structlog.get_logger(__name__)

Status = ChatSession.Status

# A start that nobody repeated for so long after its lease: the visitor has left.
ABANDONED = timedelta(minutes=2)
# A question is tried again for so long: later, nobody waits for the answer.
QUESTION_TRIES = timedelta(minutes=15)
# How long a worker reserves a row, and so the pause before a try is repeated.
HOLD = timedelta(seconds=30)
# The same of a chat that is erased at Twilio: longer than its calls take, and than one pass over all of them.
HOLD_TO_ERASE = timedelta(minutes=50)
# How long a retired key is remembered: far longer than a start takes.
KEYS_RETIRED = timedelta(days=1)
# How long the statistics' numbers are kept.
COUNTS_KEPT = timedelta(days=400)
# Rows in one statement, short enough for everybody else.
PRUNE_BATCH = 500
# Work that ends or deletes most of all chats, and at least so many, more likely goes by a wrong clock than by a right one:
# if what is due was due for longer than the worker ever waits.
MANY = 20
WAITS_TO_END = timedelta(hours=1)
WAITS_TO_PRUNE = timedelta(days=1)


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
    return _each(abandoned_starts(), settle, stop, hold=LEASE, counter="attempts")


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
    return _each(questions_to_send(), _send_question, stop)


def questions_to_send() -> ChatSessionQuerySet:
    return ChatSession.objects.with_unsent_question().filter(started_at__gt=database_now() - QUESTION_TRIES)


def _send_question(session: ChatSession) -> None:
    post_question(session, look_first=True)
    if not session.question_sent_at:
        end_if_over(session)


def send_notes(stop: Stop = never) -> int:
    """What agents are still to be told."""
    return _each(ChatSession.objects.running().exclude(note=""), post_note, stop)


def end_old_chats(stop: Stop = never, *, allow_most: bool = False) -> int:
    running, before = ChatSession.objects.running(), database_now() - AGE_CAP
    aged = running.filter(started_at__lt=before)
    due = _Due("chats past their age", aged, running, "started_at", before, WAITS_TO_END)
    if not (allow_most or due.is_plausible()):
        return 0
    return _each(aged, lambda session: end_chat(session, ChatSession.EndedBy.AGE), stop)


def close_channels(stop: Stop = never) -> int:
    """Chats that have ended here and not yet at Twilio."""
    return _each(ChatSession.objects.to_close(), close_channel, stop)


def end_chats_over(stop: Stop = never, *, allow_most: bool = False) -> int:
    """Chats that have ended at Twilio, and no webhook came or it came too early."""
    return _each(unheard_chats(), lambda session: _look(session, allow_most=allow_most), stop)


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


def _each(
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


# --- Retention -------------------------------------------------------------------------------------------------------


@dataclass
class _Due:
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


def prune(stop: Stop = never, *, allow_most: bool = False) -> int:
    """Forgets what people told the form, then the sessions and messages, then the limits' memory; in batches, each of
    which stands for itself. Returns the number of rows. `allow_most`: even if that is most of them."""
    now = database_now()
    answers_end = now - timedelta(days=conf.WEBCHAT_KEEP_ANSWERS_DAYS)
    rows_end = now - timedelta(days=conf.WEBCHAT_KEEP_SESSIONS_DAYS)
    sessions, left = ChatSession.objects.order_by(), Message.objects.order_by()
    told, texts = sessions.exclude(answers={}), left.exclude(text="")
    old_told = told.exclude(status=Status.ACTIVE).filter(created_at__lt=answers_end)
    old_texts = texts.filter(received_at__lt=answers_end)
    comments = Rating.objects.order_by().exclude(comment="")
    old_comments = comments.filter(rated_at__lt=answers_end)
    # A channel is closed before its row goes.
    old = sessions.closed().filter(created_at__lt=rows_end)
    old_left = left.filter(received_at__lt=rows_end)
    old_mail = OutgoingMail.objects.filter(due_at=None, created_at__lt=answers_end)
    old_keys = RetiredKey.objects.filter(retired_at__lt=now - KEYS_RETIRED)
    counts_end = hour_of(now - COUNTS_KEPT)
    old_counts = HourlyCount.objects.filter(hour__lt=counts_end)
    dues = (
        _Due(
            "counts past their retention",
            old_counts,
            HourlyCount.objects.all(),
            "hour",
            counts_end,
            WAITS_TO_PRUNE // HOUR,
        ),
        _Due("chats past their retention", old, sessions, "created_at", rows_end, WAITS_TO_PRUNE),
        _Due("messages past their retention", old_left, left, "received_at", rows_end, WAITS_TO_PRUNE),
        _Due("answers past their retention", old_told, told, "created_at", answers_end, WAITS_TO_PRUNE),
        _Due("texts past their retention", old_texts, texts, "received_at", answers_end, WAITS_TO_PRUNE),
        _Due("comments past their retention", old_comments, comments, "rated_at", answers_end, WAITS_TO_PRUNE),
    )
    if not (allow_most or all(due.is_plausible() for due in dues)):
        return 0
    # Those of webchats that keep none at Twilio either. One that Twilio does not erase stays, for the next time.
    both = list(Webchat.objects.filter(forget_at_twilio=True).values_list("pk", flat=True))
    done = {
        "answers": _in_batches(old_told, lambda rows: rows.forget_answers(), stop),
        "texts": _in_batches(old_texts, lambda rows: rows.forget_texts(), stop),
        "comments": _in_batches(old_comments, lambda rows: rows.update(comment=""), stop),
        "sessions": _in_batches(old.exclude(webchat__in=both), _delete, stop),
        "sessions at Twilio too": _erase(old.filter(webchat__in=both), stop),
        "messages": _in_batches(old_left, _delete, stop),
        "mails": _in_batches(old_mail, _delete, stop),
        "limits": limits.forget_past(),
        "retired keys": _in_batches(old_keys, _delete, stop),
        "counts": _in_batches(old_counts, _delete, stop),
    }
    if any(done.values()):
        logger.info("pruned", counts=", ".join(f"{count} {name}" for name, count in done.items()))
    return sum(done.values())


def _erase(old: ChatSessionQuerySet, stop: Stop) -> int:
    """Until Twilio fails: the rest waits for the next time. Returns how many sessions it looked after."""
    done, batch = 0, BATCH
    while batch == BATCH and not stop():
        batch = _each(old, erase_chat, stop, hold=HOLD_TO_ERASE)
        done += batch
    return done


def _delete(rows: QuerySet[Any]) -> int:
    """Without what goes with them."""
    return rows.delete()[1].get(rows.model._meta.label, 0)


def _in_batches(rows: QuerySet[Any], change: Callable[[Any], int], stop: Stop) -> int:
    done = 0
    while not stop() and (keys := list(rows.values_list("pk", flat=True)[:PRUNE_BATCH])):
        done += change(rows.model.objects.filter(pk__in=keys))
    return done
