"""What Twilio calls: nothing without its signature, and a session only ever moves forward."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import pytest

from tests.factories import ANSWERS, make_webchat
from tests.visiting import VisitorClient
from webchat.models import ChatSession
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

PATH = "/webhooks/twilio/conversations/"


def signature(url, values, token=account.AUTH_TOKEN):
    """Twilio's scheme: https://www.twilio.com/docs/usage/webhooks/webhooks-security"""
    text = url + "".join(f"{name}{values[name]}" for name in sorted(values))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def post(client, settings, values, **options):
    url = settings.PUBLIC_BASE_URL + PATH
    headers = {"X-Twilio-Signature": signature(url, values, **options)}
    return client.post(PATH, urlencode(values), content_type="application/x-www-form-urlencoded", headers=headers)


@pytest.fixture
def session(sandbox):
    make_webchat()
    VisitorClient().start(ANSWERS)
    return ChatSession.objects.get()


def closed(session, **values):
    return {
        "EventType": "onConversationStateUpdated",
        "AccountSid": account.ACCOUNT_SID,
        "ConversationSid": session.channel_sid,
        "StateFrom": "active",
        "StateTo": "closed",
        "Reason": "API",
        **values,
    }


def test_a_chat_that_the_agent_completed_is_ended_and_no_longer_renewed(client, settings, session):
    assert post(client, settings, closed(session)).status_code == 200
    session.refresh_from_db()
    assert (session.status, session.ended_by) == ("ended", "agent")


@pytest.mark.parametrize("token", ["another-token", ""])
def test_a_wrong_signature_is_refused(client, settings, session, token):
    assert post(client, settings, closed(session), token=token).status_code == 403
    session.refresh_from_db()
    assert session.is_active


def test_no_signature_is_refused(client, session):
    assert client.post(PATH, closed(session)).status_code == 403


def test_the_other_auth_token_counts_while_it_is_rotated(client, settings, session):
    settings.TWILIO_AUTH_TOKEN_SECONDARY = "the-next-token"
    assert post(client, settings, closed(session), token="the-next-token").status_code == 200


def test_repeated_and_late_events_change_nothing_more(client, settings, session):
    session.end(ChatSession.EndedBy.VISITOR)
    for values in (closed(session), closed(session), closed(session, StateTo="active"), closed(session)):
        assert post(client, settings, values).status_code == 200
    session.refresh_from_db()
    assert (session.status, session.ended_by) == ("ended", "visitor")


@pytest.mark.parametrize(
    "change",
    [
        {"EventType": "onMessageAdded"},
        {"EventType": "onSomethingNew"},
        {"StateTo": "inactive"},
        {"ConversationSid": "CH" + "f" * 32},
        {"ConversationSid": ""},
    ],
    ids=str,
)
def test_other_events_and_chats_are_answered_and_ignored(client, settings, session, change):
    assert post(client, settings, closed(session, **change)).status_code == 200
    session.refresh_from_db()
    assert session.is_active


def test_only_post(client):
    assert client.get(PATH).status_code == 405


def test_a_large_body_is_refused_unread(client, settings, session):
    assert post(client, settings, closed(session, Body="x" * 70_000)).status_code == 403
