"""A signed-in user's own past chats, as Twilio has them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, change, make_hours, make_user, make_webchat
from tests.support.sandbox import SandboxServer
from tests.support.visitor import VisitorClient
from webchat.checks import check_webchats
from webchat.flex.conversations import MESSAGES_ON_A_PAGE
from webchat.models import ChatSession, Rating, Webchat
from webchat.models.copies import forget_copies

pytestmark = pytest.mark.django_db

LIST = "/webchat/history/"


@pytest.fixture(autouse=True)
def on(settings: Any, sandbox: SandboxServer) -> None:
    settings.WEBCHAT_HISTORY = True
    make_webchat(title="Help")


@pytest.fixture
def ada() -> VisitorClient:
    visitor = VisitorClient()
    visitor.client.force_login(make_user())
    visitor.open_panel()
    return visitor


def chat(visitor: VisitorClient, *, ends: bool = True, question: str = "Where is my parcel?") -> ChatSession:
    visitor.open_panel()
    started = visitor.start({**ANSWERS, "question": question}).json()
    if ends:
        visitor.end(started["session_id"])
    return ChatSession.objects.get(pk=started["session_id"])


def test_users_find_their_own_past_chats_the_latest_first(ada):
    first, second = chat(ada, question="The <b>first</b>"), chat(ada, question="The second")
    chat(ada, ends=False, question="It runs")
    Rating.objects.create(session=first, score=4, comment="")
    chat(VisitorClient(), question="Of a guest")
    html = ada.client.get(LIST).content.decode()
    assert re.findall(r"/webchat/history/([0-9a-f-]{36})/", html) == [str(second.pk), str(first.pk)]
    assert "The &lt;b&gt;first&lt;/b&gt;" in html
    assert "Your rating: 4 Good" in html
    assert "Help" in html
    assert "It runs" not in html
    assert "Of a guest" not in html


def test_a_list_reads_a_page_of_rows_by_the_users_index(ada):
    session = chat(ada)
    for number in range(45):
        ChatSession.objects.create(
            webchat=session.webchat, api=session.api, user=session.user, status="ended", started_at=session.started_at,
            lease_until=session.lease_until, browser="x", key=f"key-{number}", answers={}, customer_friendly_name="",
        )  # fmt: skip
    with CaptureQueriesContext(connection) as captured:
        html = ada.client.get(f"{LIST}?page=2").content.decode()
    assert len(re.findall(r"/webchat/history/[0-9a-f-]{36}/", html)) == 20
    assert "?page=3" in html
    assert len(captured) < 12
    plan = ChatSession.objects.filter(user_id=session.user_id, status="ended").order_by("-created_at").explain()
    assert "SCAN webchat_chatsession" not in plan


def test_the_text_is_read_from_twilio_in_pages_and_escaped(ada, sandbox):
    session = chat(ada, ends=False)
    for number in range(MESSAGES_ON_A_PAGE):
        sandbox.say(session.channel_sid, "agent_robin", f"<script>Line {number}</script>")
    ada.end(str(session.pk))
    html = ada.client.get(f"{LIST}{session.pk}/").content.decode()
    assert "Where is my parcel?" in html
    assert "&lt;script&gt;Line 0" in html
    assert "<script>Line" not in html
    assert "Our team" in html
    assert "agent_robin" not in html
    assert session.identity not in html
    [place] = re.findall(r'href="\?from=([^"]+)"', html)
    last = ada.client.get(f"{LIST}{session.pk}/?from={place}").content.decode()
    assert re.findall(r"Line \d+", last) == [f"Line {MESSAGES_ON_A_PAGE - 1}"]
    assert "?from=" not in last


def test_times_are_those_of_the_opening_hours_and_name_their_zone(ada, sandbox):
    session = chat(ada)
    # After the chat, which at most hours of a week nobody could start with these.
    change(Webchat.objects.get(), hours=make_hours((0, "09:00", "17:00")))
    change(session, started_at=datetime(2026, 11, 23, 12, tzinfo=UTC))
    for page in (LIST, f"{LIST}{session.pk}/"):
        assert "Nov. 23, 2026, 1 p.m. CET" in ada.client.get(page).content.decode()


def test_what_twilio_has_no_more_is_no_longer_kept(ada, sandbox):
    session = chat(ada)
    sandbox.rest("DELETE", f"/v1/Conversations/{session.channel_sid}")
    page = ada.client.get(f"{LIST}{session.pk}/")
    assert page.status_code == 200
    assert "no longer kept" in page.content.decode()


def test_a_chat_in_which_nobody_wrote_says_so_and_has_no_empty_list(ada, sandbox):
    session = chat(ada, ends=False)
    for message in sandbox.messages(session.channel_sid):
        sandbox.rest("DELETE", f"/v1/Conversations/{session.channel_sid}/Messages/{message['sid']}")
    ada.end(str(session.pk))
    html = ada.client.get(f"{LIST}{session.pk}/").content.decode()
    assert "Nothing was written." in html
    assert '<ol class="cards">' not in html


def test_where_twilio_fails_the_page_says_so(ada, sandbox):
    session = chat(ada)
    sandbox.fault("GET", "/v1/Conversations/*", status=500)
    page = ada.client.get(f"{LIST}{session.pk}/")
    assert page.status_code == 503
    assert "cannot be read" in page.content.decode()


@pytest.mark.parametrize("place", ["x", "1~%00", "1~&Order=desc", "9" * 40, "~" + "a" * 900])
def test_a_place_that_no_page_named_reads_nothing(ada, sandbox, place):
    session = chat(ada)
    sandbox.clear_log()
    page = ada.client.get(f"{LIST}{session.pk}/", {"from": place})
    assert page.status_code == 503
    assert not [one for one in sandbox.log() if "Messages" in one["path"]]


def test_nobody_reads_anothers(ada):
    session, guests = chat(ada), chat(VisitorClient())
    bob = VisitorClient()
    assert bob.client.get(LIST).url == f"/accounts/login/?next={LIST}"
    assert bob.client.get(f"{LIST}{session.pk}/").status_code == 302
    bob.client.force_login(make_user("bob"))
    assert str(session.pk) not in bob.client.get(LIST).content.decode()
    assert bob.client.get(f"{LIST}{session.pk}/").status_code == 404
    assert bob.client.get(f"{LIST}{guests.pk}/").status_code == 404


def test_a_site_that_does_not_want_it_has_none(ada, settings):
    session = chat(ada)
    settings.WEBCHAT_HISTORY = False
    assert ada.client.get(LIST).status_code == 404
    assert ada.client.get(f"{LIST}{session.pk}/").status_code == 404
    Webchat.objects.filter(slug="support").update(slug="history")  # of before it was taken
    forget_copies()
    assert ada.client.get(LIST).status_code == 200


@pytest.mark.parametrize("is_on", [True, False])
def test_no_webchat_takes_its_address(settings, is_on):
    settings.WEBCHAT_HISTORY = is_on
    with pytest.raises(ValidationError) as refused:
        make_webchat(slug="history", fields=False)
    assert "past chats" in refused.value.message_dict["slug"][0]
    Webchat.objects.filter(slug="support").update(slug="history")
    [problem] = check_webchats(None, databases=["default"])
    assert "past chats" in problem.msg


def test_the_accounts_menu_leads_there_where_the_site_wants_it(ada, settings):
    link = f'<a href="{LIST}">Your chats</a>'
    assert link in ada.client.get("/support/").content.decode()
    assert link not in VisitorClient().client.get("/support/").content.decode()
    settings.WEBCHAT_HISTORY = False
    assert link not in ada.client.get("/support/").content.decode()


def test_long_messages_fit_into_a_page(ada, sandbox):
    session = chat(ada, ends=False)
    for number in range(4):
        sandbox.say(session.channel_sid, "agent_robin", f"{number} " + "ü" * 12_000)
    ada.end(str(session.pk))
    html = ada.client.get(f"{LIST}{session.pk}/").content.decode()
    assert html.count("ü") == 48_000
    assert "?from=" not in html
