"""The admin's first page: is the chat open, what goes on, what failed today, and do worker and webhook live."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from webchat.chats.availability import availability_of
from webchat.chats.going_live import going_live
from webchat.clock import database_now
from webchat.flex import failure_in_words
from webchat.hours import state_in_words, state_of, zone_of
from webchat.models import ChatSession, Webchat, WorkerPass

Status = ChatSession.Status


@dataclass(slots=True)
class Line:
    """One webchat. `waiting`: visitors in its queue; None where nobody counts them. `failures`: number by words, those of
    today."""

    webchat: Webchat
    is_open: bool
    state: str
    todo: int  # steps of going live
    running: int = 0
    waiting: int | None = None
    started: int = 0
    failures: list[tuple[str, int]] = field(default_factory=list)


def start_page(request: HttpRequest) -> dict[str, Any]:
    """What the template reads; nothing for staff who may not see webchats."""
    if not request.user.has_perm("webchat.view_webchat"):
        return {}
    now = database_now()
    heard = Webchat.objects.values_list("webhook_heard_at", flat=True)
    return {
        "lines": _lines(now) if request.user.has_perm("webchat.view_chatsession") else _states(now),
        "counts_chats": request.user.has_perm("webchat.view_chatsession"),
        "worker_seen": max(WorkerPass.last().values(), default=None),
        "webhook_heard": max(filter(None, heard), default=None),
        "zone": timezone.get_current_timezone_name(),
    }


def _states(now: datetime) -> list[Line]:
    webchats = (
        Webchat.objects.filter(archived_at=None)
        .select_related("hours")
        .prefetch_related("fields", "hours__spans", "hours__special_days")
    )
    found = []
    for webchat in webchats:
        state = state_of(webchat, now)
        words = (
            _("A draft: visitors see nothing of it yet.") if webchat.draft else state_in_words(state, zone_of(webchat))
        )
        found.append(Line(webchat, state.is_open, words, todo=sum(not step.is_done for step in going_live(webchat))))
    return found


def _lines(now: datetime) -> list[Line]:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    sessions = ChatSession.objects.order_by()
    running = dict(sessions.running().values_list("webchat_id").annotate(Count("pk")))
    today = sessions.filter(created_at__gte=midnight)
    begun = Q(status__in=(Status.ACTIVE, Status.ENDED))
    started = dict(today.filter(begun).values_list("webchat_id").annotate(Count("pk")))
    failures: dict[int, Counter[str]] = {}
    failed = today.filter(status=Status.FAILED).values_list("webchat_id", "failure").annotate(number=Count("pk"))
    for webchat_id, failure, number in failed:
        failures.setdefault(webchat_id, Counter())[failure_in_words(failure)] += number
    lines = _states(now)
    for line in lines:
        key = line.webchat.pk
        line.running, line.started = running.get(key, 0), started.get(key, 0)
        line.failures = failures.get(key, Counter()).most_common()
        if figures := availability_of(line.webchat):
            line.waiting = figures.waiting
    return lines
