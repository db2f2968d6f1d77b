"""One chat of one visitor: our row beside Twilio's channel."""

from __future__ import annotations

import logging
import secrets
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from webchat.flex.gateway import Channel, Engagement, FlexError, Gateway
from webchat.flex.tokens import Token, mint
from webchat.models.webchat import Webchat

if TYPE_CHECKING:
    from webchat.forms import Answers
    from webchat.visitors import Visitor

logger = logging.getLogger(__name__)

# An attempt to start may take this long: a wait for its turn, a look-up and a create, each within its own deadline. No
# attempt is taken over while its call to Twilio may still be on the way.
LEASE = timedelta(seconds=15)
# A token is renewed for this long after the start, then the visitor starts a new chat.
AGE_CAP = timedelta(hours=12)


class SessionError(Exception):
    """Why a session cannot be started or renewed. `code` is that of the error contract; `retry_after` in seconds."""

    def __init__(self, code: str, detail: Any, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code, self.detail, self.retry_after = code, detail, retry_after


def new_identity() -> str:
    """128 random bits, and nothing about the visitor."""
    return f"w_{secrets.token_hex(16)}"


class ChatSessionQuerySet(models.QuerySet["ChatSession"]):
    def of(self, visitor: Visitor) -> ChatSessionQuerySet:
        """The sessions of this browser and user. A chat begun anonymously is nobody's after a sign-in, and the other
        way round."""
        return self.filter(owner=visitor.key, user_id=visitor.user_id)

    def running(self) -> ChatSessionQuerySet:
        return self.filter(status=ChatSession.Status.ACTIVE)

    def claim(self, webchat: Webchat, visitor: Visitor, key: str, answers: Answers) -> ChatSession:
        """The committed row for this visitor's key: new and ours to start, ours to try again, or already active.

        Raises SessionError: in_progress, session_ended, key_reused, and too_many for a new row past a limit. The
        limits are taken with the row, so that what is refused costs nothing and a repeated submit is counted once.
        """
        try:
            with transaction.atomic():
                session = self.create(
                    webchat=webchat,
                    api=webchat.api,
                    user_id=visitor.user_id,
                    owner=visitor.key,
                    key=key,
                    answers_digest=answers.digest,
                    answers=answers.data,
                    account_matches=answers.account_matches,
                    consents=answers.consents,
                    customer_friendly_name=answers.customer_friendly_name,
                    question=answers.question,
                    lease_until=timezone.now() + LEASE,
                )
                webchat.take_limits(visitor)
                return session
        except IntegrityError:
            session = self.select_related("webchat").get(owner=visitor.key, key=key)
        session.take_over(webchat, visitor, answers)
        return session


class ChatSession(models.Model):
    """Committed as STARTING before Twilio is called, so that neither a repeated submit nor a killed process can make
    two channels or lose one."""

    class Status(models.TextChoices):
        STARTING = "starting", _("starting")
        ACTIVE = "active", _("active")
        ENDED = "ended", _("ended")
        FAILED = "failed", _("failed")

    class EndedBy(models.TextChoices):
        VISITOR = "visitor", _("the visitor")
        AGENT = "agent", _("the agent or Flex")
        SIGN_IN = "sign_in", _("sign-in of a user")
        LOGOUT = "logout", _("sign-out")
        AGE = "age", _("its age")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webchat = models.ForeignKey(Webchat, verbose_name=_("webchat"), related_name="sessions", on_delete=models.PROTECT)
    api = models.CharField(_("Twilio API"), max_length=20, choices=Webchat.Api.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), null=True, blank=True, on_delete=models.CASCADE
    )
    owner = models.CharField(_("browser"), max_length=32, editable=False)
    key = models.CharField(_("idempotency key"), max_length=128, editable=False)
    answers_digest = models.CharField(max_length=64, editable=False)

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.STARTING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    lease_until = models.DateTimeField(_("attempt ends by"))
    failure = models.CharField(_("last failure"), max_length=200, blank=True)

    identity = models.CharField(_("identity"), max_length=256, unique=True, default=new_identity, editable=False)
    channel_sid = models.CharField(_("channel SID"), max_length=34, blank=True, db_index=True)
    consents = models.JSONField(_("consents"), default=list, blank=True)
    customer_friendly_name = models.CharField(_("customer"), max_length=256)
    answers = models.JSONField(_("pre-engagement data"))
    account_matches = models.JSONField(_("match an account, not verified"), default=list, blank=True)
    question = models.TextField(_("question"), blank=True)
    question_sent_at = models.DateTimeField(_("question sent"), null=True, blank=True)

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    renewed_at = models.DateTimeField(_("token renewed"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.CharField(_("ended by"), max_length=10, choices=EndedBy.choices, blank=True)
    close_pending = models.BooleanField(_("still to be closed at Twilio"), default=False)

    objects = ChatSessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("chat session")
        verbose_name_plural = _("chat sessions")
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="webchat_session_key_unique")]
        indexes = [models.Index(fields=["status", "lease_until"], name="webchat_session_status")]

    def __str__(self) -> str:
        return f"{self.webchat} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def gateway(self) -> Gateway:
        return self.webchat.gateway(self.api)

    @property
    def engagement(self) -> Engagement:
        return Engagement(
            identity=self.identity,
            chat_friendly_name=self.webchat.chat_friendly_name,
            customer_friendly_name=self.customer_friendly_name,
            pre_engagement_data=self.answers,
        )

    @property
    def channel(self) -> Channel:
        return Channel(sid=self.channel_sid, identity=self.identity)

    # --- Start --------------------------------------------------------------------------------------------------

    def take_over(self, webchat: Webchat, visitor: Visitor, answers: Answers) -> None:
        """Makes an earlier attempt of the same submit this caller's own, unless it is active, ended or running."""
        if (self.webchat_id, self.user_id, self.answers_digest) != (
            webchat.pk,
            visitor.user_id,
            answers.digest,
        ):
            raise SessionError("key_reused", _("This form was already sent with other answers. Please reload it."))
        if self.status == self.Status.ENDED:
            raise SessionError("session_ended", _("This chat has ended. Please start a new one."))
        if self.is_active:
            return
        now = timezone.now()
        free = self.status == self.Status.FAILED or self.lease_until <= now
        # One of several callers wins: the others see another lease.
        if not free or not (
            ChatSession.objects.filter(pk=self.pk, status=self.status, lease_until=self.lease_until).update(
                status=self.Status.STARTING, lease_until=now + LEASE, attempts=F("attempts") + 1
            )
        ):
            raise SessionError("in_progress", _("Your chat is being started."), retry_after=1)
        self.status, self.lease_until, self.attempts = self.Status.STARTING, now + LEASE, self.attempts + 1

    def activate(self, channel: Channel) -> None:
        self.status = self.Status.ACTIVE
        self.channel_sid, self.identity = channel.sid, channel.identity
        self.started_at = timezone.now()
        self.lease_until = self.started_at + LEASE  # for the question
        self.failure = ""
        self.save(update_fields=["status", "channel_sid", "identity", "started_at", "lease_until", "failure"])
        logger.info("chat session %s started", self.pk)

    def note_failure(self, error: FlexError) -> None:
        """A certain failure may be tried again at once. An unclear one only when its lease is over: Twilio may still
        be making the channel."""
        self.failure = str(error)[:200]
        if error.outcome_is_known:
            self.status = self.Status.FAILED
        self.save(update_fields=["status", "failure"])
        logger.warning("chat session %s did not start: %s", self.pk, error)

    def send_question(self, *, look_first: bool = False) -> None:
        """Posts the visitor's question as the first message: without a message no agent is ever reached."""
        if not self.question or self.question_sent_at:
            return
        try:
            if not (look_first and self.gateway.has_message_of(self.channel)):
                self.gateway.post_message(self.channel, self.question)
        except FlexError as error:
            self.failure = str(error)[:200]
            self.save(update_fields=["failure"])
            logger.warning("the question of chat session %s was not sent: %s", self.pk, error)
            return
        self.question_sent_at = timezone.now()
        self.failure = ""
        self.save(update_fields=["question_sent_at", "failure"])

    def send_lost_question(self) -> None:
        """Sends the question whose first sending failed or was cut short. One caller at a time, and it looks first
        whether the message arrived after all."""
        if not self.is_active or not self.question or self.question_sent_at:
            return
        now = timezone.now()
        mine = ChatSession.objects.filter(pk=self.pk, question_sent_at=None, lease_until__lte=now)
        if mine.update(lease_until=now + LEASE):
            self.send_question(look_first=True)

    # --- Token and end ------------------------------------------------------------------------------------------

    def renew(self) -> Token:
        """A new access token. Raises SessionError(session_ended) as soon as the session is not active."""
        if self.is_active and self.started_at and timezone.now() - self.started_at > AGE_CAP:
            self.end(self.EndedBy.AGE)
        if not self.is_active:
            raise SessionError("session_ended", _("This chat has ended. Please start a new one."))
        token = mint(self.identity, self.webchat.chat_service_sid)
        self.renewed_at = timezone.now()
        self.save(update_fields=["renewed_at"])
        return token

    def end(self, by: EndedBy) -> None:
        """Ends the session here at once, then closes the channel at Twilio. Ending twice is no error."""
        ended = ChatSession.objects.filter(pk=self.pk, status=self.Status.ACTIVE).update(
            status=self.Status.ENDED, ended_at=timezone.now(), ended_by=by, close_pending=True
        )
        self.refresh_from_db(fields=["status", "ended_at", "ended_by", "close_pending"])
        if ended:
            logger.info("chat session %s ended by %s", self.pk, by)
        if self.close_pending:
            self.close_channel()

    def ended_at_twilio(self) -> None:
        """The channel was closed there, by the agent or by Flex."""
        ChatSession.objects.filter(pk=self.pk, status=self.Status.ACTIVE).update(
            status=self.Status.ENDED, ended_at=timezone.now(), ended_by=self.EndedBy.AGENT
        )

    def close_channel(self) -> None:
        """Closes the channel of an ended session at Twilio; what fails stays pending."""
        try:
            self.gateway.close(self.channel_sid)
        except FlexError as error:
            logger.warning("the channel of chat session %s is not closed yet: %s", self.pk, error)
            return
        self.close_pending = False
        self.save(update_fields=["close_pending"])
