"""Whether a webchat takes chats at an instant: its plan, what staff closed by hand, and the last minutes of a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum

from webchat.hours.intervals import DAYS_AHEAD, Interval, open_intervals, without
from webchat.models import Closure, Webchat, WhenClosed

# How long after closing a form is accepted that was shown before.
GRACE = timedelta(minutes=5)

_FIRST = datetime.min.replace(tzinfo=UTC)
# Far enough, and there is room for arithmetic behind it.
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)


class Reason(Enum):
    SWITCHED_OFF = "switched off"
    BY_HAND = "by hand"
    SPECIAL_DAY = "special day"
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class State:
    """`until` is when that changes, in UTC; None where staff named no time and the plan has none in 14 days. A closed one
    has its reason, and the note of the special day."""

    is_open: bool
    until: datetime | None = None
    reason: Reason | None = None
    note: str = ""


def state_of(webchat: Webchat, now: datetime) -> State:
    """Open until, or closed until and why. `now` is aware, and read once for a request."""
    if not webchat.is_on:
        return State(is_open=False, reason=Reason.SWITCHED_OFF)
    closed = _closed_by_hand(webchat, now)
    by_hand = now in closed
    if by_hand and closed.end == _NEVER:
        return State(is_open=False, reason=Reason.BY_HAND)
    since = closed.end if by_hand else now
    ahead = [interval for interval in chat_intervals(webchat, since, since + DAYS_AHEAD) if interval.end > since]
    following = ahead[0] if ahead else Interval(_NEVER, _NEVER)
    is_open = now in following
    changes_at = following.end if is_open else following.start
    until = changes_at if changes_at <= since + DAYS_AHEAD else None
    if is_open:
        return State(is_open=True, until=until)
    if by_hand:
        return State(is_open=False, until=until, reason=Reason.BY_HAND)
    special_day = webchat.hours and webchat.hours.special_day_on(now.astimezone(webchat.hours.zone).date())
    if special_day:
        return State(is_open=False, until=until, reason=Reason.SPECIAL_DAY, note=special_day.texts["note"])
    return State(is_open=False, until=until, reason=Reason.HOURS)


class Takes(StrEnum):
    """What a webchat takes of a visitor without a running chat: chats, messages, or nothing and why."""

    CHATS = "chats"
    MESSAGES = "messages"
    CLOSED = "closed"
    UNAVAILABLE = "unavailable"

    @property
    def is_something(self) -> bool:
        return self in (Takes.CHATS, Takes.MESSAGES)


def what_is_taken(webchat: Webchat, state: State) -> Takes:
    """By its hours and the environment; whether agents are there is asked of Twilio, and not here."""
    if state.is_open:
        return Takes.CHATS if webchat.is_configured else Takes.UNAVAILABLE
    off = state.reason is Reason.SWITCHED_OFF
    return Takes.MESSAGES if webchat.when_closed == WhenClosed.MESSAGE and not off else Takes.CLOSED


def was_open_in_time(webchat: Webchat, shown_at: datetime, now: datetime) -> bool:
    """Whether a form may still be sent: it was shown while the webchat took chats, which is over since at most 5 minutes."""
    if not webchat.is_on:
        return False
    closed = [interval for interval in chat_intervals(webchat, now - GRACE, now) if interval.end <= now]
    return bool(closed) and shown_at < closed[-1].end and now - closed[-1].end < GRACE


def chat_intervals(webchat: Webchat, since: datetime, until: datetime) -> list[Interval]:
    """When chats can start between two instants, as open_intervals: neither what staff closed by hand is in it, nor the
    last minutes before closing."""
    if webchat.hours is None:
        planned = [Interval(_FIRST, _NEVER)]
    else:
        stop = timedelta(minutes=webchat.stop_before_close)
        whole = open_intervals(webchat.hours, since, until + stop)
        planned = [Interval(start, end - stop) for start, end in whole if end - stop > start]
    return without(planned, _closed_by_hand(webchat, until))


def _closed_by_hand(webchat: Webchat, now: datetime) -> Interval:
    """Empty where nothing is closed by hand."""
    since = webchat.closed_since or _FIRST
    match webchat.closure:
        case Closure.UNTIL:
            return Interval(since, min(max(since, webchat.closed_until or _NEVER), _NEVER))
        case Closure.NEXT_OPENING:
            return Interval(since, _next_opening(webchat, since, now) or _NEVER)
        case Closure.REOPENED:
            return Interval(since, _NEVER)
        case _:
            return Interval(_NEVER, _NEVER)


def _next_opening(webchat: Webchat, since: datetime, now: datetime) -> datetime | None:
    if webchat.hours is None or webchat.closed_since is None:
        return None
    # Mostly within days. All the time up to now is looked at only else: staff may have forgotten a closure for years.
    for until in (since + DAYS_AHEAD, max(since, now) + DAYS_AHEAD):
        for interval in open_intervals(webchat.hours, since, until):
            if interval.start > since:
                return interval.start
    return None
