"""The visitor has the answer to a start before the question is posted at Twilio, through gunicorn as it is deployed."""

from __future__ import annotations

from tests.support.site import SiteServer
from tests.support.site_visitor import ANSWERS, SiteVisitor
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until

SLOW_SECONDS = 2


def test_a_start_does_not_wait_for_the_first_message(site: SiteServer):
    visitor = SiteVisitor(site.url)
    site.sandbox.fault("POST", "/v1/Conversations/*", delay_ms=SLOW_SECONDS * 1000)
    with Stopwatch() as watch:
        answer = visitor.start()
    assert answer.status_code == 201
    sid = answer.json()["channel_sid"]
    assert watch.seconds < SLOW_SECONDS
    assert site.sandbox.messages(sid) == []
    until(lambda: [message["body"] for message in site.sandbox.messages(sid)] == [ANSWERS["question"]])
