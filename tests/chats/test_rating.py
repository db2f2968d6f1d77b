"""How visitors rate a chat: once, for a day, their own; and who reads it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, change, make_field, make_user, make_webchat
from tests.support.sandbox import SandboxServer
from tests.support.visitor import VisitorClient
from webchat.chats import retention, worker
from webchat.chats.rating import rate_chat
from webchat.errors import ChatRefused, Code
from webchat.fields.kinds import Type
from webchat.models import ChatSession, Rating, Webchat
from webchat.models.rating import MAY_CHANGE, MAY_RATE

pytestmark = pytest.mark.django_db

MOMENT = timedelta(seconds=1)
AGENT = "agent_robin"


@pytest.fixture
def webchat(sandbox: SandboxServer) -> Webchat:
    return make_webchat(ask_rating=True, rating_question="How did we do?")


class Rater(VisitorClient):
    """With a chat that has ended."""

    def chat(self, *, ends: bool = True, answered: bool = True) -> ChatSession:
        """As this site knows of the answer before it asks Twilio."""
        session = self.said("", ends=ends)
        change(session, answered=answered)
        return session

    def said(self, author: str, sandbox: SandboxServer | None = None, *, ends: bool = True) -> ChatSession:
        """By that author, as Twilio alone knows."""
        started = self.start(ANSWERS).json()
        if sandbox:
            sandbox.say(started["channel_sid"], author, "Hello")
        if ends:
            self.end(started["session_id"])
        return ChatSession.objects.get(pk=started["session_id"])

    def rate(self, session: ChatSession, body: Any, **options: Any) -> Any:
        options = {"content_type": "application/json", "headers": {"X-CSRFToken": self.csrf}} | options
        return self.client.post(f"/api/webchat/sessions/{session.pk}/rating/", body, **options)

    def page(self, session: ChatSession) -> Any:
        return self.client.get(f"/webchat/support/rating/{session.pk}/")

    def send_page(self, session: ChatSession, query: str = "", **values: str) -> Any:
        told = {"csrfmiddlewaretoken": self.csrf, **values}
        return self.client.post(f"/webchat/support/rating/{session.pk}/{query}", told, follow=True)


def later(span: timedelta) -> Any:
    return time_machine.travel(datetime.now(UTC) + span)


# --- By the API ------------------------------------------------------------------------------------------------------


def test_a_chat_is_rated_once_and_changed_for_ten_minutes(webchat, log):
    visitor = Rater()
    chat = visitor.chat()
    answer = visitor.rate(chat, {"score": 4, "comment": "Quick,\r\nand kind."})
    assert (answer.status_code, answer.json()) == (
        200,
        {"session_id": str(chat.pk), "score": 4, "comment": "Quick,\nand kind."},
    )
    assert visitor.rate(chat, {"score": 2}).json()["comment"] == ""
    rating = Rating.objects.get()
    assert (rating.pk, rating.score, rating.comment) == (chat.pk, 2, "")
    with later(MAY_CHANGE + MOMENT):
        late = visitor.rate(chat, {"score": 5})
    assert (late.status_code, late.json()["code"]) == (410, "rating_over")
    assert Rating.objects.get().score == 2
    assert "kind" not in str(log)


def test_it_can_be_rated_for_a_day_after_its_end(webchat):
    visitor = Rater()
    chat = visitor.chat()
    with later(MAY_RATE + MOMENT):
        visitor.client.cookies.clear()
        visitor.open_panel()
        ChatSession.objects.update(browser=_browser_of(visitor))
        assert visitor.rate(chat, {"score": 1}).json()["code"] == "rating_over"
    with later(MAY_RATE - timedelta(minutes=1)):
        assert visitor.rate(chat, {"score": 1}).status_code == 200


def _browser_of(visitor: Rater) -> str:
    started = visitor.start({**ANSWERS}).json()
    return ChatSession.objects.get(pk=started["session_id"]).browser


def test_a_chat_that_goes_on_is_not_rated(webchat):
    visitor = Rater()
    chat = visitor.chat(ends=False)
    assert visitor.rate(chat, {"score": 5}).status_code == 409
    assert not Rating.objects.exists()


def test_a_chat_that_never_began_is_not_rated(webchat, sandbox):
    visitor = Rater()
    chat = visitor.chat()
    ChatSession.objects.update(status="failed")
    assert visitor.rate(chat, {"score": 5}).status_code == 410


def test_a_new_form_takes_no_rating_away(webchat):
    """It gives the browser another key for chats."""
    visitor = Rater()
    chat = visitor.chat()
    visitor.open_panel()
    assert visitor.renew(str(chat.pk)).status_code == 404
    assert visitor.rate(chat, {"score": 3}).status_code == 200


@pytest.mark.parametrize("stranger", ["another browser", "a user at the browser", "after a sign-out"])
def test_nobody_rates_anothers_chat(webchat, stranger):
    visitor = Rater()
    if stranger == "after a sign-out":
        visitor.client.force_login(make_user())
        visitor.open_panel()
    chat = visitor.chat()
    if stranger == "another browser":
        visitor = Rater()
    elif stranger == "a user at the browser":
        visitor.client.force_login(make_user())
        visitor.open_panel()
    else:
        del visitor.client.cookies["sessionid"]
        visitor.open_panel()
    answer = visitor.rate(chat, {"score": 5})
    absent = visitor.client.post(
        "/api/webchat/sessions/5b0e7c2e-0000-4000-8000-000000000000/rating/",
        {"score": 5},
        content_type="application/json",
        headers={"X-CSRFToken": visitor.csrf},
    )
    assert answer.status_code == absent.status_code == 404
    assert _but_id(answer.json()) == _but_id(absent.json())
    assert visitor.page(chat).status_code == 404
    assert not Rating.objects.exists()


def _but_id(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "request_id"}


def test_whoever_is_anonymous_now_does_not_rate_a_deleted_users_chat(webchat):
    visitor, ada = Rater(), make_user()
    visitor.client.force_login(ada)
    visitor.open_panel()
    chat = visitor.chat()
    ada.delete()
    visitor.open_panel()
    assert visitor.rate(chat, {"score": 5}).status_code == 404


def test_a_webchat_that_asks_for_none_takes_none(webchat):
    visitor = Rater()
    chat = visitor.chat()
    change(webchat, ask_rating=False)
    assert visitor.rate(chat, {"score": 5}).status_code == 404
    assert visitor.page(chat).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "score"),
        ({"score": 0}, "score"),
        ({"score": 6}, "score"),
        ({"score": 4.5}, "score"),
        ({"score": True}, "score"),
        ({"score": "five"}, "score"),
        ({"score": 9e99}, "score"),
        ({"score": [5]}, "score"),
        ({"score": 5, "comment": "x" * 501}, "comment"),
        ({"score": 5, "comment": {"a": 1}}, "comment"),
    ],
)
def test_what_is_no_rating_is_refused_by_its_field(webchat, body, field):
    visitor = Rater()
    answer = visitor.rate(visitor.chat(), body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert not Rating.objects.exists()


def test_a_comment_may_have_500_characters_and_its_broken_lines_count_once(webchat):
    visitor = Rater()
    comment = "x" * 100 + "\r\n" * 300 + "x" * 100
    answer = visitor.rate(visitor.chat(), {"score": 5, "comment": comment})
    assert len(answer.json()["comment"]) == 500


def test_the_rating_needs_the_csrf_token_and_a_small_body(webchat):
    visitor = Rater()
    chat = visitor.chat()
    assert visitor.rate(chat, {"score": 5}, headers={}).status_code == 403
    assert visitor.rate(chat, {"score": 5, "comment": "x" * 40_000}).status_code == 413
    assert visitor.rate(chat, "x", content_type="text/plain").status_code == 415
    assert not Rating.objects.exists()


# --- On the page without JavaScript ----------------------------------------------------------------------------------


def test_the_page_asks_after_the_end_if_an_agent_wrote(webchat, sandbox):
    visitor = Rater()
    chat = visitor.said(AGENT, sandbox, ends=False)
    visitor.open_panel()
    end = {"csrfmiddlewaretoken": visitor.csrf}
    page = visitor.client.post("/webchat/support/end/", end, follow=True)
    assert page.redirect_chain == [(f"/webchat/support/rating/{chat.pk}/", 302)]
    html = page.content.decode()
    assert "How did we do?" in html
    assert re.findall(r"<span>(\d [\w ]+)</span>", html) == ["1 Very bad", "2 Bad", "3 Fair", "4 Good", "5 Very good"]
    thanked = visitor.send_page(chat, score="5", comment="<b>Thanks</b>").content.decode()
    assert "Thank you for your rating." in thanked
    assert "&lt;b&gt;Thanks" in thanked
    assert 'value="5" required' in thanked or "checked" in thanked
    assert Rating.objects.get().comment == "<b>Thanks</b>"
    with later(MAY_CHANGE + MOMENT):
        late = visitor.page(chat).content.decode()
    assert "Thank you for your rating." in late
    assert 'name="score"' not in late


def test_the_page_asks_nobody_whom_no_agent_answered(webchat, sandbox):
    visitor = Rater()
    visitor.said("", ends=False)
    page = visitor.client.post("/webchat/support/end/", {"csrfmiddlewaretoken": visitor.csrf})
    assert page.url == "/webchat/support/"


def test_it_asks_again_for_a_day_wherever_the_chat_ended_and_twilio_says_once_whether_an_agent_wrote(webchat, sandbox):
    visitor = Rater()
    chat = visitor.said(AGENT, sandbox)
    visitor.open_panel()  # with another key for chats
    sandbox.clear_log()
    for _time in range(2):
        page = visitor.client.get("/webchat/support/").content.decode()
        assert f'<a href="/webchat/support/rating/{chat.pk}/">Rate your last chat</a>' in page
    assert len([one for one in sandbox.log() if "Messages" in one["path"]]) == 1
    with later(MAY_RATE + MOMENT):
        assert "Rate your last chat" not in visitor.client.get("/webchat/support/").content.decode()
    visitor.send_page(chat, score="4")
    assert "Rate your last chat" not in visitor.client.get("/webchat/support/").content.decode()


def test_it_does_not_ask_again_whom_no_agent_answered_nor_whom_twilio_does_not_know_of(webchat, sandbox):
    visitor = Rater()
    visitor.said("")
    sandbox.fault("GET", "/v1/Conversations/*", status=500, times=1)
    sandbox.clear_log()
    for _time in range(3):
        assert "Rate your last chat" not in visitor.client.get("/webchat/support/").content.decode()
    assert len([one for one in sandbox.log() if "Messages" in one["path"]]) == 2  # once it failed


def test_no_rating_is_taken_of_a_chat_that_is_known_to_be_without_an_answer(webchat, sandbox):
    chat = Rater().chat(answered=False)
    with pytest.raises(ChatRefused) as refused:
        rate_chat(chat, 5, "")
    assert refused.value.code is Code.RATING_OVER
    assert not Rating.objects.exists()


def test_whether_an_agent_wrote_is_asked_at_twilio_before_a_rating_is_taken(webchat, sandbox, log):
    visitor = Rater()
    mute = visitor.said("system", sandbox)
    visitor.open_panel()
    answered = visitor.said(AGENT, sandbox)
    assert visitor.rate(mute, {"score": 5}).json()["code"] == "rating_over"
    sandbox.fault("GET", "/v1/Conversations/*", status=500, times=1)
    failed = visitor.rate(answered, {"score": 5})
    assert (failed.status_code, failed.json()["code"]) == (503, "chat_unavailable")
    assert "try again" in failed.json()["detail"]
    assert [said["webchat"] for said in log.lines("chat_unavailable")] == ["support"]
    assert not Rating.objects.exists()
    sandbox.clear_log()
    for score in (5, 4):
        assert visitor.rate(answered, {"score": score}).status_code == 200
    assert len([one for one in sandbox.log() if "Messages" in one["path"]]) == 1


@pytest.mark.parametrize(("author", "asks"), [("system", False), (AGENT, True)])
def test_a_chat_that_has_just_ended_is_rated_only_if_an_agent_wrote(webchat, sandbox, author, asks):
    """The script takes every author but the visitor for an agent."""
    visitor = Rater()
    chat = visitor.said(author, sandbox)
    fragment = visitor.client.get(f"/webchat/support/rating/{chat.pk}/?panel").content.decode()
    assert ('name="score"' in fragment) is asks


def test_the_last_minute_of_the_day_counts_for_a_browser_that_renewed_an_hour_before_the_end(webchat):
    visitor = Rater()
    chat = visitor.chat(ends=False)
    with later(timedelta(hours=1)):
        ChatSession.objects.filter(pk=chat.pk).end(ChatSession.EndedBy.AGENT)
    with later(timedelta(hours=1) + MAY_RATE - timedelta(minutes=1)):
        assert visitor.rate(chat, {"score": 5}).status_code == 200


def test_the_panel_names_the_chat_and_the_script_asks_whether_an_agent_wrote(webchat, sandbox):
    visitor = Rater()
    chat = visitor.said(AGENT, sandbox)
    panel = visitor.open_panel()
    assert f'data-webchat-unrated="{chat.pk}"' in panel
    assert f'data-address="/webchat/support/rating/{chat.pk}/?panel&amp;ask"' in panel
    assert "Rate your last chat" not in panel
    ask = f"/webchat/support/rating/{chat.pk}/?panel&ask"
    fragment = visitor.client.get(ask).content.decode()
    assert 'name="score"' in fragment
    assert '<details><summary class="webchat-link">Rate your last chat</summary>' in fragment
    mute = visitor.said("")
    assert 'name="score"' not in visitor.client.get(ask.replace(str(chat.pk), str(mute.pk))).content.decode()
    assert "data-webchat-unrated" not in visitor.open_panel()


@pytest.mark.parametrize("ask_rating", [True, False])
def test_the_first_panel_of_a_browser_asks_the_database_for_no_chat(webchat, ask_rating):
    change(webchat, ask_rating=ask_rating)
    Client().get("/webchat/support/panel/")  # what a process remembers
    with CaptureQueriesContext(connection) as found:
        Client().get("/webchat/support/panel/")
    assert [query["sql"] for query in found if "webchat_chatsession" in query["sql"]] == []


def test_a_stranger_is_asked_about_nobodys_chat(webchat, sandbox):
    chat = Rater().said(AGENT, sandbox)
    assert str(chat.pk) not in Rater().client.get("/webchat/support/").content.decode()


def test_where_twilio_does_not_say_whether_an_agent_wrote_the_page_asks_nothing(webchat, sandbox):
    visitor = Rater()
    visitor.said(AGENT, sandbox, ends=False)
    sandbox.fault("GET", "/v1/Conversations/*", status=500)
    page = visitor.client.post("/webchat/support/end/", {"csrfmiddlewaretoken": visitor.csrf})
    assert page.url == "/webchat/support/"


def test_the_page_says_what_is_wrong_and_keeps_what_was_typed(webchat):
    visitor = Rater()
    chat = visitor.chat()
    page = visitor.send_page(chat, comment="Kept")
    assert page.status_code == 400
    assert "Choose one." in page.content.decode()
    assert "Kept" in page.content.decode()
    with later(MAY_RATE - MOMENT * 30):
        fragment = visitor.send_page(chat, "?panel", score="2").content.decode()
    assert fragment.startswith('<div class="webchat-rating"')
    assert "Thank you" in fragment
    change(webchat, ask_rating=False)
    assert visitor.page(chat).status_code == 404


@pytest.mark.parametrize(("site", "kept"), [("same-origin", True), ("cross-site", False)])
def test_words_that_a_sign_in_overtakes_are_shown_to_be_copied(webchat, site, kept):
    """The sign-in makes the form's token worthless, and the chat nobody's."""
    visitor = Rater()
    chat, token = visitor.chat(), visitor.csrf
    make_user()
    told = {"csrfmiddlewaretoken": token, "username": "ada", "password": "sandbox"}
    assert visitor.client.post("/accounts/login/", told).status_code == 302
    told = {"csrfmiddlewaretoken": token, "score": "5", "comment": "Quick <b>and</b> kind"}
    address = f"/webchat/support/rating/{chat.pk}/"
    page = visitor.client.post(address, told, headers={"Sec-Fetch-Site": site})
    assert page.status_code == 403
    html = page.content.decode()
    assert ("Quick &lt;b&gt;and&lt;/b&gt; kind" in html) == kept
    assert token not in html
    assert not Rating.objects.exists()


def test_of_a_form_that_is_sent_too_late_the_words_are_shown_and_kept_by_no_cache(webchat):
    """The value of a consent names its text, and that of a box is the browser's."""
    make_field(webchat, "terms", type=Type.CONSENT)
    make_field(webchat, "callback", type=Type.CHECKBOX)
    make_field(webchat, "topic", type=Type.SELECT, choices="bill | A bill\nparcel | A parcel")
    make_field(webchat, "source", type=Type.HIDDEN, initial="shop")
    visitor = VisitorClient()
    consent = re.search(r'name="terms"[^>]* value="([^"]+)"|value="([^"]+)"[^>]* name="terms"', visitor.open_panel())
    assert consent is not None
    told = {
        "csrfmiddlewaretoken": "old",
        "username": "of no field of the chat",
        "name": "on",
        "question": "Where is it?",
        "terms": consent[1] or consent[2],
        "callback": "on",
        "topic": "parcel",
        "source": "shop",
        "message_text": "Call me",
    }
    page = visitor.client.post("/webchat/support/", told, headers={"Sec-Fetch-Site": "same-origin"})
    assert page.status_code == 403
    shown = re.findall(r"<p><bdi>(.*?)</bdi></p>", page.content.decode().split("What you wrote")[1].split("<footer")[0])
    assert shown == ["on", "Where is it?", "A parcel", "Call me"]
    assert "no-store" in page["Cache-Control"]


