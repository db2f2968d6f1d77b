"""`make run`: the site and the sandbox side by side on this machine, until Ctrl-C.

A supervisor without Django: it prepares the environment that a deployer would, then runs the same commands.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from webchat.sandbox import account

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".demo"

BANNER = """
  Website          {site}/
  Support page     {site}/support/       (the chat in the page)
  Legacy API       {site}/legacy/
  Administration   {site}/admin/         admin / sandbox
  Sign in as Ada   {site}/accounts/login/    ada / sandbox
  Agent desk       {sandbox}/

  Chats go to the sandbox on this machine, not to Twilio. Ctrl-C ends everything.
"""


def environment(port: int, sandbox_port: int) -> dict[str, str]:
    STATE.mkdir(exist_ok=True)
    secret = STATE / "secret-key"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(50))
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_SECRET_KEY": secret.read_text(),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
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
    }


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310  (our own loopback address)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def prepare(env: dict[str, str]) -> None:
    for command in (["migrate"], ["collectstatic", "--no-input", "--clear"], ["demo_data"]):
        subprocess.run(  # noqa: S603
            [sys.executable, "manage.py", *command, "--verbosity", "0"], cwd=ROOT, env=env, check=True
        )


def set_up(env: dict[str, str]) -> None:
    """Has the sandbox, which keeps nothing, run this site's flow and post to it."""
    command = [sys.executable, "manage.py", "setup_flex", "support", "--yes", "--replace"]
    subprocess.run(command, cwd=ROOT, env=env, check=False, stdout=subprocess.DEVNULL)  # noqa: S603


def serve(env: dict[str, str], site: str, sandbox: str) -> int:
    """Runs both until one ends or a signal comes. Returns the exit status."""
    commands = {
        "sandbox": [sys.executable, "manage.py", "flexsandbox", "--port", env["SANDBOX_PORT"]],
        "worker": [sys.executable, "manage.py", "webchat_worker"],
        "site": [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py"],
    }
    # In a group of their own: a Ctrl-C reaches us alone, and we end them in order.
    children = {
        name: subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)  # noqa: S603
        for name, command in commands.items()
    }
    told = stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        while not stopping and all(child.poll() is None for child in children.values()):
            if not told and is_up(f"{site}/health/ready") and is_up(f"{sandbox}/"):
                told = True
                set_up(env)
                print(BANNER.format(site=site, sandbox=sandbox), flush=True)  # noqa: T201
            time.sleep(0.2)
        dead = [name for name, child in children.items() if child.poll() is not None]
    finally:
        for child in children.values():
            if child.poll() is None:
                child.terminate()
        for child in children.values():
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
    if dead and not stopping:
        print(  # noqa: T201
            f"The {dead[0]} ended by itself. Is its port taken? Try: make run PORT=8010 SANDBOX_PORT=8011",
            file=sys.stderr,
        )
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--sandbox-port", type=int, default=8001)
    options = parser.parse_args()
    env = environment(options.port, options.sandbox_port)
    try:
        prepare(env)
    except subprocess.CalledProcessError as error:
        return error.returncode  # the command has said what is wrong
    except KeyboardInterrupt:
        return 130
    return serve(env, f"http://127.0.0.1:{options.port}", f"http://127.0.0.1:{options.sandbox_port}")


if __name__ == "__main__":
    sys.exit(main())
