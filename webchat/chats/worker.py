"""What remains to be done after failures, and what must not be kept: the work of `manage.py webchat_worker`.

Any number of workers may run. Each row is reserved for one of them by its lease, so a worker that dies leaves nothing
undone, only later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import QuerySet

from webchat.chats.end import close_channel, end_chat, end_if_over
from webchat.chats.question import post_question
from webchat.chats.token import AGE_CAP
from webchat.conf import conf
from webchat.flex import FlexError, gateway_for
from webchat.mail import forget_done
from webchat.models import ChatSession, Message
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
# A chat that is running for us is looked up this often, as its end may have been told to nobody.
LOOK = timedelta(minutes=15)
# How long a worker reserves a row, and so the pause before a try is repeated.
HOLD = timedelta(seconds=30)
# Rows of one kind in one pass, so that every kind gets its turn.
BATCH = 50
PRUNE_BATCH = 500


def pass_once() -> int:
    """Everything that is due and needs Twilio. Returns the number of sessions that were looked after."""
    return sum(work() for work in (settle_starts, send_questions, end_old_chats, close_channels, end_chats_over))


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


def end_old_chats() -> int:
    old = _due(Status.ACTIVE).filter(started_at__lt=database_now() - AGE_CAP)
    return _each(old, lambda session: end_chat(session, ChatSession.EndedBy.AGE))


def close_channels() -> int:
    """Chats that have ended here and not yet at Twilio."""
    return _each(_due(Status.ENDED).filter(close_pending=True), close_channel)


def end_chats_over() -> int:
    """Chats that have ended at Twilio, and no webhook came or it came too early."""
    running = ChatSession.objects.running().filter(lease_until__lte=database_now() - LOOK)
    return _each(running, end_if_over)


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


def prune() -> int:
    """Forgets what people told the form, then the sessions and messages, then the limits' memory; in batches, each of
    which stands for itself. Returns the number of rows."""
    now = database_now()
    answers_end = now - timedelta(days=conf.WEBCHAT_KEEP_ANSWERS_DAYS)
    rows_end = now - timedelta(days=conf.WEBCHAT_KEEP_SESSIONS_DAYS)
    over = ChatSession.objects.exclude(status=Status.ACTIVE).order_by()
    left = Message.objects.order_by()
    blank = {"answers": {}, "consents": [], "account_matches": [], "customer_friendly_name": "", "answers_digest": ""}
    done = {
        "answers": _in_batches(
            over.filter(created_at__lt=answers_end).exclude(answers={}), lambda rows: rows.update(**blank, question="")
        ),
        "texts": _in_batches(
            left.filter(received_at__lt=answers_end).exclude(text=""),
            lambda rows: rows.update(**blank, text="", email=""),
        ),
        "sessions": _in_batches(over.filter(created_at__lt=rows_end), lambda rows: rows.delete()[0]),
        "messages": _in_batches(left.filter(received_at__lt=rows_end), lambda rows: rows.delete()[0]),
        "mails": forget_done(timedelta(days=conf.WEBCHAT_KEEP_ANSWERS_DAYS)),
        "limits": limits.forget_past(),
    }
    if any(done.values()):
        logger.info("pruned", counts=", ".join(f"{count} {name}" for name, count in done.items()))
    return sum(done.values())


def _in_batches(rows: QuerySet[Any], change: Callable[[QuerySet[Any]], int]) -> int:
    done = 0
    while keys := list(rows.values_list("pk", flat=True)[:PRUNE_BATCH]):
        done += change(rows.model.objects.filter(pk__in=keys))
    return done
