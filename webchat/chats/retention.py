"""What must not be kept: answers, then chats, messages, mail and counts that are past their time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import QuerySet

from webchat.chats.forget import erase_chat
from webchat.chats.worker import DueRows, look_after_each
from webchat.clock import database_now
from webchat.conf import conf
from webchat.models import ChatSession, HourlyCount, Message, OutgoingMail, Rating, RetiredKey, Webchat
from webchat.models.counts import HOUR, hour_of
from webchat.models.due import BATCH, Stop, never
from webchat.models.session import ChatSessionQuerySet
from webchat.protection import limits

logger = structlog.get_logger(__name__)

# How long a worker reserves a chat that is erased at Twilio: longer than its calls take, and than one pass over all of them.
HOLD_TO_ERASE = timedelta(minutes=50)
# How long a retired key is remembered: far longer than a start takes.
KEYS_RETIRED = timedelta(days=1)
# How long the statistics' numbers are kept.
COUNTS_KEPT = timedelta(days=400)
# Rows in one statement, short enough for everybody else.
PRUNE_BATCH = 500
WAITS_TO_PRUNE = timedelta(days=1)


def prune(stop: Stop = never, *, allow_most: bool = False) -> int:
    """Forgets what people told the form, then the sessions and messages, then the limits' memory; in batches, each of
    which stands for itself. Returns the number of rows. `allow_most`: even if that is most of them."""
    now = database_now()
    answers_end = now - timedelta(days=conf.WEBCHAT_KEEP_ANSWERS_DAYS)
    rows_end = now - timedelta(days=conf.WEBCHAT_KEEP_SESSIONS_DAYS)
    sessions, left = ChatSession.objects.order_by(), Message.objects.order_by()
    told, texts = sessions.exclude(answers={}), left.exclude(text="")
    old_told = told.exclude(status=ChatSession.Status.ACTIVE).filter(created_at__lt=answers_end)
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
        DueRows(
            "counts past their retention",
            old_counts,
            HourlyCount.objects.all(),
            "hour",
            counts_end,
            WAITS_TO_PRUNE // HOUR,
        ),
        DueRows("chats past their retention", old, sessions, "created_at", rows_end, WAITS_TO_PRUNE),
        DueRows("messages past their retention", old_left, left, "received_at", rows_end, WAITS_TO_PRUNE),
        DueRows("answers past their retention", old_told, told, "created_at", answers_end, WAITS_TO_PRUNE),
        DueRows("texts past their retention", old_texts, texts, "received_at", answers_end, WAITS_TO_PRUNE),
        DueRows("comments past their retention", old_comments, comments, "rated_at", answers_end, WAITS_TO_PRUNE),
    )
    if not (allow_most or all(due.is_plausible() for due in dues)):
        return 0
    # Webchats that keep nothing at Twilio either. A chat that Twilio does not erase stays, for the next time.
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
        batch = look_after_each(old, erase_chat, stop, hold=HOLD_TO_ERASE)
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
