"""The visitor has the answer to a start before the question is posted at Twilio, through gunicorn as it is deployed."""

from __future__ import annotations

from tests.support.site import SiteServer
from tests.support.site_visitor import ANSWERS, SiteVisitor
from tests.support.waiting import until


def test_a_start_does_not_wait_for_the_first_message(site: SiteServer):
    visitor = SiteVisitor(site.url)
    # Nearly as long as the site waits for Twilio: it goes on as soon as the faults are cleared.
    site.sandbox.fault("POST", "/v1/Conversations/*", delay_ms=4500)
    answer = visitor.start()
    assert answer.status_code == 201
    sid = answer.json()["channel_sid"]
    assert site.sandbox.messages(sid) == []
    site.sandbox.clear_faults()
    until(lambda: [message["body"] for message in site.sandbox.messages(sid)] == [ANSWERS["question"]])
