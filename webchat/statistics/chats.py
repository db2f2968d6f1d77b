"""How the chats of the last weeks went: counted by the database from the rows that retention has left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour

from webchat.models import ChatSession, Message, Webchat

DAYS = 30
HOURS = range(24)
WEEKDAYS = range(7)
# Kinds of failures that are shown, the most frequent first.
MOST_FAILURES = 20

_STARTED = Q(status__in=(ChatSession.Status.ACTIVE, ChatSession.Status.ENDED))
_ENDED = Q(status=ChatSession.Status.ENDED)
_VISITOR, _AGENT = Q(ended_by=ChatSession.EndedBy.VISITOR), Q(ended_by=ChatSession.EndedBy.AGENT)
# By their names in Day.
_OF_CHATS = {
    "started": _STARTED,
    "failed": Q(status=ChatSession.Status.FAILED),
    "ended_by_visitor": _ENDED & _VISITOR,
    "ended_by_agent": _ENDED & _AGENT,
    "ended_otherwise": _ENDED & ~_VISITOR & ~_AGENT,
}


@dataclass(slots=True)
class Day:
    """Chats that were begun on this day, by what became of them, and messages that were left."""

    date: date
    started: int = 0
    failed: int = 0
    ended_by_visitor: int = 0
    ended_by_agent: int = 0
    ended_otherwise: int = 0
    messages: int = 0


@dataclass(slots=True)
class Statistics:
    """`days`: the last ones, the oldest first. `by_hour`: started chats by weekday (Monday is 0) and hour of the clock on the
    wall. `failures`: number by the FlexError, as logs and staff read it."""

    days: list[Day]
    by_hour: Counter[tuple[int, int]] = field(default_factory=Counter)
    failures: list[tuple[str, int]] = field(default_factory=list)

    @property
    def today(self) -> Day:
        return self.days[-1]

    @property
    def week_ago(self) -> Day:
        return self.days[-8]


def count_chats(webchat: Webchat | None, zone: tzinfo, now: datetime) -> Statistics:
    """Of this webchat, or of all. Days and hours are those of the zone."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=DAYS - 1)
    since = datetime.combine(first, time(), zone)
    chats = ChatSession.objects.order_by().filter(created_at__gte=since)
    left = Message.objects.order_by().filter(received_at__gte=since)
    if webchat:
        chats, left = chats.filter(webchat=webchat), left.filter(webchat=webchat)
    found = Statistics([Day(first + timedelta(days=number)) for number in range(DAYS)])
    days = {day.date: day for day in found.days}
    counts = {name: Count("pk", filter=which) for name, which in _OF_CHATS.items()}
    for row in _by_hour(chats, "created_at", zone).annotate(**counts):
        hour = row.pop("hour")
        if day := days.get(hour.date()):
            for name, number in row.items():
                setattr(day, name, getattr(day, name) + number)
            found.by_hour[hour.weekday(), hour.hour] += row["started"]
    for row in _by_hour(left, "received_at", zone).annotate(number=Count("pk")):
        if day := days.get(row["hour"].date()):
            day.messages += row["number"]
    failed = chats.filter(status=ChatSession.Status.FAILED).values_list("failure").annotate(number=Count("pk"))
    found.failures = list(failed.order_by("-number", "failure")[:MOST_FAILURES])
    return found


def _by_hour(rows: QuerySet[Any], column: str, zone: tzinfo) -> Any:
    return rows.annotate(hour=TruncHour(column, tzinfo=zone)).values("hour")
