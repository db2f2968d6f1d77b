"""PostgreSQL for tests: the server that TEST_POSTGRES_URL names, or a private one in a temporary folder.

`python -m tests.support.postgres` installs it and PgBouncer where they are missing and apt may be used.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.support.missing import apt_install
from tests.support.site import free_port

NAME = "PostgreSQL (apt-get install postgresql, or TEST_POSTGRES_URL)"
PGBOUNCER = "PgBouncer (apt-get install pgbouncer)"


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl. Debian keeps it off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    found = [Path(path) for path in [shutil.which("postgres")] if path]
    folders = [path.resolve().parent for path in [*found, *debian]]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def pgbouncer_program() -> str | None:
    # Debian keeps it off the PATH of users.
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def is_there() -> bool:
    return bool(os.environ.get("TEST_POSTGRES_URL") or binaries())


class PrivateServer:
    """A server in a temporary folder, which can be stopped at once and started again."""

    def __init__(self) -> None:
        folder = binaries()
        assert folder is not None, NAME
        self.folder = folder
        # PostgreSQL does not run as root.
        self.user = None
        if os.geteuid() == 0:
            self.user = "nobody"
            with suppress(KeyError):
                self.user = pwd.getpwnam("postgres").pw_name
        self.home = Path(tempfile.mkdtemp(prefix="webchat-postgres-"))
        if self.user:
            shutil.chown(self.home, self.user)
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # Its data need not survive the machine, only the processes of the site.
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='' -c fsync=off -c max_connections=300"
        self._run("pg_ctl", "-w", "-l", str(self.home / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As if it had crashed: no connection is waited for."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still. The kernel goes on to acknowledge what they are sent."""
        processes = self._processes()
        self._signal(signal.SIGSTOP, processes)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT, processes)

    def waits_for_a_lock(self) -> bool:
        """Whether a statement of anybody does."""
        with psycopg.connect(self.url) as connection:
            query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"
            return bool(connection.execute(query).fetchall()[0][0])

    @staticmethod
    def _signal(number: signal.Signals, processes: list[int]) -> None:
        for process in processes:
            with suppress(ProcessLookupError):  # one has ended by itself
                os.kill(process, number)

    def _processes(self) -> list[int]:
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
        return [int((self.home / "data/postmaster.pid").read_text().split()[0]), *(pid for (pid,) in found)]

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.folder / command), "-D", str(self.home / "data"), *arguments],
            user=self.user, cwd=self.home, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.CalledProcessError):  # it was stopped already
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database on it, as which no test writes: each makes its own by new_database()."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
    with PrivateServer() as private:
        yield private.url


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database that nobody else has, which is dropped at the end."""
    name = f"test_webchat_{secrets.token_hex(8)}"
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(drop)


if __name__ == "__main__":
    if not is_there():
        apt_install("postgresql")
    if not pgbouncer_program():
        apt_install("pgbouncer")
