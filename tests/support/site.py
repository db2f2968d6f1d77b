"""The whole site for tests, served as in production: migrated, static files collected, gunicorn with threads."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Self

import requests

from tests.support.sandbox import SandboxServer
from webchat.sandbox import account

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
MINIFY = ROOT / "webchat/browser/minify.mjs"
# One process for all that a test asks the site's database: to begin one takes a second or two. What it wrote, the site has
# seen when it answers.
SHELL = """
import contextlib, io, json, sys, time
from django.db import connection
import webchat.models
from webchat.models.copies import FRESH_SECONDS

def note(execute, sql, *more):
    statements.append(sql)
    return execute(sql, *more)

for line in sys.stdin:
    printed, statements = io.StringIO(), []
    with contextlib.redirect_stdout(printed), connection.execute_wrapper(note):
        exec(json.loads(line), {name: getattr(webchat.models, name) for name in webchat.models.__all__})
    connection.close()
    if not all(sql.startswith("SELECT") for sql in statements):
        time.sleep(FRESH_SECONDS)
    print(json.dumps(printed.getvalue()), flush=True)
"""
TIMEOUT = 120  # seconds, for the start on a busy machine


def free_port() -> int:
    """A port on which nobody listens. The system gives those above 32767 to connections, which may take one again
    before a server does."""
    while True:
        port = SystemRandom().randrange(10_000, 32_768)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def made_once(name: str, sources: Iterable[Path], make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills. The first process of the tests that comes makes it for all, until a source
    changes."""
    digest = hashlib.sha256()
    for file in sorted(sources):
        if file.is_file():
            digest.update(f"{file.relative_to(ROOT)} {file.stat().st_mtime_ns} {file.stat().st_size}\n".encode())
    folder = CACHE / f"{name}-{digest.hexdigest()[:16]}"
    CACHE.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder


def manage(*arguments: str, **environment: str) -> None:
    secret_key = "tests-only-" + "0" * 50
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "DJANGO_SECRET_KEY": secret_key, **environment}
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


def collected_static() -> Path:
    """The folder with the collected static files."""
    sources = [ROOT / "config/storage.py", MINIFY, ROOT / "requirements.txt", *(ROOT / "static").rglob("*")]

    def collect(folder: Path) -> None:
        minify()
        manage("collectstatic", "--no-input", "--verbosity", "0", DJANGO_DEBUG="0", STATIC_ROOT=str(folder))

    return made_once("static", sources, collect)


def minify(root: Path = ROOT) -> None:
    """What `make build` does to our scripts and styles."""
    node = Path((ROOT / ".venv/.node").read_text().strip()) / "node"
    subprocess.run([node, MINIFY.relative_to(ROOT)], cwd=root, check=True)


def demo_database() -> Path:
    """An SQLite database with the demo's rows, to be copied."""
    sources = [ROOT / "requirements.txt", *(ROOT / "config").rglob("*.py"), *(ROOT / "webchat").rglob("*.py")]

    def fill(folder: Path) -> None:
        url = f"sqlite:///{folder / 'demo.sqlite3'}"
        manage("migrate", "--verbosity", "0", DATABASE_URL=url)
        manage("demo_data", DATABASE_URL=url, TWILIO_SANDBOX_URL="http://127.0.0.1:9")

    return made_once("demo", sources, fill) / "demo.sqlite3"


class SiteServer:
    """`with SiteServer(folder, sandbox) as site:` gives `site.url`, with the demo's webchats and users.

    `environment` overrides variables of the process; a value of None unsets one. `folder` keeps its database and
    log. `root` is the release that it runs.
    """

    def __init__(
        self,
        folder: Path,
        sandbox: SandboxServer,
        *,
        workers: int = 1,
        environment: dict[str, str | None] | None = None,
        root: Path = ROOT,
    ) -> None:
        self.folder, self.sandbox, self.root = folder, sandbox, root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "site.log"
        self._shell: subprocess.Popen[str] | None = None
        values: dict[str, str | None] = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DJANGO_SECRET_KEY": "tests-only-" + "0" * 50,
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
            "PUBLIC_BASE_URL": self.url,
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "STATIC_ROOT": str(collected_static()),
            "TWILIO_SANDBOX_URL": sandbox.url,
            "TWILIO_ACCOUNT_SID": account.ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": account.AUTH_TOKEN,
            "WEBCHAT_LEGACY": "on",
            "TWILIO_API_KEY_SID": account.API_KEY_SID,
            "TWILIO_API_KEY_SECRET": account.API_KEY_SECRET,
            "WEBCHAT_LIMITS": "off",
            "WEB_CONCURRENCY": str(workers),
            "BIND": f"127.0.0.1:{self.port}",
            **(environment or {}),
        }
        self.environment = {name: value for name, value in values.items() if value is not None}

    def hashed_static(self) -> dict[str, str]:
        """The address of each static file on the site, by its name in `static/`."""
        manifest = json.loads((Path(self.environment["STATIC_ROOT"]) / "staticfiles.json").read_text())
        return {name: f"/static/{hashed}" for name, hashed in manifest["paths"].items()}

    def manage(self, *arguments: str) -> str:
        """Runs a management command of the site and returns what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, code: str) -> str:
        """Runs Python inside the site's Django, models imported, and returns what it printed."""
        if self._shell is None or self._shell.poll() is not None:
            with (self.folder / "shell.log").open("a") as log:
                self._shell = subprocess.Popen(
                    [sys.executable, "manage.py", "shell", "--no-imports", "-c", SHELL],
                    cwd=self.root,
                    env=self.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        print(json.dumps(code), file=self._shell.stdin, flush=True)
        answer = self._shell.stdout.readline()
        assert answer, (self.folder / "shell.log").read_text()[-6_000:]
        return str(json.loads(answer)).strip()

    def start(self) -> Self:
        kind, _, database = self.environment["DATABASE_URL"].partition(":///")
        if kind == "sqlite":
            shutil.copy(demo_database(), database)
        else:
            self.manage("migrate", "--verbosity", "0")
            self.manage("demo_data")
        return self.serve()

    def serve(self) -> Self:
        """Only the server, also after a `stop`."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py"],
                cwd=self.root,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return
            except requests.RequestException:  # not there yet, or slow on a busy machine
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the site did not start:\n{self.log.read_text()}")

    def processes(self) -> list[int]:
        """Those that serve, without the first one, which looks after them."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def stop(self) -> None:
        if self._shell is not None:
            self._shell.communicate()
            self._shell = None
        self.process.terminate()
        self.process.wait(TIMEOUT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
