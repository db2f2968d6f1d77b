"""`manage.py setup_flex`: what a webchat needs at Twilio, found or made."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from webchat.chats.connection import find_problems
from webchat.chats.setup import State, carry_out, new_webchat, own_step, plan_for
from webchat.errors import ChatRefused
from webchat.flex import FlexError
from webchat.flex.provisioning import HopelessError, Others, Plan
from webchat.management.confirm import agrees
from webchat.models import Webchat

FIRST_SLUG = "support"


class Command(BaseCommand):
    help = (
        "Finds or makes what a webchat needs at Twilio: a Studio flow, a chat address, the webhook; and the webchat itself. "
        "Says first what it would do. Takes nothing from another application. Exit status 1: something is left to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "slug", nargs="?", help=f"of the webchat; without it, the only one, or a new one: {FIRST_SLUG}"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--workflow", default="", help="name or SID of the TaskRouter workflow that takes the chats"
        )
        parser.add_argument("--address", default="", help="IG…: this chat address, and no new one")
        others = parser.add_mutually_exclusive_group()
        others.add_argument("--keep", action="store_true", help="leave what belongs to another application as it is")
        others.add_argument("--replace", action="store_true", help="put this site in its place")
        parser.add_argument(
            "--set-default-service",
            action="store_true",
            help="make Flex's chat service the account's default one: this concerns all of the account's applications",
        )
        parser.add_argument(
            "--create-key",
            action="store_true",
            help="create an API key, and show its secret once; needs the auth token",
        )
        parser.add_argument(
            "--print-flow", action="store_true", help="print the Studio flow, to be imported in the Console; do nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        webchat = _webchat(options["slug"])
        try:
            plan = plan_for(
                webchat,
                wanted_address_sid=options["address"],
                workflow=options["workflow"],
                others=Others.REPLACE if options["replace"] else Others.KEEP if options["keep"] else Others.STOP,
                set_default_service=options["set_default_service"],
                create_key=options["create_key"],
            )
        except HopelessError as error:
            raise CommandError(str(error), returncode=1) from error
        except FlexError as error:
            raise CommandError(_explain(error), returncode=1) from error
        except ChatRefused as refused:
            raise CommandError(
                f"Twilio does not answer: try again in {refused.retry_after} seconds.", returncode=1
            ) from refused
        if options["print_flow"]:
            self.stdout.write(_flow_of(plan))
            return
        step = own_step(webchat, plan)
        self._show(plan, step)
        if plan.obstacles:
            raise CommandError("Nothing was changed.", returncode=1)
        if not plan.steps and not step:
            self.stdout.write("Nothing is left to do.")
        elif options["dry_run"]:
            self.stdout.write("Nothing was changed: this was a dry run.")
            return
        elif not options["yes"] and not agrees("Do this?"):
            raise CommandError("Nothing was changed.", returncode=1)
        if not self._carry_out(webchat, plan):
            raise CommandError(
                "Not everything was done. Run this again when it is: it goes on from there.", returncode=1
            )
        self._check(webchat)

    def _show(self, plan: Plan, own_step: str) -> None:
        for text in plan.found:
            self.stdout.write(f"There: {text}")
        for text in plan.notes:
            self.stdout.write(f"Note: {text}")
        for step in plan.steps:
            self.stdout.write(f"To do: {step.words}.")
        if own_step:
            self.stdout.write(f"To do: {own_step}.")
        for text in plan.obstacles:
            self.stdout.write(self.style.ERROR(f"In the way: {text}"))

    def _carry_out(self, webchat: Webchat, plan: Plan) -> bool:
        """Whether everything was done."""
        done = True
        try:
            for outcome in carry_out(webchat, plan):
                done = done and outcome.state is State.DONE
                style = self.style.SUCCESS if outcome.state is State.DONE else self.style.ERROR
                self.stdout.write(style(f"{outcome.state.value}: {outcome.words}."))
                if outcome.advice:
                    self.stdout.write(f"  {outcome.advice}")
        except ValidationError as error:
            raise CommandError(f"The webchat cannot be saved: {'; '.join(error.messages)}", returncode=1) from error
        finally:
            self._show_key(plan)
        return done

    def _show_key(self, plan: Plan) -> None:
        if plan.made.key_secret:
            self.stdout.write("Put these two into the environment now. The secret is not shown again:")
            self.stdout.write(f"TWILIO_API_KEY_SID={plan.made.key_sid}")
            self.stdout.write(f"TWILIO_API_KEY_SECRET={plan.made.key_secret}")
            plan.made.key_secret = ""

    def _check(self, webchat: Webchat) -> None:
        problems = find_problems(webchat.destination(Webchat.Api.CONVERSATIONS))
        for problem in problems:
            self.stdout.write(self.style.ERROR(problem))
        if problems:
            raise CommandError("The chat does not work yet.", returncode=1)
        self.stdout.write(self.style.SUCCESS(f"{webchat.slug}: everything that a chat needs is there."))


def _webchat(slug: str | None) -> Webchat:
    """The one that is named or the only one; else one that is not saved yet."""
    if slug is None:
        webchats = list(Webchat.objects.all()[:2])
        if len(webchats) > 1:
            raise CommandError("There are several webchats: name one by its slug.")
        if webchats:
            return webchats[0]
    slug = slug or FIRST_SLUG
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise CommandError("A slug is made of letters, digits, hyphens and underscores.") from error
    return Webchat.objects.filter(slug=slug).first() or new_webchat(slug)


def _flow_of(plan: Plan) -> str:
    """As JSON, for the Console. Raises CommandError where none can be made."""
    if not plan.definition:
        raise CommandError("\n".join(["The flow cannot be made.", *plan.obstacles, *plan.notes]), returncode=1)
    return json.dumps(plan.definition, ensure_ascii=False, indent=2)


def _explain(error: FlexError) -> str:
    match error.status:
        case 401:
            hint = "Check the credentials in the environment, and that they are of the region TWILIO_REGION."
        case 403 | 404:
            hint = "The credentials may not read what is needed. The auth token may, and a key of the type Standard."
        case _:
            hint = "Try again in a minute."
    return f"Twilio's configuration could not be read: {error}. {hint}"
