"""Attacks on whose chat it is: another user at the same browser, an account that is no longer one, a copied cookie."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.page_form import as_shown
from tests.support.sandbox import SandboxServer
from tests.support.visitor import VisitorClient
from webchat.chats import worker
from webchat.models import ChatSession, Message, RetiredKey
from webchat.protection.outage import breaker
from webchat.visitors import cookie_name

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]


class Browser(VisitorClient):
    """With the users ada and bob to sign in as."""

    def sign_in(self, username: str) -> None:
        self._send("/accounts/login/", username=username, password="sandbox")

    def sign_out(self) -> None:
        self._send("/accounts/logout/", end_chat="yes")

    def _send(self, path: str, **values: str) -> None:
        csrf = self.client.get("/accounts/login/").cookies["csrftoken"].value
        assert self.client.post(path, {**values, "csrfmiddlewaretoken": csrf}).status_code == 302
        self.open_panel()

    def chat(self) -> ChatSession:
        answer = self.start(ANSWERS)
        assert answer.status_code == 201
        return ChatSession.objects.get(pk=answer.json()["session_id"])


@pytest.fixture
def browser(sandbox: SandboxServer) -> Browser:
    make_webchat()
    make_user("ada")
    make_user("bob")
    return Browser()


def of_ada(browser: Browser) -> ChatSession:
    browser.sign_in("ada")
    return browser.chat()


def state(session: ChatSession) -> tuple[str, str]:
    session.refresh_from_db()
    return session.status, session.ended_by


def is_closed_at_twilio(sandbox: SandboxServer, session: ChatSession) -> bool:
    return bool(sandbox.desk(session.channel_sid)["state"] == "closed")


def work() -> None:
    breaker.forget()
    worker.pass_once()


# --- Another user at the same browser --------------------------------------------------------------------------------


def test_a_sign_in_over_another_user_ends_that_users_chats(browser, sandbox):
    chats = [of_ada(browser), None]
    chats[1] = ChatSession.objects.get(pk=browser.start(ANSWERS, key="a-second-chat").json()["session_id"])
    browser.sign_in("bob")
    for chat in chats:
        assert state(chat) == ("ended", "sign_in")
        assert is_closed_at_twilio(sandbox, chat)
        assert browser.renew(str(chat.pk)).status_code == 404
    assert browser.current().status_code == 404


def test_a_sign_in_over_oneself_ends_nothing(browser):
    chat = of_ada(browser)
    browser.sign_in("ada")
    assert state(chat) == ("active", "")
    assert browser.renew(str(chat.pk)).status_code == 200
    assert browser.start(ANSWERS, key="her-second-chat").status_code == 201


def test_a_chat_that_the_browser_can_no_longer_reach_ends_with_the_next_sign_in(browser):
    """Her session expired, the next visitor had a form, and somebody signs in."""
    chat = of_ada(browser)
    del browser.client.cookies["sessionid"]
    browser.open_panel()
    assert browser.current().status_code == 404
    browser.sign_in("bob")
    assert state(chat) == ("ended", "sign_in")


def test_a_sign_out_ends_the_users_chats_here_and_no_other(browser, sandbox):
    here = of_ada(browser)
    elsewhere = of_ada(Browser())
    browser.sign_out()
    assert state(here) == ("ended", "logout")
    assert is_closed_at_twilio(sandbox, here)
    assert state(elsewhere) == ("active", "")


# --- An account that is no longer what it was ------------------------------------------------------------------------


def deactivate(ada: Any) -> None:
    ada.is_active = False
    ada.save()


def change_password(ada: Any) -> None:
    ada.set_password("another password")
    ada.save()


def in_the_admin(ada: Any, path: str, **values: str) -> None:
    staff = Client()
    staff.force_login(make_user("root", is_staff=True, is_superuser=True))
    url = f"/admin/accounts/user/{ada.pk}/{path}"
    token = as_shown(staff, url) if path == "change/" else {}
    assert staff.post(url, values | token).status_code == 302


def deactivate_in_the_admin(ada: Any) -> None:
    kept = {"username": "ada", "email": ada.email, "first_name": "Ada", "last_name": "Lovelace"}
    in_the_admin(ada, "change/", **kept, date_joined_0="2026-01-01", date_joined_1="00:00:00")
    ada.refresh_from_db()
    assert not ada.is_active


def change_the_password_in_the_admin(ada: Any) -> None:
    new = "a password of the admin"
    in_the_admin(ada, "password/", password1=new, password2=new, usable_password="true")


def delete_in_the_admin(ada: Any) -> None:
    in_the_admin(ada, "delete/", post="yes")
    assert not get_user_model().objects.filter(pk=ada.pk).exists()


def delete(ada: Any) -> None:
    ada.delete()


def delete_by_a_query(ada: Any) -> None:
    get_user_model().objects.filter(pk=ada.pk).delete()


CHANGES = [
    deactivate,
    change_password,
    delete,
    delete_by_a_query,
    deactivate_in_the_admin,
    change_the_password_in_the_admin,
    delete_in_the_admin,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_keeps_an_account_from_signing_in_ends_its_chats_everywhere(browser, sandbox, change):
    chats = [of_ada(browser), of_ada(Browser())]
    bobs = Browser()
    bobs.sign_in("bob")
    of_bob = bobs.chat()
    sandbox.clear_log()
    change(get_user_model().objects.get(username="ada"))
    # Twilio was not called inside the transaction of whoever changed the account.
    assert sandbox.log() == []
    for chat in chats:
        assert state(chat) == ("ended", "account")
    assert browser.current().status_code == 404
    work()
    for chat in chats:
        assert is_closed_at_twilio(sandbox, chat)
    assert not ChatSession.objects.filter(close_pending=True).exists()
    assert state(of_bob) == ("active", "")


@pytest.mark.parametrize("values", [{"is_active": False}, {"password": "!"}], ids=str)
def test_what_no_signal_tells_the_worker_notices(browser, sandbox, values):
    chat = of_ada(browser)
    get_user_model().objects.filter(username="ada").update(**values)
    assert state(chat) == ("active", "")
    work()
    assert state(chat) == ("ended", "account")
    assert is_closed_at_twilio(sandbox, chat)


def test_a_row_whose_account_was_deleted_by_sql_is_noticed_too(browser):
    chat = of_ada(browser)
    ChatSession.objects.update(user=None)
    work()
    assert state(chat) == ("ended", "account")


def test_a_deleted_account_leaves_no_answer_and_no_chat_for_an_anonymous_visitor(browser):
    chat = of_ada(browser)
    get_user_model().objects.get(username="ada").delete()
    chat.refresh_from_db()
    assert (chat.answers, chat.question, chat.customer_friendly_name, chat.user_id) == ({}, "", "", None)
    assert browser.renew(str(chat.pk)).status_code == 404


def test_an_account_with_chats_and_messages_can_be_deleted_and_they_go_with_it(browser):
    of_ada(browser)
    ada = get_user_model().objects.get(username="ada")
    webchat = ChatSession.objects.get().webchat
    for number, user in enumerate((ada, None)):
        Message.objects.create(webchat=webchat, user=user, key=str(number), text="Call me", answers={})
    delete_in_the_admin(ada)
    assert Message.objects.get().user is None


def test_what_changes_nothing_of_an_account_ends_no_chat(browser):
    chat = of_ada(browser)
    ada = get_user_model().objects.get(username="ada")
    ada.first_name = "Augusta"
    ada.save()
    of_ada(Browser())  # her last sign-in changes
    work()
    assert state(chat) == ("active", "")


def test_a_secret_key_that_is_rotated_ends_no_chat(browser, settings):
    chat = of_ada(browser)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key of this site"
    work()
    assert state(chat) == ("active", "")


# --- A start on its way ----------------------------------------------------------------------------------------------

OTHER_TAB: list[Browser] = []


def sign_out_meanwhile(**_told: Any) -> None:
    OTHER_TAB.pop().sign_out()


def sign_in_meanwhile(**_told: Any) -> None:
    OTHER_TAB.pop().sign_in("bob")


@pytest.mark.parametrize(
    ("user", "meanwhile"),
    [("ada", "sign_out"), ("ada", "sign_in"), ("", "sign_in")],
    ids=lambda value: value or "nobody",
)
def test_a_start_that_a_sign_in_or_out_overtakes_leaves_no_chat(browser, sandbox, settings, user, meanwhile):
    """The site's own hook stands where another request of this browser is answered meanwhile."""
    if user:
        browser.sign_in(user)
    sandbox.clear_log()
    OTHER_TAB.append(browser)
    settings.WEBCHAT_BEFORE_START = f"{__name__}.{meanwhile}_meanwhile"
    answer = browser.start(ANSWERS)
    assert (answer.status_code, answer.json()["code"]) == (410, "session_ended")
    assert ChatSession.objects.get().status == "ended"
    assert [call for call in sandbox.log() if call["method"] == "POST"] == []
    # Whoever sits there now starts as ever.
    settings.WEBCHAT_BEFORE_START = ""
    browser.open_panel()
    assert browser.start(ANSWERS).status_code == 201


