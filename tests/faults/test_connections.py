"""Connections to PostgreSQL: shared by a bounded pool, through PgBouncer in transaction mode, and without a time-out for migrate."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import models
from django.db.migrations.state import ModelState, ProjectState
from django.db.utils import ConnectionHandler
from environ import Env

from tests.support.missing import skip_without
from tests.support.postgres import PGBOUNCER, pgbouncer_program
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer, free_port
from tests.support.site_visitor import SiteVisitor
from tests.support.waiting import until
from webchat.concurrent_indexes import AddIndexConcurrently

POOL = 3
TIMEOUTS = {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """The URL of the same database through PgBouncer, in transaction mode, with two connections for everybody."""
    program = pgbouncer_program()
    if program is None:
        skip_without(PGBOUNCER)
    server, port = urlsplit(url), free_port()
    with tempfile.TemporaryDirectory(prefix="webchat-pgbouncer-") as folder:
        Path(folder).chmod(0o755)
        config = Path(folder) / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={server.hostname} port={server.port} user={server.username}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
        )
        # It does not run as root.
        user = "nobody" if os.geteuid() == 0 else None
        process = subprocess.Popen([program, "-q", str(config)], user=user)
        try:
            through = urlunsplit(server._replace(netloc=f"{server.username}@127.0.0.1:{port}"))
            until(lambda: answers(through))
            yield through
        finally:
            process.terminate()
            process.wait()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def start_many(site: SiteServer) -> None:
    """Twelve visitors at once, each with a chat in the end that can be renewed and ended."""

    def chat(_number: int) -> list[int]:
        visitor = SiteVisitor(site.url)
        started = visitor.start_patiently(60)
        session = started.json()["session_id"]
        return [started.status_code, visitor.renew(session).status_code, visitor.end(session).status_code]

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(chat, range(12))) == [[201, 200, 200]] * 12


@pytest.mark.thorough
def test_threads_share_the_connections_of_a_pool(postgres_url: str, tmp_path: Path):
    environment: dict[str, str | None] = {
        "DATABASE_URL": postgres_url,
        "DATABASE_POOL_SIZE": str(POOL),
        "WEBCHAT_THREADS": "16",
        "WEBCHAT_LIMITS": "off",
    }
    with SandboxServer() as sandbox, SiteServer(tmp_path, sandbox, environment=environment) as site:
        start_many(site)
        with psycopg.connect(postgres_url) as connection:
            others = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            [count] = connection.execute(others).fetchone() or [None]
        assert 1 <= count <= POOL


@pytest.mark.thorough
def test_pgbouncer_in_transaction_mode_stands_in_between(postgres_url: str, tmp_path: Path):
    with pgbouncer(postgres_url) as url:
        environment: dict[str, str | None] = {
            "DATABASE_URL": url,
            "DATABASE_PGBOUNCER": "on",
            "WEBCHAT_THREADS": "16",
            "WEBCHAT_LIMITS": "off",
        }
        with SandboxServer() as sandbox, SiteServer(tmp_path, sandbox, environment=environment) as site:
            start_many(site)
            site.manage("webchat_worker", "--once")
            assert "config.W002" in check(site)
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                database = connection.info.dbname
                for name, value in TIMEOUTS.items():
                    connection.execute(f"ALTER DATABASE \"{database}\" SET {name} = '{value}'")
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            assert "config.W002" not in check(site)


def check(site: SiteServer) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--database", "default"],
        cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.thorough
def test_migrate_takes_its_time(postgres_url: str):
    """Longer than a statement of a request may: here everything takes longer than a millisecond."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"{postgres_url}?options=-c%20statement_timeout%3D1",
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    with psycopg.connect(postgres_url) as connection:
        [invalid] = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() or [None]
    assert invalid == 0


@pytest.mark.django_db  # of the connection that it makes itself
def test_an_index_waits_for_a_backup_longer_than_a_request_may(postgres_url: str):
    """A lock is waited for no longer than a millisecond here, but by this."""
    before = ProjectState()
    columns = [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]
    before.add_model(ModelState("webchat", "Thing", columns))
    operation = AddIndexConcurrently("thing", models.Index(fields=["name"], name="thing_name"))
    after = before.clone()
    operation.state_forwards("webchat", after)
    options = {"OPTIONS": {"options": "-c lock_timeout=1"}}

    def make() -> str:
        connection = ConnectionHandler({"default": {**Env.db_url_config(postgres_url), **options}})["default"]
        try:
            with connection.schema_editor(atomic=False) as editor:
                operation.database_forwards("webchat", editor, before, after)
            with connection.cursor() as cursor:
                cursor.execute("SHOW lock_timeout")
                return str(cursor.fetchone()[0])
        finally:
            connection.close()

    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'"
    with psycopg.connect(postgres_url, autocommit=True) as looks, psycopg.connect(postgres_url) as backup:
        looks.execute("CREATE TABLE webchat_thing (id bigint PRIMARY KEY, name text NOT NULL)")
        backup.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        backup.execute("SELECT count(*) FROM webchat_thing")
        with ThreadPoolExecutor(1) as thread:
            made = thread.submit(make)
            until(lambda: made.done() or looks.execute(waits).fetchone() != (0,))
            backup.rollback()
            assert made.result() == "1ms", "of what comes after it too"
        invalid = looks.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
    assert invalid == (0,)
