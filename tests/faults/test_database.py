"""The database goes away and comes back: nobody sees an error page of a bug, nothing is doubled, nothing is restarted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import requests

from tests.support.missing import skip_without
from tests.support.postgres import NAME, PrivateServer, binaries, new_database
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer
from tests.support.site_visitor import SiteVisitor
from tests.support.stopwatch import at_most
from tests.support.waiting import until

# Seconds; 3.5 on a machine of one's own, and without a bound as long as the database is away.
SOON = 10


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivateServer]:
    if not binaries():
        skip_without(NAME)
    with PrivateServer() as server:
        yield server


@pytest.fixture(scope="module")
def site(postgres: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    folder = tmp_path_factory.mktemp("on-postgresql")
    with new_database(postgres.url) as url, SandboxServer() as sandbox:
        environment: dict[str, str | None] = {"DATABASE_URL": url, "WEBCHAT_THREADS": "8"}
        with SiteServer(folder, sandbox, environment=environment) as server:
            yield server


@pytest.fixture(autouse=True)
def running_again(postgres: PrivateServer) -> Iterator[None]:
    yield
    with suppress(subprocess.CalledProcessError):  # the test has stopped it
        postgres.stop()
    postgres.start()


def soon(call: Callable[[], requests.Response]) -> requests.Response:
    with at_most(SOON):
        return call()


def test_while_the_database_is_away_everybody_is_told_so(site: SiteServer, postgres: PrivateServer):
    visitor, running = SiteVisitor(site.url), SiteVisitor(site.url)
    session = running.start().json()["session_id"]
    postgres.stop()
    get = requests.Session().get
    home = soon(lambda: get(site.url, timeout=60))
    assert (home.status_code, "<web-chat" in home.text) == (200, False)
    # Of a visitor who may have a chat: a new one's needs no query while the configuration is kept.
    panel = soon(lambda: visitor.http.get(f"{site.url}/webchat/support/panel/", timeout=60))
    assert (panel.status_code, panel.headers["Retry-After"]) == (503, "10")
    assert "Please try again in a minute" in panel.text
    for refused in (soon(visitor.start), soon(lambda: running.renew(session)), soon(lambda: running.end(session))):
        assert (refused.status_code, refused.json()["code"]) == (503, "chat_unavailable")
        assert refused.headers["Retry-After"] == "10"
    assert soon(lambda: get(f"{site.url}/health/ready", timeout=60)).status_code == 503
    assert soon(lambda: get(f"{site.url}/health/live", timeout=60)).status_code == 200

    postgres.start()
    with at_most(SOON):
        assert visitor.start_patiently(60).status_code == 201
        assert running.renew(session).status_code == 200
    assert "Traceback" not in site.log.read_text()


def test_a_channel_that_no_row_knows_of_is_found_by_the_same_submit(site: SiteServer, postgres: PrivateServer):
    """The database goes away after the row was made and before the channel can be kept."""
    visitor = SiteVisitor(site.url)
    site.sandbox.clear_log()
    site.sandbox.fault("POST", "/v2/WebChats", delay_ms=2500)
    with ThreadPoolExecutor(1) as thread:
        start = thread.submit(visitor.start)
        until(site.sandbox.log)
        postgres.stop()
        assert start.result().status_code == 503
    site.sandbox.clear_faults()
    postgres.start()
    credentials = visitor.start_patiently(60)
    assert credentials.status_code == 201
    created = [call["created"] for call in site.sandbox.log() if call["created"] and call["path"] == "/v2/WebChats"]
    assert created == [credentials.json()["channel_sid"]]
    # Posted after the answer.
    assert len(until(lambda: site.sandbox.messages(created[0]))) == 1


def test_a_database_that_is_frozen_holds_no_request_for_as_long(site: SiteServer, postgres: PrivateServer):
    """Each is answered while it is still frozen. Without a watchdog none would be."""
    visitor = SiteVisitor(site.url)
    with ThreadPoolExecutor(3) as threads, psycopg.connect(site.environment["DATABASE_URL"]) as other:
        # The start is in the middle of a statement.
        other.execute("LOCK TABLE webchat_chatsession")
        start = threads.submit(visitor.start)
        until(postgres.waits_for_a_lock)
        with postgres.frozen():
            login = threads.submit(
                requests.get, f"{site.url}/admin/login/", timeout=60, cookies={"sessionid": "x" * 32}
            )
            ready = threads.submit(requests.get, f"{site.url}/health/ready", timeout=60)
            assert start.result().json()["code"] == "chat_unavailable"
            assert login.result().status_code == 503
            assert ready.result().status_code == 503
    lines = [json.loads(line) for line in site.log.read_text().splitlines() if line.startswith("{")]
    events = {line["event"] for line in lines}
    assert {"database_silent", "database_failed"} <= events
    assert "request_failed" not in events, "it is no bug"
    assert visitor.start_patiently(60).status_code == 201


@pytest.mark.thorough
def test_nor_does_one_whose_connections_are_in_a_pool(postgres: PrivateServer, tmp_path: Path):
    """The pool asks each connection whether it is alive before a request gets it."""
    with new_database(postgres.url) as url, SandboxServer() as sandbox:
        pooled: dict[str, str | None] = {"DATABASE_URL": url, "DATABASE_POOL_SIZE": "2", "WEBCHAT_THREADS": "8"}
        with SiteServer(tmp_path, sandbox, environment=pooled) as site, ThreadPoolExecutor(4) as threads:
            assert SiteVisitor(site.url).start().status_code == 201
            with postgres.frozen():
                asked = [threads.submit(requests.get, f"{site.url}/health/ready", timeout=60) for _ in range(4)]
                assert [each.result().status_code for each in asked] == [503] * 4
            assert SiteVisitor(site.url).start_patiently(60).status_code == 201


@pytest.mark.thorough
def test_nor_does_it_hold_what_is_done_after_an_answer(site: SiteServer, postgres: PrivateServer):
    def hung_up() -> int:
        return site.log.read_text().count('"database_silent"')

    before = hung_up()
    site.sandbox.fault("POST", "/v1/Conversations/*", delay_ms=1500)
    assert SiteVisitor(site.url).start().status_code == 201
    with postgres.frozen():
        until(lambda: hung_up() > before)
    site.sandbox.clear_faults()


@pytest.mark.thorough
def test_the_worker_hangs_up_on_a_database_that_is_frozen_and_goes_on_after_it(
    site: SiteServer, postgres: PrivateServer, tmp_path: Path
):
    log = tmp_path / "worker.log"
    with log.open("w") as stderr:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "webchat_worker"], cwd=ROOT, env=site.environment, stderr=stderr
        )

    def events(of: str) -> int:
        whole = log.read_text().split("\n")[:-1]
        return sum(json.loads(line)["event"] == of for line in whole if line.startswith("{"))

    def make_old_chat() -> None:
        session = SiteVisitor(site.url).start_patiently(60).json()["session_id"]
        site.shell(f"ChatSession.objects.filter(pk='{session}').update(started_at='2020-01-01T00:00Z')")

    try:
        make_old_chat()
        until(lambda: events("chat_ended") == 1)  # on a connection that it keeps
        with postgres.frozen():
            until(lambda: events("database_silent") and events("database_failed"))
        make_old_chat()
        until(lambda: events("chat_ended") == 2)
        worker.terminate()
        assert worker.wait(60) == 0
        assert not events("job_failed")
    finally:
        worker.kill()
        worker.wait()
    postgres.stop()
