"""`manage.py forget_person`: what the site and Twilio hold of one person's chats, exported if asked, then erased."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from webchat.chats.forget import Traces, export, forget, traces_of_channel, traces_of_email, traces_of_user
from webchat.flex.gateway import is_sid
from webchat.management.confirm import agrees

WHAT_STAYS = (
    "What stays: Twilio erases within 30 days of this. Flex Insights keeps the segments of finished chats, with the names and "
    "attributes that the tasks had: only Twilio's support changes them. Studio keeps its executions for 30 days after they "
    "began. Backups and logs of your own are yours. The account on this site is deleted in the admin."
)


class Command(BaseCommand):
    help = (
        "Erases one person's chats and messages, here and at Twilio. Can be repeated: what was not erased is found again. "
        "Exit status 1: something is left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--email", help="an answer in any form, or the address of the account that was signed in")
        whose.add_argument("--user", help="the name that the account signs in with; its e-mail address counts too")
        whose.add_argument("--channel", help="CH…: this one chat")
        parser.add_argument("--export", type=Path, help="first write all that the site holds to this new file, as JSON")
        parser.add_argument(
            "--dry-run", action="store_true", help="say how much there is, and export it; erase nothing"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        traces = _traces(options)
        self.stdout.write(f"Found: {len(traces.sessions)} chats, {len(traces.messages)} messages.")
        if options["export"]:
            _write(options["export"], traces)
            self.stdout.write(f"Written: {options['export']}.")
        if not traces or options["dry_run"]:
            return
        if not options["yes"] and not agrees("Erase this? It cannot be undone."):
            raise CommandError("Nothing was erased.", returncode=1)
        if left := forget(traces):
            raise CommandError(
                f"{left} of them are left, as Twilio did not erase them or a start is under way. The log says why. Run this "
                "again, without --export: the file that is written has all.",
                returncode=1,
            )
        self.stdout.write(self.style.SUCCESS("Erased, here and at Twilio."))
        self.stdout.write(WHAT_STAYS)


def _traces(options: dict[str, Any]) -> Traces:
    if options["channel"]:
        if not is_sid(options["channel"], "CH"):
            raise CommandError("A channel's SID is CH and 32 hex digits.")
        return traces_of_channel(options["channel"])
    if options["email"]:
        return traces_of_email(options["email"])
    users = get_user_model()
    try:
        user = users._default_manager.get_by_natural_key(options["user"])
    except users.DoesNotExist as error:
        raise CommandError(
            "There is no such user. Of a deleted one the e-mail address may still find something."
        ) from error
    return traces_of_user(user)


def _write(path: Path, traces: Traces) -> None:
    """For the eyes of this system's user alone, and over no other file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CommandError(
            f"{path} is there already, and is not written over. Nothing was erased. To go on with a run that broke off, give "
            "no --export; else name another file."
        ) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}. Nothing was erased.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(export(traces), file, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
