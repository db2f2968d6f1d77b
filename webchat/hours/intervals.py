"""A plan of wall times as intervals of UTC, in which alone instants are compared.

Two local times that the same zone has on both sides of a change of its clock compare equal and have no difference.
https://docs.python.org/3/library/datetime.html#datetime.datetime.fold
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webchat.models import OpeningHours

DAY = timedelta(days=1)
# How far ahead openings and closings are looked for.
DAYS_AHEAD = timedelta(days=14)


class Interval(NamedTuple):
    """Half open: `end` is not part of it. Both are aware, in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, datetime) and self.start <= instant < self.end


def open_intervals(plan: OpeningHours, since: datetime, until: datetime) -> list[Interval]:
    """When the plan is open between two instants: sorted, and neither overlapping nor touching.

    What began more than a day before `since` may begin too late here, and what ends after `until` may end too early.
    """
    zone = plan.zone
    day, last = since.astimezone(zone).date() - 2 * DAY, until.astimezone(zone).date() + DAY
    return merge(interval for interval in _spans(plan, zone, day, last) if interval.end > since)


def _spans(plan: OpeningHours, zone: ZoneInfo, day: date, last: date) -> Iterator[Interval]:
    while day <= last:
        for opens, closes in plan.times_on(day):
            # From the wall time of the day on which it closes: a night may have one hour more, or less.
            closing_day = day if closes > opens else day + DAY
            yield Interval(opening(day, opens, zone), closing(closing_day, closes, zone))
        day += DAY


def opening(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first instant of a wall time. One that the clock skips is as much later: 02:30 is 03:30 then."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def closing(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The last instant of a wall time: the second of two. One that the clock skips is later, as above."""
    local = datetime.combine(day, at, zone)
    return max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if interval.start >= interval.end:
            continue
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged


def without(intervals: Iterable[Interval], hole: Interval) -> list[Interval]:
    """What the hole leaves of sorted intervals."""
    if hole.start >= hole.end:
        return list(intervals)
    parts = (
        part
        for start, end in intervals
        for part in (Interval(start, min(end, hole.start)), Interval(max(start, hole.end), end))
    )
    return [part for part in parts if part.start < part.end]
