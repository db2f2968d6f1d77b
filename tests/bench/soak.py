"""Keeps a site busy, and watches whether its processes grow.

    python -m tests.bench.soak --minutes 60

The real site (gunicorn, one process that is never replaced) and its worker against the sandbox. Visitors start chats,
renew tokens, end chats and leave messages, one after the other. Prints the processes' memory and open files each ten
seconds as JSON, and ends with 1 if the last third of the run is above the third before it by more than ALLOWED_MB or
ALLOWED_FILES.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer
from tests.support.site_visitor import SiteVisitor

VISITORS = 3  # at once
EACH_SECONDS = 10
ALLOWED_MB = 5
ALLOWED_FILES = 5

CLOSED_WEBCHAT = """
support = Webchat.objects.get(slug="support")
fields = list(support.fields.all())
support.pk, support.slug, support.closure, support.when_closed = None, "closed", "reopened", "message"
support.save()
for field in fields:
    field.pk, field.webchat = None, support
    field.save()
"""

Sample = dict[str, dict[str, float]]


def run(folder: Path, seconds: float) -> tuple[Counter[str], list[Sample]]:
    """What was answered how often, like "start 201", and the samples: process → memory in MB, files."""
    environment: dict[str, str | None] = {"WEBCHAT_THREADS": "8", "GUNICORN_CMD_ARGS": "--max-requests 0"}
    with SandboxServer() as sandbox, SiteServer(folder, sandbox, environment=environment) as site:
        site.shell(CLOSED_WEBCHAT)
        command = [sys.executable, "manage.py", "webchat_worker"]
        worker = subprocess.Popen(command, cwd=ROOT, env=site.environment, stderr=subprocess.DEVNULL)
        try:
            return _watch(site, worker.pid, seconds)
        finally:
            worker.terminate()
            worker.wait(120)


def _watch(site: SiteServer, worker: int, seconds: float) -> tuple[Counter[str], list[Sample]]:
    stopping = threading.Event()
    answers: Counter[str] = Counter()

    def visit() -> None:
        while not stopping.is_set():
            for what, status in one_visit(site.url):
                answers[f"{what} {status}"] += 1

    (server,) = site.processes()
    samples = []
    with ThreadPoolExecutor(VISITORS) as visitors:
        running = [visitors.submit(visit) for _ in range(VISITORS)]
        try:
            ends_at = time.monotonic() + seconds
            while time.monotonic() < ends_at and not any(each.done() for each in running):
                time.sleep(EACH_SECONDS)
                samples.append({"site": state_of(server), "worker": state_of(worker)})
                print(json.dumps({"answers": sum(answers.values()), **samples[-1]}), flush=True)
        finally:
            stopping.set()
    for each in running:
        each.result()
    return answers, samples


def one_visit(url: str) -> list[tuple[str, int]]:
    """A chat that is started, renewed, and ended, and a message."""
    visitor, writer = SiteVisitor(url), SiteVisitor(url, "closed")
    with visitor.http, writer.http:
        started = visitor.start()
        done = [("start", started.status_code)]
        if started.status_code == 201:
            session = started.json()["session_id"]
            done += [("renew", visitor.renew(session).status_code) for _ in range(3)]
            done.append(("end", visitor.end(session).status_code))
        return [*done, ("message", writer.leave_message().status_code)]


def state_of(pid: int) -> dict[str, float]:
    memory = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return {"mb": round(int(memory.split()[1]) / 1024, 1), "files": len(list(Path(f"/proc/{pid}/fd").iterdir()))}


def growth(samples: list[Sample]) -> dict[str, dict[str, float]]:
    """By how much the last third is above the one before it: medians, so that one sample says nothing."""
    third = len(samples) // 3
    before, last = samples[third : 2 * third], samples[2 * third :]
    return {
        process: {
            unit: round(
                median(each[process][unit] for each in last) - median(each[process][unit] for each in before), 1
            )
            for unit in ("mb", "files")
        }
        for process in ("site", "worker")
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="webchat-soak-") as folder:
        answers, samples = run(Path(folder), options.minutes * 60)
    grown = growth(samples)
    print(json.dumps({"answers": answers, "growth": grown}))
    level = all(each["mb"] <= ALLOWED_MB and each["files"] <= ALLOWED_FILES for each in grown.values())
    return int(not level)


if __name__ == "__main__":
    sys.exit(main())
