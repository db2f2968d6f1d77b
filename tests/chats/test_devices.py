"""A running chat of a signed-in user, taken up in another browser by a click."""

from __future__ import annotations

from typing import Any

import pytest

from tests.security.test_whose_chat import Browser, state, work
from tests.support.factories import ANSWERS, change, make_user, make_webchat
from tests.support.sandbox import SandboxServer
from webchat.chats.devices import MOVES_BY_USER
from webchat.clock import database_now
from webchat.models import ChatSession

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

ASKS = "Your chat goes on in another browser"
OFFER = "/webchat/support/offer/"


@pytest.fixture(autouse=True)
def on(settings: Any, sandbox: SandboxServer) -> None:
    settings.WEBCHAT_HISTORY = True
    make_webchat()
    make_user("ada")
    make_user("bob")


def browser_of(name: str) -> Browser:
    browser = Browser()
    browser.sign_in(name)
    browser.open_panel()
    return browser


@pytest.fixture
def desk() -> Browser:
    return browser_of("ada")


@pytest.fixture
def phone() -> Browser:
    return browser_of("ada")


def answer(browser: Browser, word: str) -> str:
    browser.open_panel()
    told = {"csrfmiddlewaretoken": browser.csrf, "answer": word, "panel": "1"}
    return browser.client.post(OFFER, told, follow=True).content.decode()


def notes(sandbox: SandboxServer, chat: ChatSession) -> list[tuple[str, str]]:
    found = [one for one in sandbox.messages(chat.channel_sid) if one["author"] == "Website"]
    return [(one["body"], one["attributes"]) for one in found]


def test_the_panel_of_another_browser_asks_and_a_click_takes_the_chat_up(desk, phone, sandbox):
    chat = desk.chat()
    panel = phone.open_panel()
    assert ASKS in panel
    assert 'data-webchat-state="offered"' in panel
    assert chat.identity not in panel
    assert ANSWERS["question"] not in panel
    assert phone.current().status_code == 404
    assert desk.current().status_code == 200
    assert 'data-webchat-state="running"' in answer(phone, "here")
    assert phone.current().json()["identity"] == chat.identity
    assert phone.renew(str(chat.pk)).status_code == 200
    assert state(chat) == ("active", "")
    assert notes(sandbox, chat) == [
        ("The visitor goes on with this chat in another browser.", '{"client_id": "moved"}'),
    ]


def test_the_first_browser_has_it_no_more_and_says_so(desk, phone):
    chat = desk.chat()
    answer(phone, "here")
    assert desk.renew(str(chat.pk)).status_code == 404
    assert desk.end(str(chat.pk)).status_code == 404
    assert desk.current().status_code == 404
    assert ASKS in desk.open_panel()
    assert state(chat) == ("active", "")
    assert 'data-webchat-state="running"' in answer(desk, "here")  # and back
    assert phone.current().status_code == 404


def test_who_would_rather_begin_anew_gets_the_form_and_both_chats_go_on(desk, phone):
    chat = desk.chat()
    assert 'data-webchat-state="form"' in answer(phone, "new")
    assert 'data-webchat-state="form"' in phone.client.get("/webchat/support/?new=1").content.decode()
    phone.open_panel()
    assert state(chat) == ("active", "")
    assert desk.current().status_code == 200


@pytest.mark.parametrize("word", ["", "yes", "no", "HERE", "\x00"])
def test_any_other_word_changes_nothing(desk, phone, word):
    chat = desk.chat()
    assert ASKS in answer(phone, word)
    assert state(chat) == ("active", "")
    assert desk.current().status_code == 200


def test_nobody_takes_anothers_chat(desk):
    mine, guest = desk.chat(), Browser()
    guests = guest.chat()
    bob = browser_of("bob")
    for browser in (bob, Browser()):
        assert ASKS not in browser.open_panel()
        answer(browser, "here")
        assert browser.current().status_code == 404
    assert ASKS not in browser_of("ada").client.get("/webchat/support/?new").content.decode()
    assert desk.current().json()["session_id"] == str(mine.pk)
    assert guest.current().json()["session_id"] == str(guests.pk)


def test_an_answer_needs_the_csrf_token(desk, phone):
    desk.chat()
    assert phone.client.post(OFFER, {"answer": "here"}).status_code == 403
    assert desk.current().status_code == 200


def test_it_is_nobodys_of_an_earlier_password(desk, phone):
    chat = desk.chat()
    ChatSession.objects.filter(pk=chat.pk).update(account="of another password")
    assert ASKS not in phone.open_panel()


def test_a_site_that_shows_no_chats_and_flex_ui_offer_none(desk, phone, settings):
    chat = desk.chat()
    settings.WEBCHAT_HISTORY = False
    assert ASKS not in phone.open_panel()
    assert 'data-webchat-state="form"' in answer(phone, "here")
    settings.WEBCHAT_HISTORY = True
    change(chat.webchat, widget="flex_ui", api="web_channels")
    assert ASKS not in phone.open_panel()


def test_a_chat_that_is_over_is_offered_to_nobody(desk, phone):
    chat = desk.chat()
    desk.end(str(chat.pk))
    assert ASKS not in phone.open_panel()
    answer(phone, "here")
    assert state(chat) == ("ended", "visitor")


def test_each_browser_signs_out_of_its_own_chat_alone(desk, phone):
    chat = desk.chat()
    answer(phone, "here")
    desk.sign_out()
    assert state(chat) == ("active", "")
    phone.sign_out()
    assert state(chat) == ("ended", "logout")


def test_what_could_not_be_told_at_once_the_worker_tells(desk, phone, sandbox):
    chat = desk.chat()
    sandbox.fault("POST", f"/v1/Conversations/{chat.channel_sid}/Messages", status=500, times=1)
    answer(phone, "here")
    assert notes(sandbox, chat) == []
    ChatSession.objects.update(lease_until=database_now())
    work()
    assert [attributes for _body, attributes in notes(sandbox, chat)] == ['{"client_id": "moved"}']
    chat.refresh_from_db()
    assert (chat.note, chat.note_of_move) == ("", False)


def test_moves_have_a_limit(desk, phone, settings):
    settings.WEBCHAT_LIMITS = "on"
    chat = desk.chat()
    for number in range(MOVES_BY_USER.allowed):
        answer((phone, desk)[number % 2], "here")
    assert desk.current().status_code == 200
    assert ASKS in answer(phone, "here")
    assert desk.current().json()["session_id"] == str(chat.pk)


def test_the_list_of_chats_leads_to_the_running_one(desk, phone):
    desk.chat()
    assert (
        '<a href="/webchat/support/">Go on with the running chat</a>'
        in phone.client.get("/webchat/history/").content.decode()
    )
    assert ASKS in phone.client.get("/webchat/support/").content.decode()
