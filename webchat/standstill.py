"""Whether the worker stands still, in words for staff."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from webchat.clock import database_now
from webchat.models import WorkerPass
from webchat.models.worker import still


@dataclass(frozen=True, slots=True)
class Standstill:
    """`has_run`: a worker came through at least once. One that is only to be started is no failure yet."""

    words: str
    has_run: bool


def find_standstill() -> Standstill | None:
    """None while the worker does all its work."""
    passes = WorkerPass.last()
    if not passes:
        return Standstill(
            _(
                "The worker has not run yet: mail, ends of chats and retention wait for it. Start manage.py webchat_worker."
            ),
            has_run=False,
        )
    late = still(passes, database_now())
    if not late:
        return None
    since = date_format(timezone.localtime(min(late.values())), "DATETIME_FORMAT")
    return Standstill(
        _(
            "The worker stands still (%(work)s) since %(time)s %(zone)s. Look at its log, and start manage.py webchat_worker."
        )
        % {
            "work": ", ".join(str(work.label) for work in late),
            "time": since,
            "zone": timezone.get_current_timezone_name(),
        },
        has_run=True,
    )
