"""What would fail at run time, found by `manage.py check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.utils.module_loading import import_string

from webchat.conf import conf
from webchat.fields import lookups
from webchat.flex import GATEWAYS, credentials
from webchat.flex.gateway import is_sid
from webchat.models import OpeningHours, PreEngagementField, QueueFigures, Webchat

_CONSOLE = "django.core.mail.backends.console.EmailBackend"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_credentials(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    missing = credentials.missing()
    if not missing:
        return [
            Warning(
                f"{name} is not a SID of that kind: {prefix} and 32 hexadecimal digits.",
                hint="Copy it from Twilio's Console.",
                id="webchat.W002",
            )
            for name, prefix in (("TWILIO_ACCOUNT_SID", "AC"), ("TWILIO_API_KEY_SID", "SK"))
            if not is_sid(getattr(conf, name), prefix)
        ]
    return [
        Warning(
            f"Twilio's credentials are incomplete: {', '.join(missing)}. Every chat will say that it is unavailable.",
            hint="Set them in the environment, or set TWILIO_SANDBOX_URL and the sandbox's account for development.",
            id="webchat.W001",
        )
    ]


def check_sandbox(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if not conf.TWILIO_SANDBOX_URL:
        return []
    messages: list[CheckMessage] = []
    try:
        host = urlsplit(conf.TWILIO_SANDBOX_URL).hostname
    except ValueError:
        host = None
    if host not in _LOOPBACK:
        messages.append(
            Error(
                "TWILIO_SANDBOX_URL is not on this machine. It decides who receives the visitors' tokens.",
                hint="Use http://127.0.0.1:8001, or unset it to talk to Twilio.",
                id="webchat.E002",
            )
        )
    text = "TWILIO_SANDBOX_URL is set on a site that is served over TLS: no chat will reach your contact centre."
    if conf.SERVED_OVER_TLS and conf.WEBCHAT_STAGING:
        messages.append(
            Warning(text, hint="As WEBCHAT_STAGING=on wants it. Unset both in production.", id="webchat.W006")
        )
    elif conf.SERVED_OVER_TLS:
        hint = "Unset TWILIO_SANDBOX_URL in production; set WEBCHAT_STAGING=on for a staging site."
        messages.append(Error(text, hint=hint, id="webchat.E003"))
    return messages


def check_limits(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if conf.WEBCHAT_LIMITS not in ("on", "off"):
        return [Error('WEBCHAT_LIMITS is "on" or "off".', hint="Set one of the two, or unset it.", id="webchat.E004")]
    if conf.WEBCHAT_LIMITS == "off" and not conf.TWILIO_SANDBOX_URL:
        return [
            Error(
                "WEBCHAT_LIMITS=off lifts the limits on starts at Twilio itself.",
                hint="It is for load tests against the sandbox: unset it, or set TWILIO_SANDBOX_URL.",
                id="webchat.E005",
            )
        ]
    return []


def check_hooks(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    found = []
    for name in ("WEBCHAT_BEFORE_START", "WEBCHAT_TELL_AGENTS", "WEBCHAT_MAY_MAIL"):
        if not (path := getattr(conf, name)):
            continue
        try:
            problem = "" if callable(import_string(path)) else "is no function."
        except ImportError as error:
            problem = f"cannot be imported: {error}"
        if problem:
            hint = f"Give the dotted path of a function, like shop.chat.{name.removeprefix('WEBCHAT_').lower()}, or unset it."
            found.append(Error(f"{name} {problem}", hint=hint, id="webchat.E008"))
    return found


def check_user_indexes(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """A look-up without an index reads all accounts, and its time tells whether one was found."""
    return [
        Warning(
            f"Forms may look users up by “{path}”, and no index is on the upper case of that column: each look-up reads the "
            "whole table.",
            hint=f'Add models.Index(Upper("{path.rpartition("__")[2]}"), name="…") to Meta.indexes of '
            f"{lookups.column_at(path).model._meta.label}, or take it out of WEBCHAT_USER_LOOKUPS.",
            id="webchat.W005",
        )
        for path in lookups.offered_lookups()
        if lookups.is_text(path) and not lookups.has_index(path)
    ]


def check_webchats(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """The rows that staff saved, against the code and the user model of today."""
    if not databases or "default" not in databases:
        return []
    messages: list[CheckMessage] = []
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        return [
            Error(
                f"The database of DATABASE_URL does not answer: {reason}",
                hint="Start it, or set DATABASE_URL to where it is.",
                id="webchat.E009",
            )
        ]
    try:
        for webchat in Webchat.objects.filter(enabled=True):
            messages += _of_messages(webchat)
            if webchat.api not in GATEWAYS:
                messages.append(
                    Error(
                        f"Webchat “{webchat.slug}” uses the legacy API, which is switched off.",
                        hint="Set WEBCHAT_LEGACY=on, or choose Flex Conversations in the admin.",
                        id="webchat.E010",
                    )
                )
            try:
                # Texts of a language that the site has no longer stay in the row, unseen.
                webchat.full_clean(exclude=["translations"], validate_unique=False, validate_constraints=False)
            except ValidationError as error:
                messages.append(
                    Error(
                        f"Webchat “{webchat.slug}” cannot work: {' '.join(error.messages)}",
                        hint="Mend it in the admin.",
                        id="webchat.E006",
                    )
                )
        messages += _plans_that_cannot_be_read()
        for field in PreEngagementField.objects.exclude(match="").select_related("webchat"):
            try:
                lookups.validate_lookup(field.user_lookup)
            except ValidationError as error:
                messages.append(
                    Error(
                        f"Field “{field.name}” of webchat “{field.webchat.slug}”: {' '.join(error.messages)}",
                        hint="Choose another user lookup in the admin.",
                        id="webchat.E007",
                    )
                )
    except DatabaseError:
        return []  # not migrated yet: there are no rows to check
    return messages


def _of_messages(webchat: Webchat) -> list[CheckMessage]:
    """Checks what goes on while nobody is there."""
    messages: list[CheckMessage] = []
    figures = QueueFigures.objects.filter(pk=webchat.queue_sid).exclude(failure="").first()
    if figures:
        messages.append(
            Warning(
                f"Webchat “{webchat.slug}” cannot read its queue “{webchat.queue_name}”: {figures.failure}. Visitors find "
                "the chat as if somebody were there.",
                hint="Run manage.py check_flex, which says what the credentials lack.",
                id="webchat.W004",
            )
        )
    if webchat.message_recipients and settings.EMAIL_BACKEND == _CONSOLE:
        messages.append(
            Warning(
                f"Webchat “{webchat.slug}” mails messages to staff, and no mail server is named: they are printed on the "
                "worker's console.",
                hint="Set EMAIL_URL to your mail server.",
                id="webchat.W003",
            )
        )
    return messages


def _plans_that_cannot_be_read() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for plan in OpeningHours.objects.all():
        try:
            plan.clean_fields()
        except ValidationError as error:
            found.append(
                Error(
                    f"The opening hours “{plan.name}” cannot be read: {' '.join(error.messages)}",
                    hint="Install the package tzdata, or choose another time zone in the admin.",
                    id="webchat.E011",
                )
            )
    return found


def register_checks() -> None:
    register(check_credentials, Tags.security)
    register(check_sandbox, Tags.security)
    register(check_limits, Tags.security)
    register(check_hooks)
    register(check_user_indexes, Tags.models)
    register(check_webchats, Tags.database)
