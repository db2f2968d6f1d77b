"""Two machines behind nginx, as docs/deployment.md says, while visitors come: what a deploy and what breaks costs them.

    python -m tests.bench.cluster [--seconds 8]

Two sites with static files of their own and two workers on one PostgreSQL, with the sandbox; nginx with TLS and the file of
deploy/. Machines are ports here. Visitors load pages with all that those name, start chats and renew tokens through all of
it: a deploy of another release, reloads, a machine that dies, workers that die, a database that crashes and one that
stands still. Prints a line of JSON for each phase. Ends with 1 if a chat was lost or doubled, a question was not posted
once, or an answer failed otherwise than by what happened.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.bench.kills import questions_at_twilio
from tests.support import postgres, proxies
from tests.support.missing import apt_install
from tests.support.postgres import PrivateServer
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer, collected_static, minify
from tests.support.site_visitor import SiteVisitor
from tests.support.waiting import until

VISITORS = 3  # at once
RENEWALS = 2  # of each chat
FROZEN_SECONDS = 6
# In the middle of its text, by a process that was killed: no proxy can ask another one then.
CUT_OFF = "cut off"
STATIC = re.compile(r"/static/[\w./-]+")
# In a module deep below the page's script, so that every name above it changes with it.
CHANGE = ("static/webchat/panel-frame.js", "export class", "globalThis.laterRelease = true;\nexport class")

Environment = dict[str, str | None]


class Answers:
    """What visitors are answered, by phase."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin("warm-up")

    def begin(self, phase: str) -> None:
        with self._lock:
            self.phase = phase
            self.seconds: list[float] = []
            self.slowest = (0.0, "")
            self.failed: Counter[str] = Counter()

    def note(self, asked: str, failure: str, seconds: float) -> None:
        with self._lock:
            self.seconds.append(seconds)
            self.slowest = max(self.slowest, (seconds, asked))
            if failure:
                self.failed[f"{asked} {failure}"] += 1

    def summary(self) -> dict[str, Any]:
        with self._lock:
            cuts = quantiles(self.seconds, n=100) if len(self.seconds) > 1 else [0.0] * 99
            times = {"p50": cuts[49], "p99": cuts[98], "slowest": self.slowest[0]}
            facts: dict[str, Any] = {f"{name}_ms": round(seconds * 1000) for name, seconds in times.items()}
            facts["slowest"] = self.slowest[1]
            return {"phase": self.phase, "answers": len(self.seconds), "failed": dict(self.failed), **facts}


class Counting(HTTPAdapter):
    """Notes each answer of the site: a failure is one of 5xx, a missing file, or none at all."""

    def __init__(self, answers: Answers) -> None:
        # A browser asks again when a kept connection turns out to be closed.
        super().__init__(max_retries=Retry(1, status=0, allowed_methods={"GET"}, respect_retry_after_header=False))
        self.answers = answers

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        began, path = time.monotonic(), re.sub(r"[0-9a-f-]{36}", "…", request.path_url)
        failure = "not answered"
        try:
            answer = super().send(request, *arguments, **options)
            failed = answer.status_code >= 500 or (answer.status_code == 404 and path.startswith("/static/"))
            failure = str(answer.status_code) if failed else ""
            return answer
        finally:
            self.answers.note(f"{request.method} {path}", failure, time.monotonic() - began)


