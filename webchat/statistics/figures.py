"""The hourly counts of the last weeks, by day and hour of a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo

from django.db.models import QuerySet, Sum

from webchat.models import HourlyCount, Webchat
from webchat.models.counts import Event, hour_of, time_of

DAYS = 30
HOURS = range(24)
NAMES = set(Event)


@dataclass(slots=True)
class Day:
    date: date
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Figures:
    """`days`: the last ones, the oldest first. `counts`: of all of them, by Event. `by_hour`: started chats by weekday
    (Monday is 0) and hour of the clock on the wall."""

    days: list[Day]
    counts: Counter[str] = field(default_factory=Counter)
    by_hour: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def today(self) -> Day:
        return self.days[-1]

    @property
    def week_ago(self) -> Day:
        return self.days[-8]


def read_figures(webchat: Webchat | None, zone: tzinfo, now: datetime) -> Figures:
    """The figures of this webchat, or of all. Days and hours are those of the zone; where it is half an hour beside UTC, an hour of the
    counts belongs to the one in which it begins."""
    found = Figures(days_until(now, zone))
    days = {day.date: day for day in found.days}
    counts = _since(found.days[0].date, zone)
    if webchat:
        counts = counts.filter(webchat=webchat)
    for hour, name, number in counts.values_list("hour", "name").annotate(Sum("number")):
        at = time_of(hour).astimezone(zone)
        if name in NAMES and (day := days.get(at.date())):
            day.counts[name] += number
            found.counts[name] += number
            if name == Event.STARTED:
                found.by_hour[at.weekday(), at.hour] += number
    return found


def read_by_webchat(webchats: list[Webchat], zone: tzinfo, now: datetime) -> Iterator[tuple[Webchat, list[Day]]]:
    """The days of each of these webchats."""
    for webchat in webchats:
        yield webchat, read_figures(webchat, zone, now).days


def days_until(now: datetime, zone: tzinfo) -> list[Day]:
    today = now.astimezone(zone).date()
    return [Day(today - timedelta(days=number)) for number in reversed(range(DAYS))]


def _since(first: date, zone: tzinfo) -> QuerySet[HourlyCount]:
    return HourlyCount.objects.filter(hour__gte=hour_of(datetime.combine(first, time(), zone)))
