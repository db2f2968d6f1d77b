"""`manage.py check_flex`: whether Twilio has what the webchats need, in words."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from webchat.chats.setup import plan_for
from webchat.conf import conf
from webchat.errors import ChatRefused
from webchat.flex import FlexError, gateway_for
from webchat.flex.provisioning import HopelessError, Others, can_be_posted_to, host_of
from webchat.flex.taskrouter import TaskRouter
from webchat.flex.webhook_settings import (
    EVENT,
    MESSAGE_EVENT,
    WebhookConfig,
    fetch_account_webhook,
    fetch_webhook,
    set_webhook,
)
from webchat.models import Webchat
from webchat.standstill import find_standstill


class Command(BaseCommand):
    help = (
        "Asks Twilio whether it has what each webchat needs, looks whether the worker stands still, and says in words what is "
        "wrong. Exit status 1: something is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="of one webchat; without it, all that are enabled")
        parser.add_argument(
            "--fix-webhook", action="store_true", help="have Twilio tell this site when an agent completes a chat"
        )
        parser.add_argument(
            "--first-answers",
            action="store_true",
            help="the same of each message, one request each, so that the statistics have the time to an agent's first answer",
        )
        parser.add_argument(
            "--replace", action="store_true", help="with --fix-webhook: in place of another site's address"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        webchats = (
            Webchat.objects.filter(slug=options["slug"]) if options["slug"] else Webchat.objects.filter(enabled=True)
        )
        if not webchats:
            raise CommandError(
                "There is no such webchat."
                if options["slug"]
                else "No webchat is enabled. Add one in the admin, or switch one on there, then run this again."
            )
        events = (EVENT, MESSAGE_EVENT) if options["first_answers"] else (EVENT,)
        url = conf.PUBLIC_BASE_URL + reverse("twilio-conversations")
        found = 0
        for webchat in webchats:
            problems: list[str] = [*gateway_for(webchat.destination(webchat.api)).diagnose()]
            if not problems:  # else this would only fail in the same way
                problems = webhook_problems(
                    webchat, url, events, fix=options["fix_webhook"], replace=options["replace"]
                )
                problems += queue_problems(webchat)
                problems += differences_from_plan(webchat)
            for problem in problems:
                self.stdout.write(self.style.ERROR(f"{webchat.slug}: {problem}"))
            if not problems:
                self.stdout.write(self.style.SUCCESS(f"{webchat.slug}: everything that a chat needs is there."))
            found += len(problems)
        if standstill := find_standstill():
            style = self.style.ERROR if standstill.has_run else self.style.WARNING
            self.stdout.write(style(standstill.words))
            found += standstill.has_run
        if found:
            raise CommandError(f"{found} problem{'s' if found > 1 else ''} found.", returncode=1)


def webhook_problems(webchat: Webchat, url: str, events: tuple[str, ...], *, fix: bool, replace: bool) -> list[str]:
    try:
        own = fetch_webhook(webchat.chat_service_sid)
        # The account's configuration counts where the service has none.
        if own.posts_to(url, *events) or (not own.post_url and fetch_account_webhook().posts_to(url, *events)):
            return []
        if not fix:
            return [_what_is_missing(own, url)]
        if not can_be_posted_to(url):
            return [f"Twilio cannot post to {url}: set PUBLIC_BASE_URL to the site's public https address."]
        if own.post_url not in ("", url) and not replace:
            return [
                f"The chat service posts to {host_of(own.post_url)} already; --replace puts this site in its place."
            ]
        set_webhook(webchat.chat_service_sid, url, *events)
    except FlexError as error:
        return [f"The webhook could not be read or set: {error}."]
    return []


def differences_from_plan(webchat: Webchat) -> list[str]:
    """What setup_flex would do to the flow and the address, or what is in its way. What is not this site's may stay so."""
    if webchat.api != Webchat.Api.CONVERSATIONS:
        return []
    try:
        plan = plan_for(webchat, others=Others.KEEP)
    except (FlexError, HopelessError, ChatRefused) as error:
        return [f"What setup_flex would find cannot be read: {error}"]
    steps = [step.words for step in plan.steps if step.about in ("flow", "address")]
    return [*plan.obstacles, *(f"{words}: setup_flex does it." for words in steps)]


def queue_problems(webchat: Webchat) -> list[str]:
    """Whether the figures of its queue can be read."""
    if not webchat.queue_sid:
        return []
    try:
        TaskRouter().figures(webchat.queue_sid)
    except FlexError as error:
        return [
            f"The figures of the queue “{webchat.queue_name}” cannot be read: {error}. Visitors find the chat as if "
            "somebody were there. Check that the credentials may read TaskRouter's statistics and Flex's configuration, "
            "and choose the queue again in the admin."
        ]
    return []


def _what_is_missing(own: WebhookConfig, url: str) -> str:
    if own.posts_to(url):
        return f"Twilio does not post {MESSAGE_EVENT} to this site, so first answers are not counted. --fix-webhook adds it."
    if own.post_url == url:
        return f"Twilio does not post {EVENT} to this site, so ends of chats are noticed late. --fix-webhook adds it."
    elsewhere = f" but to {host_of(own.post_url)}" if own.post_url else ""
    return (
        f"Twilio does not post to {url}{elsewhere}, so ends of chats are noticed late. --fix-webhook changes that for "
        "the chat service."
    )
