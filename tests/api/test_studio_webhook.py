"""What the Studio flow of our site's chats is told for the agents: by Twilio's signature alone, and no visitor hears it."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.api.test_webhooks import post_pairs, signature
from tests.support.factories import ANSWERS, make_field, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.chats.end import end_chat
from webchat.chats.facts import MOST_CHARACTERS
from webchat.models import ChatSession
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

PATH = "/webhooks/twilio/studio/"


def ask(settings, session, client=None, token=account.AUTH_TOKEN, **values):
    said = {
        "AccountSid": account.ACCOUNT_SID,
        "ConversationSid": session.channel_sid,
        "FlowSid": "FW" + "1" * 32,
        **values,
    }
    headers = {"X-Twilio-Signature": signature(settings.PUBLIC_BASE_URL + PATH, said, token)}
    content_type = "application/x-www-form-urlencoded"
    return (client or Client()).post(PATH, urlencode(said), content_type=content_type, headers=headers)


@pytest.fixture
def webchat(sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match="annotate", user_lookup="email")
    return webchat


def start(visitor=None, **answers):
    visitor = visitor or VisitorClient()
    answer = visitor.start(ANSWERS | answers, key=f"key-{ChatSession.objects.count():016}")
    assert answer.status_code == 201
    return ChatSession.objects.get(pk=answer.json()["session_id"])


def test_an_agent_learns_what_matches_an_account_and_the_visitor_does_not(webchat, settings):
    make_user("ada", email=ANSWERS["email"])
    visitor = VisitorClient()
    first = start(visitor)
    answer = ask(settings, first)
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (
        200,
        "application/json",
        "no-store",
    )
    page = f"/admin/webchat/chatsession/{first.pk}/change/"
    assert answer.json() == {
        "session_url": settings.PUBLIC_BASE_URL + page,
        "earlier_chats": 0,
        "matches_account": ["email"],
        "verified": [],
    }
    # Nothing of it is in what the visitor gets, or can read at Twilio.
    end_chat(first, ChatSession.EndedBy.VISITOR)
    second = start(visitor)
    assert ask(settings, second).json()["earlier_chats"] == 1
    visitor.open_panel()  # which gives the browser another key for chats
    assert ask(settings, start(visitor)).json()["earlier_chats"] == 2
    seen = json.dumps(second.answers) + visitor.renew(str(second.pk)).content.decode()
    assert "matches_account" not in seen
    assert "/admin/" not in seen
    assert ask(settings, start(email="nobody@example.com")).json()["matches_account"] == []


@pytest.mark.ignore_template_errors  # of Django's own templates
def test_the_link_leads_staff_to_the_session(webchat, settings, admin_client):
    session = start()
    page = ask(settings, session).json()["session_url"].removeprefix(settings.PUBLIC_BASE_URL)
    assert ANSWERS["email"] in admin_client.get(page).content.decode()
    assert Client().get(page).status_code == 302


def test_what_comes_from_the_account_is_verified_and_its_chats_are_counted_in_every_browser(webchat, settings):
    make_field(webchat, "number", match="account", user_lookup="email", required=False)
    ada = make_user()
    sessions = []
    for _browser in range(3):
        visitor = VisitorClient()
        visitor.client.force_login(ada)
        visitor.open_panel()
        sessions.append(start(visitor))
    start()
    found = [ask(settings, session).json() for session in sessions]
    assert [one["earlier_chats"] for one in found] == [0, 1, 2]
    assert found[0]["verified"] == ["number"]


@pytest.mark.parametrize("token", ["another-token", ""])
def test_nobody_without_twilios_signature_is_answered(webchat, settings, log, admin_client, token):
    """Not even staff: the answer is for Twilio alone."""
    session = start()
    answer = ask(settings, session, admin_client, token)
    assert (answer.status_code, answer.content) == (403, b"")
    assert log.lines("webhook_refused")
    assert admin_client.get(PATH).status_code == 405


@pytest.mark.parametrize(
    "change",
    [
        {"ConversationSid": "CH" + "f" * 32},
        {"ConversationSid": ""},
        {"ConversationSid": "CH%"},
        {"AccountSid": "AC" + "f" * 32},
        {"AccountSid": ""},
    ],
    ids=str,
)
def test_of_other_conversations_and_accounts_nothing_is_known(webchat, settings, change):
    answer = ask(settings, start(), **change)
    assert (answer.status_code, answer.json()) == (200, {})


def test_of_a_chat_that_has_ended_nothing_is_told(webchat, settings):
    """A request that was recorded can be sent again."""
    session = start()
    end_chat(session, ChatSession.EndedBy.VISITOR)
    assert ask(settings, session).json() == {}


@pytest.mark.parametrize("name", ["AccountSid", "ConversationSid"])
def test_what_is_read_may_come_only_once(webchat, settings, name):
    pairs = [("AccountSid", account.ACCOUNT_SID), ("ConversationSid", start().channel_sid), (name, "x")]
    assert post_pairs(Client(), settings, pairs, path=PATH).status_code == 400


# --- The site's own --------------------------------------------------------------------------------------------------


def tell(*, session):
    return {"orders": 3, "since": "2019", "webchat": session.webchat.slug}


def tell_nothing(*, session):
    return None


def fail(*, session):
    raise RuntimeError(session.answers["email"])


def tell_what_is_no_json(*, session):
    return {"session": session}


def tell_no_number(*, session):
    return {"credit": float("nan")}


def tell_a_list(*, session):
    return ["orders"]


def tell_much(*, session):
    return {"orders": "é" * 200}


def test_a_sites_own_function_adds_to_it(webchat, settings):
    settings.WEBCHAT_TELL_AGENTS = f"{__name__}.tell"
    found = ask(settings, start()).json()
    assert found["site"] == {"orders": 3, "since": "2019", "webchat": "support"}
    assert found["earlier_chats"] == 0


@pytest.mark.parametrize("name", ["fail", "tell_what_is_no_json", "tell_no_number", "tell_a_list", "absent"])
def test_one_that_fails_is_logged_and_the_rest_is_told(webchat, settings, log, name):
    settings.WEBCHAT_TELL_AGENTS = f"{__name__}.{name}"
    session = start()
    found = ask(settings, session)
    assert (found.status_code, found.json()["earlier_chats"], "site" in found.json()) == (200, 0, False)
    (line,) = log.lines("agents_not_told")
    assert line["session"] == str(session.pk)
    assert ANSWERS["email"] not in log.text


def test_one_that_has_nothing_to_tell_is_no_failure(webchat, settings, log):
    settings.WEBCHAT_TELL_AGENTS = f"{__name__}.tell_nothing"
    assert "site" not in ask(settings, start()).json()
    assert not log.lines("agents_not_told")


def test_it_fits_into_a_task(webchat, settings):
    settings.WEBCHAT_TELL_AGENTS = f"{__name__}.tell_much"
    session = start()
    found = ask(settings, session)
    assert len(json.dumps(found.json())) <= MOST_CHARACTERS
    assert "site" not in found.json()
    assert found.json()["cut"] is True
    session.change(account_matches=["n" * 40 for _ in range(30)])
    found = ask(settings, session)
    assert found.json().keys() == {"session_url", "earlier_chats", "cut"}
