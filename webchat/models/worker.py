"""Signs of life: the worker writes them down, and everybody else can see them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from webchat.clock import database_now


class Work(models.TextChoices):
    """What the worker does in a thread of its own."""

    CHATS = "chats", _("chats")
    MAIL = "mail", _("mail")
    QUEUES = "queues", _("figures of queues")
    RETENTION = "retention", _("retention")


# Longer than a pass over many rows takes while Twilio or the mail server is slow; retention comes each hour.
STILL_AFTER = {
    Work.CHATS: timedelta(minutes=10),
    Work.MAIL: timedelta(minutes=10),
    Work.QUEUES: timedelta(minutes=10),
    Work.RETENTION: timedelta(hours=2),
}


class WorkerPass(models.Model):
    """When any worker last came through this work, whether or not it found something to do."""

    work = models.CharField(max_length=20, primary_key=True, choices=Work.choices)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.work} {self.at}"

    @classmethod
    def note(cls, work: Work) -> None:
        """One statement."""
        row = WorkerPass(work=work, at=database_now())
        WorkerPass.objects.bulk_create([row], update_conflicts=True, unique_fields=["work"], update_fields=["at"])

    @classmethod
    def last(cls) -> dict[Work, datetime]:
        """When each kind of work was last done, of those that ever were."""
        return {Work(row.work): row.at for row in cls.objects.filter(work__in=Work)}


def still(passes: dict[Work, datetime], now: datetime) -> dict[Work, datetime]:
    """The passes of work that stands still."""
    return {work: at for work, at in passes.items() if now - at > STILL_AFTER[work]}
