"""{% webchat %}: the chat in any page template."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import structlog
from django import template
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.http import HttpRequest
from django.template.base import FilterExpression, Parser, Token, token_kwargs
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from webchat import links
from webchat.clock import utc_text
from webchat.forms.form import PreEngagementForm
from webchat.forms.page_context import Reader, sign_context
from webchat.hours import State, changes_ahead, state_of, time_in_words, what_is_taken, zone_of
from webchat.models import Webchat, WhenClosed
from webchat.models.copies import webchat_named, webchat_of_site
from webchat.visitors import mark_of, page_secret

logger = structlog.get_logger(__name__)

register = template.Library()

_TEMPLATES = {"launcher": "webchat/launcher.html", "inline": "webchat/inline.html"}
# Launchers other than our own, by the webchat's widget.
Launcher = Callable[[Webchat, HttpRequest, dict[str, Any], str], str]
LAUNCHERS: dict[str, Launcher] = {}
# Stands in the markup where a request has its nonce.
_NONCE = "nonce-of-the-request"
_SENTENCE_ENDS = tuple("?؟？!！.。:：…")
_USAGE = 'webchat takes a slug, mode="launcher" or mode="inline", widget="own", and context=, all optional'


@register.tag
def webchat(parser: Parser, token: Token) -> WebchatNode:
    """The launcher of a webchat, or with mode="inline" the chat itself, in the page.

    Without a slug it is the first webchat of this site. A webchat that is absent shows nothing. The launcher of one that
    is switched off is hidden: the script shows it to those whose chat runs. `context=order` tells the agent more: a mapping of names to texts, numbers, true and false,
    signed so that the browser cannot change it (but readable there). Inline is always our own widget, and so is a launcher
    with widget="own", for pages on which passwords are typed: Flex Webchat UI needs a weaker Content-Security-Policy.

    Not a simple_tag, because those have the name `context` for themselves.
    """
    bits = token.split_contents()[1:]
    slug = parser.compile_filter(bits.pop(0)) if bits and "=" not in bits[0] else None
    options = token_kwargs(bits, parser)
    if bits or options.keys() - {"mode", "widget", "context"}:
        raise template.TemplateSyntaxError(_USAGE)
    return WebchatNode(slug, options.get("mode"), options.get("widget"), options.get("context"))


def _find(slug: str) -> Webchat | None:
    if not slug:
        return webchat_of_site()
    try:
        return webchat_named(slug)
    except Webchat.DoesNotExist:
        return None


@register.simple_tag(takes_context=True)
def user_mark(context: Context) -> str:
    """The mark of the page's user, as the API's `visitor` gives it: for a script that asks when the page is shown again."""
    user = context["request"].user
    return mark_of(user if user.is_authenticated else None)


register.filter("has_links", links.has_links)


@register.simple_tag
def words(text: str, target: str = "") -> SafeString:
    """What staff wrote, with its addresses as links. With a `target` the rest of it are labels of that field."""
    if not target and not links.has_links(text):
        return conditional_escape(text)
    values = {"pieces": links.pieces(text), "target": target}
    return mark_safe(render_to_string("webchat/_words.html", values).strip())  # noqa: S308  (a template of ours)


@register.filter
def words_alone(text: str) -> str:
    """What staff wrote without the addresses behind its words."""
    return "".join(piece.text for piece in links.pieces(text))


@register.filter
def clock_of(webchat: Webchat) -> ZoneInfo:
    """The zone in which its visitors read times: that of its opening hours."""
    return zone_of(webchat)


@register.simple_tag
def named_problem(label: str, problem: str) -> SafeString:
    """What is wrong with a field, with its name; a name that ends like a sentence takes no colon.

    Each of the two reads in its own direction.
    """
    name = Truncator(words_alone(label)).chars(100)
    sentence = "%(name)s %(problem)s" if name.endswith(_SENTENCE_ENDS) else _("%(name)s: %(problem)s")
    parts = {"name": format_html("<bdi>{}</bdi>", name), "problem": format_html("<bdi>{}</bdi>", problem)}
    return mark_safe(sentence % parts)  # noqa: S308  (a sentence of ours, escaped parts)


@register.simple_tag
def made_once(webchat: Webchat, name: str, **known: object) -> SafeString:
    """A template that knows nothing but the webchat, and what it is given, of which there are few values: the same for all
    visitors in one language."""
    return _made_once(webchat, name, {"webchat": webchat, **known}, *map(str, known.values()))


@register.simple_tag
def form_body(form: PreEngagementForm, state: str, error: str = "") -> SafeString:
    """The form below its introduction. Empty and without an account it is the same for all in one language."""
    name, values = "webchat/_form_body.html", {"form": form, "webchat": form.webchat, "state": state, "error": error}
    if form.is_bound or form.user is not None or error:
        return render_to_string(name, values)
    return _made_once(form.webchat, name, values, state)


@register.simple_tag
def back_on(webchat: Webchat, state: State) -> SafeString:
    """When somebody is back, by the business's clock."""
    if state.until is None:
        return mark_safe("")
    zone = zone_of(webchat)
    words = time_in_words(state.until, zone)
    when = format_html('<time datetime="{}" data-webchat-zone="{}">{}</time>', utc_text(state.until), zone.key, words)
    return format_html(_("We are back on %(when)s.") % {"when": "{}"}, when)


