"""One chat of one visitor: our row beside Twilio's channel."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from webchat.flex import Engagement, FlexError, deadline
from webchat.flex.tokens import Token, mint
from webchat.models.channel import LEASE, OneChannel, SessionError, new_identity
from webchat.models.compiled import Select, change, insert
from webchat.models.webchat import Webchat
from webchat.protection.outage import breaker

if TYPE_CHECKING:
    from webchat.forms.form import Answers
    from webchat.visitors import Visitor

__all__ = ["AGE_CAP", "LEASE", "ChatSession", "ChatSessionQuerySet", "SessionError", "new_identity"]

logger = logging.getLogger(__name__)

QUESTION_SECONDS = 3  # that a visitor waits for the first message; what takes longer is left to the worker
# A token is renewed for this long after the start, then the visitor starts a new chat.
AGE_CAP = timedelta(hours=12)


class ChatSessionQuerySet(models.QuerySet["ChatSession"]):
    def of(self, visitor: Visitor) -> ChatSessionQuerySet:
        """The sessions of this browser and user. A chat begun anonymously is nobody's after a sign-in, and the other
        way round."""
        return self.filter(owner=visitor.key, user_id=visitor.user_id)

    def running(self) -> ChatSessionQuerySet:
        return self.filter(status=ChatSession.Status.ACTIVE)

    def without_answers(self) -> ChatSessionQuerySet:
        """With the question alone of what people told the form: a renewal needs no more, unless it was lost."""
        return self.only(
            "user", "api", "status", "lease_until", "identity", "channel_sid", "chat_service_sid", "started_at",
            "question", "question_sent_at",
        )  # fmt: skip

    def unfinished(self) -> ChatSessionQuerySet:
        """The running ones, and those that are being started."""
        return self.filter(status__in=(ChatSession.Status.STARTING, ChatSession.Status.ACTIVE))

    def claim(self, webchat: Webchat, visitor: Visitor, key: str, answers: Answers, identity: str = "") -> ChatSession:
        """The committed row for this visitor's key: new and ours to start, ours to try again, or already active.

        Raises SessionError: in_progress, session_ended, key_reused, and too_many for a new row past a limit. The
        limits are taken with the row, so that what is refused costs nothing and a repeated submit is counted once.
        """
        session = self.model(
            webchat=webchat,
            api=webchat.api,
            identity=identity or new_identity(),
            user_id=visitor.user_id,
            owner=visitor.key,
            key=key,
            answers_digest=answers.digest,
            answers=answers.data,
            account_matches=answers.account_matches,
            consents=answers.consents,
            customer_friendly_name=answers.customer_friendly_name,
            question=answers.question,
        )
        try:
            with transaction.atomic():
                # Now that the database lets us write: the wait for that is not part of the lease.
                session.lease_until = timezone.now() + LEASE
                insert(session)
                webchat.take_limits(visitor)
            return session
        except IntegrityError:
            session = self.select_related("webchat").get(owner=visitor.key, key=key)
        session.take_over(webchat, visitor, answers)
        return session


_of_browser = Select(lambda: ChatSession.objects.without_answers().order_by(), "id", "owner")
_of_browser_in = Select(lambda: ChatSession.objects.without_answers(), "owner", "webchat", "status")


def _of_user(visitor: Visitor, of_browser: list[ChatSession]) -> ChatSession | None:
    return next((session for session in of_browser if session.user_id == visitor.user_id), None)


class ChatSession(OneChannel):
    """Who chats, what was answered, and the life of the chat; its start and close at Twilio are OneChannel's."""

    class EndedBy(models.TextChoices):
        VISITOR = "visitor", _("the visitor")
        AGENT = "agent", _("the agent or Flex")
        SIGN_IN = "sign_in", _("sign-in of a user")
        LOGOUT = "logout", _("sign-out")
        AGE = "age", _("its age")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), null=True, blank=True, on_delete=models.CASCADE
    )
    owner = models.CharField(_("browser"), max_length=32, editable=False)
    key = models.CharField(_("idempotency key"), max_length=128, editable=False)
    answers_digest = models.CharField(max_length=64, editable=False)

    consents = models.JSONField(_("consents"), default=list, blank=True)
    customer_friendly_name = models.CharField(_("customer"), max_length=256)
    answers = models.JSONField(_("pre-engagement data"))
    account_matches = models.JSONField(_("match an account, not verified"), default=list, blank=True)
    question = models.TextField(_("question"), blank=True)
    question_sent_at = models.DateTimeField(_("question sent"), null=True, blank=True)

    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.CharField(_("ended by"), max_length=10, choices=EndedBy.choices, blank=True)

    objects = ChatSessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("chat session")
        verbose_name_plural = _("chat sessions")
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="webchat_session_key_unique")]
        indexes = [models.Index(fields=["status", "lease_until"], name="webchat_session_status")]

    def __str__(self) -> str:
        return f"{self.webchat} {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def get_of(cls, visitor: Visitor, session_id: uuid.UUID) -> ChatSession:
        """The visitor's own session. Raises DoesNotExist for an absent one and for somebody else's alike, and for one
        that a sign-in or sign-out ended: the browser may ask before it has its new cookie."""
        session = _of_user(visitor, _of_browser(id=session_id, owner=visitor.key))
        if session and not session.was_left_behind:
            return session
        raise cls.DoesNotExist

    @classmethod
    def running_of(cls, visitor: Visitor, webchat: Webchat) -> ChatSession | None:
        """The chat that this visitor has with this webchat now."""
        running = _of_browser_in(owner=visitor.key, webchat=webchat.pk, status=cls.Status.ACTIVE)
        if session := _of_user(visitor, running):
            session.webchat = webchat
        return session

    @property
    def engagement(self) -> Engagement:
        return Engagement(
            identity=self.identity,
            chat_friendly_name=self.webchat.chat_friendly_name,
            customer_friendly_name=self.customer_friendly_name,
            pre_engagement_data=self.answers,
        )

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

    def next_identity(self) -> str:
        """Flex Webchat UI has its token before its channel: its key is the identity, and no other is of use to it."""
        return self.identity if self.key == self.identity else new_identity()

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
            change(self, {"failure": str(error)[:200]})
            logger.warning("the question of chat session %s was not sent: %s", self.pk, error)
            return
        sent = change(self, {"question_sent_at": timezone.now(), "failure": ""})
        if sent and look_first:  # the first try is no news
            logger.info("the question of chat session %s was sent", self.pk)

    def send_lost_question(self) -> None:
        """Sends the question whose first sending failed or was cut short. One caller at a time, and it looks first
        whether the message arrived after all."""
        if not self.is_active or not self.question or self.question_sent_at or self.lease_until > timezone.now():
            return
        if not breaker.is_open and self.take_lease(LEASE):
            self.send_question(look_first=True)

    @property
    def was_left_behind(self) -> bool:
        """It ended because another user sits there now: nobody's from then on."""
        by = (self.EndedBy.SIGN_IN, self.EndedBy.LOGOUT)
        return self.status == self.Status.ENDED and self.ended_by in by

    # --- Token and end ------------------------------------------------------------------------------------------

    def renew(self) -> Token:
        """An access token for the session as it was just read. Raises SessionError(session_ended) unless it is active."""
        if self.is_active and self.started_at and timezone.now() - self.started_at > AGE_CAP:
            self.end(self.EndedBy.AGE)
        if not self.is_active:
            raise SessionError("session_ended", _("This chat has ended. Please start a new one."))
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
            self.try_to_close()

    def end_if_over(self) -> None:
        """Learns what no webhook has told. Raises FlexError."""
        if self.gateway.has_ended(self.channel_sid):
            self.ended_at_twilio()

    def ended_at_twilio(self) -> None:
        """The channel was closed there, by the agent or by Flex."""
        ended = ChatSession.objects.running().filter(pk=self.pk)
        if ended.update(status=self.Status.ENDED, ended_at=timezone.now(), ended_by=self.EndedBy.AGENT):
            logger.info("chat session %s ended by %s", self.pk, self.EndedBy.AGENT)
