"""Open or closed, until when, and why: computed from the plan and the clock whenever it is asked, and never stored."""

from __future__ import annotations

from webchat.hours.intervals import DAYS_AHEAD, Interval, open_intervals
from webchat.hours.state import Reason, State, chat_intervals, state_of, takes_messages, was_open_in_time

__all__ = [
    "DAYS_AHEAD",
    "Interval",
    "Reason",
    "State",
    "chat_intervals",
    "open_intervals",
    "state_of",
    "takes_messages",
    "was_open_in_time",
]