@register.simple_tag
def launcher_hours(webchat: Webchat) -> dict[str, Any] | None:
    """What the launcher of a webchat with opening hours needs. By this machine's clock: a page view has no query, and the
    server decides again when the panel is opened."""
    now = timezone.now()
    changes = changes_ahead(webchat, now) if webchat.is_on else ""
    if not changes:
        return None
    labels = {WhenClosed.SAY: _("Closed at the moment"), WhenClosed.MESSAGE: _("Leave a message")}
    closed_label = labels.get(WhenClosed(webchat.when_closed), "")
    state = state_of(webchat, now)
    return {
        "changes": changes,
        "is_open": state.is_open,
        "closed_label": closed_label,
    }


@register.simple_tag
def taken_now(webchat: Webchat) -> str:
    """What the webchat takes: a Takes of webchat.hours, by this machine's clock."""
    return what_is_taken(webchat, state_of(webchat, timezone.now())).value


def _made_once(webchat: Webchat, name: str, values: dict[str, Any], *variant: str) -> SafeString:
    """A template that says nothing of the request: made once for this copy of the webchat and this language."""
    text: SafeString = webchat.make_once((name, get_language(), *variant), lambda: render_to_string(name, values))
    return text


def _reader(webchat: Webchat, request: HttpRequest) -> Reader:
    return Reader(webchat.pk, request.user if request.user.is_authenticated else None, page_secret(request))


def _other_launcher(webchat: Webchat) -> Launcher | None:
    is_own = webchat.widget == Webchat.Widget.FLEX_UI and not webchat.carries_flex_ui
    return None if is_own else LAUNCHERS.get(webchat.widget)


class WebchatNode(template.Node):
    def __init__(
        self,
        slug: FilterExpression | None,
        mode: FilterExpression | None,
        widget: FilterExpression | None,
        context: FilterExpression | None,
    ) -> None:
        self.slug, self.mode, self.widget, self.context = slug, mode, widget, context

    def render(self, context: Context) -> str:
        parts = (self.slug, self.mode, self.widget, self.context)
        slug, mode, widget, told = (part and part.resolve(context) for part in parts)
        mode = mode or "launcher"
        if mode not in _TEMPLATES or widget not in (None, "own"):
            raise template.TemplateSyntaxError(_USAGE)
        try:
            found = _find(str(slug or ""))
        except DatabaseError as error:
            # The page is there without its chat.
            logger.error("page_without_chat", error=type(error).__name__)
            return ""
        if found is None and slug and settings.DEBUG:
            logger.warning("webchat_unknown", webchat=str(slug))
        if found is None:
            return ""
        request = context.get("request")
        if request is None:
            raise ImproperlyConfigured("{% webchat %} needs the request: render the template with request=request.")
        if mode == "launcher":
            # A second one of the same chat would be at the same place, with the same ids.
            launchers: set[str] = vars(request).setdefault("webchat_launchers", set())
            if found.slug in launchers:
                return ""
            launchers.add(found.slug)
        signed = sign_context(told, _reader(found, request)) if told else ""
        query = "?" + urlencode({"context": signed}) if signed else ""
        values: dict[str, Any] = {"webchat": found, "mode": mode, "query": query}
        is_own = mode != "launcher" or widget == "own" or not found.is_configured
        render = None if is_own else _other_launcher(found)
        if render and state_of(found, timezone.now()).is_open:
            return render(found, request, values, signed)
        values["request"] = SimpleNamespace(csp_nonce=_NONCE)
        # With a context of the page's it is another one for each page.
        make = render_to_string if signed else partial(_made_once, found)
        return mark_safe(make(_TEMPLATES[mode], values).replace(_NONCE, str(request.csp_nonce)))  # noqa: S308  (a template of ours)
