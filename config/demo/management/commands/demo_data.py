"""The demo's webchats and users, for the sandbox alone."""

from __future__ import annotations

from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext_noop

from webchat.fields.kinds import Match, Role, Type
from webchat.models import PreEngagementField, Webchat
from webchat.models.field import POSITION_STEP
from webchat.models.translations import from_catalogues
from webchat.sandbox import account

WEBCHATS: list[dict[str, Any]] = [
    {
        "slug": "support",
        "name": "Support",
        "api": Webchat.Api.CONVERSATIONS,
        "address_sid": account.ADDRESS_SID,
        "chat_friendly_name": "Support chat",
        "texts": {"intro": gettext_noop("Tell us how we can help. We usually answer within a minute.")},
        "attachments": True,
    },
    {
        "slug": "legacy",
        "name": "Legacy support",
        "api": Webchat.Api.WEB_CHANNELS,
        "widget": Webchat.Widget.FLEX_UI,
        "flex_flow_sid": account.FLEX_FLOW_SID,
        "chat_friendly_name": "Legacy support chat",
    },
]
# By column; `texts` come in all languages.
FIELDS: list[dict[str, Any]] = [
    {
        "name": "name",
        "texts": {"label": gettext_noop("Your name")},
        "type": Type.NAME,
        "role": Role.CUSTOMER_NAME,
        "autocomplete": "name",
        "audience": PreEngagementField.Audience.ANONYMOUS,
    },
    {
        "name": "email",
        "texts": {"label": gettext_noop("E-mail address")},
        "type": Type.EMAIL,
        "autocomplete": "email",
        "match": Match.ACCOUNT,
        "user_lookup": "email",
    },
    {
        "name": "customer_number",
        "texts": {
            "label": gettext_noop("Customer number"),
            "placeholder": "C-1234",
            "help_text": gettext_noop("On your invoice, if you are a customer already."),
        },
        "type": Type.TEXT,
        "required": False,
        "match": Match.ACCOUNT,
        "user_lookup": "customer_number",
    },
    {
        "name": "question",
        "texts": {"label": gettext_noop("How can we help?")},
        "type": Type.TEXTAREA,
        "role": Role.QUESTION,
    },
]


def in_all_languages(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "texts"} | from_catalogues(
        **values.get("texts", {})
    )


class Command(BaseCommand):
    help = "Makes the demo's webchats and users (make run does it). Refused unless the sandbox is in use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--set-up", action="store_true", help="migrate first, and then have the sandbox that runs know the site"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TWILIO_SANDBOX_URL:
            raise CommandError("The demo has users with a known password: it is made for the sandbox only.")
        if options["set_up"]:
            call_command("migrate", verbosity=options["verbosity"])
        for values in WEBCHATS:
            webchat, created = Webchat.objects.get_or_create(
                slug=values["slug"], defaults={**in_all_languages(values), "chat_service_sid": account.CHAT_SERVICE_SID}
            )
            if created:
                for number, field in enumerate(FIELDS, 1):
                    row = PreEngagementField(
                        webchat=webchat, position=number * POSITION_STEP, **in_all_languages(field)
                    )
                    row.full_clean()
                    row.save()
        users = get_user_model()._default_manager
        if not users.filter(username="admin").exists():
            users.create_superuser("admin", "admin@example.com", "sandbox")
        if not users.filter(username="ada").exists():
            users.create_user(
                "ada",
                "ada@example.com",
                "sandbox",
                first_name="Ada",
                last_name="Lovelace",
                customer_number="C-1001",
            )
        if options["set_up"]:
            call_command("setup_flex", "support", yes=True, replace=True, stdout=StringIO())
