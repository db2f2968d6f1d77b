"""Schemathesis against the whole site, over HTTP: `python -m tests.security.fuzz [examples] [seed]`.

The short run is a test, test_fuzz.py; this is the long one. Prints what failed and how often each status was answered.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.security.fuzzing import ANSWERS
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"

OPERATIONS = ("start", "leave_message", "current", "renew", "end")

RUNS_MAX = 40  # of one operation

# The demo's webchat, with the fields of ANSWERS alone, and messages taken.
FORM = """
webchat = Webchat.objects.get(slug="support")
webchat.when_closed = "message"
webchat.save()
webchat.fields.all().delete()
for name, type, role in [("name", "name", "customer_name"), ("email", "email", ""), ("question", "textarea", "question")]:
    webchat.fields.create(name=name, label=name, type=type, role=role)
"""  # fmt: skip


@dataclass
class Run:
    failed: bool
    report: str
    statuses: Counter[int]


def start_chat(site: SiteServer) -> tuple[str, str, str]:
    """A browser with a CSRF token and a running chat: its cookies, token and session id."""
    browser = requests.Session()
    html = browser.get(f"{site.url}/webchat/support/panel/").text
    token = html.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    headers = {"X-CSRFToken": token, "Idempotency-Key": secrets.token_hex(16)}
    answer = browser.post(f"{site.url}/api/webchat/support/sessions/", data=ANSWERS, headers=headers)
    answer.raise_for_status()
    return "; ".join(f"{each.name}={each.value}" for each in browser.cookies), token, answer.json()["session_id"]


def fuzz(
    site: SiteServer,
    *,
    examples: int,
    seed: int = 1,
    with_token: bool = True,
    operation: str | None = None,
    phase: str = "fuzzing",
) -> Run:
    """`examples` random requests to each operation or to one; in the phase "coverage" those that Schemathesis derives
    from the schema's limits. One phase at a time: after the other one it tries far fewer starts."""
    site.shell(FORM)
    cookies, token, session_id = start_chat(site)
    before = len(site.log.read_text())
    command = [
        *[str(Path(sys.executable).with_name("st")), "run", f"{site.url}/api/schema/?format=json"],
        *["--max-examples", str(examples), "--seed", str(seed), "--mode", "all", "--phases", phase],
        *["--continue-on-failure", "--no-shrink", "--checks", CHECKS, "--max-response-time", "10", "--warnings", "off"],
        *(["--include-operation-id", operation] if operation else []),
        *(["-H", f"X-CSRFToken: {token}", "-H", f"Cookie: {cookies}"] if with_token else []),
    ]
    environment = {
        "SCHEMATHESIS_HOOKS": "tests.security.fuzzing",
        "FUZZED_SESSION": session_id,
        "PYTHONPATH": str(ROOT),
    }
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
        )
    lines = [json.loads(line) for line in site.log.read_text()[before:].splitlines() if line.startswith("{")]
    statuses = Counter(line["status"] for line in lines if line["event"] in ("request_finished", "request_failed"))
    return Run(done.returncode != 0, done.stdout + done.stderr, statuses)


def main(examples: str = "1000", seed: str = "1") -> int:
    failed = False
    with tempfile.TemporaryDirectory() as folder, SandboxServer() as sandbox, SiteServer(Path(folder), sandbox) as site:
        for operation in OPERATIONS:
            run = fuzz(site, examples=int(examples), seed=int(seed), operation=operation, phase="coverage")
            statuses, runs = run.statuses, [run]
            # A run may end before its number is reached, when it finds nothing new in its corner: go on in another one.
            while statuses.total() < int(examples) and len(runs) < RUNS_MAX:
                run = fuzz(site, examples=int(examples), seed=int(seed) + len(runs), operation=operation)
                runs.append(run)
                statuses += run.statuses
            failed |= any(run.failed for run in runs) or any(status in (500, 502, 504) for status in statuses)
            print(*[run.report for run in runs if run.failed], sep="\n")  # noqa: T201
            total = f"{statuses.total()} requests in {len(runs)} runs"
            print(f"{operation}: {total}, answers by status {dict(sorted(statuses.items()))}", flush=True)  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
