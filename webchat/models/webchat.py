"""A configured chat, and the start of a chat session in it."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from webchat.flex import Channel, Destination, FlexError, Gateway, deadline, gateway_for, time_left
from webchat.models.compiled import Select
from webchat.models.configuration import Configuration
from webchat.protection import limits
from webchat.protection.outage import breaker, bulkhead

if TYPE_CHECKING:
    from webchat.forms.form import Answers
    from webchat.models.session import ChatSession
    from webchat.visitors import Visitor

# Seconds that a start waits for its channel, all calls together, and what a create needs of them.
OPEN_SECONDS, CREATE_SECONDS = 5, 2
# What counts as lately when staff ask for proof of work after so many chats.
BUSY_WINDOW = timedelta(minutes=10)


class WebchatQuerySet(models.QuerySet["Webchat"]):
    def get_by_natural_key(self, slug: str) -> Webchat:
        return self.get(slug=slug)

    def for_page(self) -> Webchat | None:
        """The webchat of a page that names none: the first one of this site, else of all sites."""
        here = self.filter(Q(site=None) | Q(site=settings.SITE_ID))
        return here.order_by(models.F("site").asc(nulls_last=True), "pk").first()


_by_slug = Select(lambda: Webchat.objects.order_by(), "slug")


class Webchat(Configuration):
    """One chat as staff configured it, and what can be done with it: above all, to start a chat session."""

    objects = WebchatQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("webchat")
        verbose_name_plural = _("webchats")

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.slug,)

    @classmethod
    def get_or_404(cls, slug: str) -> Webchat:
        if found := _by_slug(slug=slug):
            return found[0]
        raise Http404

    # --- The start of a chat ------------------------------------------------------------------------------------

    def start(self, visitor: Visitor, key: str, answers: Answers, identity: str = "") -> tuple[ChatSession, bool]:
        """Opens a channel at Flex for these answers, once per visitor and key, however often it is called.

        `identity` is the one that the visitor has a token for already; without it the session gets a new one. Returns
        the active session, and whether this call started it. Raises `SessionError` when the key's session is still
        starting, has ended or was started with other answers, and `FlexError` when Twilio did not do it: then the same
        key may be tried again. No transaction is open while Twilio is called.
        """
        from webchat.models.session import ChatSession

        session = ChatSession.objects.claim(self, visitor, key, answers, identity)
        if session.is_active:
            session.send_lost_question()
            return session, False
        try:
            with bulkhead.passage():
                with breaker.passage(), deadline(OPEN_SECONDS):
                    channel = self._open_channel(session)
                session.activate(channel)
                session.send_question()
        except FlexError as error:
            session.note_failure(error)
            raise
        return session, True

    def _open_channel(self, session: ChatSession) -> Channel:
        """Creates at most once: after an unclear outcome it only looks, now and in whichever attempt comes next."""
        gateway = session.gateway
        if session.in_doubt:
            if channel := gateway.find(session.identity):
                return channel
            session.in_doubt = False
        if limits.are_on() and not limits.wait_for_turn():
            raise FlexError(FlexError.Reason.BUSY, retry_after=math.ceil(limits.PACE_LONGEST))
        if time_left() < CREATE_SECONDS:
            raise FlexError(FlexError.Reason.BUSY, retry_after=1)
        try:
            return gateway.open(session.engagement)
        except FlexError as error:
            if error.reason == FlexError.Reason.GONE:
                return self._open_at_successor(session, error)
            if error.reason not in (FlexError.Reason.EXISTS, FlexError.Reason.UNCLEAR):
                raise
            session.in_doubt = True
            with suppress(FlexError):
                if channel := gateway.find(session.identity):
                    return channel
                # Nothing is on its way after EXISTS: the name belongs to a chat that is over.
                session.in_doubt = error.reason == FlexError.Reason.UNCLEAR
            raise

    def _open_at_successor(self, session: ChatSession, gone: FlexError) -> Channel:
        """The legacy API is no longer there: the chat goes to the address, where the webchat has one. Else raises."""
        from webchat.audit import note_legacy_gone

        note_legacy_gone(self, gone)
        if not self.address_sid:
            raise gone
        session.go_by(self.Api.CONVERSATIONS)
        return self._open_channel(session)

    def gateway(self, api: str) -> Gateway:
        """To Flex by this API: a session stays with the one that it was started by, whatever the webchat uses now."""
        return gateway_for(self.destination(api))

    def destination(self, api: str) -> Destination:
        return Destination(api, self.chat_service_sid, self.address_sid, self.flex_flow_sid)

    def take_limits(self, visitor: Visitor) -> None:
        """Counts one start. Raises SessionError(too_many), with the seconds after which there is room again."""
        from webchat.models.session import SessionError

        if not limits.are_on():
            return
        wanted = [
            (limits.PER_BROWSER, f"{visitor.key} {visitor.network}"),
            (limits.PER_ADDRESS, visitor.network),
            *([(limits.PER_USER, str(visitor.user_id))] if visitor.user_id else []),
            (limits.PER_WEBCHAT, str(self.pk)),
        ]
        # The day's cap comes first: it is undone with the row, while the others may be counted elsewhere. Without a cap
        # it is counted too: one that staff set in the middle of a day holds for all of it.
        wait = limits.take_day(f"start:day:{self.pk}", self.daily_cap or sys.maxsize)
        if wait := wait or limits.take_each(*wanted):
            raise SessionError("too_many", _("Too many chats were started from here. Please try again later."), wait)

    def move_to_conversations(self, address_sid: str) -> None:
        """New chats open by the current API. Running ones end by that which they began with."""
        self.api, self.widget, self.address_sid = self.Api.CONVERSATIONS, self.Widget.OWN, address_sid
        self.save(update_fields=["api", "widget", "address_sid"])

    @property
    def wants_proof(self) -> bool:
        """Whether so many chats were started lately that a start needs proof of work."""
        if self.proof_after is None:
            return False
        lately = self.sessions.filter(created_at__gt=timezone.now() - BUSY_WINDOW).order_by()
        return lately[: self.proof_after].count() >= self.proof_after
