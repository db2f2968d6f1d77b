"""A Twilio that hangs keeps a part of the site's threads and nobody else; after a while it keeps none."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.faults.conftest import THREADS
from tests.support.site import SiteServer
from tests.support.site_visitor import SiteVisitor
from tests.support.stopwatch import Stopwatch, at_most
from webchat.protection.outage import FAILURES_TO_OPEN, OPEN_SECONDS

STARTS, PROCESSES = 30, 2
# Less than the 5 s that a start waits for Twilio; on a machine of one's own 0.05 and 0.3 s.
REFUSED_WITHIN, PAGE_WITHIN = 4.5, 4.5


@pytest.fixture
def database(site: SiteServer):
    """The site's own; without an outage, before and after."""
    connection = sqlite3.connect(site.folder / "site.sqlite3", timeout=10, isolation_level=None)
    connection.execute("DELETE FROM webchat_outage")
    time.sleep(1.1)  # until no process believes in one
    yield connection
    site.sandbox.clear_faults()
    connection.execute("DELETE FROM webchat_outage")
    connection.close()
    time.sleep(1.1)


def timed(call) -> tuple[float, requests.Response]:
    with Stopwatch() as watch:
        answer = call()
    return watch.seconds, answer


def test_pages_stay_fast_and_starts_past_the_bulkhead_are_refused_until_twilio_is_back(site, database):
    sandbox = site.sandbox
    visitors = [SiteVisitor(site.url) for _ in range(STARTS)]
    sandbox.clear_log()
    sandbox.fault("POST", "/v2/WebChats", fault="hang", times=1000)
    home = requests.Session()
    with ThreadPoolExecutor(STARTS) as threads:
        starts = [threads.submit(timed, visitor.start) for visitor in visitors]
        pages = []
        while not all(start.done() for start in starts):
            pages.append(timed(lambda: home.get(site.url, timeout=30)))
            time.sleep(0.05)
    answers = [start.result() for start in starts]
    assert {answer.status_code for _seconds, answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for _seconds, answer in answers)
    waited = sorted(seconds for seconds, _answer in answers)
    calls = [call for call in sandbox.log() if call["method"] == "POST"]
    room = PROCESSES * THREADS // 2
    assert len(calls) <= room
    assert waited[STARTS - room - 1] <= REFUSED_WITHIN, waited
    assert waited[-1] <= 10
    assert {page.status_code for _seconds, page in pages} == {200}
    assert max(seconds for seconds, _page in pages) <= PAGE_WITHIN
    rows = dict(database.execute("SELECT status, count(*) FROM webchat_chatsession GROUP BY status").fetchall())
    assert rows["starting"] == len(calls)

    # 16: by now there were failures enough, and both processes know.
    assert len(calls) >= FAILURES_TO_OPEN
    [(until,)] = database.execute("SELECT open_until FROM webchat_outage").fetchall()
    assert 0 < until - time.time() <= OPEN_SECONDS
    time.sleep(1.1)
    sandbox.clear_log()
    for visitor in (SiteVisitor(site.url) for _ in range(8)):
        seconds, answer = timed(visitor.start)
        assert (answer.status_code, seconds <= REFUSED_WITHIN) == (503, True)
    assert sandbox.log() == []

    sandbox.clear_faults()
    # As if the pause were over but for a second.
    database.execute("UPDATE webchat_outage SET open_until = ?", [time.time() + 1])
    with at_most(10 + 5):  # the lease of an unclear start, at most
        assert visitors[-1].start_patiently(60).status_code == 201
    assert database.execute("SELECT count(*) FROM webchat_outage").fetchone() == (0,)
    assert SiteVisitor(site.url).start().status_code == 201
