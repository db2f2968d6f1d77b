"""A configured chat: where it goes at Twilio, how many may start, how it looks and what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Any

import phonenumbers
import structlog
from django.conf import settings
from django.contrib.sites.models import Site
from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, validate_email
from django.db import models
from django.db.models import Q
from django.templatetags.static import static
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from webchat.attachments import KINDS, MAX_MEGABYTES, default_kinds, types_of, validate_kinds
from webchat.clock import database_now
from webchat.colours import ink_for, validate_colour
from webchat.flex import GATEWAYS, Destination, credentials
from webchat.models.hours import OpeningHours
from webchat.models.translations import Translated
from webchat.stylesheet import Stylesheet, stylesheet

logger = structlog.get_logger(__name__)

# What counts as lately when staff ask for proof of work after so many chats.
BUSY_WINDOW = timedelta(minutes=10)
RECIPIENTS_MAX = 10
# A path on this site: no other host, which two slashes would name, and nothing but what an address has.
_ON_SITE = re.compile(r"/(?![/\\])[\w./?=&%~+-]+")
# /webchat/history/ shows users their own chats where WEBCHAT_HISTORY is on.
TAKEN_SLUGS = ("history",)
# Days that a task of TaskRouter's can live.
MOST_TASK_DAYS = 14


def sid_validator(prefix: str) -> RegexValidator:
    """Twilio's SIDs are two letters and 32 hex digits."""
    return RegexValidator(
        rf"\A{prefix}[0-9a-fA-F]{{32}}\Z",
        _("This is not a SID of that kind: it starts with %(prefix)s and goes on with 32 hex digits.")
        % {"prefix": prefix},
    )


def validate_phone_region(value: str) -> None:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValidationError(_("Use the two letters of a country, like CH."))


validate_address_sid = sid_validator("IG")
validate_flex_flow_sid = sid_validator("FO")
validate_chat_service_sid = sid_validator("IS")


class WhenClosed(models.TextChoices):
    """What visitors find outside of the opening hours."""

    HIDE = "hide", _("no launcher")
    SAY = "say", _("when somebody is back")
    MESSAGE = "message", _("a form to leave a message")


class WhenNobody(models.TextChoices):
    """What visitors find within the opening hours while no agent is there."""

    START = "start", _("the form of a chat, with a word about the wait")
    MESSAGE = "message", _("a form to leave a message")


class Closure(models.TextChoices):
    """How long staff closed a webchat by hand."""

    NONE = "", _("not closed by hand")
    UNTIL = "until", _("closed until the time below")
    NEXT_OPENING = "next_opening", _("closed until the next opening")
    REOPENED = "reopened", _("closed until this is changed")


def validate_recipients(text: str) -> None:
    """Raises ValidationError unless each line is an e-mail address, and there are not too many."""
    addresses = split_recipients(text)
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError as error:
            raise ValidationError(_("“%(address)s” is no e-mail address."), params={"address": address}) from error
    if len(addresses) > RECIPIENTS_MAX:
        raise ValidationError(_("Name %(count)d addresses at most."), params={"count": RECIPIENTS_MAX})


def split_recipients(text: str) -> list[str]:
    return [address for line in text.splitlines() if (address := line.strip())]


def validate_logo(value: str) -> None:
    """Raises ValidationError unless the picture comes from this site: the Content-Security-Policy allows no other."""
    if _ON_SITE.fullmatch(value):
        return
    try:
        is_there = finders.find(value) is not None
    except SuspiciousFileOperation:
        is_there = False
    if not is_there:
        raise ValidationError(_("There is no such static file. An address of this website starts with one /."))


class WebchatQuerySet(models.QuerySet["Webchat"]):
    def get_by_natural_key(self, slug: str) -> Webchat:
        return self.get(slug=slug)

    def of_site(self) -> WebchatQuerySet:
        """The webchats of this site, then those of all sites, but for archived ones. The first is the one of a page that
        names none."""
        here = self.filter(Q(site=None) | Q(site=settings.SITE_ID), archived_at=None)
        return here.order_by(models.F("site").asc(nulls_last=True), "pk")


