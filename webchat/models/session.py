"""One chat of one visitor: our row beside Twilio's channel.

The row changes by compare-and-set: an UPDATE that names what the row must still say. Of several callers who saw the same
row one wins. What needs Twilio too is in chats/.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from webchat.clock import database_now
from webchat.flex import Channel, Destination, Engagement, Failure, failure_of
from webchat.models.beginnings import UpperByCodePoint, begins_with
from webchat.models.webchat import Webchat
from webchat.models.words import ChatWord, words_told
from webchat.visitors import Visitor

# No attempt is taken over before: it calls Twilio for at most half of this, and the rest is for a process that was
# stopped meanwhile and for Twilio, which may finish what its caller no longer waits for.
LEASE = timedelta(seconds=10)
# Visitors who wait for a turn without JavaScript come back every few seconds. After so long without they have left.
WAITING = timedelta(minutes=1)
# How long the visitor is told that a chat has ended which was offered after a sign-in and not taken in time.
LAPSE_TOLD = timedelta(minutes=30)


def new_identity() -> str:
    """128 random bits, and nothing about the visitor."""
    return f"w_{secrets.token_hex(16)}"


def account_seal(user: AbstractBaseUser | None) -> str:
    """What Django compares of a user with each request: another one after a new password. "" for nobody."""
    return user.get_session_auth_hash() if user else ""


# A browser may ask for it before it has the cookie of whoever sits there now.
_LEFT_BEHIND = ("sign_in", "logout")


def failure_columns(text: str) -> dict[str, Any]:
    """What a row keeps of the latest failure; "" for none."""
    return {"failure": text[:200], "failure_code": failure_of(text) if text else ""}


class ChatSessionQuerySet(models.QuerySet["ChatSession"]):
    def owned_by(self, visitor: Visitor) -> ChatSessionQuerySet:
        """The sessions of this browser and user. A chat begun anonymously is nobody's after a sign-in, and the other
        way round."""
        return self.filter(owner=visitor.key, user_id=visitor.user_id, offered_until=None)

    def had_by(self, visitor: Visitor) -> ChatSessionQuerySet:
        """The chats that this browser and user had, over or not: a browser keeps its name when it gets a new key for chats.
        None that a sign-in or sign-out ended."""
        mine = self.filter(browser=visitor.browser, user_id=visitor.user_id, offered_until=None)
        if visitor.user is None:
            mine = mine.filter(account="")  # else it was a user's who is deleted meanwhile
        return mine.exclude(ended_by__in=_LEFT_BEHIND)

    def offered(self, user: AbstractBaseUser | None) -> ChatSessionQuerySet:
        """The running chats that wait for this user's word whether they go on."""
        if user is None:
            return self.none()
        return self.running().filter(offered_to=str(user.pk), offered_until__gt=database_now())

    def running(self) -> ChatSessionQuerySet:
        return self.filter(status=ChatSession.Status.ACTIVE)

    def with_unsent_question(self) -> ChatSessionQuerySet:
        """Running chats that no agent hears of yet."""
        return self.running().filter(question_sent_at=None).exclude(question="")

    def to_close(self) -> ChatSessionQuerySet:
        """The chats that have ended here and not yet at Twilio."""
        return self.filter(status=ChatSession.Status.ENDED, close_pending=True)

    def unfinished(self) -> ChatSessionQuerySet:
        """The running ones, and those that are being started."""
        return self.filter(status__in=(ChatSession.Status.STARTING, ChatSession.Status.ACTIVE))

    def end(self, by: str) -> list[ChatSession]:
        """Ends those that are unfinished, and returns them. Their channels remain to be closed by the worker: at once, but
        where a start is under way, which closes what it opens."""
        now = database_now()
        lease = Case(When(status=ChatSession.Status.ACTIVE, then=Value(now)), default=F("lease_until"))
        with transaction.atomic():
            mine = self.unfinished().order_by("pk").select_for_update(of=("self",))
            ended = list(mine.only("webchat", "started_at", "answered_at", "messages_told"))
            ChatSession.objects.filter(pk__in=[session.pk for session in ended]).update(
                status=ChatSession.Status.ENDED, ended_at=now, ended_by=by, close_pending=True, lease_until=lease
            )
        for session in ended:
            session.ended_at, session.ended_by = now, by
        return ended

    def forget_answers(self) -> int:
        """Blanks what people told the form, for staff's search too. The rows are not chosen by what it changes."""
        with transaction.atomic():
            # Whoever notes words has the row locked: they are there by now, or will not come.
            forgotten = self.update(
                answers={},
                answers_digest="",
                question="",
                note="",
                consents=[],
                account_matches=[],
                customer_friendly_name="",
                words_known=True,
            )
            ChatWord.objects.filter(session__in=self.order_by()).delete()
        return forgotten

    def with_unknown_words(self) -> ChatSessionQuerySet:
        """The chats whose words staff's search does not know yet."""
        return self.filter(words_known=False)

    def closed(self) -> ChatSessionQuerySet:
        """The chats that have no channel, or whose channel is closed: their rows may go."""
        over = (ChatSession.Status.ENDED, ChatSession.Status.FAILED)
        return self.filter(status__in=over, close_pending=False)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Asks of all rows at once what protect_open_channel() asks of one. Raises ProtectedError."""
        require_closed(self)
        return super().delete()

    # As Django marks its own: no template calls it, and no manager has it, which would delete all.
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def without_answers(self) -> ChatSessionQuerySet:
        """With the question alone of what people told the form: a renewal needs no more, unless it was lost."""
        return self.only(
            "webchat", "user", "owner", "offered_until", "api", "status", "identity", "channel_sid", "chat_service_sid",
            "created_at", "started_at", "question", "question_sent_at", "ended_by",
        )  # fmt: skip

    def first_with(self, webchat: Webchat) -> ChatSession | None:
        """The first with this webchat, whose row is not read again."""
        session = self.filter(webchat=webchat).first()
        if session is not None:
            session.webchat = webchat
        return session


class RetiredKey(models.Model):
    """A visitor's key for chats, after somebody signed in or out in that browser: no chat begins with it any more."""

    key = models.CharField(max_length=32, primary_key=True)
    retired_at = models.DateTimeField(default=database_now)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["retired_at"], name="webchat_retired_at")]

    def __str__(self) -> str:
        return str(self.retired_at)


