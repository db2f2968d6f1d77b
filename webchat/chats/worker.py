"""What remains to be done after failures, and what must not be kept: the work of `manage.py webchat_worker`.

Any number of workers may run. Each row is reserved for one of them by its lease, so a worker that dies leaves nothing
undone, only later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Count, Min, QuerySet

from webchat.audit import note_implausible_work
from webchat.chats.accounts import end_chats_of_retired_keys, end_chats_without_account
from webchat.chats.end import LOOK, close_channel, end_chat, end_if_over, note_end
from webchat.chats.question import post_question
from webchat.chats.token import AGE_CAP
from webchat.conf import conf
from webchat.flex import FlexError, gateway_for
from webchat.mail import forget_done
from webchat.models import ChatSession, Message, RetiredKey
from webchat.models.clock import database_now
from webchat.models.session import ChatSessionQuerySet
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
# How long a retired key is remembered: far longer than a start takes.
KEYS_RETIRED = timedelta(days=1)
# Rows of one kind in one pass, so that every kind gets its turn.
BATCH = 50
PRUNE_BATCH = 500
# Work that ends or deletes most of all chats, and at least so many, more likely goes by a wrong clock than by a right one:
# if what is due was due for longer than the worker ever waits.
MANY = 20
WAITS_TO_END = timedelta(hours=1)
WAITS_TO_PRUNE = timedelta(days=1)


def pass_once(*, allow_most: bool = False) -> int:
    """Everything that is due and needs Twilio. Returns the number of sessions that were looked after. `allow_most`: even
    if it ends most of the running chats."""
    end_chats_without_account(ChatSession.objects.all())
    end_chats_of_retired_keys()
    jobs = (settle_starts, send_questions, lambda: end_old_chats(allow_most=allow_most), close_channels)
    return sum(work() for work in jobs) + end_chats_over(allow_most=allow_most)


def settle_starts() -> int:
    """Starts that ended without a certain outcome: their channel, if there is one, is closed. It is never handed to
    anybody: an agent would be called to a visitor who has left. A visitor who comes back after all starts anew."""
    abandoned = ChatSession.objects.filter(status=Status.STARTING, lease_until__lte=database_now() - ABANDONED)
    return _each(abandoned, settle, ChatSession.begin_attempt)


def settle(session: ChatSession) -> None:
    """The caller has begun this attempt. Raises FlexError, after which it remains to be done."""
    gateway = gateway_for(session.destination)
    channel = gateway.find(session.identity)
    if channel:
        gateway.close(channel.sid)
    failure = "abandoned, channel closed" if channel else "abandoned"
    if session.change_attempt(status=Status.FAILED, failure=failure):
        logger.info("chat_abandoned", session=str(session.pk), reason=failure)


def send_questions() -> int:
    """Chats that no agent hears of, since their first message did not get through."""
    unsent = _due(Status.ACTIVE).filter(question_sent_at=None, started_at__gt=database_now() - QUESTION_TRIES)
    return _each(unsent.exclude(question=""), _send_question)


def _send_question(session: ChatSession) -> None:
    post_question(session, look_first=True)
    if not session.question_sent_at:
        end_if_over(session)


def end_old_chats(*, allow_most: bool = False) -> int:
    running, before = ChatSession.objects.running(), database_now() - AGE_CAP
    aged = running.filter(started_at__lt=before)
    due = _Due("chats past their age", aged, running, "started_at", before, WAITS_TO_END)
    if not (allow_most or due.is_plausible()):
        return 0
    old = _due(Status.ACTIVE).filter(started_at__lt=before)
    return _each(old, lambda session: end_chat(session, ChatSession.EndedBy.AGE))


def close_channels() -> int:
    """Chats that have ended here and not yet at Twilio."""
    return _each(_due(Status.ENDED).filter(close_pending=True), close_channel)


def end_chats_over(*, allow_most: bool = False) -> int:
    """Chats that have ended at Twilio, and no webhook came or it came too early."""
    running = ChatSession.objects.running().filter(lease_until__lte=database_now() - LOOK)
    return _each(running, lambda session: _look(session, allow_most=allow_most))


def _look(session: ChatSession, *, allow_most: bool) -> None:
    """Ends a chat that is over. One of another account or chat service than the credentials reach goes on, unless
    `allow_most`, and staff are told how many there are."""
    try:
        end_if_over(session)
    except FlexError as error:
        if not error.is_not_there:
            raise
        if allow_most:
            note_end(session)
            return
        running = ChatSession.objects.running()
        theirs = running.filter(chat_service_sid=session.chat_service_sid)
        note_implausible_work("chats of another account or chat service", theirs.count(), running.count())


def _due(status: str) -> ChatSessionQuerySet:
    return ChatSession.objects.filter(status=status, lease_until__lte=database_now())


def _hold(session: ChatSession) -> bool:
    return session.take_lease(HOLD)


def _each(
    due: ChatSessionQuerySet,
    work: Callable[[ChatSession], None],
    reserve: Callable[[ChatSession], bool] = _hold,
) -> int:
    """Does the work for each due session, until Twilio fails: the rest waits for the next pass."""
    done = 0
    for session in _reserved(due, reserve):
        try:
            work(session)
        except FlexError as error:
            logger.warning("work_not_done", session=str(session.pk), reason=str(error))
            if error.reason is not FlexError.Reason.REFUSED:
                break
        done += 1
    return done


def _reserved(due: ChatSessionQuerySet, reserve: Callable[[ChatSession], bool]) -> Iterator[ChatSession]:
    for _ in range(BATCH):
        if breaker.is_open:
            return
        with transaction.atomic():
            # Rows that another worker is just taking are passed over, where the database can; elsewhere the lease
            # decides who of the two gets it.
            skip = connection.features.has_select_for_update_skip_locked
            rows = due.select_for_update(skip_locked=skip, of=("self",) if skip else ())
            session = rows.select_related("webchat").order_by("lease_until").first()
            reserved = session is not None and reserve(session)
        if session is None:
            return
        if reserved:
            yield session


# --- Retention -------------------------------------------------------------------------------------------------------


@dataclass
class _Due:
    """Rows that a job would end or delete, as their time in this column is before that moment, among all of their kind."""

    what: str
    rows: QuerySet[Any]
    among: QuerySet[Any]
    column: str
    before: datetime
    waits: timedelta

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


def prune(*, allow_most: bool = False) -> int:
    """Forgets what people told the form, then the sessions and messages, then the limits' memory; in batches, each of
    which stands for itself. Returns the number of rows. `allow_most`: even if that is most of them."""
    now = database_now()
    answers_end = now - timedelta(days=conf.WEBCHAT_KEEP_ANSWERS_DAYS)
    rows_end = now - timedelta(days=conf.WEBCHAT_KEEP_SESSIONS_DAYS)
    sessions, left = ChatSession.objects.order_by(), Message.objects.order_by()
    over = sessions.exclude(status=Status.ACTIVE)
    blank = {"answers": {}, "consents": [], "account_matches": [], "customer_friendly_name": "", "answers_digest": ""}
    told = over.filter(created_at__lt=answers_end).exclude(answers={})
    texts = left.filter(received_at__lt=answers_end).exclude(text="")
    # A channel is closed before its row goes.
    old = sessions.closed().filter(created_at__lt=rows_end)
    old_left = left.filter(received_at__lt=rows_end)
    dues = (
        _Due("chats past their retention", old, sessions, "created_at", rows_end, WAITS_TO_PRUNE),
        _Due("messages past their retention", old_left, left, "received_at", rows_end, WAITS_TO_PRUNE),
        _Due(
            "answers past their retention",
            told,
            sessions.exclude(answers={}),
            "created_at",
            answers_end,
            WAITS_TO_PRUNE,
        ),
        _Due("texts past their retention", texts, left.exclude(text=""), "received_at", answers_end, WAITS_TO_PRUNE),
    )
    if not (allow_most or all(due.is_plausible() for due in dues)):
        return 0
    done = {
        "answers": _in_batches(told, lambda rows: rows.forget_answers()),
        "texts": _in_batches(texts, lambda rows: rows.update(**blank, text="", email="")),
        "sessions": _in_batches(old, lambda rows: rows.delete()[0]),
        "messages": _in_batches(old_left, lambda rows: rows.delete()[0]),
        "mails": forget_done(timedelta(days=conf.WEBCHAT_KEEP_ANSWERS_DAYS)),
        "limits": limits.forget_past(),
        "retired keys": RetiredKey.objects.filter(retired_at__lt=now - KEYS_RETIRED).delete()[0],
    }
    if any(done.values()):
        logger.info("pruned", counts=", ".join(f"{count} {name}" for name, count in done.items()))
    return sum(done.values())


def _in_batches(rows: QuerySet[Any], change: Callable[[Any], int]) -> int:
    done = 0
    while keys := list(rows.values_list("pk", flat=True)[:PRUNE_BATCH]):
        done += change(rows.model.objects.filter(pk__in=keys))
    return done
