"""What the company's own monitoring reads, in the text format of Prometheus: the state of now, and what was counted today,
by a few indexed queries.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webchat.chats.end import LOOK
from webchat.chats.worker import ABANDONED, abandoned_starts, questions_to_send, unheard_chats
from webchat.clock import database_now
from webchat.models import ChatSession, HourlyCount, Message, OutgoingMail, RefusedWebchat, Webchat, WorkerPass
from webchat.models.counts import LATE, Event, hour_of
from webchat.protection.outage import breaker


class DatabaseCollector(Collector):
    """Asks the database anew each time. All processes share it, so any of them answers for all."""

    def collect(self) -> Iterable[Metric]:
        now = database_now()
        slugs = dict(Webchat.objects.order_by("slug").values_list("pk", "slug"))
        running = GaugeMetricFamily("webchat_running_chats", "Chats that go on.", labels=["webchat"])
        numbers = _running_by_webchat()
        for key, slug in slugs.items():
            running.add_metric([slug], numbers.get(key, 0))
        yield running
        yield _events_of_today(slugs, now)
        sessions = ChatSession.objects.order_by()
        yield _gauge(
            "webchat_unsent_questions",
            "Running chats whose first message did not get through: no agent hears of them.",
            sessions.with_unsent_question().count(),
        )
        yield _gauge(
            "webchat_pending_closes", "Chats that have ended here and not yet at Twilio.", sessions.to_close().count()
        )
        yield _gauge("webchat_unsent_mails", "Mails that wait to be sent.", _waiting_mail().count())
        yield _gauge("webchat_unmade_tasks", "Tasks of messages that wait to be made.", _waiting_tasks().count())
        yield _gauge(
            "webchat_breaker_open", "1 while no start goes to Twilio, since it failed too often.", breaker.is_open
        )
        yield _gauge("webchat_refused_webchats", "Webchats whose chats Twilio refuses.", RefusedWebchat.objects.count())
        oldest = GaugeMetricFamily(
            "webchat_oldest_due_age_seconds",
            "How long the oldest row has waited for the worker since it was due, 0 where none waits.",
            labels=["job"],
        )
        for job, (rows, column, waits) in _due(now).items():
            due_at = rows.aggregate(oldest=Min(column))["oldest"]
            oldest.add_metric([job], max(0.0, (now - due_at - waits).total_seconds()) if due_at else 0)
        yield oldest
        passes = GaugeMetricFamily(
            "webchat_worker_last_pass_timestamp_seconds",
            "When the worker last came through its work: seconds since the epoch.",
            labels=["work"],
        )
        for work, at in sorted(WorkerPass.last().items()):
            passes.add_metric([work.value], at.timestamp())
        yield passes


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)


def _events_of_today(slugs: dict[int, str], now: datetime) -> CounterMetricFamily:
    """Begins anew at midnight in UTC, as a counter may: a sum over all that is kept would be slow, and shrink."""
    events = CounterMetricFamily(
        "webchat_events",
        "What was counted since midnight, UTC: of chats, and seconds in a sum.",
        labels=["webchat", "event"],
    )
    midnight = hour_of(now) // 24 * 24
    numbers: Counter[tuple[int, str]] = Counter()
    # Few rows: the database, asked for sums by webchat, would read the index that begins with it to its end.
    today = HourlyCount.objects.filter(hour__gte=midnight)
    for webchat, name, number in today.values_list("webchat_id", "name", "number"):
        numbers[webchat, name.removeprefix(LATE)] += number
    # A rating may be changed, and its number falls: no counter.
    growing = [event for event in Event if not event.startswith("rated_")]
    for key, slug in slugs.items():
        for event in growing:
            events.add_metric([slug, event], max(0, numbers[key, event]))
    return events


def _running_by_webchat() -> dict[int, int]:
    running = ChatSession.objects.running().order_by()
    return dict(running.values_list("webchat_id").annotate(Count("pk")))


def _waiting_mail() -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(due_at__isnull=False)


def _waiting_tasks() -> QuerySet[Message]:
    return Message.objects.order_by().filter(task_due_at__isnull=False)


def _due(now: datetime) -> dict[str, tuple[QuerySet[Any], str, timedelta]]:
    """What waits for the worker, by the name of its job: the rows, the column of the time, and how long after that time
    they are due."""
    at_once = timedelta(0)
    return {
        "starts": (abandoned_starts().order_by(), "lease_until", ABANDONED),
        "questions": (questions_to_send().order_by().filter(lease_until__lte=now), "lease_until", at_once),
        "closes": (ChatSession.objects.order_by().to_close().filter(lease_until__lte=now), "lease_until", at_once),
        "looks": (unheard_chats().order_by(), "lease_until", LOOK),
        "mail": (_waiting_mail().filter(due_at__lte=now), "due_at", at_once),
        "tasks": (_waiting_tasks().filter(task_due_at__lte=now), "task_due_at", at_once),
    }