class ChatSession(models.Model):
    """A chat: who it is with, what was answered, and how far it is.

    STARTING is committed before Twilio is called, so that neither a repeated submit nor a killed process can make two
    channels or lose one. `lease_until` reserves the row for whoever works on it, `attempts` numbers the tries to start:
    an attempt that was overtaken changes nothing any more.
    """

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
        ACCOUNT = "account", _("a change of the account")
        AGE = "age", _("its age")
        STAFF = "staff", _("staff, in the administration")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The database refuses to delete a webchat that has chats, and protect_used_webchat() says so. PROTECT would load them.
    webchat = models.ForeignKey(
        Webchat, verbose_name=_("webchat"), related_name="sessions", on_delete=models.DO_NOTHING, db_index=False
    )
    api = models.CharField(_("Twilio API"), max_length=20, choices=Webchat.Api.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), null=True, blank=True, on_delete=models.SET_NULL
    )
    # The seal of the user's account when the chat began, "" for nobody: see account_seal().
    account = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    # After a sign-in: the key of the user who is asked whether this chat goes on, and until when. Nobody owns it meanwhile.
    offered_to = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    offered_until = models.DateTimeField(null=True, editable=False)
    # What the agent is still to be told, by the site and not by the visitor. Empty: nothing.
    note = models.TextField(blank=True, db_default="", editable=False)
    # Whether it is about the move to another browser, which the first one must hear of.
    note_of_move = models.BooleanField(db_default=False, default=False, editable=False)
    # Two names of the visitor: see Visitor.
    browser = models.CharField(max_length=32, db_default="", editable=False)
    owner = models.CharField(max_length=32, editable=False)
    key = models.CharField(_("idempotency key"), max_length=128, editable=False)
    answers_digest = models.CharField(max_length=64, editable=False)

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.STARTING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    lease_until = models.DateTimeField(_("attempt ends by"))
    failure = models.CharField(_("last failure"), max_length=200, blank=True)
    # The same as the statistics count it: a Failure.
    failure_code = models.CharField(_("kind of the failure"), max_length=20, blank=True, db_default="")

    identity = models.CharField(_("identity"), max_length=256, unique=True, default=new_identity, editable=False)
    channel_sid = models.CharField(_("channel SID"), max_length=34, blank=True, db_index=True)
    # The webchat's when the channel was opened: a chat goes on when staff enter another one.
    chat_service_sid = models.CharField(_("chat service SID"), max_length=34, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    close_pending = models.BooleanField(_("still to be closed at Twilio"), default=False)

    consents = models.JSONField(_("consents"), default=list, blank=True)
    customer_friendly_name = models.CharField(_("customer"), max_length=256)
    answers = models.JSONField(_("pre-engagement data"))
    account_matches = models.JSONField(_("match an account, not verified"), default=list, blank=True)
    question = models.TextField(_("question"), blank=True)
    question_sent_at = models.DateTimeField(_("question sent"), null=True, blank=True)

    # Whether staff find it by what was told: see ChatWord.
    words_known = models.BooleanField(default=False, db_default=False, editable=False)

    created_at = models.DateTimeField(_("created"), default=database_now, editable=False, db_index=True)
    # Where Twilio tells of messages: that it does, and when the first was an agent's.
    messages_told = models.BooleanField(default=False, db_default=False, editable=False)
    answered_at = models.DateTimeField(_("first answered"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # Whether an agent wrote something, of one that is over. Null: Twilio was not asked yet.
    answered = models.BooleanField(null=True, editable=False)
    # When its user asked for it by mail: once.
    transcript_asked_at = models.DateTimeField(null=True, editable=False)
    ended_by = models.CharField(_("ended by"), max_length=10, choices=EndedBy.choices, blank=True)

    objects = ChatSessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("chat session")
        verbose_name_plural = _("chat sessions")
        permissions = [("end_chatsession", "Can end chats of visitors")]
        constraints = [models.UniqueConstraint(fields=["browser", "key"], name="webchat_session_key_unique")]
        indexes = [
            models.Index(fields=["status", "lease_until"], name="webchat_session_status"),
            models.Index(fields=["owner"], name="webchat_session_owner"),
            # What the worker closes of the many that are over, and what retention has not blanked yet.
            models.Index(
                fields=["status", "lease_until"], condition=Q(close_pending=True), name="webchat_session_to_close"
            ),
            models.Index(fields=["created_at"], condition=~Q(answers={}), name="webchat_session_told"),
            # Staff's list of them, and their search.
            models.Index(fields=["webchat", "created_at"], name="webchat_session_webchat"),
            models.Index(fields=["created_at"], condition=Q(user__isnull=False), name="webchat_session_signed_in"),
            models.Index(fields=["created_at"], condition=~Q(account_matches=[]), name="webchat_session_matched"),
            models.Index(fields=["created_at"], condition=Q(words_known=False), name="webchat_session_words"),
            models.Index(UpperByCodePoint("customer_friendly_name"), name="webchat_session_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.webchat} {self.created_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def named(text: str) -> Q:
        """The chats whose customer's name begins so, in upper or lower case."""
        return begins_with("customer_friendly_name", text)

    @classmethod
    def get_of(cls, visitor: Visitor, session_id: uuid.UUID) -> ChatSession:
        """The visitor's own session. Raises DoesNotExist for an absent one and for somebody else's alike, and for one
        that a sign-in or sign-out ended."""
        session = cls.objects.without_answers().get(pk=session_id)
        if not session.is_owned_by(visitor) or session.ended_by in _LEFT_BEHIND:
            raise cls.DoesNotExist
        return session

    @classmethod
    def past_of(cls, visitor: Visitor, session_id: uuid.UUID) -> ChatSession:
        """The chat that this browser and user had. Raises DoesNotExist, as get_of() does."""
        return cls.objects.had_by(visitor).select_related("webchat").get(pk=session_id)

    @classmethod
    def last_of(cls, visitor: Visitor, webchat: Webchat) -> ChatSession | None:
        """The latest chat that this browser and user had with this webchat and that has begun, with its rating. No query
        for a new browser."""
        if visitor.is_new:
            return None
        begun = cls.objects.had_by(visitor).filter(started_at__isnull=False)
        return begun.select_related("rating").first_with(webchat)

    @classmethod
    def running_of(cls, visitor: Visitor, webchat: Webchat) -> ChatSession | None:
        """The latest running chat of this visitor with this webchat."""
        return cls.objects.without_answers().owned_by(visitor).running().first_with(webchat)

    @classmethod
    def offer_of(cls, visitor: Visitor, webchat: Webchat) -> tuple[ChatSession | None, bool]:
        """The chat with this webchat that this browser began before its user signed in and that waits for the user's word,
        and whether one is over without it, for half an hour from then on: see is_offered and has_lapsed."""
        if visitor.user is None or visitor.is_new:
            return None, False
        lately = cls.objects.filter(offered_to=str(visitor.user_id), offered_until__gt=database_now() - LAPSE_TOLD)
        last = lately.filter(browser=visitor.browser).first_with(webchat)
        if last is None:
            return None, False
        return last if last.is_offered else None, last.has_lapsed

    @classmethod
    def elsewhere_of(cls, visitor: Visitor, webchat: Webchat) -> ChatSession | None:
        """The latest running chat of the signed-in user with this webchat in another browser."""
        if visitor.user is None:
            return None
        theirs = cls.objects.running().filter(user_id=visitor.user_id, offered_until=None)
        session = theirs.exclude(browser=visitor.browser).select_related("user").first_with(webchat)
        return session if session and session.has_its_account else None

    @classmethod
    def waiting_of(cls, visitor: Visitor, webchat: Webchat) -> ChatSession | None:
        """The latest start of this visitor that found no turn, while the visitor waits for one."""
        failed = cls.objects.owned_by(visitor).filter(status=cls.Status.FAILED, failure_code=Failure.BUSY)
        return failed.filter(lease_until__gt=database_now() - WAITING).first_with(webchat)

    @classmethod
    def begun_by(cls, visitor: Visitor) -> list[ChatSession]:
        """The unfinished chats of this visitor with all webchats, the latest first. No query for a new visitor."""
        if visitor.has_new_key:
            return []
        return list(cls.objects.without_answers().owned_by(visitor).unfinished())

    def is_owned_by(self, visitor: Visitor) -> bool:
        """The same as owned_by(), of a row that was read by its key."""
        return (self.owner, self.user_id, self.offered_until) == (visitor.key, visitor.user_id, None)

    @property
    def has_its_account(self) -> bool:
        """Whether the user who began it may still sign in, by the same password. True where nobody was signed in."""
        if not self.account:
            return True
        user = self.user
        if user is None or not user.is_active:
            return False
        return self.account in (account_seal(user), *user.get_session_auth_fallback_hash())

    @property
    def is_offered(self) -> bool:
        """Whether its visitor, who has signed in, is asked if it goes on."""
        return self.is_active and self.offered_until is not None and self.offered_until > database_now()

    @property
    def has_lapsed(self) -> bool:
        """Whether it was offered, and is over without a word of the user's: no "no", no sign-out."""
        if self.offered_until is None or self.is_offered:
            return False
        was_in_time = self.ended_at is not None and self.ended_at < self.offered_until
        return not (was_in_time and self.ended_by in (self.EndedBy.SIGN_IN, self.EndedBy.LOGOUT))

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def is_unfinished(self) -> bool:
        return self.status in (self.Status.STARTING, self.Status.ACTIVE)

    @property
    def destination(self) -> Destination:
        destination = self.webchat.destination(self.api)
        return replace(destination, chat_service_sid=self.chat_service_sid or destination.chat_service_sid)

    @property
    def channel(self) -> Channel:
        return Channel(sid=self.channel_sid, identity=self.identity)

    @property
    def engagement(self) -> Engagement:
        return Engagement(
            identity=self.identity,
            chat_friendly_name=self.webchat.chat_friendly_name,
            customer_friendly_name=self.customer_friendly_name,
            pre_engagement_data=self.answers,
        )

    def note_words(self) -> None:
        """Has staff's search find this chat by what was told. Once, by whichever worker comes first."""
        with transaction.atomic():
            unknown = ChatSession.objects.select_for_update().with_unknown_words().filter(pk=self.pk)
            session = unknown.only("answers", "created_at").first()
            if session is None:
                return
            ChatWord.objects.bulk_create(
                [
                    ChatWord(session=session, word=word, created_at=session.created_at)
                    for word in words_told(session.answers)
                ],
                ignore_conflicts=True,
            )
            unknown.update(words_known=True)

    # --- Changes ----------------------------------------------------------------------------------------------------

    def change(self, only_if: dict[str, object] | None = None, /, **changes: Any) -> bool:
        """Compare-and-set: changes the row, here and in the database, if it still says `only_if` there; whether it did."""
        if not type(self).objects.filter(pk=self.pk, **(only_if or {})).update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def take_lease(self, lease: timedelta, **changes: Any) -> bool:
        """Reserves the row for this caller, if nobody else did so since it was read."""
        seen = {"status": self.status, "lease_until": self.lease_until}
        return self.change(seen, lease_until=database_now() + lease, **changes)

    def change_attempt(self, **changes: Any) -> bool:
        """Changes the row of an attempt to start, unless it was overtaken or the session ended."""
        return self.change({"status": self.Status.STARTING, "attempts": self.attempts}, **changes)

    def begin_attempt(self) -> bool:
        """Makes the next attempt to start this caller's own; whether it did.

        A channel may be there after STARTING, where the last attempt got no certain answer: the identity stays, so that
        the channel is found by it. None is there after FAILED: the identity is new, as Twilio takes none twice.
        """
        keeps_identity = self.status == self.Status.STARTING or self.key == self.identity
        return self.take_lease(
            LEASE,
            status=self.Status.STARTING,
            # Flex Webchat UI has its token, and so its identity, before its channel: the identity is its key.
            identity=self.identity if keeps_identity else new_identity(),
            attempts=self.attempts + 1,
        )


def require_closed(rows: ChatSessionQuerySet) -> None:
    """A row is all that remembers its channel, so the channel is closed first. Raises ProtectedError."""
    still_open = rows.exclude(pk__in=ChatSession.objects.closed().values("pk")).first()
    if still_open is not None:
        text = _("The chat is not closed at Twilio yet. End it, and delete it when the worker has closed it.")
        raise models.ProtectedError(str(text), {still_open})


def protect_open_channel(instance: ChatSession, origin: Any = None, **_signal: Any) -> None:
    """Lets no row go, by itself or with another, whose channel is open. Raises ProtectedError."""
    if not isinstance(origin, ChatSessionQuerySet):
        require_closed(ChatSession.objects.filter(pk=instance.pk))
