"""Times on the wire are in UTC, whatever the site's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.support.factories import ANSWERS, make_hours, make_legacy, make_webchat
from tests.support.flex_ui import FlexUi
from tests.support.visitor import VisitorClient

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, params=["Asia/Tokyo", "America/New_York"])
def _zone_of_the_site(request, settings):
    settings.TIME_ZONE = request.param


def is_now(text: str) -> bool:
    assert text.endswith("Z")
    return abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_start_and_a_renewal_say_when_the_token_expires(sandbox):
    make_webchat()
    visitor = VisitorClient()
    started = visitor.start(ANSWERS).json()
    for credentials in (started, visitor.renew(started["session_id"]).json()):
        assert is_now(credentials["began_at"])
        expires_at = datetime.fromisoformat(credentials["expires_at"])
        assert timedelta(minutes=55) < expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_an_ended_chat_says_when_each_message_was_written(sandbox):
    make_webchat()
    visitor = VisitorClient()
    started = visitor.start(ANSWERS).json()
    visitor.end(started["session_id"])
    page = visitor.client.get(f"/api/webchat/sessions/{started['session_id']}/messages/").json()
    assert page["messages"]
    assert all(is_now(message["at"]) for message in page["messages"])


def test_a_message_says_when_it_was_received(sandbox):
    make_webchat(when_closed="message")
    assert is_now(VisitorClient().leave(ANSWERS).json()["received_at"])


def test_a_closed_chat_says_when_it_opens(sandbox):
    make_webchat(hours=make_hours((1, "09:00", "17:00")))
    with time_machine.travel(datetime(2026, 12, 1, 6, tzinfo=UTC), tick=False):  # a Tuesday
        refused = VisitorClient().start(ANSWERS, key="any-key-at-all")
    assert refused.json()["opens_at"] == "2026-12-01T08:00:00Z"


@pytest.mark.ignore_template_errors
def test_flex_ui_reads_when_its_token_expires_and_its_channel_was_made(sandbox):
    make_legacy()
    ui = FlexUi()
    channel = ui.start().json()
    assert is_now(channel["date_created"])
    expires_at = datetime.fromisoformat(FlexUi().ask_token().json()["expiration"])
    assert timedelta(minutes=5) < expires_at - datetime.now(UTC) <= timedelta(minutes=10)
