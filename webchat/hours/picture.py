"""The next days of a plan, for staff to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise

from django.utils.translation import gettext as _

from webchat.hours.intervals import DAY, DAYS_AHEAD, Interval, open_intervals, opening
from webchat.models import OpeningHours, SpecialDay

MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Bar:
    """Minutes of the day by its clock on the wall."""

    start: int
    end: int

    @property
    def width(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        return "–".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.end))


@dataclass(frozen=True, slots=True)
class Day:
    date: date
    bars: list[Bar]
    special_day: SpecialDay | None

    @property
    def words(self) -> str:
        return ", ".join(map(str, self.bars)) or _("closed")


def next_days(plan: OpeningHours, now: datetime) -> list[Day]:
    """Today and the days after it, 14 in all, with the parts of each at which the plan is open."""
    zone = plan.zone
    today = now.astimezone(zone).date()
    dates = [today + number * DAY for number in range(DAYS_AHEAD.days + 1)]
    midnights = [opening(day, time(), zone) for day in dates]
    intervals = open_intervals(plan, midnights[0], midnights[-1])
    return [
        Day(day, _bars(intervals, Interval(dawn, dusk), plan), plan.special_day_on(day))
        for day, (dawn, dusk) in zip(dates, pairwise(midnights), strict=False)
    ]


def _bars(intervals: list[Interval], day: Interval, plan: OpeningHours) -> list[Bar]:
    def minute(instant: datetime) -> int:
        local = instant.astimezone(plan.zone)
        return MINUTES if instant == day.end else local.hour * 60 + local.minute

    inside = [(max(start, day.start), min(end, day.end)) for start, end in intervals]
    bars = [(minute(start), minute(end)) for start, end in inside if start < end]
    # An hour that comes twice is drawn once.
    return [Bar(start, max(start, end)) for start, end in bars]
