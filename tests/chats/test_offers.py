"""A chat that was begun before a sign-in: offered to the user, and nobody's until they say yes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tests.security.test_whose_chat import Browser, copy_of, is_closed_at_twilio, state, work
from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.sandbox import SandboxServer
from webchat.chats import accounts
from webchat.clock import database_now
from webchat.models import ChatSession, Webchat
from webchat.models.session import LAPSE_TOLD

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

OFFER = "/webchat/support/offer/"
TOLD = "The chat from before you signed in has ended."


def classes_in(stylesheet: str) -> set[str]:
    return set(re.findall(r"\.([\w-]+)", (settings.BASE_DIR / "static/webchat/css" / stylesheet).read_text()))


@pytest.fixture
def browser(sandbox: SandboxServer) -> Browser:
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match="account", user_lookup="email")
    make_user("ada", first_name="Ada", last_name="Lovelace", email="ada@example.com")
    make_user("bob")
    return Browser()


def begun_before_sign_in(browser: Browser) -> ChatSession:
    chat = browser.chat()
    browser.sign_in("ada")
    return chat


def answer(browser: Browser, word: str) -> Any:
    browser.open_panel()
    return browser.client.post(OFFER, {"csrfmiddlewaretoken": browser.csrf, "answer": word, "panel": "1"}, follow=True)


def notes(sandbox: SandboxServer, chat: ChatSession) -> list[str]:
    return [one["body"] for one in sandbox.messages(chat.channel_sid) if one["author"] == "Website"]


def test_after_a_sign_in_the_panel_asks_and_nothing_is_inherited(browser, sandbox):
    chat = begun_before_sign_in(browser)
    assert state(chat) == ("active", "")
    assert not is_closed_at_twilio(sandbox, chat)
    html = browser.open_panel()
    assert 'data-webchat-state="offered"' in html
    assert ANSWERS["question"] not in html
    assert browser.current().status_code == 404
    assert browser.renew(str(chat.pk)).status_code == 404
    assert browser.end(str(chat.pk)).status_code == 404
    assert chat.identity not in html


def test_yes_makes_it_the_accounts_and_the_site_tells_the_agent_what_is_verified(browser, sandbox):
    chat = begun_before_sign_in(browser)
    page = answer(browser, "yes")
    assert 'data-webchat-state="running"' in page.content.decode()
    chat.refresh_from_db()
    assert (chat.user.username, chat.offered_until, chat.note) == ("ada", None, "")
    assert chat.answers["verified"] == ["email"]
    assert chat.answers["email"] == "ada@example.com"
    assert chat.answers["question"] == ANSWERS["question"]
    [note] = notes(sandbox, chat)
    assert "Ada Lovelace" in note
    assert "ada@example.com" in note
    assert browser.current().json()["session_id"] == str(chat.pk)
    browser.sign_out()
    assert state(chat) == ("ended", "logout")


def test_no_ends_it_and_both_are_told(browser, sandbox):
    chat = begun_before_sign_in(browser)
    page = answer(browser, "no").content.decode()
    assert state(chat) == ("ended", "sign_in")
    assert is_closed_at_twilio(sandbox, chat)
    assert "does not go on with this chat" in notes(sandbox, chat)[0]
    assert TOLD in page
    assert 'data-webchat-state="form"' in page


def test_what_stands_above_the_form_is_drawn_without_the_stylesheet_of_a_chat(browser):
    begun_before_sign_in(browser)
    shown = re.sub(r"<template.*?</template>", "", answer(browser, "no").content.decode(), flags=re.DOTALL)
    assert TOLD in shown
    used = {name for names in re.findall(r'class="([^"]*)"', shown) for name in names.split()}
    chat, *others = (classes_in(name) for name in ("chat.css", "form.css", "launcher.css", "tokens.css"))
    assert used & chat - set().union(*others) == set()


@pytest.mark.parametrize("word", ["", "maybe", "YES", "\x00"])
def test_any_other_word_changes_nothing(browser, word):
    chat = begun_before_sign_in(browser)
    assert 'data-webchat-state="offered"' in answer(browser, word).content.decode()
    assert state(chat) == ("active", "")


def test_an_answer_needs_the_csrf_token_of_after_the_sign_in(browser):
    chat = browser.chat()
    before = browser.csrf
    browser.sign_in("ada")
    assert browser.client.post(OFFER, {"csrfmiddlewaretoken": before, "answer": "yes"}).status_code == 403
    assert state(chat) == ("active", "")
    assert browser.current().status_code == 404


def test_what_could_not_be_told_at_once_the_worker_tells(browser, sandbox):
    chat = begun_before_sign_in(browser)
    sandbox.fault("POST", f"/v1/Conversations/{chat.channel_sid}/Messages", status=500, times=1)
    answer(browser, "yes")
    chat.refresh_from_db()
    assert chat.note
    assert notes(sandbox, chat) == []
    for _pass in range(2):
        ChatSession.objects.update(lease_until=database_now())
        work()
        assert len(notes(sandbox, chat)) == 1
    chat.refresh_from_db()
    assert chat.note == ""


def lapse(chat: ChatSession) -> None:
    ChatSession.objects.filter(pk=chat.pk).update(offered_until=database_now() - timedelta(seconds=1))


def test_an_offer_lasts_some_minutes_and_then_the_chat_ends(browser, sandbox):
    chat = begun_before_sign_in(browser)
    chat.refresh_from_db()
    assert chat.offered_until - database_now() <= accounts.OFFER
    work()
    assert state(chat) == ("active", "")
    lapse(chat)
    for _time in range(2):  # before the worker ends it, and afterwards
        html = answer(browser, "yes").content.decode()
        assert 'data-webchat-state="form"' in html
        assert TOLD in html
        assert browser.current().status_code == 404
        work()
    assert state(chat) == ("ended", "sign_in")
    assert is_closed_at_twilio(sandbox, chat)
    [note] = notes(sandbox, chat)
    assert "does not go on with this chat" in note


def test_who_said_no_is_told_once_that_it_ended(browser):
    begun_before_sign_in(browser)
    assert TOLD in answer(browser, "no").content.decode()
    assert TOLD not in browser.open_panel()


def test_the_word_of_a_lapsed_offer_is_not_told_for_ever(browser):
    chat = begun_before_sign_in(browser)
    lapse(chat)
    work()
    assert TOLD in browser.open_panel()
    ChatSession.objects.filter(pk=chat.pk).update(offered_until=database_now() - LAPSE_TOLD)
    assert TOLD not in browser.open_panel()


def test_a_note_that_twilio_does_not_take_keeps_no_chat_open(browser, sandbox):
    chat = begun_before_sign_in(browser)
    sandbox.fault("POST", f"/v1/Conversations/{chat.channel_sid}/Messages", status=400)
    answer(browser, "no")
    assert is_closed_at_twilio(sandbox, chat)


def test_nobody_else_is_asked_and_the_next_sign_in_or_out_ends_it(browser):
    chat = begun_before_sign_in(browser)
    thief = copy_of(browser)
    stranger = Browser()
    stranger.sign_in("ada")
    for other in (thief, stranger):
        assert 'data-webchat-state="offered"' not in other.open_panel()
        other.client.post(OFFER, {"csrfmiddlewaretoken": other.csrf, "answer": "yes"})
        assert other.current().status_code == 404
    browser.sign_in("bob")
    assert state(chat) == ("ended", "sign_in")
    again = Browser()
    left = begun_before_sign_in(again)
    again.sign_out()
    assert state(left) == ("ended", "logout")


def test_a_session_that_is_lost_gives_the_chat_back_to_nobody(browser):
    chat = browser.chat()
    kept = copy_of(browser)
    browser.sign_in("ada")
    assert kept.current().status_code == 404
    del browser.client.cookies["sessionid"]
    assert browser.current().status_code == 404
    assert state(chat) == ("active", "")


def test_a_sign_in_before_the_panel_was_opened_offers_it_to_no_second_user(browser):
    """The browser has the cookie of nobody still."""
    chat = browser.chat()
    for username in ("ada", "bob"):
        csrf = browser.client.get("/accounts/login/").cookies["csrftoken"].value
        values = {"username": username, "password": "sandbox", "csrfmiddlewaretoken": csrf}
        assert browser.client.post("/accounts/login/", values).status_code == 302
    assert state(chat) == ("ended", "sign_in")


def test_a_start_that_is_still_under_way_is_not_offered(browser):
    chat = browser.chat()
    ChatSession.objects.filter(pk=chat.pk).update(status="starting", channel_sid="")
    browser.sign_in("ada")
    assert state(chat) == ("ended", "sign_in")


def test_what_flex_webchat_ui_shows_ends_as_before(browser):
    Webchat.objects.update(widget=Webchat.Widget.FLEX_UI)
    chat = browser.chat()
    browser.sign_in("ada")
    assert state(chat) == ("ended", "sign_in")


def test_without_javascript_the_page_asks_and_goes_on(browser):
    chat = begun_before_sign_in(browser)
    html = browser.client.get("/webchat/support/").content.decode()
    assert "Go on with the chat you began before signing in?" in html
    page = browser.client.post(OFFER, {"csrfmiddlewaretoken": browser.csrf, "answer": "yes"}, follow=True)
    assert page.request["PATH_INFO"] == "/webchat/support/"
    assert "Your question has reached our team." in page.content.decode()
    assert state(chat) == ("active", "")


def test_signing_out_warns_where_a_chat_runs_and_says_so_afterwards(browser):
    browser.sign_in("ada")
    chat = browser.chat()
    csrf = browser.client.get("/accounts/login/").cookies["csrftoken"].value
    asked = browser.client.post("/accounts/logout/", {"csrfmiddlewaretoken": csrf})
    assert asked.status_code == 200
    assert "Signing out ends it" in asked.content.decode()
    assert state(chat) == ("active", "")
    done = browser.client.post("/accounts/logout/", {"csrfmiddlewaretoken": csrf, "end_chat": "yes"}, follow=True)
    assert "your chat has ended" in done.content.decode()
    assert state(chat) == ("ended", "logout")


def test_the_admins_log_out_warns_too_and_is_djangos_without_a_chat(browser):
    make_user("eve", is_staff=True, is_superuser=True)
    browser.sign_in("eve")
    chat = browser.chat()
    csrf = browser.client.get("/accounts/login/").cookies["csrftoken"].value
    asked = browser.client.post("/admin/logout/", {"csrfmiddlewaretoken": csrf})
    assert "Signing out ends it" in asked.content.decode()
    assert state(chat) == ("active", "")
    accounts.end_chat(chat, ChatSession.EndedBy.VISITOR)
    done = browser.client.post("/admin/logout/", {"csrfmiddlewaretoken": csrf})
    assert "Signing out ends it" not in done.content.decode()
    assert "_auth_user_id" not in browser.client.session


WARNING = "A new password ends it."


def test_a_new_password_warns_where_a_chat_runs_and_says_so_afterwards(browser):
    browser.sign_in("ada")
    change = "/accounts/password_change/"
    assert WARNING not in browser.client.get(change).content.decode()
    chat = browser.chat()
    page = browser.client.get(change)
    assert WARNING in page.content.decode()
    sent = {
        "csrfmiddlewaretoken": page.cookies["csrftoken"].value,
        "old_password": "sandbox",
        "new_password1": "Nine-Lives-77",
        "new_password2": "Nine-Lives-77",
    }
    refused = browser.client.post(change, sent | {"new_password2": "another"}, follow=True).content.decode()
    assert WARNING in refused
    assert state(chat) == ("active", "")
    done = browser.client.post(change, sent, follow=True)
    assert "your chat has ended" in done.content.decode()
    assert state(chat) == ("ended", "account")


def test_a_password_by_mail_warns_too(browser):
    browser.sign_in("ada")
    chat = browser.chat()
    ada = get_user_model().objects.get(username="ada")
    uid, token = urlsafe_base64_encode(force_bytes(ada.pk)), default_token_generator.make_token(ada)
    other = Browser()
    page = other.client.get(f"/accounts/reset/{uid}/{token}/", follow=True)
    assert WARNING in page.content.decode()
    csrf = other.client.cookies["csrftoken"].value
    values = {"new_password1": "Nine-Lives-77", "new_password2": "Nine-Lives-77", "csrfmiddlewaretoken": csrf}
    done = other.client.post(page.request["PATH_INFO"], values, follow=True)
    assert "your chat has ended" in done.content.decode()
    assert state(chat) == ("ended", "account")
    assert WARNING not in other.client.get(f"/accounts/reset/{uid}/{token}/", follow=True).content.decode()


def test_signing_out_without_a_chat_asks_nothing(browser):
    browser.sign_in("ada")
    csrf = browser.client.get("/accounts/login/").cookies["csrftoken"].value
    done = browser.client.post("/accounts/logout/", {"csrfmiddlewaretoken": csrf}, follow=True)
    assert done.redirect_chain
    assert "your chat has ended" not in done.content.decode()
