"""When a plan is open, by looking at the clock on the wall each quarter of an hour: slow, and obvious."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from webchat.models import OpeningHours, Webchat

TICK = timedelta(minutes=15)
DAY = timedelta(days=1)


class WallClock:
    """The ticks from one instant to another, with what the plan's clock shows at each."""

    def __init__(self, plan: OpeningHours, start: datetime, end: datetime) -> None:
        self.plan = plan
        self.ticks = [start + number * TICK for number in range((end - start) // TICK)]
        self.walls = [tick.astimezone(plan.zone).replace(tzinfo=None) for tick in self.ticks]

    def numbers_of(self, day: date, at: time) -> list[int]:
        """The ticks at which the clock shows this time: one, or two where it was set back. Where it was set forward over
        the time, the tick that is as long after the change as the time is after the hour that was left out began."""
        wall = datetime.combine(day, at)
        if shown := [number for number, shows in enumerate(self.walls) if shows == wall]:
            return shown
        for number, shows in enumerate(self.walls):
            if number and self.walls[number - 1] < wall < shows:
                return [number + (wall - self.walls[number - 1] - TICK) // TICK]
        return []

    def is_open(self) -> list[bool]:
        found = [False] * len(self.ticks)
        day, last = self.walls[0].date() + DAY, self.walls[-1].date() - 3 * DAY
        while day <= last:
            for opens, closes in self.times_of(day):
                starts = self.numbers_of(day, opens)[0]
                ends = self.numbers_of(day if closes > opens else day + DAY, closes)[-1]
                for number in range(starts, ends):
                    found[number] = True
            day += DAY
        return found

    def times_of(self, day: date) -> list[tuple[time, time]]:
        shortest = None
        for special in self.plan.special_days.all():
            if not special.first <= day <= special.last:
                continue
            length = special.last - special.first
            if shortest is None or (length, shortest.first) < (shortest.last - shortest.first, special.first):
                shortest = special
        if shortest is None:
            return [(span.opens, span.closes) for span in self.plan.spans.all() if span.weekday == day.weekday()]
        parts = [part.split("–") for part in shortest.times.split(", ") if part]
        return [(time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in parts]


def takes_chats(webchat: Webchat, clock: WallClock) -> list[bool]:
    """For each tick, whether a chat can start."""
    plan = clock.is_open() if webchat.hours else [True] * len(clock.ticks)
    stop = timedelta(minutes=webchat.stop_before_close) // TICK if webchat.hours else 0
    takes = [all(plan[number : number + stop + 1]) for number in range(len(plan))]
    since, until = webchat.closed_since, webchat.closed_until
    has_reopened = False
    for number, tick in enumerate(clock.ticks):
        if not webchat.closure or since is None or tick < since:
            continue
        if tick > since and plan[number] and not plan[number - 1]:
            has_reopened = True
        match webchat.closure:
            case "until":
                is_over = until is not None and tick >= until
            case "next_opening":
                is_over = has_reopened
            case _:
                is_over = False
        takes[number] = takes[number] and is_over
    return takes
