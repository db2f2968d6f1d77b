"""A rush is no outage: who finds no turn is told that it is a moment, and the start goes on by itself."""

from __future__ import annotations

import logging

import pytest

from tests.support.factories import ANSWERS, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession
from webchat.protection import limits
from webchat.protection.limits import Limit
from webchat.protection.outage import bulkhead

pytestmark = pytest.mark.django_db

PAGE = "/webchat/support/"


@pytest.fixture
def webchat(sandbox, settings):
    settings.WEBCHAT_THREADS = 2  # one of them may wait for Twilio
    return make_webchat()


def alerts(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_start_without_a_turn_is_busy_raises_no_alert_and_starts_with_the_same_key(webchat, caplog):
    visitor = VisitorClient()
    with bulkhead.passage():
        refused = visitor.start(ANSWERS)
    body = refused.json()
    assert (refused.status_code, body["code"]) == (503, "busy")
    assert "in a moment" in body["detail"]
    assert int(refused["Retry-After"]) >= 1
    assert alerts(caplog) == []
    assert visitor.start(ANSWERS).status_code == 201
    assert ChatSession.objects.get().status == "active"


def test_a_full_queue_of_the_sites_pace_is_busy_too(webchat, monkeypatch):
    monkeypatch.setattr(limits, "PACE", Limit("pace", 2, 3600))
    for _turn in range(2):
        limits.PACE.take("")
    assert VisitorClient().start(ANSWERS).json()["code"] == "busy"


def test_to_wait_for_a_turn_uses_up_no_allowance(webchat, monkeypatch):
    monkeypatch.setattr(limits, "RETRY_BY_BROWSER", Limit("retry:browser", 1, 600))
    monkeypatch.setattr(limits, "PER_WEBCHAT", Limit("start:webchat", 2, 60))
    visitor = VisitorClient()
    with bulkhead.passage():
        assert {visitor.start(ANSWERS).json()["code"] for _ in range(4)} == {"busy"}
    assert visitor.start(ANSWERS).status_code == 201


# --- Without JavaScript ----------------------------------------------------------------------------------------------


def submit(visitor, **answers):
    data = {**ANSWERS, "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key, **answers}
    return visitor.client.post(PAGE, data)


def test_the_page_waits_and_goes_on_by_itself(webchat, sandbox, caplog):
    visitor = VisitorClient()
    with bulkhead.passage():
        sent = submit(visitor)
        assert (sent.status_code, sent["Location"]) == (302, PAGE)
        for _again in range(2):
            waiting = visitor.client.get(PAGE)
            assert waiting.status_code == 200
            assert int(waiting["Refresh"]) >= 1, "the browser asks again"
            assert "in a moment" in waiting.content.decode()
            assert "not available" not in waiting.content.decode()
        assert "Refresh" not in VisitorClient().client.get(PAGE), "who sent nothing waits for nothing"
    assert alerts(caplog) == []
    assert visitor.client.get(PAGE)["Location"] == PAGE
    running = visitor.client.get(PAGE)
    assert 'data-webchat-state="running"' in running.content.decode()
    assert "Refresh" not in running
    session = ChatSession.objects.get()
    assert [message["body"] for message in sandbox.messages(session.channel_sid)] == [ANSWERS["question"]]


def test_only_looking_starts_nothing(webchat):
    visitor = VisitorClient()
    with bulkhead.passage():
        submit(visitor)
    visitor.client.head(PAGE)
    VisitorClient().client.get(PAGE)
    assert ChatSession.objects.get().status == "failed"


def test_a_wait_that_ends_in_an_outage_gives_the_form_back_as_it_was_sent(webchat, settings):
    visitor = VisitorClient()
    with bulkhead.passage():
        submit(visitor)
    url, settings.TWILIO_SANDBOX_URL = settings.TWILIO_SANDBOX_URL, "http://127.0.0.1:9"
    refused = visitor.client.get(PAGE)
    html = refused.content.decode()
    assert refused.status_code == 503
    assert "Refresh" not in refused
    for answer in (ANSWERS["email"], ANSWERS["question"], visitor.key):
        assert answer in html
    settings.TWILIO_SANDBOX_URL = url
    assert submit(visitor)["Location"] == PAGE
    assert ChatSession.objects.get().status == "active"
