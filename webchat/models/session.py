"""One chat of one visitor: our row beside Twilio's channel."""

from __future__ import annotations

import logging
import secrets
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from webchat.flex.gateway import Channel, Engagement, FlexError, Gateway, deadline
from webchat.flex.tokens import Token, mint
from webchat.models.webchat import Webchat
from webchat.outage import breaker

if TYPE_CHECKING:
    from webchat.forms import Answers
    from webchat.visitors import Visitor

logger = logging.getLogger(__name__)

# No attempt is taken over before: it calls Twilio for at most half of this, and the rest is for a process that was
# stopped meanwhile and for Twilio, which may finish what its caller no longer waits for.
LEASE = timedelta(seconds=10)
# Seconds that a visitor waits for the first message, or for the close at Twilio. What takes longer is left to the worker.
QUESTION_SECONDS, CLOSE_SECONDS = 3, 1
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

    def unfinished(self) -> ChatSessionQuerySet:
        """The running ones, and those that are being started."""
        return self.filter(status__in=(ChatSession.Status.STARTING, ChatSession.Status.ACTIVE))

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
    # That of the webchat when the channel was opened: a chat goes on when staff enter another one.
    chat_service_sid = models.CharField(_("chat service SID"), max_length=34, blank=True)
    consents = models.JSONField(_("consents"), default=list, blank=True)
    customer_friendly_name = models.CharField(_("customer"), max_length=256)
    answers = models.JSONField(_("pre-engagement data"))
    account_matches = models.JSONField(_("match an account, not verified"), default=list, blank=True)
    question = models.TextField(_("question"), blank=True)
    question_sent_at = models.DateTimeField(_("question sent"), null=True, blank=True)

    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)
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

    # For this attempt alone: whether an earlier one may have opened a channel that nobody knows of.
    in_doubt = False

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
        running = self.status == self.Status.STARTING and self.lease_until > timezone.now()
        if running or not self.begin_attempt():
            raise SessionError("in_progress", _("Your chat is being started."), retry_after=1)

    def begin_attempt(self) -> bool:
        """Makes the next attempt to start this caller's own. STARTING means that the one before got no certain answer:
        its identity is looked up first. FAILED means that there is no channel: its identity is not used again."""
        in_doubt = self.status == self.Status.STARTING
        identity = self.identity if in_doubt else new_identity()
        attempt = {"status": self.Status.STARTING, "identity": identity, "attempts": self.attempts + 1}
        if not self.take_lease(LEASE, **attempt):
            return False
        self.in_doubt = in_doubt
        return True

    def take_lease(self, lease: timedelta, **changes: Any) -> bool:
        """Reserves the row for this caller. One of several wins: the others see another lease."""
        changes["lease_until"] = timezone.now() + lease
        mine = ChatSession.objects.filter(pk=self.pk, status=self.status, lease_until=self.lease_until)
        return bool(mine.update(**changes)) and self._now_has(changes)

    def _now_has(self, changes: dict[str, Any]) -> bool:
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def _update_attempt(self, **changes: Any) -> bool:
        """Changes the row, unless this attempt was taken over or the session ended."""
        mine = ChatSession.objects.filter(pk=self.pk, status=self.Status.STARTING, attempts=self.attempts)
        return bool(mine.update(**changes)) and self._now_has(changes)

    def activate(self, channel: Channel) -> None:
        """Keeps the channel. Raises SessionError when the session was ended or started by another attempt meanwhile."""
        now = timezone.now()
        if not self._update_attempt(
            status=self.Status.ACTIVE,
            channel_sid=channel.sid,
            identity=channel.identity,
            chat_service_sid=self.webchat.chat_service_sid,
            started_at=now,
            lease_until=now + LEASE,  # for the question
            failure="",
        ):
            self._give_up(channel)
        logger.info("chat session %s started", self.pk)

    def _give_up(self, channel: Channel) -> NoReturn:
        """The channel comes too late. It is closed, unless the attempt that overtook this one has found it."""
        self.refresh_from_db()
        logger.warning("chat session %s was %s before its channel was there", self.pk, self.status)
        if self.status == self.Status.ENDED:
            if not self.channel_sid:
                ChatSession.objects.filter(pk=self.pk).update(channel_sid=channel.sid, close_pending=True)
                self.channel_sid = channel.sid
            self._try_to_close()
            raise SessionError("session_ended", _("This chat has ended. Please start a new one."))
        if self.status != self.Status.STARTING and self.channel_sid != channel.sid:
            try:
                self.gateway.close(channel.sid)
            except FlexError as error:
                logger.error("a channel too many of chat session %s is not closed: %s", self.pk, error)
        raise SessionError("in_progress", _("Your chat is being started."), retry_after=1)

    def note_failure(self, error: FlexError) -> None:
        """Where no channel can be there, the same submit may be tried again at once; where Twilio may still be making
        one, only when the lease is over."""
        changes: dict[str, Any] = {"failure": str(error)[:200]}
        if error.outcome_is_known:
            changes["lease_until"] = timezone.now()
            if not self.in_doubt:
                changes["status"] = self.Status.FAILED
        self._update_attempt(**changes)
        logger.warning("chat session %s did not start: %s", self.pk, error)

    def settle(self) -> None:
        """Clears up a start that nobody came back for: nobody would read what an agent answers. The caller has begun
        this attempt. Raises FlexError, after which it remains to be done."""
        if channel := self.gateway.find(self.identity):
            self.gateway.close(channel.sid)
        failure = "abandoned, channel closed" if channel else "abandoned"
        if self._update_attempt(status=self.Status.FAILED, failure=failure):
            logger.info("chat session %s was %s", self.pk, failure)

    def send_question(self, *, look_first: bool = False) -> None:
        """Posts the visitor's question as the first message: without a message no agent is ever reached. A failure is
        kept in the row, for another try."""
        if not self.question or self.question_sent_at:
            return
        try:
            with deadline(QUESTION_SECONDS):
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
        logger.info("the question of chat session %s was sent", self.pk)

    def send_lost_question(self) -> None:
        """Sends the question whose first sending failed or was cut short. One caller at a time, and it looks first
        whether the message arrived after all."""
        if not self.is_active or not self.question or self.question_sent_at or self.lease_until > timezone.now():
            return
        if not breaker.is_open and self.take_lease(LEASE):
            self.send_question(look_first=True)

    # --- Token and end ------------------------------------------------------------------------------------------

    def renew(self) -> Token:
        """A new access token. Raises SessionError(session_ended) as soon as the session is not active."""
        if self.is_active and self.started_at and timezone.now() - self.started_at > AGE_CAP:
            self.end(self.EndedBy.AGE)
        changes = {"renewed_at": timezone.now()}
        if not ChatSession.objects.running().filter(pk=self.pk).update(**changes):
            raise SessionError("session_ended", _("This chat has ended. Please start a new one."))
        self._now_has(changes)
        return mint(self.identity, self.chat_service_sid)

    def end(self, by: EndedBy) -> None:
        """Ends the session here at once, then closes the channel at Twilio. Ending twice is no error."""
        ended = ChatSession.objects.unfinished().filter(pk=self.pk)
        if ended.update(status=self.Status.ENDED, ended_at=timezone.now(), ended_by=by, close_pending=True):
            logger.info("chat session %s ended by %s", self.pk, by)
        self.refresh_from_db(
            fields=["status", "identity", "channel_sid", "lease_until", "ended_at", "ended_by", "close_pending"]
        )
        being_started = not self.channel_sid and self.lease_until > timezone.now()
        if self.close_pending and not being_started:  # that attempt closes what it opens
            self._try_to_close()

    def _try_to_close(self) -> None:
        if breaker.is_open:
            return
        try:
            with deadline(CLOSE_SECONDS):
                self.close_channel()
        except FlexError as error:
            logger.warning("the channel of chat session %s is not closed yet: %s", self.pk, error)

    def end_if_over(self) -> None:
        """Learns what no webhook has told. Raises FlexError."""
        if self.gateway.has_ended(self.channel_sid):
            self.ended_at_twilio()

    def ended_at_twilio(self) -> None:
        """The channel was closed there, by the agent or by Flex."""
        ended = ChatSession.objects.running().filter(pk=self.pk)
        if ended.update(status=self.Status.ENDED, ended_at=timezone.now(), ended_by=self.EndedBy.AGENT):
            logger.info("chat session %s ended by %s", self.pk, self.EndedBy.AGENT)

    def close_channel(self) -> None:
        """Closes the channel of an ended session at Twilio. Raises FlexError, after which it is still pending."""
        channel_sid = self.channel_sid
        if not channel_sid and (channel := self.gateway.find(self.identity)):
            channel_sid = channel.sid
        if channel_sid:
            self.gateway.close(channel_sid)
        self.close_pending = False
        self.save(update_fields=["close_pending"])
        logger.info("the channel of chat session %s is closed", self.pk)
