"""A server that is told to stop finishes what visitors wait for."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.site_visitor import SiteVisitor
from tests.support.waiting import until

STARTS = 12


def test_starts_under_way_are_finished(tmp_path: Path):
    environment: dict[str, str | None] = {"WEBCHAT_THREADS": str(2 * STARTS)}
    with SandboxServer() as sandbox, SiteServer(tmp_path, sandbox, workers=2, environment=environment) as site:
        visitors = [SiteVisitor(site.url) for _ in range(STARTS)]
        sandbox.fault("POST", "/v2/WebChats", delay_ms=1500, times=STARTS)
        with ThreadPoolExecutor(STARTS) as threads:
            starts = [threads.submit(visitor.start) for visitor in visitors]
            until(lambda: len(sandbox.log()) == STARTS)
            site.process.send_signal(signal.SIGTERM)
            assert Counter(start.result().status_code for start in starts) == {201: STARTS}
        assert site.process.wait(60) == 0
        # What the processes had counted is kept, too.
        counts = site.shell("print({row.name: row.number for row in HourlyCount.objects.all()})")
    assert "'started': 12" in counts, counts
