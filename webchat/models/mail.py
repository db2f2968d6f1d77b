"""Mail that waits for the worker: a transactional outbox. webchat/mail.py fills and empties it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from webchat.clock import database_now


class OutgoingMail(models.Model):
    """One message to be sent. Its text is made when it is sent, so the row holds neither a link nor a visitor's words.

    It waits while `due_at` is there. `attempts` numbers the tries: a worker that takes the row counts one up first, and
    `due_at` is then when the next worker may take it.
    """

    # Also the message's Message-ID: what is sent again after an unclear outcome is the same message.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Two requests to send the same thing are one message.
    key = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=40)
    # What the kind's composer needs to make the message; blanked once it is done.
    about = models.JSONField(default=dict)

    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, default=database_now)
    failure = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=database_now, editable=False)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="webchat_mail_due"),
            models.Index(fields=["created_at"], condition=Q(due_at=None), name="webchat_mail_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
