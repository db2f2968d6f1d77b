"""What happened how often: one number for each webchat, hour and event, and nothing about anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection, models

from webchat.flex import Failure
from webchat.models.webchat import Webchat

HOUR = timedelta(hours=1)


class Event(StrEnum):
    """The closed list of what is counted."""

    # A form was shown; and why none was.
    OPENED = "opened"
    CLOSED = "closed"
    NOBODY = "nobody"
    # A form was sent, and refused.
    INVALID = "invalid"
    REFUSED_BROWSER = "refused_browser"
    REFUSED_ADDRESS = "refused_address"
    REFUSED_USER = "refused_user"
    REFUSED_WEBCHAT = "refused_webchat"
    REFUSED_DAY = "refused_day"
    REFUSED_RETRY = "refused_retry"
    REFUSED_MEMBER = "refused_member"
    REFUSED_FORM = "refused_form"
    REFUSED_PROOF = "refused_proof"
    MESSAGE = "message"
    STARTED = "started"
    # Attempts at a start, by what Failure says.
    FAILED_NOT_CONFIGURED = f"failed_{Failure.NOT_CONFIGURED}"
    FAILED_CREDENTIALS = f"failed_{Failure.CREDENTIALS}"
    FAILED_NOT_ALLOWED = f"failed_{Failure.NOT_ALLOWED}"
    FAILED_NOT_THERE = f"failed_{Failure.NOT_THERE}"
    FAILED_REFUSED = f"failed_{Failure.REFUSED}"
    FAILED_GONE = f"failed_{Failure.GONE}"
    FAILED_BUSY = f"failed_{Failure.BUSY}"
    FAILED_UNREACHABLE = f"failed_{Failure.UNREACHABLE}"
    FAILED_UNCLEAR = f"failed_{Failure.UNCLEAR}"
    FAILED_ABANDONED = f"failed_{Failure.ABANDONED}"
    FAILED_OTHER = f"failed_{Failure.OTHER}"
    # An agent wrote something; or did not until the end, where Twilio tells of messages.
    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    # Started chats, by ChatSession.EndedBy.
    ENDED_VISITOR = "ended_visitor"
    ENDED_AGENT = "ended_agent"
    ENDED_SIGN_IN = "ended_sign_in"
    ENDED_LOGOUT = "ended_logout"
    ENDED_ACCOUNT = "ended_account"
    ENDED_STAFF = "ended_staff"
    ENDED_AGE = "ended_age"
    RATED_1 = "rated_1"
    RATED_2 = "rated_2"
    RATED_3 = "rated_3"
    RATED_4 = "rated_4"
    RATED_5 = "rated_5"
    # Chats that lasted up to so many seconds, and the sum of all of them in seconds.
    LASTED_60 = "lasted_60"
    LASTED_300 = "lasted_300"
    LASTED_900 = "lasted_900"
    LASTED_1800 = "lasted_1800"
    LASTED_LONGER = "lasted_longer"
    LASTED_SUM = "lasted_sum"
    # The same of the time from the start to the agent's first words.
    ANSWER_30 = "answer_30"
    ANSWER_60 = "answer_60"
    ANSWER_120 = "answer_120"
    ANSWER_300 = "answer_300"
    ANSWER_LONGER = "answer_longer"
    ANSWER_SUM = "answer_sum"


# Before the name of an event: see late() in counters.py.
LATE = "late_"

Counts = Mapping[tuple[int, int, str], int]
"""Number by webchat, hour and event."""


def hour_of(at: datetime) -> int:
    """Whole hours since 1970, in UTC."""
    return int(at.timestamp()) // 3600


def time_of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


class HourlyCount(models.Model):
    # They go with their webchat by delete_counts(). CASCADE would load them.
    webchat = models.ForeignKey(Webchat, related_name="counts", on_delete=models.DO_NOTHING, db_index=False)
    # As hour_of() counts them.
    hour = models.PositiveIntegerField()
    name = models.CharField(max_length=30)
    number = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["webchat", "hour", "name"], name="webchat_hourly_count_unique")]
        # For the figures of all webchats, and for retention.
        indexes = [models.Index(fields=["hour"], name="webchat_hourly_count_hour")]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    @classmethod
    def add(cls, counts: Counts) -> None:
        """Adds these numbers to what is there, in one statement. What is counted of a webchat that is deleted is dropped."""
        known = set(Webchat.objects.filter(pk__in={key for key, _hour, _name in counts}).values_list("pk", flat=True))
        # In one order for everybody: two statements that lock rows in different orders would wait for each other.
        rows = [(*key, number) for key, number in sorted(counts.items()) if key[0] in known]
        if not rows:
            return
        table = cls._meta.db_table
        sql = f"""
            INSERT INTO {table} (webchat_id, hour, name, number) VALUES {", ".join(["(%s, %s, %s, %s)"] * len(rows))}
            ON CONFLICT (webchat_id, hour, name) DO UPDATE SET number = {table}.number + excluded.number
        """  # noqa: S608  (no value of anybody's is part of the text)
        with connection.cursor() as cursor:
            cursor.execute(
                sql, [value for webchat, hour, name, number in rows for value in (webchat, hour, str(name), number)]
            )


def delete_counts(instance: Webchat, **_signal: Any) -> None:
    """Deletes the counts of a webchat that is being deleted."""
    HourlyCount.objects.filter(webchat=instance).delete()
