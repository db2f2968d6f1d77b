"""`make run` and `make dev`: the site and the sandbox side by side on this machine, until Ctrl-C.

A supervisor without Django: it prepares the environment that a deployer would, then runs the same commands.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from webchat.sandbox import account

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".demo"
PAUSE_SECONDS = 0.1

BANNER = """
  Website          {site}/
  Support page     {site}/support/       (the chat in the page)
  Legacy API       {site}/legacy/
  Administration   {site}/admin/         admin / sandbox
  Sign in as Ada   {site}/accounts/login/    ada / sandbox
  Agent desk       {sandbox}/

  Chats go to the sandbox on this machine, not to Twilio. Enter shows this again, Ctrl-C ends everything.
"""


def taken_ports(*ports: int) -> list[int]:
    """The ports, among these, on which no server can listen on this machine."""
    return [port for port in ports if not _is_free(port)]


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As servers do: what only waits for the end of a connection does not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            return False
    return True


def environment(port: int, sandbox_port: int, *, dev: bool = False) -> dict[str, str]:
    STATE.mkdir(exist_ok=True)
    secret = STATE / "secret-key"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(50))
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_SECRET_KEY": secret.read_text(),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DJANGO_DEBUG": "on" if dev else "off",
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{STATE / 'db.sqlite3'}",
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "TWILIO_SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
        "TWILIO_ACCOUNT_SID": account.ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": account.AUTH_TOKEN,
        "TWILIO_API_KEY_SID": account.API_KEY_SID,
        "TWILIO_API_KEY_SECRET": account.API_KEY_SECRET,
        "TWILIO_REGION": "us1",
        "WEBCHAT_LEGACY": "on",
        "WEBCHAT_HISTORY": "on",
        "WEBCHAT_MAY_MAIL": "config.demo.mail.may_mail",
        "LOG_FORMAT": "text",
        # One process is up sooner than two.
        "WEB_CONCURRENCY": os.environ.get("WEB_CONCURRENCY", "1"),
    }


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310  (our own loopback address)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def manage(env: dict[str, str], *command: str) -> None:
    """Raises CalledProcessError, after the command has said what is wrong."""
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)  # noqa: S603


def prepare(env: dict[str, str], *, dev: bool) -> None:
    """The static files, where runserver does not serve them itself; the database with the demo's data; and the sandbox,
    which runs and keeps nothing, with the flow and the webhook of the site."""
    if not dev:
        collect_static_files(env)
    manage(env, "demo_data", "--set-up", "--verbosity", "0")


def collect_static_files(env: dict[str, str]) -> None:
    """Unless none has changed since the last time: it takes most of a start."""
    collected = STATE / "collected"
    if collected.exists() and collected.read_text() == digest_of_sources(env):
        return
    manage(env, "collectstatic", "--no-input", "--clear", "--verbosity", "0")
    collected.write_text(digest_of_sources(env))


def digest_of_sources(env: dict[str, str]) -> str:
    """A digest of the names, sizes and times of what collectstatic reads, and of whether its result is there."""
    root = Path(env.get("STATIC_ROOT") or ROOT / "staticfiles")
    result = root / "staticfiles.json"
    digest = hashlib.sha256(f"{root} {result.exists() and result.stat().st_mtime_ns}".encode())
    folders = [ROOT / "static", ROOT / "build" / "minified"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for path in sorted([*files, ROOT / "requirements.txt", ROOT / "config" / "storage.py"]):
        about = path.stat()
        digest.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Console:
    """The developer's keyboard: Enter asks for the banner again."""

    def __init__(self) -> None:
        self.is_open = sys.stdin is not None

    def wait_for_enter(self, seconds: float) -> bool:
        """Whether a line came within that time."""
        if not self.is_open or not self._is_ours():
            time.sleep(seconds)
            return False
        readable, _, _ = select.select([sys.stdin], [], [], seconds)
        if not readable:
            return False
        line = os.read(sys.stdin.fileno(), 1024)
        self.is_open = bool(line)  # else its end
        return self.is_open

    def _is_ours(self) -> bool:
        """A background job that reads from its terminal is stopped by it."""
        return not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()


class Servers:
    """The processes of the demo, in groups of their own: a Ctrl-C reaches us alone, and we end them in order."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        started = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self._env, start_new_session=True)  # noqa: S603
        self._children[name] = started

    def dead(self) -> list[str]:
        return [name for name, child in self._children.items() if child.poll() is not None]

    def end(self) -> None:
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        for child in self._children.values():
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def stop(number: int, frame: object) -> None:
    """A signal ends it as Ctrl-C does."""
    raise KeyboardInterrupt


def run(servers: Servers, env: dict[str, str], *, dev: bool) -> None:
    """Until one of them ends by itself. Raises KeyboardInterrupt, and CalledProcessError."""
    site, sandbox = env["PUBLIC_BASE_URL"], env["TWILIO_SANDBOX_URL"]
    no_agent = ["--no-auto-agent"] if env.get("SANDBOX_AUTO_AGENT") == "0" else []
    servers.start("sandbox", "-m", "webchat.sandbox", "--port", env["SANDBOX_PORT"], *no_agent)
    while not is_up(f"{sandbox}/"):
        if servers.dead():
            return
        time.sleep(PAUSE_SECONDS)
    prepare(env, dev=dev)
    if dev:
        servers.start("site", "manage.py", "runserver", f"127.0.0.1:{env['PORT']}")
    else:
        servers.start("site", "-m", "gunicorn", "-c", "config/gunicorn.py")
    servers.start("worker", "manage.py", "webchat_worker")
    console, banner, told = Console(), BANNER.format(site=site, sandbox=sandbox), False
    while not servers.dead():
        asked = console.wait_for_enter(PAUSE_SECONDS)
        if (told and asked) or (not told and is_up(f"{site}/health/ready")):
            told = True
            print(banner, flush=True)  # noqa: T201


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--sandbox-port", type=int, default=8001)
    parser.add_argument("--dev", action="store_true", help="runserver, which reloads, in place of gunicorn")
    parser.add_argument("--check-ports", action="store_true", help="only say whether both ports are free")
    options = parser.parse_args(arguments)
    if taken := taken_ports(options.port, options.sandbox_port):
        print(  # noqa: T201
            f"Port {' and port '.join(map(str, taken))}: in use by another program. Nothing was changed. "
            "Try: make run PORT=8010 SANDBOX_PORT=8011",
            file=sys.stderr,
        )
        return 1
    if options.check_ports:
        return 0
    env = environment(options.port, options.sandbox_port, dev=options.dev)
    servers = Servers(env)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        run(servers, env, dev=options.dev)
        print(f"The {servers.dead()[0]} ended by itself.", file=sys.stderr)  # noqa: T201
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode  # the command has said what is wrong
    except KeyboardInterrupt:
        return 0
    finally:
        servers.end()


if __name__ == "__main__":
    sys.exit(main())
