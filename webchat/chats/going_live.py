"""What is to be done before visitors can chat, as a list: each thing with its state, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from webchat.chats.connection import find_problems
from webchat.clock import database_now
from webchat.conf import conf
from webchat.errors import ChatRefused
from webchat.fields.kinds import Role
from webchat.flex import FlexError, Part, Problem, credentials
from webchat.flex.webhook_settings import fetch_account_webhook, fetch_webhook
from webchat.models import ChatSession, Webchat
from webchat.protection.outage import passage_to_twilio
from webchat.standstill import find_standstill

_WEBHOOK = "webhook"
# The steps of which a test of the connection tells.
_AT_TWILIO = (Part.SERVICE.value, Part.ADDRESS.value, Part.FLOW.value, _WEBHOOK)

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Step:
    """`key` is for links. `words`: how it stands, or what to do. `problems`: what the test found, in sentences."""

    key: str
    title: str
    is_done: bool
    words: str
    problems: Sequence[str] = ()

    @property
    def asks_twilio(self) -> bool:
        return self.key in _AT_TWILIO


@dataclass(frozen=True, slots=True)
class Connection:
    """What a test found, in sentences: with `problems` no chat starts, without the webhook ends are noticed late."""

    problems: list[Problem]
    webhook: list[str]

    def about(self, part: Part) -> list[Problem]:
        return [problem for problem in self.problems if problem.about is part]


def run_test(webchat: Webchat) -> Connection:
    """Asks Twilio. A draft that passes is none any more."""
    found = _ask(webchat)
    if webchat.draft and not found.problems:
        publish(webchat)
    webchat.tested_at = None if found.problems or found.webhook else database_now()
    webchat.save(update_fields=["tested_at"])
    return found


def _ask(webchat: Webchat) -> Connection:
    try:
        problems = find_problems(webchat.destination(webchat.api))
    except FlexError as error:  # an API that is switched off
        problems = [Problem(_("Twilio cannot be asked: %(error)s.") % {"error": error})]
    return Connection(problems, [] if problems else _webhook_problems(webchat))


def publish(webchat: Webchat) -> None:
    """From now on visitors find it."""
    webchat.draft = False
    webchat.save(update_fields=["draft"])
    logger.info("webchat_published", webchat=webchat.slug)


def _webhook_problems(webchat: Webchat) -> list[str]:
    url = conf.PUBLIC_BASE_URL + reverse("twilio-conversations")
    try:
        with passage_to_twilio():
            own = fetch_webhook(webchat.chat_service_sid)
            # The account's configuration counts where the service has none.
            if own.posts_to(url) or (not own.post_url and fetch_account_webhook().posts_to(url)):
                return []
    except (FlexError, ChatRefused) as error:
        return [_("Twilio does not show its webhook: %(error)s.") % {"error": error}]
    return [_("Twilio does not post ends of chats to %(url)s. “Set up at Twilio” changes that.") % {"url": url}]


def going_live(webchat: Webchat, found: Connection | None = None) -> list[Step]:
    """`found`: what a test has just found; without it nobody is asked."""
    return [
        _credentials(found),
        *_connection(webchat, found),
        _webhook(webchat, found),
        _form(webchat),
        _hours(webchat),
        _worker(),
        _test_chat(webchat),
    ]


def _credentials(found: Connection | None) -> Step:
    title = _("Credentials")
    missing = credentials.missing()
    if not conf.TWILIO_AUTH_TOKEN:
        missing.append("TWILIO_AUTH_TOKEN")
    if missing:
        words = _("Set %(names)s in the environment, and restart the site.") % {"names": ", ".join(missing)}
        return Step("credentials", title, False, words)
    if found is not None and (problems := found.about(Part.ACCOUNT)):
        return Step("credentials", title, False, _("The test found:"), problems)
    return Step("credentials", title, True, _("All are in the environment."))


def _connection(webchat: Webchat, found: Connection | None) -> Iterator[Step]:
    """The parts at Twilio, each on the one before: what stands on a wrong one cannot be judged."""
    parts = {Part.SERVICE: _("Chat service"), Part.ADDRESS: _("Address"), Part.FLOW: _("Studio flow")}
    if webchat.api == Webchat.Api.WEB_CHANNELS:
        parts = {Part.SERVICE: parts[Part.SERVICE], Part.FLOW: _("Flex Flow")}
    in_doubt = found is not None and bool(found.about(Part.ACCOUNT))
    for part, title in parts.items():
        if found is None and webchat.draft:
            words = _("Test the connection. Until it has passed once, visitors see nothing.")
            yield Step(part.value, title, False, words)
        elif found is not None and (problems := found.about(part)):
            yield Step(part.value, title, False, _("The test found:"), problems)
            in_doubt = in_doubt or part is Part.ADDRESS
        elif in_doubt:
            yield Step(part.value, title, False, _("First correct what is wrong above."))
        else:
            has_passed = found is not None or webchat.tested_at is not None
            words = _("The test has passed.") if has_passed else _("The webchat is no draft.")
            yield Step(part.value, title, True, words)


def _webhook(webchat: Webchat, found: Connection | None) -> Step:
    title = _("Webhook")
    if found is not None and not found.problems:
        words = _("The test found:") if found.webhook else _("Twilio posts ends of chats to this site.")
        return Step(_WEBHOOK, title, not found.webhook, words, found.webhook)
    if webchat.webhook_heard_at is None and found is None and webchat.tested_at:
        return Step(_WEBHOOK, title, True, _("Twilio posts ends of chats to this site."))
    if webchat.webhook_heard_at is None:
        return Step(_WEBHOOK, title, False, _("Twilio has told of no end of a chat yet. The test says more."))
    when = date_format(localtime(webchat.webhook_heard_at), "DATETIME_FORMAT")
    return Step(_WEBHOOK, title, True, _("Twilio last told of an end of a chat: %(when)s.") % {"when": when})


def _form(webchat: Webchat) -> Step:
    title = _("The form reaches an agent")
    question = next((row for row in webchat.fields.all() if row.role == Role.QUESTION), None)
    if question is None:
        return Step(
            "form", title, False, _("Give one field the role of the question: it is posted as the first message.")
        )
    if question.audience or not question.required:
        words = _("Let “%(label)s” be required and shown to everybody: without it no agent is reached at once.")
        return Step("form", title, False, words % {"label": question.label})
    return Step("form", title, True, _("“%(label)s” becomes the first message.") % {"label": question.label})


def _hours(webchat: Webchat) -> Step:
    if webchat.hours is None:
        return Step("hours", _("Opening hours"), True, _("None are chosen: the chat is always open."))
    return Step("hours", _("Opening hours"), True, str(webchat.hours))


def _worker() -> Step:
    standstill = find_standstill()
    return Step("worker", _("Worker"), standstill is None, standstill.words if standstill else _("It is at work."))


def _test_chat(webchat: Webchat) -> Step:
    has_run = webchat.sessions.filter(status__in=(ChatSession.Status.ACTIVE, ChatSession.Status.ENDED)).exists()
    if has_run:
        todo = _("A chat has been here.")
    elif webchat.draft:
        todo = _("First test the connection: nobody can open a draft.")
    else:
        todo = _("Let an agent be available in Flex, open the chat, and send a question.")
    return Step("test_chat", _("A test chat"), has_run, todo)
