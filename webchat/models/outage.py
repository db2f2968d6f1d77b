"""What all processes know of an outage of Twilio."""

from __future__ import annotations

from django.db import models


class Outage(models.Model):
    """One row, which is there only while starts fail. Times are in seconds since the epoch."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    since = models.FloatField()
    failures = models.PositiveIntegerField(default=0)
    # No start goes to Twilio before it; 0 while there are too few failures for that.
    open_until = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.failures} failures"
