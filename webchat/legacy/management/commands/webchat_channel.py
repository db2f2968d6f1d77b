"""`manage.py webchat_channel`: the legacy API's web channels by hand, for operators."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from webchat.flex import Engagement, FlexError
from webchat.flex.client import bounded_http
from webchat.legacy.gateway import WebChannel, WebChannels
from webchat.models import Webchat


class Command(BaseCommand):
    help = (
        "Creates, shows or ends a web channel of the legacy API, with the Flex Flow of a webchat, and prints it as Twilio "
        "does. No visitor and no chat session belongs to a channel that is created here."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="open a channel")
        create.add_argument("slug", help="of the webchat whose Flex Flow it is")
        create.add_argument("--identity", required=True, help="of the visitor in it; one that was never used")
        create.add_argument("--customer-friendly-name", required=True)
        create.add_argument("--chat-friendly-name", required=True)
        create.add_argument("--pre-engagement-data", default="{}", metavar="JSON", help="an object")
        for verb, text in (("fetch", "show a channel"), ("end", "end the chat in a channel")):
            other = verbs.add_parser(verb, help=text)
            other.add_argument("slug")
            other.add_argument("sid", help="CH…")

    def handle(self, *args: Any, **options: Any) -> None:
        webchat = Webchat.objects.filter(slug=options["slug"]).first()
        if webchat is None:
            raise CommandError("There is no such webchat.")
        try:
            channel = self.do(WebChannels(webchat.destination(Webchat.Api.WEB_CHANNELS), bounded_http()), options)
        except FlexError as error:
            raise CommandError(f"{error}.", returncode=1) from error
        self.stdout.write(json.dumps(asdict(channel), cls=DjangoJSONEncoder, indent=2))

    def do(self, gateway: WebChannels, options: dict[str, Any]) -> WebChannel:
        """Raises FlexError."""
        if options["verb"] == "create":
            return gateway.create(
                Engagement(
                    identity=options["identity"],
                    chat_friendly_name=options["chat_friendly_name"],
                    customer_friendly_name=options["customer_friendly_name"],
                    pre_engagement_data=_data(options["pre_engagement_data"]),
                )
            )
        if options["verb"] == "end":
            gateway.close(options["sid"])
        return gateway.fetch(options["sid"])


def _data(text: str) -> dict[str, object]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise CommandError("--pre-engagement-data takes a JSON object.")
    return data
