"""What limits and the circuit breaker remember, shared by every process. protection/ reads and writes it."""

from __future__ import annotations

from django.db import models

from webchat.models.webchat import Webchat


class LimitCounter(models.Model):
    """One allowance of one key. All times are seconds since the epoch, by the database's clock."""

    key = models.CharField(max_length=100, primary_key=True)
    # When there is room for the next one. At most `each` ahead: what is further ahead was written by a wrong clock.
    room_at = models.FloatField()
    each = models.FloatField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["room_at"], name="webchat_limit_room_at")]

    def __str__(self) -> str:
        return self.key


class Outage(models.Model):
    """Failures of Twilio in a row: one row, which is there only while calls fail. Times as above."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    since = models.FloatField()
    failures = models.PositiveIntegerField(default=0)
    # No start goes to Twilio before it; 0 while there are too few failures for that.
    open_until = models.FloatField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.failures} failures"


class RefusedWebchat(models.Model):
    """A webchat whose chats Twilio refuses, whoever starts them: the row is there only as long as it does."""

    webchat = models.OneToOneField(Webchat, primary_key=True, related_name="refused", on_delete=models.CASCADE)
    # The API and the SIDs that were refused.
    configuration = models.CharField(max_length=200)
    # The FlexError, as logs and staff read it.
    failure = models.CharField(max_length=200)
    # When a start may try again: seconds since the epoch, by the database's clock.
    probe_at = models.FloatField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.webchat}: {self.configuration}"
