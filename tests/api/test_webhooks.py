"""What Twilio calls: nothing without its signature, and a session only ever moves forward."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import threading
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.http import QueryDict
from django.test import Client, RequestFactory

from tests.support.factories import ANSWERS, make_webchat
from tests.support.visitor import VisitorClient
from webchat.chats import worker
from webchat.chats.answer import note_message
from webchat.chats.end import end_chat
from webchat.counters import counters
from webchat.models import ChatSession, HourlyCount
from webchat.sandbox import account
from webchat.webhooks import ConversationsWebhook

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
    end_chat(session, ChatSession.EndedBy.VISITOR)
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


# --- Bad input, repeated and reordered events ------------------------------------------------------------------------


def post_pairs(client, settings, pairs, path=PATH):
    """Signed as Twilio signs a name that comes more than once: each value of it once, in order."""
    text = settings.PUBLIC_BASE_URL + path + "".join(name + value for name, value in sorted(set(pairs)))
    signed = base64.b64encode(hmac.new(account.AUTH_TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return client.post(
        path, urlencode(pairs), content_type="application/x-www-form-urlencoded", headers={"X-Twilio-Signature": signed}
    )


@pytest.mark.parametrize("name", ["AccountSid", "EventType", "ConversationSid", "StateTo"])
def test_a_parameter_that_is_read_may_come_only_once(client, settings, session, name):
    pairs = [*closed(session).items(), (name, "x")]
    assert post_pairs(client, settings, pairs).status_code == 400
    assert post_pairs(client, settings, list(reversed(pairs))).status_code == 400
    session.refresh_from_db()
    assert session.is_active


@pytest.mark.parametrize("over", [True, False])
def test_an_end_with_parameters_that_are_not_known_has_the_worker_ask_twilio(client, settings, session, sandbox, over):
    """Twilio may add some."""
    if over:
        sandbox.close(session.channel_sid)
    pairs = [*closed(session).items(), ("New", "1"), ("New", "2")]
    assert post_pairs(client, settings, pairs).status_code == 200
    session.refresh_from_db()
    assert session.is_active
    worker.pass_once()
    session.refresh_from_db()
    assert session.is_active is not over


@pytest.mark.parametrize("sid", ["AC" + "f" * 32, ""])
def test_an_event_of_another_account_is_ignored(client, settings, session, sid):
    assert post(client, settings, closed(session, AccountSid=sid)).status_code == 200
    session.refresh_from_db()
    assert session.is_active


def test_all_orders_of_the_events_lead_to_the_same_end(client, settings, sandbox):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat()
    ends = set()
    for order in itertools.permutations(["added", "inactive", "active", "closed"]):
        VisitorClient().start(ANSWERS)
        session = ChatSession.objects.latest("created_at")
        for state in [*order, order[0]]:  # and one of them again
            change = {"EventType": "onConversationAdded"} if state == "added" else {"StateTo": state}
            assert post(client, settings, closed(session, **change)).status_code == 200
        session.refresh_from_db()
        ends.add((session.status, session.ended_by, session.close_pending))
    assert ends == {("ended", "agent", False)}


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_have_one_effect(settings, sandbox):
    make_webchat()
    VisitorClient().start(ANSWERS)
    session = ChatSession.objects.get()
    statuses = []

    def deliver():
        try:
            statuses.append(post(Client(), settings, closed(session)).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 10
    ended = ChatSession.objects.values("status", "ended_by", "ended_at").get()
    assert (ended["status"], ended["ended_by"]) == ("ended", "agent")
    post(Client(), settings, closed(session))
    assert ChatSession.objects.values("status", "ended_by", "ended_at").get() == ended


BODY = urlencode(
    {
        "EventType": "onConversationStateUpdated",
        "AccountSid": account.ACCOUNT_SID,
        "ConversationSid": "CH" + "0123456789abcdef" * 2,
        "StateTo": "closed",
        "Attributes": '{"name": "Zoë & 🦊 + 1"}',
    }
).encode()
QUERY = "webchat=support&rc=1"


def deliver(body: bytes, query: str, signed: bytes) -> int:
    request = RequestFactory().generic(
        "POST",
        f"{PATH}?{query}",
        body,
        "application/x-www-form-urlencoded",
        HTTP_X_TWILIO_SIGNATURE=signed.decode("latin-1"),
    )
    return ConversationsWebhook.as_view()(request).status_code


@pytest.mark.parametrize("part", ["body", "query", "signature"])
def test_any_changed_byte_is_refused(part):
    url = f"{settings.PUBLIC_BASE_URL}{PATH}?{QUERY}"
    signed = signature(url, dict(parse_qsl(BODY.decode()))).encode()
    parts = {"body": BODY, "query": QUERY.encode(), "signature": signed}
    assert deliver(BODY, QUERY, signed) == 200
    original = parts[part]
    for at, byte in enumerate(original):
        # The other case of a letter, and a neighbour.
        for changed in (byte ^ 0x20, byte ^ 1):
            parts[part] = original[:at] + bytes([changed]) + original[at + 1 :]
            # "%3a" for "%3A" is the same form.
            if part == "body" and QueryDict(parts["body"], encoding="utf-8") == QueryDict(BODY, encoding="utf-8"):
                continue
            # A "#" never arrives: it ends the URL before the query does.
            if part == "query" and (not parts["query"].isascii() or b"#" in parts["query"]):
                continue
            assert deliver(parts["body"], parts["query"].decode("latin-1"), parts["signature"]) == 403, (at, changed)


# --- The first answer --------------------------------------------------------------------------------------------------


def message_of(session, author, **values):
    return {
        "EventType": "onMessageAdded",
        "AccountSid": account.ACCOUNT_SID,
        "ConversationSid": session.channel_sid,
        "Author": author,
        "Body": "secret words",
        "Index": "3",
        **values,
    }


def test_the_first_answer_is_the_agents_first_words(session, settings, log, django_assert_num_queries):
    with time_machine.travel(session.started_at + timedelta(seconds=45), tick=False) as clock:
        for author in (session.identity, "Website", "system", ""):
            assert post(Client(), settings, message_of(session, author)).status_code == 200
        session.refresh_from_db()
        assert (session.messages_told, session.answered_at) == (True, None)
        post(Client(), settings, message_of(session, "agent_robin"))
        clock.shift(60)
        with django_assert_num_queries(1):  # which chat it is of
            post(Client(), settings, message_of(session, "agent_robin"))
    session.refresh_from_db()
    assert session.answered_at == session.started_at + timedelta(seconds=45)
    end_chat(session, ChatSession.EndedBy.AGENT)
    counters.flush()
    found = dict(HourlyCount.objects.values_list("name", "number"))
    assert {name: number for name, number in found.items() if "answer" in name} == {
        "answered": 1, "answer_60": 1, "answer_sum": 45,
    }  # fmt: skip
    assert "secret words" not in log.text
    assert "secret words" not in str(ChatSession.objects.values().get())


def test_an_answer_that_comes_after_the_end_is_not_counted_too(session):
    note_message(session, session.identity)
    at_the_same_time = ChatSession.objects.get(pk=session.pk)
    end_chat(session, ChatSession.EndedBy.VISITOR)
    note_message(at_the_same_time, "agent_robin")
    counters.flush()
    names = set(HourlyCount.objects.values_list("name", flat=True))
    assert "unanswered" in names
    assert "answered" not in names


def test_a_chat_is_unanswered_only_where_twilio_tells_of_messages(session, settings):
    post(Client(), settings, message_of(session, session.identity))
    session.refresh_from_db()
    end_chat(session, ChatSession.EndedBy.VISITOR)
    VisitorClient().start(ANSWERS)
    for untold in ChatSession.objects.running():
        end_chat(untold, ChatSession.EndedBy.VISITOR)
    counters.flush()
    assert (
        dict(HourlyCount.objects.values_list("name", "number")).items() >= {"unanswered": 1, "ended_visitor": 2}.items()
    )


def test_a_message_without_a_signature_or_twice_named_changes_nothing(session, settings):
    values = message_of(session, "agent_robin")
    assert Client().post(PATH, values).status_code == 403
    url, body = settings.PUBLIC_BASE_URL + PATH, urlencode([*values.items(), ("Author", "agent_eve")])
    text = url + "".join(f"{name}{value}" for name, value in sorted(parse_qsl(body, keep_blank_values=True)))
    signed = base64.b64encode(hmac.new(account.AUTH_TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()
    kind = "application/x-www-form-urlencoded"
    assert Client().post(PATH, body, content_type=kind, headers={"X-Twilio-Signature": signed}).status_code == 400
    session.refresh_from_db()
    assert session.answered_at is None