class Webchat(Translated):
    """One chat as staff configured it."""

    TEXTS = (
        "launcher_label", "title", "subtitle", "intro", "submit_label", "waiting_text", "waiting_longer_text",
        "waiting_long_text", "ended_text", "closed_text", "unavailable_text", "rating_question",
    )  # fmt: skip

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
        verbose_name=_("show this chat on"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text=_("Empty: on every site."),
    )
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("Off: no new chat can start. Running chats go on.")
    )

    # In the archive since then: it stays for the sake of its chats.
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    # Until the test of its connection has passed once, or staff insist. One that was there before is none.
    draft = models.BooleanField(_("draft"), default=False, db_default=False, editable=False)
    # When Twilio's webhook last told of one of its chats; written at most once a minute.
    webhook_heard_at = models.DateTimeField(null=True, editable=False)
    # Since when the last test of the connection stands that found nothing amiss.
    tested_at = models.DateTimeField(null=True, editable=False)

    hours = models.ForeignKey(
        OpeningHours,
        verbose_name=_("opening hours"),
        related_name="webchats",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text=_("Empty: always open."),
    )
    when_closed = models.CharField(
        _("when closed, visitors find"),
        max_length=7,
        choices=WhenClosed.choices,
        default=WhenClosed.SAY,
        db_default=WhenClosed.SAY,
    )
    stop_before_close = models.PositiveSmallIntegerField(
        _("last chats"),
        default=0,
        db_default=0,
        validators=[MaxValueValidator(720)],
        help_text=_("Minutes before closing. Running chats go on."),
    )
    closure = models.CharField(
        _("closed by hand"),
        max_length=12,
        choices=Closure.choices,
        default=Closure.NONE,
        db_default=Closure.NONE,
        blank=True,
    )
    closed_until = models.DateTimeField(
        _("closed until"), null=True, blank=True, help_text=_("By the clock of the opening hours.")
    )
    closed_since = models.DateTimeField(null=True, blank=True, editable=False)

    phone_region = models.CharField(
        _("country of phone numbers"),
        max_length=2,
        blank=True,
        default="",
        db_default="",
        validators=[validate_phone_region],
        help_text=_(
            "Visitors may leave out its code: with CH, 044 668 18 00 is +41 44 668 18 00. Empty: the code is needed."
        ),
    )

    daily_cap = models.PositiveIntegerField(
        _("chats a day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("No more than this many new chats a day (UTC). Empty: no such limit."),
    )
    require_form = models.BooleanField(
        _("block bots that post without opening the form"),
        default=False,
        help_text=_("Visitors notice nothing. Programs that start chats without the form are refused."),
    )
    proof_after = models.PositiveIntegerField(
        _("slow down floods after so many chats in 10 minutes"),
        null=True,
        blank=True,
        help_text=_("From then on each visitor's browser does some work by itself before a chat starts. Empty: never."),
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
    forget_at_twilio = models.BooleanField(
        _("retention at Twilio too"),
        default=False,
        db_default=False,
        help_text=_(
            "When this site deletes a chat by its age, the worker first erases its conversation and its visitor at Twilio. "
            "Agents then find no transcript of it. Flex Insights keeps what its tasks said. Off: Twilio keeps everything."
        ),
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

    # The texts in the site's language. One that was never edited is translated with the page: see Translated.
    launcher_label = models.CharField(
        _("button on the page"),
        max_length=40,
        default=gettext_noop("Chat with us"),
        help_text=_("In a corner of each page, until a visitor opens the chat."),
    )
    title = models.CharField(
        _("title"), max_length=60, default=gettext_noop("Chat with us"), help_text=_("On top of the open chat, always.")
    )
    intro = models.TextField(
        _("introduction"),
        max_length=500,
        blank=True,
        default=gettext_noop("Tell us how we can help."),
        help_text=_("Above the questions of the form."),
    )
    subtitle = models.CharField(
        _("below the title"),
        max_length=80,
        default="",
        db_default="",
        blank=True,
        help_text=_("One line, until agents are there."),
    )
    submit_label = models.CharField(
        _("start button"),
        max_length=40,
        default=gettext_noop("Start chat"),
        help_text=_("Below the questions of the form."),
    )
    waiting_text = models.TextField(
        _("while waiting"),
        max_length=300,
        default=gettext_noop("An agent will be with you shortly."),
        help_text=_("In the chat, from its start until an agent writes."),
    )
    waiting_longer_text = models.TextField(
        _("after one minute of waiting"),
        max_length=300,
        blank=True,
        default=gettext_noop("Thank you for waiting. We have not forgotten you."),
        db_default="Thank you for waiting. We have not forgotten you.",
        help_text=_("Empty: the words before stay."),
    )
    waiting_long_text = models.TextField(
        _("after five minutes of waiting"),
        max_length=300,
        blank=True,
        default=gettext_noop("We are sorry that it takes so long. You may go on waiting here."),
        db_default="We are sorry that it takes so long. You may go on waiting here.",
        help_text=_(
            "Empty: the words before stay. Below them visitors can end the chat, and leave a message where you take messages."
        ),
    )
    ended_text = models.TextField(
        _("after the chat"),
        max_length=300,
        default=gettext_noop("This chat has ended."),
        help_text=_("Below the last message, when the visitor or the agent has ended the chat."),
    )
    closed_text = models.TextField(
        _("when closed"),
        max_length=500,
        default=gettext_noop("The chat is closed at the moment."),
        help_text=_("In place of the form, outside of the opening hours. Below it stands when somebody is back."),
    )
    unavailable_text = models.TextField(
        _("when Twilio cannot be reached"),
        max_length=500,
        default=gettext_noop("The chat is not available at the moment. Please try again in a minute."),
        help_text=_("In place of the chat. Name another way to reach you: a phone number or an e-mail address."),
    )
    brand_colour = models.CharField(_("brand colour"), max_length=7, default="#0b5d4e", validators=[validate_colour])
    colour_scheme = models.CharField(
        _("colour scheme"), max_length=6, choices=ColourScheme.choices, default=ColourScheme.SYSTEM
    )
    position = models.CharField(_("position"), max_length=5, choices=Position.choices, default=Position.RIGHT)
    logo = models.CharField(
        _("logo"),
        max_length=200,
        default="",
        db_default="",
        blank=True,
        validators=[validate_logo],
        help_text=_(
            "A picture for the head of the chat, at least 40 pixels high: the name of a static file, such as "
            "site/favicon.svg, or an address of this website, such as /media/logo.png."
        ),
    )
    formatting = models.BooleanField(
        _("agents' formatting"),
        default=True,
        db_default=True,
        help_text=_(
            "Agents' **bold**, *italic*, `code`, lists and [links](https://…) are shown as such. Off: as typed."
        ),
    )

    ask_rating = models.BooleanField(
        _("ask for a rating"),
        default=False,
        db_default=False,
        help_text=_("After a chat in which an agent wrote something: 1 to 5, and a comment if the visitor likes."),
    )
    rating_question = models.CharField(
        _("question"),
        max_length=200,
        default=gettext_noop("How was this chat?"),
        db_default="How was this chat?",
    )

    message_recipients = models.TextField(
        _("mail messages to"),
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        validators=[validate_recipients],
        help_text=_(
            "E-mail addresses of staff, one a line. Each message that is left is mailed to them. Empty: messages are in "
            "the admin alone."
        ),
    )

    # Chosen from TaskRouter's lists. The names are for staff, as they were then.
    queue_sid = models.CharField(
        _("task queue"), max_length=34, blank=True, default="", db_default="", validators=[sid_validator("WQ")]
    )
    queue_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    when_nobody = models.CharField(
        _("when no agent is there, visitors find"),
        max_length=7,
        choices=WhenNobody.choices,
        default=WhenNobody.START,
        db_default=WhenNobody.START,
    )
    task_workflow_sid = models.CharField(
        _("workflow"), max_length=34, blank=True, default="", db_default="", validators=[sid_validator("WW")]
    )
    task_workflow_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    task_channel = models.CharField(_("task channel"), max_length=64, default="default", db_default="default")
    task_days = models.PositiveSmallIntegerField(
        _("days"),
        default=7,
        db_default=7,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_TASK_DAYS)],
        help_text=_("That a task waits for an agent before Twilio cancels it: 1 to 14."),
    )

    attachments = models.BooleanField(_("let visitors send files"), default=False, help_text=_("Agents always can."))
    attachment_kinds = models.JSONField(
        _("visitors can send"),
        default=default_kinds,
        blank=True,
        validators=[validate_kinds],
    )
    attachment_max_mb = models.PositiveSmallIntegerField(
        _("largest total per message, in MB"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MEGABYTES)],
        help_text=_("All files of one message together: 1 to 150."),
    )

    objects = WebchatQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("webchat")
        verbose_name_plural = _("webchats")
        permissions = [
            ("setup_flex", "Can set up webchats at Twilio"),
            ("view_statistics", "Can view statistics of chats"),
        ]

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.slug,)

    def clean(self) -> None:
        if self.slug in TAKEN_SLUGS:
            raise ValidationError({"slug": _("That is the address of users' past chats. Choose another one.")})
        if self.enabled and self.archived_at:
            raise ValidationError(
                {"enabled": _("It is archived: take it out of the archive first, in the list of webchats.")}
            )
        if self.api == self.Api.CONVERSATIONS and not self.address_sid:
            raise ValidationError({"address_sid": _("Flex Conversations needs the SID of a chat address, IG….")})
        if self.api == self.Api.WEB_CHANNELS and not self.flex_flow_sid:
            raise ValidationError({"flex_flow_sid": _("The legacy API needs the SID of a Flex Flow, FO….")})
        if self.api != self.Api.WEB_CHANNELS and self.widget == self.Widget.FLEX_UI:
            raise ValidationError({"widget": _("Flex Webchat UI 2.x speaks the legacy API only.")})
        if self.require_form and self.widget == self.Widget.FLEX_UI:
            raise ValidationError(
                {
                    "widget": _(
                        "Flex Webchat UI 2.x has a form of its own: “block bots that post without opening the form” refuses it."
                    )
                }
            )
        if self.attachments and not self.attachment_kinds:
            raise ValidationError({"attachment_kinds": _("Choose at least one, or switch attachments off.")})
        self._clean_closure()

    def _clean_closure(self) -> None:
        if self.closure == Closure.UNTIL and self.closed_until is None:
            raise ValidationError({"closed_until": _("Say until when.")})
        if self.closed_until and self.closed_until > database_now() + timedelta(days=366):
            raise ValidationError({"closed_until": _("At most a year ahead.")})
        if self.closure == Closure.NEXT_OPENING and self.hours is None:
            raise ValidationError({"closure": _("Without opening hours there is no next opening.")})
        if self.closure != Closure.UNTIL:
            self.closed_until = None
        if not self.closure:
            self.closed_since = None
        elif self.closed_since is None:
            self.closed_since = database_now()

    def archive(self) -> None:
        """No new chat starts, running ones go on, and lists leave it out."""
        self.enabled, self.archived_at = False, self.archived_at or database_now()
        self.save(update_fields=["enabled", "archived_at"])

    def take_out_of_archive(self) -> None:
        """It stays switched off until staff have looked at it."""
        self.archived_at = None
        self.save(update_fields=["archived_at"])

    @property
    def carries_flex_ui(self) -> bool:
        """With *only from the form* it cannot: its form is none that this site showed."""
        is_chosen = self.api == self.Api.WEB_CHANNELS and self.widget == self.Widget.FLEX_UI
        return is_chosen and not self.require_form

    @property
    def is_on(self) -> bool:
        """Whether visitors find it at all."""
        return self.enabled and not self.draft

    @property
    def takes_messages(self) -> bool:
        """Whether its message form may be sent at all: also one that was shown while nobody was there, and is now."""
        when_nobody = self.queue_sid and self.when_nobody == WhenNobody.MESSAGE
        return self.is_on and bool(self.when_closed == WhenClosed.MESSAGE or when_nobody)

    @property
    def is_configured(self) -> bool:
        """Whether the environment has what its chats need: credentials, and the API."""
        return credentials.is_configured() and self.api in GATEWAYS

    @property
    def brand_ink(self) -> str:
        return ink_for(self.brand_colour)

    @property
    def logo_address(self) -> str:
        """Empty for none. A static file that a later release of the site has no more is none."""
        if not self.logo or self.logo.startswith("/"):
            return self.logo
        try:
            return static(self.logo)
        except ValueError:
            logger.warning("logo_missing", webchat=self.slug)
            return ""

    @property
    def stylesheet(self) -> Stylesheet:
        return stylesheet(self.slug, self.brand_colour)

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def make_once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is made of this copy of the webchat. The key says all that it depends on besides."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @property
    def attachment_types(self) -> dict[str, str]:
        """Extension → media type of the files that visitors may send; empty for none."""
        return types_of(self.attachment_kinds) if self.attachments else {}

    @property
    def attachment_labels(self) -> list[str]:
        return [str(KINDS[kind].label) for kind in self.attachment_kinds]

    def destination(self, api: str) -> Destination:
        """Where its chats by this API go. A session stays with the API that it began with, whatever staff choose now."""
        return Destination(api, self.chat_service_sid, self.address_sid, self.flex_flow_sid)

    def move_to_conversations(self, address_sid: str) -> None:
        """New chats open by the current API. Running ones end by that which they began with."""
        self.api, self.widget, self.address_sid = self.Api.CONVERSATIONS, self.Widget.OWN, address_sid
        self.save(update_fields=["api", "widget", "address_sid"])

    @property
    def wants_proof(self) -> bool:
        """Whether so many chats were started and messages left lately that the next needs proof of work."""
        if self.proof_after is None:
            return False
        lately = database_now() - BUSY_WINDOW
        chats = self.sessions.filter(created_at__gt=lately).order_by()[: self.proof_after].count()
        messages = self.messages.filter(received_at__gt=lately).order_by()[: self.proof_after].count()
        return chats + messages >= self.proof_after

    @classmethod
    def note_webhook(cls, pk: int) -> None:
        """Keeps when Twilio told of a chat of this webchat, at most once a minute: many chats may end at once."""
        now = database_now()
        due = Q(webhook_heard_at=None) | Q(webhook_heard_at__lt=now - timedelta(minutes=1))
        cls.objects.filter(due, pk=pk).update(webhook_heard_at=now)

    @property
    def is_used(self) -> bool:
        return self.sessions.exists() or self.messages.exists()


def protect_used_webchat(instance: Webchat, **_signal: Any) -> None:
    """Raises ProtectedError: chats and messages keep their webchat."""
    if instance.is_used:
        raise models.ProtectedError("The webchat has chats or messages: archive it instead.", {instance})
