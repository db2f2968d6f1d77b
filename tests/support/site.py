"""The whole site for tests, served as in production: migrated, static files collected, gunicorn with threads."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.support.sandbox import SandboxServer
from webchat.sandbox import account

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
MINIFY = ROOT / "webchat/browser/minify.mjs"
TIMEOUT = 30  # seconds, for the start


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def collected_static() -> Path:
    """The folder with the collected static files. It takes many seconds, so the first process of the tests that comes
    does it for all, until a source changes."""
    digest = hashlib.sha256()
    sources = [ROOT / "config/storage.py", MINIFY, ROOT / "requirements.txt", *(ROOT / "static").rglob("*")]
    for file in sorted(sources):
        if file.is_file():
            digest.update(f"{file.relative_to(ROOT)} {file.stat().st_mtime_ns} {file.stat().st_size}\n".encode())
    folder = CACHE / f"static-{digest.hexdigest()[:16]}"
    CACHE.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "staticfiles.json").exists():
            settings = {"DJANGO_SETTINGS_MODULE": "config.settings", "DJANGO_DEBUG": "0", "STATIC_ROOT": str(folder)}
            command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
            environment = {**os.environ, "DJANGO_SECRET_KEY": "tests-only-" + "0" * 50, **settings}
            minify()
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder


def minify() -> None:
    """What `make build` does to our scripts and styles."""
    node = Path((ROOT / ".venv/.node").read_text().strip()) / "node"
    subprocess.run([node, MINIFY], cwd=ROOT, check=True)


class SiteServer:
    """`with SiteServer(folder, sandbox) as site:` gives `site.url`, with the demo's webchats and users.

    `environment` overrides variables of the process; a value of None unsets one. `folder` keeps its database and
    log.
    """

    def __init__(
        self,
        folder: Path,
        sandbox: SandboxServer,
        *,
        workers: int = 1,
        environment: dict[str, str | None] | None = None,
    ) -> None:
        self.folder, self.sandbox = folder, sandbox
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "site.log"
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
            "TWILIO_API_KEY_SID": account.API_KEY_SID,
            "TWILIO_API_KEY_SECRET": account.API_KEY_SECRET,
            "WEBCHAT_LIMITS": "off",
            "WEB_CONCURRENCY": str(workers),
            "BIND": f"127.0.0.1:{self.port}",
            **(environment or {}),
        }
        self.environment = {name: value for name, value in values.items() if value is not None}

    def manage(self, *arguments: str) -> str:
        """Runs a management command of the site and returns what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, code: str) -> str:
        """Runs Python inside the site's Django, models imported, and returns what it printed."""
        return self.manage("shell", "--no-imports", "-c", f"from webchat.models import *\n{code}").strip()

    def start(self) -> Self:
        self.manage("migrate", "--verbosity", "0")
        self.manage("demo_data")
        return self.serve()

    def serve(self) -> Self:
        """Only the server, also after a `stop`."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return self
            except requests.RequestException:  # not there yet, or slow on a busy machine
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the site did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
