"""One submit, one channel: however often it comes, to whichever process, on whichever database."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.bench.kills import CREATES
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.site_visitor import SiteVisitor
from tests.support.waiting import until

AT_ONCE = 20


def submit_at_once(site: SiteServer, slug: str) -> None:
    visitor = SiteVisitor(site.url, slug)
    site.sandbox.clear_log()
    for path in CREATES:
        site.sandbox.fault("POST", path, delay_ms=400)

    def submit(_: int) -> requests.Response:
        again = SiteVisitor.__new__(SiteVisitor)
        again.__dict__ = {**visitor.__dict__, "http": requests.Session()}
        again.http.cookies.update(visitor.http.cookies)
        return again.start_patiently()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(submit, range(AT_ONCE)))
    site.sandbox.clear_faults()
    assert Counter(answer.status_code for answer in answers) == {200: AT_ONCE - 1, 201: 1}
    [channel] = {answer.json()["channel_sid"] for answer in answers}
    created = [call["created"] for call in site.sandbox.log() if call["created"] and call["path"] in CREATES]
    assert created == [channel]
    # Posted after the answer.
    assert len(until(lambda: site.sandbox.messages(channel))) == 1


@pytest.mark.parametrize("slug", ["support", "legacy"])
def test_twenty_at_once_on_sqlite(site: SiteServer, slug: str):
    submit_at_once(site, slug)


@pytest.mark.thorough
def test_twenty_at_once_on_postgresql(postgres_url: str, tmp_path: Path):
    environment: dict[str, str | None] = {
        "DATABASE_URL": postgres_url,
        "WEBCHAT_THREADS": "8",
    }
    with SandboxServer() as sandbox, SiteServer(tmp_path, sandbox, workers=2, environment=environment) as site:
        for slug in ("support", "legacy"):
            submit_at_once(site, slug)
