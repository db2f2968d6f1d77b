"""When Twilio no longer serves the legacy API: said clearly to visitors, once to staff, and passed on where it can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.support.factories import ANSWERS, make_legacy
from tests.support.flex_ui import FlexUi
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

SIGNS = [(404, 20404), (410, 45006), (403, 45003), (400, 45205), (400, 45201)]


def start_by(widget: str):
    return FlexUi().start() if widget == "flex_ui" else VisitorClient().start(ANSWERS)


def creates(sandbox) -> list[tuple[str, int]]:
    paths = ("/v1/WebChannels", "/v2/WebChats")
    return [(call["path"], call["status"]) for call in sandbox.log() if call["path"] in paths]


both = pytest.mark.parametrize("widget", ["own", "flex_ui"])


@both
@pytest.mark.parametrize(("status", "code"), SIGNS)
def test_visitors_read_that_it_is_unavailable_and_nothing_is_tried_again(sandbox, widget, status, code):
    webchat = make_legacy(widget=widget)
    sandbox.fault("POST", "/v1/WebChannels", status=status, body=json.dumps({"code": code, "status": status}), times=9)
    answer = start_by(widget)
    assert (answer.status_code, answer.json()["code"]) == (503, "chat_unavailable")
    assert answer.json()["detail"] == webchat.unavailable_text
    assert creates(sandbox) == [("/v1/WebChannels", status)]
    session = ChatSession.objects.get()
    assert (session.status, session.api) == ("failed", "web_channels")
    assert session.failure.startswith("gone")


@both
def test_staff_get_one_alert_in_ten_minutes(sandbox, log, widget):
    make_legacy(widget=widget)
    sandbox.fault("POST", "/v1/WebChannels", status=410, times=9)
    for _ in range(3):
        assert start_by(widget).status_code == 503
    [alert] = log.lines("legacy_api_gone")
    assert (alert["level"], alert["webchat"], alert["sid"]) == ("error", "support", "")
    assert {line["level"] for line in log.lines("chat_unavailable")} == {"info"}
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=10, seconds=1)):
        assert start_by(widget).status_code == 503
    assert len(log.lines("legacy_api_gone")) == 2


@both
def test_where_an_address_is_named_the_chat_goes_there(sandbox, log, widget):
    make_legacy(widget=widget, address_sid=account.ADDRESS_SID)
    sandbox.fault("POST", "/v1/WebChannels", status=410)
    answer = start_by(widget)
    assert answer.status_code == 201
    assert creates(sandbox) == [("/v1/WebChannels", 410), ("/v2/WebChats", 201)]
    session = ChatSession.objects.get()
    assert (session.status, session.api) == ("active", "conversations")
    assert [each["body"] for each in sandbox.messages(session.channel_sid)] == [ANSWERS["question"]]
    [alert] = log.lines("legacy_api_gone")
    assert alert["sid"] == f"IG…{account.ADDRESS_SID[-4:]}"
    [moved] = log.lines("chat_moved_to_address")
    assert moved["session"] == str(session.pk)


def test_such_a_chat_ends_by_the_api_that_it_began_with(sandbox):
    make_legacy(widget="own", address_sid=account.ADDRESS_SID)
    sandbox.fault("POST", "/v1/WebChannels", status=410)
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    assert credentials["api"] == "conversations"
    assert visitor.end(credentials["session_id"]).status_code == 200
    assert sandbox.desk(credentials["channel_sid"])["state"] == "closed"


def test_a_start_that_was_cut_short_after_the_change_is_looked_up_where_it_went(sandbox):
    make_legacy(widget="own", address_sid=account.ADDRESS_SID)
    sandbox.fault("POST", "/v1/WebChannels", status=410)
    sandbox.fault("POST", "/v2/WebChats", fault="reset", before=False)
    visitor = VisitorClient()
    assert visitor.start(ANSWERS).status_code == 201
    assert len([call for call in sandbox.log() if call["created"] and call["path"] == "/v2/WebChats"]) == 1


def test_an_address_that_refuses_leads_nowhere_else(sandbox):
    make_legacy(widget="own", address_sid=account.ADDRESS_SID)
    sandbox.fault("POST", "/v1/WebChannels", status=410, times=5)
    sandbox.fault("POST", "/v2/WebChats", status=404, times=5)
    assert VisitorClient().start(ANSWERS).status_code == 503
    assert creates(sandbox) == [("/v1/WebChannels", 410), ("/v2/WebChats", 404)]
    assert ChatSession.objects.get().status == "failed"
