"""`manage.py flexsandbox`: the emulated Twilio, in the foreground."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webchat.sandbox.configuration import KINDS
from webchat.sandbox.loopback import is_loopback
from webchat.sandbox.server import run


class Command(BaseCommand):
    help = "Runs the sandbox: Twilio emulated on one loopback port, with an agent desk. For development and tests."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
        parser.add_argument("--port", type=int, default=os.environ.get("SANDBOX_PORT", "8001"))
        parser.add_argument(
            "--no-auto-agent",
            action="store_true",
            default=os.environ.get("SANDBOX_AUTO_AGENT") == "0",
            help="leave every chat to the people at the agent desk",
        )
        parser.add_argument("--account", choices=KINDS, default="new", help="the kind of account, to try setup_flex on")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_loopback(options["host"]):
            raise CommandError(f"The sandbox listens on loopback addresses only, not on {options['host']}.")
        try:
            run(
                options["host"],
                options["port"],
                auto_agent=not options["no_auto_agent"],
                kind=options["account"],
                ready=self.ready,
            )
        except OSError as error:
            raise CommandError(f"The sandbox cannot listen on port {options['port']}: {error.strerror}") from error

    def ready(self, url: str) -> None:
        self.stdout.write(f"Sandbox and agent desk: {url}")
        self.stdout.flush()