def test_the_address_of_one_webchat_shows_no_chat_of_another(webchat):
    make_webchat(slug="other", ask_rating=True)
    visitor = Rater()
    chat = visitor.chat()
    assert visitor.client.get(f"/webchat/other/rating/{chat.pk}/").status_code == 404


def test_the_panel_of_a_webchat_that_asks_for_none_has_nothing_of_it(webchat):
    panel = VisitorClient().open_panel()
    assert "/webchat/support/rating/" in panel
    change(webchat, ask_rating=False)
    assert "rating" not in VisitorClient().open_panel()


# --- What stays of it ------------------------------------------------------------------------------------------------


def test_the_comment_goes_with_the_answers_and_the_score_stays(webchat, settings):
    visitor = Rater()
    visitor.rate(visitor.chat(), {"score": 1, "comment": "My number is 555"})
    with later(timedelta(days=settings.WEBCHAT_KEEP_ANSWERS_DAYS - 1)):
        worker.pass_once()
        retention.prune()
    assert Rating.objects.get().comment
    with later(timedelta(days=settings.WEBCHAT_KEEP_ANSWERS_DAYS, minutes=1)):
        retention.prune()
    rating = Rating.objects.get()
    assert (rating.score, rating.comment) == (1, "")


def test_the_comment_of_a_deleted_user_goes(webchat):
    visitor, ada = Rater(), make_user()
    visitor.client.force_login(ada)
    visitor.open_panel()
    visitor.rate(visitor.chat(), {"score": 5, "comment": "Ada was here"})
    ada.delete()
    rating = Rating.objects.get()
    assert (rating.score, rating.comment) == (5, "")


