"""Rows that wait for the worker: which is next, and when a failed one is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

from django.db.models import Model, QuerySet

from webchat.clock import database_now

Row = TypeVar("Row", bound=Model)
# Whether to begin with no further row.
Stop = Callable[[], bool]
# Rows of one kind in one pass, so that every kind gets its turn.
BATCH = 50


def never() -> bool:
    return False


def take_due(
    due: QuerySet[Row], hold: timedelta, stop: Stop = never, *, column: str = "due_at", counter: str = ""
) -> Iterator[Row]:
    """Reserves one row after the other, the one that has waited longest first, until nothing is due, at most a batch.

    `column` holds the time from which a row is due. A worker that takes it moves that ahead by `hold`, and counts one up in
    `counter`. Compare-and-set: of several workers one gets it, if it is still among `due`, whose conditions are about the
    row itself. A worker that dies leaves its row undone only until `hold` is over.
    """
    taken = 0
    while taken < BATCH and not stop():
        now = database_now()
        row = due.filter(**{f"{column}__lte": now}).order_by(column).first()
        if row is None:
            return
        changes = {column: now + hold}
        if counter:
            changes[counter] = getattr(row, counter) + 1
        if due.filter(pk=row.pk, **{column: getattr(row, column)}).update(**changes):
            for name, value in changes.items():
                setattr(row, name, value)
            taken += 1
            yield row


def pause_after(failures: int, first: timedelta, longest: timedelta, factor: int = 2) -> timedelta:
    """Before the next try, after so many failures in a row: `factor` times as long after each, up to the longest."""
    times: int = factor ** min(failures - 1, 10)
    return min(first * times, longest)
