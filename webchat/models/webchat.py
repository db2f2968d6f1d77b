"""A configured chat, and the start of a chat session in it."""

from __future__ import annotations

import hashlib
import math
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from webchat import limits
from webchat.attachments import KINDS, MAX_MEGABYTES, default_kinds, types_of, validate_kinds
from webchat.colours import ink_for, validate_colour
from webchat.flex import credentials
from webchat.flex.gateway import Channel, Destination, FlexError, Gateway, deadline, gateway_for, time_left
from webchat.outage import breaker, bulkhead

if TYPE_CHECKING:
    from webchat.forms import Answers
    from webchat.models.session import ChatSession
    from webchat.visitors import Visitor

# Seconds that a start waits for its channel, all calls together, and what a create needs of them.
OPEN_SECONDS, CREATE_SECONDS = 5, 2
# What counts as lately when staff ask for proof of work after so many chats.
BUSY_WINDOW = timedelta(minutes=10)


def sid_validator(prefix: str) -> RegexValidator:
    """Twilio's SIDs are two letters and 32 hex digits."""
    return RegexValidator(
        rf"\A{prefix}[0-9a-fA-F]{{32}}\Z",
        _("This is not a SID of that kind: it starts with %(prefix)s and goes on with 32 hex digits.")
        % {"prefix": prefix},
    )


validate_address_sid = sid_validator("IG")
validate_flex_flow_sid = sid_validator("FO")
validate_chat_service_sid = sid_validator("IS")


class WebchatQuerySet(models.QuerySet["Webchat"]):
    def get_by_natural_key(self, slug: str) -> Webchat:
        return self.get(slug=slug)

    def for_page(self) -> Webchat | None:
        """The webchat of a page that names none: the first one of this site, else of all sites."""
        here = self.filter(Q(site=None) | Q(site=settings.SITE_ID))
        return here.order_by(models.F("site").asc(nulls_last=True), "pk").first()


