"""A recorded webhook, cut anew: a signature covers names and values as one text, in which a visitor's own words may stand."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from tests.api.test_webhooks import PATH, closed, signature
from tests.support.factories import ANSWERS, make_webchat
from tests.support.visitor import VisitorClient
from webchat.chats import worker
from webchat.models import ChatSession
from webchat.sandbox import account
from webchat.webhooks import is_state_event

pytestmark = pytest.mark.django_db

URL = settings.PUBLIC_BASE_URL + PATH


def of_message(sid: str, body: str) -> dict[str, str]:
    """What Twilio sends and signs of a message that somebody wrote."""
    return {
        "AccountSid": account.ACCOUNT_SID,
        "Attributes": "{}",
        "Author": "w_somebody",
        "Body": body,
        "ConversationSid": sid,
        "EventType": "onMessageAdded",
        "Index": "3",
    }


def text_of(values: dict[str, str]) -> str:
    return "".join(name + values[name] for name in sorted(values))


@pytest.fixture
def session(sandbox):
    make_webchat()
    VisitorClient().start(ANSWERS)
    return ChatSession.objects.get()


def post(client, values: dict[str, str], signed: str):
    return client.post(
        PATH,
        urlencode(values),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signed},
    )


def test_a_message_that_spells_an_event_ends_nobodys_chat(client, session, log):
    """The attacker's own message, in the attacker's own chat, names the chat of somebody else."""
    spelt = f"ConversationSid{session.channel_sid}EventTypeonConversationStateUpdatedStateToclosedZ"
    genuine = of_message("CH" + "a" * 32, spelt)
    signed = signature(URL, genuine)
    cut = {name: genuine[name] for name in ("AccountSid", "Attributes", "Author")} | {
        "Body": "",
        "ConversationSid": session.channel_sid,
        "EventType": "onConversationStateUpdated",
        "StateTo": "closed",
        "Z": text_of(genuine).partition("StateToclosedZ")[2],
    }
    assert signature(URL, cut) == signed  # it is good for both
    assert post(client, cut, signed).status_code == 200
    session.refresh_from_db()
    assert session.is_active
    assert log.lines("webhook_ambiguous")
    worker.pass_once()  # which asks Twilio
    session.refresh_from_db()
    assert session.is_active


def test_a_name_of_an_agent_spells_none_either(client, session):
    spelt = f"xConversationSid{session.channel_sid}EventTypeonConversationStateUpdatedSourceSDKStateToclosed"
    values = closed(session, ClientIdentity=spelt)
    assert post(client, values, signature(URL, values)).status_code == 200
    session.refresh_from_db()
    assert session.is_active


def test_what_the_sandbox_sends_of_an_end_is_certain(client, session):
    values = closed(session, ChatServiceSid=account.CHAT_SERVICE_SID, Source="SDK", ClientIdentity="agent_robin")
    values["StateUpdated"] = "2026-11-29T23:00:00.000Z"
    assert post(client, values, signature(URL, values)).status_code == 200
    session.refresh_from_db()
    assert not session.is_active


CERTAIN = {
    "AccountSid": account.ACCOUNT_SID,
    "ConversationSid": "CH" + "0123456789abcdef" * 2,
    "EventType": "onConversationStateUpdated",
    "Reason": "TIMER",
    "StateFrom": "active",
    "StateTo": "inactive",
    "StateUpdated": "2026-11-29T23:00:00.000Z",
}
cuts = st.lists(st.integers(1, len(text_of(CERTAIN)) - 1), unique=True, max_size=19).map(sorted)


@given(cuts)
def test_an_event_that_is_certain_can_be_cut_in_one_way(at):
    """Every other way to read the same text as names and values in order is none, whatever it is cut into."""
    from django.http import QueryDict

    text = text_of(CERTAIN)
    pieces = [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]
    if len(pieces) % 2:
        pieces.append("")
    names, values = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names) or names != sorted(names):
        return
    form = QueryDict(mutable=True)
    form.update(dict(zip(names, values, strict=True)))
    assert not is_state_event(form) or form.dict() == CERTAIN
