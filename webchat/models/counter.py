"""The memory of the limits."""

from __future__ import annotations

from django.db import models


class LimitCounter(models.Model):
    """When the allowance of a key is used up to, in seconds since the epoch: all that a limit has to remember."""

    key = models.CharField(max_length=100, primary_key=True)
    used_until = models.FloatField(db_index=True)

    def __str__(self) -> str:
        return self.key
