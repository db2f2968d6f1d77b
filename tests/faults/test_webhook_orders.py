"""Twilio's events come early, late, repeatedly, in any order or never: the session ends in the same state."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.api.test_webhooks import closed, post
from tests.support.factories import ANSWERS, make_webchat
from tests.support.site import SiteServer
from tests.support.site_visitor import SiteVisitor
from tests.support.visitor import VisitorClient
from tests.support.waiting import until
from webchat.chats import worker
from webchat.chats.start import activate
from webchat.models import ChatSession
from webchat.models.session import LEASE
from webchat.protection.outage import breaker

ORDERS = [*itertools.permutations(["commit", "closed", "closed again", "inactive"]), ("commit",)]


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_chat_that_was_completed_ends_whatever_the_order(sandbox: Any, settings: Any, order: Any):
    make_webchat()
    visitor = VisitorClient()
    visitor.start(ANSWERS)
    session = ChatSession.objects.get()
    # Back to the moment before the commit, with the channel there and already completed.
    channel = session.channel
    ChatSession.objects.update(status="starting", channel_sid="")
    sandbox.desk(channel.sid, "complete", author="Robin")
    session.refresh_from_db()
    events = {
        "commit": lambda: activate(session, channel),
        "closed": lambda: deliver(settings, channel, "closed"),
        "closed again": lambda: deliver(settings, channel, "closed"),
        "inactive": lambda: deliver(settings, channel, "inactive"),
    }
    for event in order:
        events[event]()
    with time_machine.travel(datetime.now(UTC) + LEASE + worker.LOOK + timedelta(seconds=1)):
        breaker.forget()
        worker.pass_once()
        assert visitor.renew(str(session.pk)).status_code == 410
    session.refresh_from_db()
    assert (session.status, session.ended_by, session.close_pending) == ("ended", "agent", False)


def deliver(settings: Any, channel: Any, state: str) -> None:
    event = closed(ChatSession(channel_sid=channel.sid), StateTo=state)
    assert post(Client(), settings, event).status_code == 200


def test_what_the_agent_completes_at_the_desk_ends_here_too(site: SiteServer):
    fix = ("check_flex", "support", "--fix-webhook", "--first-answers", "--replace")
    assert "everything that a chat needs" in site.manage(*fix)
    visitor = SiteVisitor(site.url)
    credentials = visitor.start().json()
    site.sandbox.say(credentials["channel_sid"], "agent_robin", "Hello", webhooks=True)
    answered = f"ChatSession.objects.filter(pk='{credentials['session_id']}', answered_at__gt='2000-01-01').exists()"
    until(lambda: site.shell(f"print({answered})") == "True")
    assert visitor.renew(credentials["session_id"]).status_code == 200
    site.sandbox.desk(credentials["channel_sid"], "complete", author="Robin")
    until(lambda: visitor.renew(credentials["session_id"]).status_code != 200)
    answer = visitor.renew(credentials["session_id"])
    assert (answer.status_code, answer.json()["code"]) == (410, "session_ended")