class Webchat(models.Model):
    """One chat as staff configured it: where its chats go at Twilio, what it asks, how it looks and what it says."""

    class Api(models.TextChoices):
        CONVERSATIONS = "conversations", _("Flex Conversations (WebChats, v2)")
        WEB_CHANNELS = "web_channels", _("Legacy: Programmable Chat (WebChannels, v1; ended on 2026-06-01)")

    class Widget(models.TextChoices):
        OWN = "own", _("this site's own")
        FLEX_UI = "flex_ui", _("Flex Webchat UI 2.x (legacy)")

    class Position(models.TextChoices):
        RIGHT = "right", _("right")
        LEFT = "left", _("left")

    class ColourScheme(models.TextChoices):
        SYSTEM = "system", _("as the visitor's device")
        LIGHT = "light", _("light")
        DARK = "dark", _("dark")

    name = models.CharField(_("name"), max_length=80, help_text=_("For staff only."))
    slug = models.SlugField(
        _("slug"), unique=True, help_text=_('Names the chat in templates, {% webchat "slug" %}, and in addresses.')
    )
    site = models.ForeignKey(
        Site,
        verbose_name=_("site"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text=_("The website that {% webchat %} without a slug shows it on. Empty: any."),
    )
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("Off: no new chat can start. Running chats go on.")
    )

    daily_cap = models.PositiveIntegerField(
        _("chats a day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("No more than this many new chats a day (UTC). Empty: no such limit."),
    )
    require_form = models.BooleanField(
        _("only from the form"),
        default=False,
        help_text=_(
            "A chat starts only from a form that this site showed to the same browser, at least 2 seconds before. "
            "Visitors do not notice; scripts that post to the API without a form are refused."
        ),
    )
    proof_after = models.PositiveIntegerField(
        _("proof of work after"),
        null=True,
        blank=True,
        help_text=_(
            "Past this many new chats in ten minutes, the visitor's browser solves a small puzzle by itself before a "
            "chat starts. Empty: never."
        ),
    )

    api = models.CharField(_("Twilio API"), max_length=20, choices=Api.choices, default=Api.CONVERSATIONS)
    widget = models.CharField(
        _("widget"),
        max_length=10,
        choices=Widget.choices,
        default=Widget.OWN,
        help_text=_(
            "What visitors see. Twilio's Flex Webchat UI is for the legacy API only, and pages that carry it have a weaker "
            "Content-Security-Policy: it needs 'unsafe-eval' and inline styles."
        ),
    )
    address_sid = models.CharField(
        _("address SID"),
        max_length=34,
        blank=True,
        validators=[validate_address_sid],
        help_text=_(
            "IG…, for Flex Conversations: Twilio Console, Flex, Channel management, Messaging. With the legacy API: where "
            "chats go when Twilio no longer serves it."
        ),
    )
    flex_flow_sid = models.CharField(
        _("Flex Flow SID"),
        max_length=34,
        blank=True,
        validators=[validate_flex_flow_sid],
        help_text=_("FO…, for the legacy API only."),
    )
    chat_service_sid = models.CharField(
        _("chat service SID"),
        max_length=34,
        validators=[validate_chat_service_sid],
        help_text=_("IS…, the Flex Chat Service: visitors' tokens are valid for it alone."),
    )
    chat_friendly_name = models.CharField(
        _("chat friendly name"),
        max_length=200,
        default="Webchat",
        help_text=_("Names the conversation for agents. No personal data."),
    )
    customer_friendly_name = models.CharField(
        _("default customer name"),
        max_length=80,
        default="Visitor",
        help_text=_("What agents see when neither the account nor the form tells the visitor's name."),
    )

    # A text that was never edited is translated with the page; a text of staff's own is shown as it is.
    launcher_label = models.CharField(_("launcher"), max_length=40, default=gettext_noop("Chat with us"))
    title = models.CharField(_("title"), max_length=60, default=gettext_noop("Chat with us"))
    intro = models.TextField(
        _("introduction"), max_length=500, blank=True, default=gettext_noop("Tell us how we can help.")
    )
    submit_label = models.CharField(_("start button"), max_length=40, default=gettext_noop("Start chat"))
    waiting_text = models.TextField(
        _("while waiting"), max_length=300, default=gettext_noop("An agent will be with you shortly.")
    )
    ended_text = models.TextField(_("after the chat"), max_length=300, default=gettext_noop("This chat has ended."))
    closed_text = models.TextField(
        _("when switched off"), max_length=500, default=gettext_noop("The chat is closed at the moment.")
    )
    unavailable_text = models.TextField(
        _("when Twilio cannot be reached"),
        max_length=500,
        default=gettext_noop("The chat is not available at the moment. Please try again in a minute."),
        help_text=_("Name another way to reach you: a phone number or an e-mail address."),
    )
    brand_colour = models.CharField(_("brand colour"), max_length=7, default="#0b5d4e", validators=[validate_colour])
    colour_scheme = models.CharField(
        _("colour scheme"), max_length=6, choices=ColourScheme.choices, default=ColourScheme.SYSTEM
    )
    position = models.CharField(_("position"), max_length=5, choices=Position.choices, default=Position.RIGHT)

    attachments = models.BooleanField(
        _("attachments"), default=False, help_text=_("Visitors may send files. Agents always may.")
    )
    attachment_kinds = models.JSONField(
        _("kinds of files"),
        default=default_kinds,
        blank=True,
        validators=[validate_kinds],
    )
    attachment_max_mb = models.PositiveSmallIntegerField(
        _("megabytes"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MEGABYTES)],
        help_text=_("That the files of one message may have together: 1 to 150."),
    )

    objects = WebchatQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("webchat")
        verbose_name_plural = _("webchats")

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.slug,)

    def clean(self) -> None:
        if self.api == self.Api.CONVERSATIONS and not self.address_sid:
            raise ValidationError({"address_sid": _("Flex Conversations needs the SID of a chat address, IG….")})
        if self.api == self.Api.WEB_CHANNELS and not self.flex_flow_sid:
            raise ValidationError({"flex_flow_sid": _("The legacy API needs the SID of a Flex Flow, FO….")})
        if self.api != self.Api.WEB_CHANNELS and self.widget == self.Widget.FLEX_UI:
            raise ValidationError({"widget": _("Flex Webchat UI 2.x speaks the legacy API only.")})
        if self.attachments and not self.attachment_kinds:
            raise ValidationError({"attachment_kinds": _("Choose at least one, or switch attachments off.")})

    # --- The start of a chat ------------------------------------------------------------------------------------

    def start(self, visitor: Visitor, key: str, answers: Answers, identity: str = "") -> tuple[ChatSession, bool]:
        """Opens a channel at Flex for these answers, once per visitor and key, however often it is called.

        `identity` is the one that the visitor has a token for already; without it the session gets a new one. Returns the active session, and whether this call started it. Raises `SessionError` when the key's session is
        still starting, has ended or was started with other answers, and `FlexError` when Twilio did not do it: then
        the same key may be tried again. No transaction is open while Twilio is called.
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
        from webchat.events import note_legacy_gone

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
        # The day's cap comes first: it is undone with the row, while the others may be counted elsewhere.
        wait = limits.take_day(f"start:day:{self.pk}", self.daily_cap) if self.daily_cap else None
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

    # --- What pages show ----------------------------------------------------------------------------------------

    @property
    def carries_flex_ui(self) -> bool:
        return self.api == self.Api.WEB_CHANNELS and self.widget == self.Widget.FLEX_UI

    @property
    def is_configured(self) -> bool:
        return credentials.is_configured()

    @property
    def brand_ink(self) -> str:
        return ink_for(self.brand_colour)

    @property
    def theme(self) -> str:
        """Colours as a stylesheet, so that no page needs an inline style."""
        return render_to_string("webchat/theme.css", {"webchat": self})

    @property
    def theme_version(self) -> str:
        return hashlib.sha256(self.theme.encode()).hexdigest()[:8]

    @property
    def attachment_types(self) -> dict[str, str]:
        """Extension → media type of the files that visitors may send; empty for none."""
        return types_of(self.attachment_kinds) if self.attachments else {}

    @property
    def attachment_labels(self) -> list[str]:
        return [str(KINDS[kind].label) for kind in self.attachment_kinds]
