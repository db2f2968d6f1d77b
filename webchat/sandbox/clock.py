"""The three ways in which Twilio writes a point in time."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime


def now() -> datetime:
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """ISO 8601 with milliseconds: Sync and the SDK, who tell two messages of the same second apart by it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(at: datetime) -> str:
    """ISO 8601 in whole seconds: REST. twilio-python reads nothing finer."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc2822(at: datetime) -> str:
    """The 2010-04-01 API."""
    return format_datetime(at)
