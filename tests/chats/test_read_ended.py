"""What was said in a chat that is over, for the visitor whose page was left before its end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.sandbox import SandboxServer
from tests.support.visitor import VisitorClient
from webchat.chats.history import MAY_READ
from webchat.flex.conversations import MESSAGES_ON_A_PAGE
from webchat.models import ChatSession
from webchat.protection.limits import READ_BY_BROWSER
from webchat.protection.outage import FAILURES_TO_OPEN, breaker

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(sandbox: SandboxServer) -> VisitorClient:
    make_webchat()
    return VisitorClient()


@pytest.fixture
def session(visitor: VisitorClient) -> ChatSession:
    return ChatSession.objects.get(pk=visitor.start(ANSWERS).json()["session_id"])


def read(visitor: VisitorClient, session: ChatSession, **query: str) -> Any:
    return visitor.client.get(f"/api/webchat/sessions/{session.pk}/messages/", query)


def test_the_visitor_reads_what_was_written_and_nothing_that_the_site_noted(sandbox, visitor, session):
    sandbox.say(session.channel_sid, "agent_robin", "On its <b>way</b>")
    sandbox.say(session.channel_sid, "Website", "Ada has signed in.")
    sandbox.close(session.channel_sid)
    visitor.end(str(session.pk), ended_by="agent")
    answer = read(visitor, session)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    question, reply = answer.json()["messages"]
    assert question.pop("at").startswith(f"{session.created_at:%Y-%m-%dT}")
    assert question == {
        "index": 0,
        "author": session.identity,
        "own": True,
        "client_id": "question",
        "text": ANSWERS["question"],
        "files": [],
    }
    assert (reply["index"], reply["author"], reply["own"], reply["client_id"]) == (1, "agent_robin", False, "")
    assert (reply["text"], answer.json()["next"]) == ("On its <b>way</b>", "")


def test_a_long_one_comes_in_pages(sandbox, visitor, session):
    for number in range(MESSAGES_ON_A_PAGE):
        sandbox.say(session.channel_sid, "agent_robin", str(number))
    visitor.end(str(session.pk))
    first = read(visitor, session).json()
    assert len(first["messages"]) == MESSAGES_ON_A_PAGE
    rest = read(visitor, session, place=first["next"]).json()
    assert [one["text"] for one in rest["messages"]] == [str(MESSAGES_ON_A_PAGE - 1)]
    assert rest["next"] == ""


@pytest.mark.parametrize("place", ["../x", "1~a b", "1234567", "٣", "1~" + "x" * 501])
def test_a_place_that_no_page_named_is_refused(visitor, session, place):
    visitor.end(str(session.pk))
    answer = read(visitor, session, place=place)
    assert (answer.status_code, answer.json()["code"], [*answer.json()["fields"]]) == (400, "invalid", ["place"])


def test_it_is_read_for_an_hour_after_the_end(visitor, session):
    assert read(visitor, session).status_code == 404, "it goes on"
    visitor.end(str(session.pk))
    ended_at = ChatSession.objects.get().ended_at
    with time_machine.travel(ended_at + MAY_READ - timedelta(seconds=1)):
        assert read(visitor, session).status_code == 200
    with time_machine.travel(ended_at + MAY_READ + timedelta(seconds=1)):
        assert read(visitor, session).status_code == 404


def test_nobody_else_reads_it_nor_the_same_browser_after_a_sign_in(visitor, session):
    visitor.end(str(session.pk))
    for other in (VisitorClient(), visitor):
        other.client.force_login(make_user("ada" if other is visitor else "eve"))
        assert read(other, session).status_code == 404
    assert read(VisitorClient(), session).status_code == 404


def test_it_is_read_so_often_and_no_more(sandbox, visitor, session, settings):
    settings.WEBCHAT_LIMITS = "on"
    visitor.end(str(session.pk))
    for _time in range(READ_BY_BROWSER.allowed):
        answer = read(visitor, session)
    assert answer.status_code == 200
    refused = read(visitor, session)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many")
    assert int(refused["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("fault", "status"),
    [({"status": 404}, 200), ({"status": 500}, 503), ({"status": 401}, 503), ({"fault": "reset"}, 503)],
)
def test_what_twilio_does_not_give_is_no_error_of_ours(sandbox, visitor, session, fault, status):
    visitor.end(str(session.pk))
    sandbox.fault("GET", f"/v1/Conversations/{session.channel_sid}/Messages*", times=5, **fault)
    answer = read(visitor, session)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"messages": [], "next": ""}
    else:
        assert answer.json()["code"] == "chat_unavailable"


def page_with(session: ChatSession, **message: Any) -> str:
    """What Twilio answers about a chat with one message of the visitor's."""
    written = {"index": 0, "author": session.identity, "body": "Hello", "attributes": "{}", **message}
    return json.dumps({"messages": [written], "meta": {"key": "messages", "next_page_url": None}})


@pytest.mark.parametrize(
    "attributes", ["[" * 1900 + "]" * 1900, '{"client_id": "\\ud800"}', '{"client_id": 7}', "no JSON"]
)
def test_what_a_browser_wrote_beside_its_message_costs_nobody_the_conversation(sandbox, visitor, session, attributes):
    """A visitor may send anything there by Twilio's SDK. Were it an outage of Twilio, it would close all chats of the site."""
    visitor.end(str(session.pk))
    path = f"/v1/Conversations/{session.channel_sid}/Messages*"
    sandbox.fault("GET", path, status=200, body=page_with(session, attributes=attributes), times=FAILURES_TO_OPEN)
    for _time in range(FAILURES_TO_OPEN):
        answer = read(visitor, session)
        assert answer.status_code == 200
        assert [one["text"] for one in answer.json()["messages"]] == ["Hello"]
    assert not breaker.is_open


@pytest.mark.parametrize(("message", "status"), [({"author": "\ud800"}, 200), ({"index": "garbage"}, 503)])
def test_an_answer_of_twilios_that_is_odd_is_no_error_of_ours(sandbox, visitor, session, message, status):
    visitor.end(str(session.pk))
    path = f"/v1/Conversations/{session.channel_sid}/Messages*"
    sandbox.fault("GET", path, status=200, body=page_with(session, **message))
    assert read(visitor, session).status_code == status
