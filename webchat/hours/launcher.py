"""What the launcher of a page knows of the opening hours. The page may come from a cache, so it carries instants."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise

from webchat.hours.intervals import DAYS_AHEAD
from webchat.hours.state import chat_intervals
from webchat.models import Webchat

# With the name of the attribute at most 150 bytes.
CHANGES_MAX = 120


def changes_ahead(webchat: Webchat, now: datetime) -> str:
    """When the webchat opens and closes in the next days, in minutes: the first since the epoch, each other since the one
    before. At the last it opens, for from there on the page no longer knows. Empty for a webchat that is open all the
    time.
    """
    if webchat.hours is None and not webchat.closure:
        return ""
    horizon = now + DAYS_AHEAD
    ahead = [interval for interval in chat_intervals(webchat, now, horizon) if interval.end > now]
    instants = [instant for interval in ahead for instant in interval if now < instant <= horizon]
    is_open = bool(ahead) and now in ahead[0]
    changes_to_open = len(instants) % 2 == 0 if is_open else len(instants) % 2 == 1
    if not changes_to_open:
        instants.append(horizon)
    minutes = [math.ceil(instant.timestamp() / 60) for instant in instants]
    gaps = [str(later - earlier) for earlier, later in pairwise([0, *minutes])]
    while len(" ".join(gaps)) > CHANGES_MAX:
        del gaps[-2:]
    return " ".join(gaps)