def test_a_person_gets_their_rating_and_has_it_erased(webchat, tmp_path):
    visitor = Rater()
    visitor.rate(visitor.chat(), {"score": 5, "comment": "Lovely"})
    path = tmp_path / "ada.json"
    call_command("forget_person", "--email", ANSWERS["email"], "--export", str(path), "--yes")
    [chat] = json.loads(path.read_text())["chats"]
    assert (chat["rating"]["score"], chat["rating"]["comment"]) == (5, "Lovely")
    assert not Rating.objects.exists()


# --- In the admin ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("may", [True, False])
def test_staff_read_it_at_the_chat_by_a_permission_of_its_own(webchat, client, may):
    visitor = Rater()
    chat = visitor.chat()
    visitor.rate(chat, {"score": 1, "comment": "Slow and rude"})
    staff = make_user("staff", is_staff=True)
    names = ["view_chatsession", *(["view_rating"] if may else [])]
    staff.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(staff)
    html = client.get(f"/admin/webchat/chatsession/{chat.pk}/change/").content.decode()
    assert ("Slow and rude" in html) == may
    assert ("Very bad" in html) == may


def test_nobody_changes_it_there(webchat, admin_client):
    visitor = Rater()
    chat = visitor.chat()
    page = f"/admin/webchat/chatsession/{chat.pk}/change/"
    assert 'id="rating-group"' not in admin_client.get(page).content.decode()
    visitor.rate(chat, {"score": 1, "comment": "Slow"})
    html = admin_client.get(page).content.decode()
    assert "Slow" in html
    assert 'id="rating-group"' in html
    assert 'name="rating-0-score"' not in html
    assert "rating-0-DELETE" not in html
