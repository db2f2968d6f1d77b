"""What the launcher of a page knows of the opening hours. The page may come from a cache, so it carries instants."""

from __future__ import annotations

from datetime import datetime

from webchat.hours.intervals import DAY, DAYS_AHEAD
from webchat.hours.state import chat_intervals
from webchat.models import Webchat

# With the name of the attribute at most 150 bytes.
CHANGES_MAX = 120


def changes_ahead(webchat: Webchat, now: datetime) -> str:
    """When the webchat opens and closes in the next days, in minutes: the first since the epoch, each other since the one
    before. It is closed before the first and opens at the last, at which the page no longer knows. Empty for a webchat
    that is always open.
    """
    if webchat.hours is None and not webchat.closure:
        return ""
    horizon = now + DAYS_AHEAD
    ahead = [interval for interval in chat_intervals(webchat, now, horizon) if interval.end > now]
    instants = [instant for start, end in ahead for instant in (max(start, now - DAY), end) if instant <= horizon]
    if len(instants) % 2 == 0:
        instants.append(horizon)
    minutes = [int(instant.timestamp()) // 60 for instant in instants]
    gaps = [str(later - earlier) for earlier, later in zip([0, *minutes], minutes, strict=False)]
    while len(" ".join(gaps)) > CHANGES_MAX:
        del gaps[-2:]
    return " ".join(gaps)