def test_a_chat_that_neither_the_start_nor_the_sign_out_saw_the_worker_ends(browser):
    """As when both were in transactions of the site's own."""
    chat = of_ada(browser)
    RetiredKey.objects.create(key=chat.owner)
    work()
    assert state(chat) == ("ended", "logout")


# --- A copied cookie -------------------------------------------------------------------------------------------------


def copy_of(browser: Browser) -> Browser:
    thief = Browser()
    thief.client.cookies[cookie_name()] = browser.client.cookies[cookie_name()].value
    return thief


def test_a_copied_cookie_opens_no_chat_of_the_next_visitor(browser):
    thief = copy_of(browser)
    browser.open_panel()
    browser.chat()
    assert browser.current().status_code == 200
    assert thief.current().status_code == 404


def test_nor_does_one_of_a_chat_that_has_ended(browser):
    chat = browser.chat()
    thief = copy_of(browser)
    browser.end(str(chat.pk))
    browser.open_panel()
    browser.chat()
    assert thief.current().status_code == 404


def test_nor_does_it_read_what_was_written_once_that_chat_is_over(browser):
    thief = copy_of(browser)
    browser.open_panel()
    chat = browser.chat()
    browser.end(str(chat.pk))
    address = f"/api/webchat/sessions/{chat.pk}/messages/"
    assert thief.client.get(address).status_code == 404
    thief.open_panel()
    assert thief.client.get(address).status_code == 404
    for _time in range(2):  # each form that is shown has another key for chats
        browser.open_panel()
        assert browser.client.get(address).status_code == 200