class Cluster:
    """`releases` are folders with the project; the machines begin with the first."""

    def __init__(
        self, folder: Path, database: PrivateServer, url: str, sandbox: SandboxServer, stack: ExitStack
    ) -> None:
        self.folder, self.database = folder, database
        self.machines = [self._machine(name, url, sandbox) for name in ("one", "two")]
        first, second = self.machines
        first.start()
        stack.callback(first.stop)
        second.serve()
        stack.callback(second.stop)
        self.workers = [self._worker() for _ in self.machines]
        stack.callback(self._stop_workers)
        self.proxy = folder / "nginx"
        self.proxy.mkdir()
        addresses = [f"127.0.0.1:{machine.port}" for machine in self.machines]
        self.url = f"https://localhost:{stack.enter_context(proxies.running('nginx', self.proxy, addresses))}"
        self.certificate = str(self.proxy / "localhost.pem")

    def _machine(self, name: str, url: str, sandbox: SandboxServer) -> SiteServer:
        folder = self.folder / name
        folder.mkdir()
        shutil.copytree(collected_static(), folder / "static")
        environment: Environment = {
            "DATABASE_URL": url,
            "PUBLIC_BASE_URL": "https://localhost",
            "DJANGO_ALLOWED_HOSTS": "localhost",
            "TRUSTED_PROXY_COUNT": "1",
            "STATIC_ROOT": str(folder / "static"),
            "WEBCHAT_THREADS": "16",
            "WEBCHAT_STAGING": "on",
        }
        return SiteServer(folder, sandbox, workers=2, environment=environment)

    def _worker(self) -> subprocess.Popen[bytes]:
        machine = self.machines[0]
        command = [sys.executable, "manage.py", "webchat_worker"]
        return subprocess.Popen(command, cwd=machine.root, env=machine.environment, stderr=subprocess.DEVNULL)

    def _stop_workers(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(30)

    # --- What happens to it ---------------------------------------------------------------------------------------

    def deploy(self, release: Path) -> None:
        """One machine after the other, as docs/operations.md says."""
        for machine in self.machines:
            with self._out_of_rotation(machine):
                machine.stop()
                machine.root = release
                machine.manage("collectstatic", "--no-input", "--verbosity", "0")
                machine.manage("migrate", "--verbosity", "0")
                machine.serve()
        self._stop_workers()
        self.workers = [self._worker() for _ in self.machines]

    def reload(self) -> None:
        """One machine after the other, when the first has its new processes."""
        for machine in self.machines:
            before = machine.processes()
            machine.process.send_signal(signal.SIGHUP)
            until(lambda machine=machine, before=before: not set(machine.processes()) & set(before))
            machine.wait_until_ready()

    def lose_a_machine(self) -> None:
        """Its processes die at once; another one comes in its place."""
        machine = self.machines[0]
        for process in [*machine.processes(), machine.process.pid]:
            os.kill(process, signal.SIGKILL)
        machine.process.wait()
        time.sleep(2)
        machine.serve()

    def lose_the_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        time.sleep(2)
        self.workers = [self._worker() for _ in self.machines]

    def crash_the_database(self) -> None:
        self.database.stop()
        self.database.start()

    def freeze_the_database(self) -> None:
        with self.database.frozen():
            time.sleep(FROZEN_SECONDS)

    @contextmanager
    def _out_of_rotation(self, machine: SiteServer) -> Iterator[None]:
        file = self.proxy / "webchat.conf"
        text = file.read_text()
        line = f"server 127.0.0.1:{machine.port} "
        assert line in text
        file.write_text(text.replace(f"{line}max_fails=3 fail_timeout=10s", f"{line}down"))
        self._reload_proxy()
        time.sleep(1)
        yield
        file.write_text(text)
        self._reload_proxy()
        time.sleep(1)

    def _reload_proxy(self) -> None:
        subprocess.run(["kill", "-HUP", (self.proxy / "pid").read_text().strip()], check=True)


def later_release(folder: Path) -> Path:
    """A copy of the project with one module changed, built."""
    left = shutil.ignore_patterns(
        ".git", ".venv", "node_modules", ".cache", ".demo", "staticfiles", "tests", "*.sqlite3"
    )
    shutil.copytree(ROOT, folder, ignore=left)
    for name in (".venv", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    name, old, new = CHANGE
    text = (folder / name).read_text()
    assert old in text, f"{name} has no {old}"
    (folder / name).write_text(text.replace(old, new, 1))
    minify(folder)
    return folder


class Visits:
    """Comes and goes until it is stopped. `channels` are those that visitors have, `lost` is why one has none."""

    def __init__(self, cluster: Cluster) -> None:
        self.url, self.certificate = cluster.url, cluster.certificate
        self.answers = Answers()
        self.stopping = threading.Event()
        self.channels: list[str] = []
        self.lost: list[str] = []
        self.files: set[str] = set()

    def go_on(self) -> None:
        while not self.stopping.is_set():
            try:
                self._visit()
            except requests.exceptions.ChunkedEncodingError:
                self.answers.note("an answer", CUT_OFF, 0)
            except requests.RequestException:  # counted already
                time.sleep(0.2)

    def _visit(self) -> None:
        counting = Counting(self.answers)
        with requests.Session() as http:
            http.trust_env, http.verify = False, self.certificate
            http.mount("https://", counting)
            self.load(http, f"{self.url}/")
        visitor = SiteVisitor(self.url, certificate=self.certificate, adapter=counting)
        with visitor.http:
            try:
                answer = visitor.start_patiently()
            except TimeoutError as error:
                self.lost.append(str(error)[:200])
                return
            if answer.status_code not in (200, 201):
                self.lost.append(f"{answer.status_code} {answer.text[:200]}")
                return
            self.channels.append(answer.json()["channel_sid"])
            for _ in range(RENEWALS):
                visitor.renew(answer.json()["session_id"])

    def load(self, http: requests.Session, address: str) -> None:
        """A page and the files that it names."""
        page = http.get(address, timeout=30)
        page.raise_for_status()
        for file in set(STATIC.findall(page.text)):
            self.files.add(file)
            http.get(self.url + file, timeout=30)

    def files_gone(self) -> list[str]:
        """Of all that pages named since the beginning."""
        with requests.Session() as http:
            http.trust_env, http.verify = False, self.certificate
            return [name for name in sorted(self.files) if not http.get(self.url + name, timeout=30).ok]


def run(folder: Path, seconds: float) -> bool:
    """Whether all held."""
    with ExitStack() as stack:
        database = stack.enter_context(PrivateServer())
        url = stack.enter_context(postgres.new_database(database.url))
        sandbox = stack.enter_context(SandboxServer())
        cluster = Cluster(folder, database, url, sandbox, stack)
        release = later_release(folder / "release")
        visits = Visits(cluster)
        phases: list[tuple[str, Callable[[], None], set[str]]] = [
            ("nothing happens", lambda: None, set()),
            ("another release is deployed", lambda: cluster.deploy(release), set()),
            ("both machines reload", cluster.reload, set()),
            ("a machine dies", cluster.lose_a_machine, {CUT_OFF}),
            ("the workers die", cluster.lose_the_workers, set()),
            ("the database crashes", cluster.crash_the_database, {"503"}),
            ("the database stands still", cluster.freeze_the_database, {"503"}),
        ]
        held = True
        with ThreadPoolExecutor(VISITORS) as pool:
            running = [pool.submit(visits.go_on) for _ in range(VISITORS)]
            try:
                until(lambda: len(visits.channels) >= VISITORS)
                for name, happens, allowed in phases:
                    visits.answers.begin(name)
                    happens()
                    time.sleep(seconds)
                    summary = visits.answers.summary()
                    print(json.dumps(summary), flush=True)
                    held &= all(any(failed.endswith(each) for each in allowed) for failed in summary["failed"])
            finally:
                visits.stopping.set()
        for each in running:
            each.result()
        return held & _settled(visits, sandbox)


def _settled(visits: Visits, sandbox: SandboxServer) -> bool:
    created = Counter(
        str(call["created"]) for call in sandbox.log() if call["created"] and call["path"] == "/v2/WebChats"
    )
    asked = questions_at_twilio(sandbox, visits.channels)
    end = {
        "chats": len(visits.channels),
        "lost": visits.lost + sorted(set(visits.channels) - created.keys()),
        "doubled": sorted(created.keys() - set(visits.channels)),
        "unasked": sum(count == 0 for count in asked.values()),
        "asked twice": sum(count > 1 for count in asked.values()),
        "files gone": visits.files_gone(),
    }
    print(json.dumps(end))
    return bool(end.pop("chats")) and not any(end.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="that visitors go on after each event")
    options = parser.parse_args()
    for what, is_there, package in (
        (postgres.NAME, postgres.binaries() is not None, "postgresql"),
        ("nginx (apt-get install nginx-light)", proxies.is_there("nginx"), "nginx-light"),
    ):
        if not is_there and not apt_install(package):
            print(f"NOT RUN: this machine has no {what}", file=sys.stderr)
            return 0
    with tempfile.TemporaryDirectory(prefix="webchat-cluster-") as folder:
        return int(not run(Path(folder), options.seconds))


if __name__ == "__main__":
    sys.exit(main())
