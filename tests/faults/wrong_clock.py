"""A machine whose clock is wrong beside one whose clock is right, on one database: prints what visitors met, as JSON.

Run as `python -m tests.faults.wrong_clock SECONDS …`, by each of which the clock is ahead, with DATABASE_URL naming an empty
PostgreSQL database.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import django
import time_machine

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def main(spans: list[timedelta]) -> None:
    django.setup()
    from django.core.management import call_command
    from django.test.utils import override_settings, setup_test_environment

    from tests.support.sandbox import SandboxServer

    setup_test_environment()
    call_command("migrate", verbosity=0)
    with SandboxServer() as sandbox, override_settings(TWILIO_SANDBOX_URL=sandbox.url):
        json.dump([what_is_met(span) for span in spans], sys.stdout)


def what_is_met(span: timedelta) -> dict[str, int]:
    """The status of each answer, and the number of chats that run in the end."""
    from tests.support.factories import ANSWERS, change, make_webchat
    from tests.support.visitor import VisitorClient, solution_in
    from webchat.chats import retention, worker
    from webchat.models import ChatSession
    from webchat.protection.limits import Limit

    def wrong() -> time_machine.travel:
        return time_machine.travel(datetime.now(UTC) + span)

    def solve_and_start(visitor: VisitorClient, puzzle: str) -> int:
        return visitor.start({**ANSWERS, "proof_of_work": solution_in(puzzle)}).status_code

    met = {}
    webchat = make_webchat(slug=f"ahead-by-{span.days}-days-{span.seconds}", name=str(span))
    with wrong():
        of_wrong = VisitorClient(webchat.slug)
        met["start at the wrong one"] = of_wrong.start(ANSWERS).status_code
    of_right = VisitorClient(webchat.slug)
    met["start at the right one"] = of_right.start(ANSWERS).status_code
    met["chat of the wrong one at the right one"] = of_wrong.current().status_code
    with wrong():
        met["chat of the right one at the wrong one"] = of_right.current().status_code
        worker.pass_once()
        retention.prune()
    met["chat of the right one afterwards"] = of_right.current().status_code
    change(webchat, proof_after=0)
    one, other = VisitorClient(webchat.slug), VisitorClient(webchat.slug)
    puzzle = one.open_panel()
    with wrong():
        met["puzzle of the right one at the wrong one"] = solve_and_start(one, puzzle)
        puzzle = other.open_panel()
    met["puzzle of the wrong one at the right one"] = solve_and_start(other, puzzle)
    limit, turns = Limit(f"turns {span}", 8, 8), 0
    for turn in range(8):
        with wrong() if turn % 2 else nullcontext():
            turns += limit.take("anybody") is None
    met["starts by turns within a limit"] = turns
    met["chats"] = ChatSession.objects.running().filter(webchat=webchat).count()
    return met


if __name__ == "__main__":
    main([timedelta(seconds=int(seconds)) for seconds in sys.argv[1:]])
