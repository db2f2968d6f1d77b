"""Two anonymous browsers and a user, every address of the chat, every method: nobody gets a byte of another's chat."""

from __future__ import annotations

import itertools

import pytest
from django.urls import get_resolver

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession

pytestmark = pytest.mark.django_db

METHODS = ["get", "head", "post", "put", "patch", "delete", "options"]
# How an address names a session or a webchat; a new one fails the first test until it is listed here.
CHAT_URLS = {
    "webchat/history/",
    "webchat/history/<uuid:session_id>/",
    "webchat/<slug:slug>/",
    "webchat/<slug:slug>/panel/",
    "webchat/<slug:slug>/message/",
    "webchat/<slug:slug>/end/",
    "webchat/<slug:slug>/offer/",
    "webchat/<slug:slug>/rating/<uuid:session_id>/",
    "webchat/<slug:slug>/launcher.css",
    "webchat/<slug:slug>/flex-ui/token",
    "webchat/<slug:slug>/flex-ui/token/refresh",
    "webchat/<slug:slug>/flex-ui/web-channels",
    "api/webchat/visitor/",
    "api/webchat/<slug:slug>/sessions/",
    "api/webchat/<slug:slug>/sessions/current/",
    "api/webchat/<slug:slug>/messages/",
    "api/webchat/sessions/<uuid:session_id>/token/",
    "api/webchat/sessions/<uuid:session_id>/end/",
    "api/webchat/sessions/<uuid:session_id>/messages/",
    "api/webchat/sessions/<uuid:session_id>/rating/",
    "api/webchat/sessions/<uuid:session_id>/transcript/",
}


def chat_urls():
    def walk(patterns, prefix=""):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                yield from walk(pattern.url_patterns, route)
            else:
                yield route

    return {route for route in walk(get_resolver().url_patterns) if route.startswith(("webchat/", "api/webchat/"))}


def test_every_address_of_the_chat_is_in_the_matrix():
    assert chat_urls() == CHAT_URLS


def make_visitors():
    anonymous, other, user = VisitorClient(), VisitorClient(), VisitorClient()
    user.client.force_login(make_user())
    user.open_panel()
    return {"anonymous": anonymous, "other": other, "user": user}


def call(visitor, method, route, session_id):
    path = "/" + route.replace("<slug:slug>", "support").replace("<uuid:session_id>", session_id)
    headers = {"X-CSRFToken": visitor.csrf, "Idempotency-Key": "a-key-of-the-matrix"}
    return getattr(visitor.client, method)(path, headers=headers)


@pytest.mark.parametrize("owner", ["anonymous", "other", "user"])
def test_no_address_and_method_gives_a_byte_of_anothers_chat(sandbox, owner):
    make_webchat(when_closed="message")
    visitors = make_visitors()
    credentials = visitors[owner].start(ANSWERS).json()
    session_id = credentials["session_id"]
    secrets = [
        credentials["token"],
        credentials["channel_sid"],
        credentials["identity"],
        ANSWERS["question"],
        ANSWERS["email"],
        ANSWERS["name"],
    ]
    for name, visitor in visitors.items():
        if name == owner:
            continue
        for method, route in itertools.product(METHODS, sorted(CHAT_URLS)):
            response = call(visitor, method, route, session_id)
            assert response.status_code < 500
            body = response.content.decode() + str(response.headers)
            assert not [secret for secret in secrets if secret in body], (name, method, route)
    session = ChatSession.objects.get(pk=session_id)
    assert session.is_active
    assert visitors[owner].current().json()["session_id"] == session_id


def test_who_signs_in_finds_no_earlier_chat_of_the_browser_nor_does_anybody_after(sandbox):
    make_webchat()
    ada = make_user()
    visitor = VisitorClient()
    begun = visitor.start(ANSWERS).json()
    login = {"username": "ada", "password": "sandbox", "csrfmiddlewaretoken": visitor.csrf}
    assert visitor.client.post("/accounts/login/", login).status_code == 302
    # Until the user says that it is theirs, it is nobody's. They say no.
    assert 'data-webchat-state="offered"' in visitor.open_panel()
    assert visitor.renew(begun["session_id"]).status_code == 404
    answer = {"csrfmiddlewaretoken": visitor.csrf, "answer": "no"}
    assert visitor.client.post("/webchat/support/offer/", answer).status_code == 302
    assert ChatSession.objects.get().ended_by == "sign_in"
    assert sandbox.desk(begun["channel_sid"])["state"] == "closed"
    visitor.open_panel()
    own = visitor.start(ANSWERS, key="the-key-of-ada").json()
    assert ChatSession.objects.get(pk=own["session_id"]).user_id == ada.pk
    visitor.client.post("/accounts/logout/", {"csrfmiddlewaretoken": visitor.csrf, "end_chat": "yes"})
    html = visitor.open_panel()
    assert 'data-webchat-state="form"' in html
    assert visitor.renew(own["session_id"]).status_code == 404
    assert visitor.renew(begun["session_id"]).status_code == 404
    assert not ChatSession.objects.running().exists()


@pytest.mark.parametrize("of_somebody_else", [True, False])
def test_a_cookie_alone_shows_no_chat_of_another_user(sandbox, of_somebody_else):
    """The browser's own cookie, but the row is another user's: as if both had sat there and no sign-in were noticed."""
    make_webchat()
    visitor = VisitorClient()
    started = visitor.start(ANSWERS).json()
    if of_somebody_else:
        ChatSession.objects.update(user=make_user())
    else:
        visitor.client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
        ChatSession.objects.update(offered_to="", offered_until=None)  # the sign-in has offered it
    for html in (visitor.open_panel(), visitor.client.get("/webchat/support/").content.decode()):
        assert started["session_id"] not in html
        assert 'data-webchat-state="form"' in html
    visitor.client.post("/webchat/support/end/", {"csrfmiddlewaretoken": visitor.csrf})
    assert ChatSession.objects.get().is_active
