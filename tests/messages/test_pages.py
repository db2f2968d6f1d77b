"""The message form on the page and in the panel; without JavaScript up to a message that was left."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest
import time_machine
from django.test import Client

from tests.support.factories import ANSWERS, Role, Type, change, make_field, make_hours, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession, Message

pytestmark = pytest.mark.django_db

PAGE, PANEL, SEND = "/webchat/support/", "/webchat/support/panel/", "/webchat/support/message/"


@pytest.fixture
def closed():
    """A webchat that never opens, and takes messages."""
    return make_webchat(hours=make_hours(), when_closed="message", closed_text="We are asleep.")


def state_in(response):
    return re.search(r'data-webchat-state="(\w+)"', response.content.decode())[1]


def hidden_in(response):
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode()))


def send(client, **answers):
    return client.post(SEND, {**hidden_in(client.get(PAGE)), **ANSWERS, **answers})


def test_a_closed_chat_shows_the_message_form_in_place_of_its_own(closed, browser_client):
    for address in (PAGE, PANEL):
        response = browser_client.get(address)
        html = unescape(response.content.decode())
        assert state_in(response) == "message"
        assert f'action="{SEND}"' in html
        assert 'data-messages-url="/api/webchat/support/messages/"' in html
        assert "We are asleep." in html
        assert "Start chat" not in html


@pytest.mark.parametrize("values", [{"when_closed": "say"}, {"enabled": False}])
def test_no_message_form_where_staff_want_none_or_the_chat_is_switched_off(values, browser_client):
    make_webchat(hours=make_hours(), **{"when_closed": "message", **values})
    assert state_in(browser_client.get(PAGE)) == "closed"


def test_an_open_chat_shows_its_own_form(browser_client, sandbox):
    make_webchat(when_closed="message")
    assert state_in(browser_client.get(PAGE)) == "form"


def test_a_message_is_left_without_javascript(closed, browser_client):
    response = send(browser_client)
    assert response.status_code == 302
    message = Message.objects.get()
    shown = browser_client.get(response["Location"])
    assert state_in(shown) == "left"
    assert "Your message has arrived." in shown.content.decode()
    assert ANSWERS["question"] not in shown.content.decode()
    # A link that somebody else has opens nothing.
    assert state_in(Client().get(response["Location"])) == "message"
    assert state_in(browser_client.get(f"{PAGE}?message=no-uuid")) == "message"
    assert (message.text, message.email) == (ANSWERS["question"], ANSWERS["email"])


def test_who_left_a_message_reads_when_somebody_is_back(browser_client):
    make_webchat(hours=make_hours((0, "09:00", "17:00")), when_closed="message")
    with time_machine.travel(datetime(2026, 11, 29, 20, tzinfo=UTC), tick=False):
        back = "We are back on <time"
        panel = browser_client.get(PANEL).content.decode()
        shown = browser_client.get(send(browser_client)["Location"]).content.decode()
    assert back in panel.split('data-webchat-template="left"')[1]
    assert back in shown
    assert 'datetime="2026-11-30T08:00:00Z"' in shown


def test_what_is_refused_stands_in_the_form_with_what_is_wrong(closed, browser_client):
    response = send(browser_client, email="no address", question="Is <b>this</b> kept?")
    html = response.content.decode()
    assert (response.status_code, state_in(response)) == (400, "message")
    assert "Is &lt;b&gt;this&lt;/b&gt; kept?" in html
    assert "Your message has not been sent yet" in html
    assert f'action="{SEND}"' in html
    assert not Message.objects.exists()


def test_what_came_too_late_for_a_chat_is_sent_as_a_message(client):
    webchat = make_webchat(fields=False, hours=make_hours((0, "09:00", "17:00")), when_closed="message")
    make_field(webchat, "question", type=Type.TEXTAREA, role=Role.QUESTION, required=False)
    with time_machine.travel(datetime(2026, 11, 30, 15, 55, tzinfo=UTC), tick=False) as clock:
        opened = hidden_in(client.get(PAGE))
        clock.move_to(datetime(2026, 11, 30, 16, 6, tzinfo=UTC))
        late = client.post(PAGE, {**opened, "question": "Where is my parcel?"})
        assert (late.status_code, state_in(late)) == (503, "message")
        assert "Where is my parcel?</textarea>" in late.content.decode()
        told = {"question": "Where is my parcel?", "reply_email": "jose@example.com"}
        assert client.post(SEND, {**hidden_in(late), **told}).status_code == 302
    message = Message.objects.get()
    assert (message.text, message.email) == (told["question"], told["reply_email"])


def test_the_page_needs_its_token(closed):
    client = Client(enforce_csrf_checks=True)
    assert client.post(SEND, {**ANSWERS, "idempotency_key": "k" * 20}).status_code == 403
    assert client.get(SEND).status_code == 405
    assert not Message.objects.exists()


def test_a_form_that_was_shown_while_closed_is_taken_after_the_opening(closed, sandbox):
    visitor = VisitorClient()
    closed.hours = None
    closed.save()
    assert visitor.leave(ANSWERS).status_code == 201
    assert not ChatSession.objects.exists()


@pytest.mark.parametrize(("code", "words"), [("de", "Nachricht senden"), ("ar", "إرسال الرسالة")])
def test_the_message_form_speaks_the_visitors_language(closed, browser_client, code, words):
    change(closed, translations={code: {"closed_text": "…zzz"}})
    change(closed.fields.get(name="question"), translations={code: {"label": "؟"}})
    html = browser_client.get(PANEL, headers={"Accept-Language": code}).content.decode()
    assert words in html
    assert "…zzz" in html
    assert "We are asleep." not in html
    assert "<bdi>؟</bdi>" in html
    assert "Send message" not in html


def test_who_waits_no_longer_finds_the_form_for_a_message():
    """Where the webchat takes messages while it is closed; elsewhere nothing changes."""
    webchat = make_webchat()
    leave = f"{PANEL}?leave=1"
    assert state_in(Client().get(leave)) == "form"
    change(webchat, when_closed="message")
    assert state_in(Client().get(PANEL)) == "form"
    assert state_in(Client().get(leave)) == "message"
    assert VisitorClient().leave(ANSWERS).status_code == 201
    change(webchat, enabled=False)
    assert state_in(Client().get(leave)) == "closed"
