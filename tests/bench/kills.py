"""Kills processes of the site in the middle of starts, and counts what is lost or doubled at Twilio's side.

    python -m tests.bench.kills --kills 100 [--database sqlite|postgres] [--lease SECONDS]

The real site (gunicorn, two processes, a worker) against the sandbox. A process that came to a chosen point of a start
kills itself with SIGKILL; the visitor repeats the same submit, as the widget does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import requests

from tests.faults.crash_points import POINTS, order, outstanding
from tests.support import postgres
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer
from tests.support.site_visitor import SiteVisitor

CREATES = {"/v2/WebChats", "/v1/WebChannels"}
VISITORS = 7  # at once
QUESTIONS_WITHIN = 90  # seconds, for the worker


@dataclass
class Outcome:
    """`lost`: visitors without a chat, or whose chat is not at Twilio. `duplicates`: channels that no visitor has.
    `unasked`, `asked_twice`: chats whose question no agent saw, or saw more than once. `slowest`: seconds."""

    kills: int = 0
    chats: int = 0
    lost: int = 0
    duplicates: int = 0
    unasked: int = 0
    asked_twice: int = 0
    slowest: float = 0.0
    median: float = 0.0
    errors: list[str] = field(default_factory=list)


def run(folder: Path, database_url: str, kills: int, lease: float | None = None) -> Outcome:
    """`lease` shortens the time after which an attempt is taken over, to make many kills in little time."""
    orders = folder / "orders"
    orders.mkdir(parents=True)
    environment: dict[str, str | None] = {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "tests.faults.crash_settings",
        "CRASH_FOLDER": str(orders),
        "CRASH_LEASE": str(lease) if lease else None,
        "WEBCHAT_THREADS": "8",
    }
    with SandboxServer() as sandbox, SiteServer(folder, sandbox, workers=2, environment=environment) as site:
        # Not under the crash settings: nobody here starts it again.
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "webchat_worker"],
            cwd=ROOT,
            env={**site.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
            stderr=subprocess.DEVNULL,
        )
        try:
            return _measure(sandbox, site.url, orders, kills)
        finally:
            worker.terminate()
            worker.wait(30)


def _measure(sandbox: SandboxServer, url: str, orders: Path, kills: int) -> Outcome:
    outcome = Outcome(kills=kills)
    channels: list[str] = []
    seconds: list[float] = []

    def visit(number: int, point: str | None) -> None:
        try:
            visitor = _open_panel(url, ("support", "legacy")[number % 2])
            if point:
                order(orders, point, number)
            began = time.monotonic()
            answer = visitor.start_patiently()
            seconds.append(time.monotonic() - began)
            again = visitor.start_patiently()
        except (TimeoutError, requests.RequestException) as error:
            outcome.lost += 1
            outcome.errors.append(str(error)[:200])
            return
        if answer.status_code not in (200, 201) or again.json().get("channel_sid") != answer.json().get("channel_sid"):
            outcome.lost += 1
            outcome.errors.append(f"{answer.status_code} {answer.text[:200]} then {again.status_code}")
            return
        channels.append(answer.json()["channel_sid"])

    with ThreadPoolExecutor(VISITORS) as visitors:
        for number in range(kills):
            visitors.submit(visit, number, POINTS[number % len(POINTS)])
    number = kills
    while outstanding(orders) and number < 2 * kills:  # a kill that was ordered too late for the others
        visit(number, None)
        number += 1
    outcome.kills -= outstanding(orders)
    outcome.chats = len(channels)
    seconds.sort()
    outcome.slowest, outcome.median = round(seconds[-1], 2), round(seconds[len(seconds) // 2], 2)

    created = Counter(str(call["created"]) for call in sandbox.log() if call["created"] and call["path"] in CREATES)
    outcome.lost += len(channels) - len(set(channels)) + len(set(channels) - created.keys())
    outcome.duplicates = len(created.keys() - set(channels))
    asked = questions_at_twilio(sandbox, channels)
    outcome.unasked = sum(count == 0 for count in asked.values())
    outcome.asked_twice = sum(count > 1 for count in asked.values())
    return outcome


def _open_panel(url: str, slug: str) -> SiteVisitor:
    deadline = time.monotonic() + 30
    while True:
        try:
            return SiteVisitor(url, slug)
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def questions_at_twilio(sandbox: SandboxServer, channels: list[str]) -> dict[str, int]:
    deadline = time.monotonic() + QUESTIONS_WITHIN
    while True:
        asked = {channel: len(sandbox.messages(channel)) for channel in channels}
        if all(asked.values()) or time.monotonic() > deadline:
            return asked
        time.sleep(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--lease", type=float, help="seconds; without it, the site's own")
    options = parser.parse_args()
    failed = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="webchat-kills-")))
        databases = {"sqlite": f"sqlite:///{folder / 'site.sqlite3'}"}
        if postgres.is_there():
            server = stack.enter_context(postgres.server())
            databases["postgres"] = stack.enter_context(postgres.new_database(server))
        elif options.database != "sqlite":
            print(f"not on this machine: {postgres.NAME}", file=sys.stderr)
        for name, url in databases.items():
            if options.database in (name, "both"):
                outcome = run(folder / name, url, options.kills, options.lease)
                failed |= bool(outcome.lost or outcome.duplicates or outcome.unasked or outcome.asked_twice)
                print(json.dumps({"database": name, **asdict(outcome)}), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
