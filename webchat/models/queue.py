"""What TaskRouter says of a queue: one row, which all processes read and one at a time writes."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

# Older figures say nothing about the moment.
FRESH = timedelta(minutes=2)
# A single agent who finishes a chat is away for a moment: one reading says too little.
READINGS_OF_NOBODY = 2


class QueueFigures(models.Model):
    """The last reading, and when the next is due. Times are the database's."""

    queue_sid = models.CharField(max_length=34, primary_key=True)
    # When a panel last asked: nobody reads a queue that no visitor asks about.
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)

    taken_at = models.DateTimeField(null=True)
    available_agents = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    # Readings in a row that found no agent.
    readings_of_nobody = models.PositiveSmallIntegerField(default=0)

    # In a row; and the last of them as a FlexError, for staff.
    failures = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.queue_sid

    def is_fresh(self, now: datetime) -> bool:
        return self.taken_at is not None and abs(now - self.taken_at) <= FRESH

    @property
    def nobody_is_there(self) -> bool:
        return self.readings_of_nobody >= READINGS_OF_NOBODY
