"""Open or closed, until when, and why: computed from the plan and the clock whenever it is asked, and never stored."""

from __future__ import annotations

from webchat.hours.intervals import DAYS_AHEAD, Interval, open_intervals
from webchat.hours.launcher import changes_ahead
from webchat.hours.state import Reason, State, Takes, chat_intervals, state_of, was_open_in_time, what_is_taken
from webchat.hours.words import closed_in_words, state_in_words, time_in_words, zone_of

__all__ = [
    "DAYS_AHEAD",
    "Interval",
    "Reason",
    "State",
    "Takes",
    "changes_ahead",
    "chat_intervals",
    "closed_in_words",
    "open_intervals",
    "state_in_words",
    "state_of",
    "time_in_words",
    "was_open_in_time",
    "what_is_taken",
    "zone_of",
]
