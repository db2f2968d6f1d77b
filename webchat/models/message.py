"""A message that a visitor left while nobody was there."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from webchat.clock import database_now
from webchat.models.beginnings import UpperByCodePoint
from webchat.models.webchat import Webchat
from webchat.visitors import Visitor


class MessageQuerySet(models.QuerySet["Message"]):
    def owned_by(self, visitor: Visitor) -> MessageQuerySet:
        return self.filter(owner=visitor.browser, user_id=visitor.user_id)

    def forget_texts(self) -> int:
        """Blanks what people wrote, and who they were."""
        return self.update(
            answers={},
            answers_digest="",
            consents=[],
            account_matches=[],
            customer_friendly_name="",
            text="",
            email="",
        )

    def mark_answered(self, staff_id: Any) -> int:
        """Those that nobody has answered yet; how many."""
        return self.filter(answered_at=None).update(answered_at=database_now(), answered_by=staff_id)

    def mark_unanswered(self) -> int:
        return self.exclude(answered_at=None).update(answered_at=None, answered_by=None)


class Message(models.Model):
    """What the visitor wrote, where the answer goes, and which member of staff answered it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # As that of a chat.
    webchat = models.ForeignKey(
        Webchat, verbose_name=_("webchat"), related_name="messages", on_delete=models.DO_NOTHING, db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        related_name="webchat_messages",
        null=True,
        blank=True,
        # The message goes with the account all the same: see let_go_of_deleted_user(). Staff who may delete accounts need
        # no right to delete messages.
        on_delete=models.SET_NULL,
    )
    owner = models.CharField(_("browser"), max_length=32, editable=False)
    key = models.CharField(_("idempotency key"), max_length=128, editable=False)
    answers_digest = models.CharField(max_length=64, editable=False)

    received_at = models.DateTimeField(_("received"), default=database_now, editable=False, db_index=True)
    customer_friendly_name = models.CharField(_("customer"), max_length=256)
    email = models.EmailField(_("e-mail address"))
    text = models.TextField(_("message"))
    answers = models.JSONField(_("pre-engagement data"))
    account_matches = models.JSONField(_("match an account, not verified"), default=list, blank=True)
    consents = models.JSONField(_("consents"), default=list, blank=True)

    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("answered by"),
        related_name="+",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
    )

    # As the outbox of mail: a task for the agents waits to be made while `task_due_at` is there, `task_attempts` numbers
    # the tries.
    task_due_at = models.DateTimeField(_("task is due"), null=True, blank=True, db_index=True)
    task_attempts = models.PositiveSmallIntegerField(default=0, db_default=0)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="webchat_message_key_unique")]
        indexes = [
            models.Index(fields=["webchat", "received_at"], name="webchat_message_webchat"),
            models.Index(fields=["received_at"], condition=~Q(text=""), name="webchat_message_told"),
            models.Index(fields=["received_at"], condition=Q(answered_at=None), name="webchat_message_unanswered"),
            models.Index(UpperByCodePoint("customer_friendly_name"), name="webchat_message_customer"),
            models.Index(UpperByCodePoint("email"), name="webchat_message_email"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_friendly_name} {self.received_at:%Y-%m-%d %H:%M}"