def test_nor_does_whoever_sits_there_after_a_sign_out(browser):
    chat = browser.chat()
    browser.end(str(chat.pk))
    browser.sign_in("ada")
    browser.sign_out()
    assert browser.client.get(f"/api/webchat/sessions/{chat.pk}/messages/").status_code == 404


def test_nor_one_from_before_a_sign_in_or_sign_out(browser):
    before = copy_of(browser)
    chat = of_ada(browser)
    signed_in = copy_of(browser)
    for thief in (before, signed_in):
        assert thief.current().status_code == 404
        assert thief.renew(str(chat.pk)).status_code == 404
    browser.sign_out()
    browser.chat()
    assert signed_in.current().status_code == 404


def test_a_thief_who_repeats_a_submit_gets_nothing(browser):
    """With the browser's name from a copied cookie, and even with the form's key."""
    thief = copy_of(browser)
    browser.open_panel()
    browser.chat()
    answer = thief.start(ANSWERS, key=browser.key)
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")


def test_a_form_that_is_shown_during_a_chat_keeps_its_key(browser):
    """In another tab, of another webchat."""
    make_webchat(slug="sales", name="Sales")
    chat = browser.chat()
    browser.client.get("/webchat/sales/panel/")
    assert browser.renew(str(chat.pk)).status_code == 200


def test_the_key_of_a_form_starts_one_chat_whatever_key_the_browser_has(browser):
    chat = browser.chat()
    browser.end(str(chat.pk))
    browser.client.get("/webchat/support/panel/")  # another key for chats; the form of before is sent again
    answer = browser.start(ANSWERS)
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert ChatSession.objects.count() == 1
