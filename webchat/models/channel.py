"""What a chat session knows of its channel at Twilio: opened once, whatever happens meanwhile, and closed for certain."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from webchat.flex import Channel, FlexError, Gateway, deadline
from webchat.models.compiled import change
from webchat.models.webchat import Webchat
from webchat.protection.outage import breaker

logger = logging.getLogger(__name__)

# No attempt is taken over before: it calls Twilio for at most half of this, and the rest is for a process that was
# stopped meanwhile and for Twilio, which may finish what its caller no longer waits for.
LEASE = timedelta(seconds=10)
CLOSE_SECONDS = 1  # that a visitor waits for the close at Twilio; what takes longer is left to the worker


class SessionError(Exception):
    """Why a session cannot be started or renewed. `code` is that of the error contract; `retry_after` in seconds."""

    def __init__(self, code: str, detail: Any, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code, self.detail, self.retry_after = code, detail, retry_after


def new_identity() -> str:
    """128 random bits, and nothing about the visitor."""
    return f"w_{secrets.token_hex(16)}"


class OneChannel(models.Model):
    """STARTING is committed before Twilio is called, so that neither a repeated submit nor a killed process can make two
    channels or lose one. `lease_until` reserves the row for whoever works on it, `attempts` numbers the tries to start:
    who was overtaken changes nothing any more."""

    class Status(models.TextChoices):
        STARTING = "starting", _("starting")
        ACTIVE = "active", _("active")
        ENDED = "ended", _("ended")
        FAILED = "failed", _("failed")

    webchat = models.ForeignKey(Webchat, verbose_name=_("webchat"), related_name="sessions", on_delete=models.PROTECT)
    api = models.CharField(_("Twilio API"), max_length=20, choices=Webchat.Api.choices)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.STARTING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    lease_until = models.DateTimeField(_("attempt ends by"))
    failure = models.CharField(_("last failure"), max_length=200, blank=True)

    identity = models.CharField(_("identity"), max_length=256, unique=True, default=new_identity, editable=False)
    channel_sid = models.CharField(_("channel SID"), max_length=34, blank=True, db_index=True)
    # That of the webchat when the channel was opened: a chat goes on when staff enter another one.
    chat_service_sid = models.CharField(_("chat service SID"), max_length=34, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    close_pending = models.BooleanField(_("still to be closed at Twilio"), default=False)

    class Meta:
        abstract = True

    # For this attempt alone: whether an earlier one may have opened a channel that nobody knows of.
    in_doubt = False

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def gateway(self) -> Gateway:
        return self.webchat.gateway(self.api)

    @property
    def channel(self) -> Channel:
        return Channel(sid=self.channel_sid, identity=self.identity)

    # --- Open -------------------------------------------------------------------------------------------------------

    def begin_attempt(self) -> bool:
        """Makes the next attempt to start this caller's own. STARTING means that the one before got no certain answer:
        its identity is looked up first. FAILED means that there is no channel: its identity is not used again."""
        in_doubt = self.status == self.Status.STARTING
        identity = self.identity if in_doubt else self.next_identity()
        attempt = {"status": self.Status.STARTING, "identity": identity, "attempts": self.attempts + 1}
        if not self.take_lease(LEASE, **attempt):
            return False
        self.in_doubt = in_doubt
        return True

    def next_identity(self) -> str:
        return new_identity()

    def go_by(self, api: str) -> None:
        """Goes on with another API, before that is called. Raises SessionError when the attempt was taken over."""
        if not self._update_attempt(api=api):
            raise SessionError("in_progress", _("Your chat is being started."), retry_after=1)
        logger.warning("chat session %s goes to the webchat's address: the legacy API is gone", self.pk)

    def take_lease(self, lease: timedelta, **changes: Any) -> bool:
        """Reserves the row for this caller. One of several wins: the others see another lease."""
        changes["lease_until"] = timezone.now() + lease
        return change(self, changes, {"status": self.status, "lease_until": self.lease_until})

    def _update_attempt(self, **changes: Any) -> bool:
        """Changes the row, unless this attempt was taken over or the session ended."""
        return change(self, changes, {"status": self.Status.STARTING, "attempts": self.attempts})

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
        if self.status == self.Status.ENDED and not self.channel_sid:
            change(self, {"channel_sid": channel.sid, "close_pending": True})
            self.try_to_close()
        elif self.status != self.Status.STARTING and self.channel_sid != channel.sid:
            try:
                self.gateway.close(channel.sid)
            except FlexError as error:
                logger.error("a channel too many of chat session %s is not closed: %s", self.pk, error)
        if self.status == self.Status.ENDED:
            raise SessionError("session_ended", _("This chat has ended. Please start a new one."))
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

    # --- Close ------------------------------------------------------------------------------------------------------

    def try_to_close(self) -> None:
        """What fails, or is not tried because of an outage, stays pending."""
        if breaker.is_open:
            return
        try:
            with deadline(CLOSE_SECONDS):
                self.close_channel()
        except FlexError as error:
            logger.warning("the channel of chat session %s is not closed yet: %s", self.pk, error)

    def close_channel(self) -> None:
        """Closes the channel of an ended session at Twilio. Raises FlexError, after which it is still pending."""
        channel_sid = self.channel_sid
        if not channel_sid and (channel := self.gateway.find(self.identity)):
            channel_sid = channel.sid
        if channel_sid:
            self.gateway.close(channel_sid)
        if change(self, {"close_pending": False}):
            logger.info("the channel of chat session %s is closed", self.pk)
