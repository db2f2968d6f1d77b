"""What visitors meet outside of the opening hours: panel, API, page and launcher."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

import pytest
import time_machine
from django.db.models import prefetch_related_objects
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import ANSWERS, change, make_hours, make_legacy, make_webchat
from tests.support.flex_ui import FlexUi
from tests.support.visitor import VisitorClient
from webchat.hours import changes_ahead, state_of
from webchat.models import ChatSession, Webchat, WhenClosed
from webchat.models.copies import forget_copies

pytestmark = pytest.mark.django_db

PANEL = "/webchat/support/panel/"
OFFICE = [(day, "09:00", "18:00") for day in range(5)]


def at(text: str) -> datetime:
    """2026-11-30 is a Monday, and Berlin an hour ahead."""
    return datetime.fromisoformat(f"{text}+00:00")


OPEN, LAST_MINUTE = at("2026-11-30 10:00"), at("2026-11-30 16:58")
CLOSED, OPENING = at("2026-11-30 17:00"), at("2026-12-01 08:00")


def travel(when: datetime):
    forget_copies()
    return time_machine.travel(when, tick=False)


def office(**values) -> Webchat:
    return make_webchat(hours=make_hours(*OFFICE), **values)


def panel_at(when: datetime, **headers: str) -> str:
    with travel(when):
        return Client().get(PANEL, headers=headers).content.decode()


# --- The panel -------------------------------------------------------------------------------------------------------


def test_the_panel_has_the_form_while_it_is_open(sandbox):
    office()
    assert 'data-webchat-state="form"' in panel_at(CLOSED - timedelta(seconds=1))


def test_the_panel_says_when_somebody_is_back_by_the_businesss_clock(sandbox):
    office()
    html = panel_at(CLOSED)
    assert 'data-webchat-state="closed"' in html
    assert "The chat is closed at the moment." in html
    assert (
        'We are back on <time datetime="2026-12-01T08:00:00Z" data-webchat-zone="Europe/Berlin">'
        "Tuesday, December 1, 9 a.m. (Berlin time)</time>."
    ) in html


def test_the_time_is_said_in_the_visitors_language(sandbox):
    office()
    assert "Dienstag, 1. Dezember, 09:00 (Ortszeit Berlin)</time>" in panel_at(CLOSED, **{"Accept-Language": "de"})


def test_a_special_days_note_is_shown_as_text(sandbox):
    webchat = office()
    webchat.hours.special_days.create(first=date(2026, 11, 30), last=date(2026, 11, 30), note="Team <b>day</b>")
    assert "Team &lt;b&gt;day&lt;/b&gt;" in panel_at(OPEN)


def test_a_chat_that_is_closed_without_an_end_names_no_time(sandbox):
    make_webchat(closure="reopened")
    html = Client().get(PANEL).content.decode()
    assert 'data-webchat-state="closed"' in html
    assert "We are back" not in html


def test_the_panel_asks_the_database_for_no_hours(sandbox, django_assert_num_queries):
    office()
    client = Client()
    with travel(OPEN):
        for path in (PANEL, "/"):
            client.get(path)
        with django_assert_num_queries(1):  # the running chat
            client.get(PANEL)
        with django_assert_num_queries(0):
            client.get("/")
            Client().get(PANEL)  # who comes for the first time has none


def test_a_change_of_the_plan_shows_at_once(sandbox):
    webchat = office()
    with travel(CLOSED):
        assert 'data-webchat-state="closed"' in Client().get(PANEL).content.decode()
        change(webchat.hours.spans.get(weekday=0), closes="20:00")
        assert 'data-webchat-state="form"' in Client().get(PANEL).content.decode()


# --- The start -------------------------------------------------------------------------------------------------------


def closed_answer(response) -> dict:
    assert response.status_code == 503
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert body["code"] == "chat_closed"
    return body


def test_the_api_says_when_it_opens(sandbox):
    office()
    with travel(OPENING - timedelta(minutes=90)):
        response = VisitorClient().start(ANSWERS, key="any-key-at-all")
    body = closed_answer(response)
    assert (body["opens_at"], response["Retry-After"]) == ("2026-12-01T08:00:00Z", "5400")
    assert body["detail"] == (
        "The chat is closed at the moment. We are back on Tuesday, December 1, 9 a.m. (Berlin time)."
    )
    assert not ChatSession.objects.exists()


def test_the_api_names_no_time_that_nobody_knows(sandbox):
    make_webchat(closure="reopened")
    response = VisitorClient().start(ANSWERS, key="any-key-at-all")
    assert "opens_at" not in closed_answer(response)
    assert "Retry-After" not in response


@pytest.mark.parametrize("closing", ["by the plan", "by hand"])
@pytest.mark.parametrize(("later", "status"), [(timedelta(minutes=4, seconds=59), 201), (timedelta(minutes=5), 503)])
def test_a_form_that_was_opened_in_time_is_accepted_for_five_minutes(sandbox, closing, later, status):
    webchat = office()
    with travel(LAST_MINUTE):
        visitor = VisitorClient()
    if closing == "by hand":
        change(webchat, closure="reopened", closed_since=LAST_MINUTE + timedelta(minutes=1))
    closed_at = CLOSED if closing == "by the plan" else webchat.closed_since
    with travel(closed_at + later):
        response = visitor.start(ANSWERS)
    assert response.status_code == status, response.content


@pytest.mark.parametrize("key", ["made-up-by-a-script", "of another browser"])
def test_no_other_key_is_given_more_time(sandbox, key):
    office()
    with travel(LAST_MINUTE):
        visitor, other = VisitorClient(), VisitorClient()
    with travel(CLOSED + timedelta(minutes=1)):
        closed_answer(visitor.start(ANSWERS, key=other.key if key == "of another browser" else key))


def test_a_switched_off_webchat_gives_nobody_more_time(sandbox):
    webchat = office()
    visitor = VisitorClient()
    change(webchat, enabled=False)
    closed_answer(visitor.start(ANSWERS, key=visitor.key or "any-key-at-all"))


def test_a_running_chat_is_not_touched(sandbox):
    office()
    with travel(LAST_MINUTE):
        visitor = VisitorClient()
        started = visitor.start(ANSWERS).json()
    with travel(CLOSED + timedelta(minutes=30)):
        assert 'data-webchat-state="running"' in visitor.open_panel()
        assert visitor.current().status_code == 200
        assert visitor.renew(started["session_id"]).status_code == 200


def test_a_submit_that_is_repeated_after_closing_finds_its_chat(sandbox):
    office()
    with travel(LAST_MINUTE):
        visitor = VisitorClient()
        started = visitor.start(ANSWERS).json()
    with travel(CLOSED + timedelta(minutes=30)):
        again = visitor.start(ANSWERS)
        assert (again.status_code, again.json()["session_id"]) == (200, started["session_id"])


def test_the_page_without_javascript_keeps_what_was_typed(sandbox):
    office()
    with travel(LAST_MINUTE):
        visitor = VisitorClient()
    sent = {**ANSWERS, "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key}
    with travel(CLOSED + timedelta(minutes=5)):
        response = visitor.client.post("/webchat/support/", sent)
    html = response.content.decode()
    assert response.status_code == 503
    assert response["Retry-After"] == str(int((OPENING - CLOSED).total_seconds()) - 300)
    assert "We are back on Tuesday, December 1, 9 a.m. (Berlin time)." in html
    assert ANSWERS["question"] in html


def test_the_page_without_javascript_offers_a_message_of_what_was_typed_too_late(sandbox):
    office(when_closed=WhenClosed.MESSAGE)
    with travel(LAST_MINUTE):
        visitor = VisitorClient()
    sent = {**ANSWERS, "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key}
    with travel(CLOSED + timedelta(minutes=5)):
        html = visitor.client.post("/webchat/support/", sent).content.decode()
        assert 'data-webchat-state="message"' in html
        assert 'action="/webchat/support/message/"' in html
        assert ANSWERS["question"] in html
        assert visitor.client.post("/webchat/support/message/", sent).status_code == 302
    assert not ChatSession.objects.exists()


def test_flex_webchat_ui_is_refused_while_closed_and_not_between_token_and_channel(sandbox):
    webchat = make_legacy(hours=make_hours(*OFFICE))
    ui = FlexUi()
    with travel(CLOSED - timedelta(seconds=1)):
        ui.ask_token()
    with travel(CLOSED + timedelta(seconds=2)):
        assert ui.open_channel().status_code == 201
        refused = FlexUi().ask_token()
        closed_answer(refused)
    assert webchat.sessions.count() == 1


# --- The launcher ----------------------------------------------------------------------------------------------------


def tag_at(when: datetime) -> str:
    with travel(when):
        html = Client().get("/").content.decode()
    return html[html.index("<web-chat") : html.index("</web-chat>")]


def test_a_webchat_that_is_always_open_pays_nothing_for_hours(sandbox):
    make_webchat()
    assert "hours" not in tag_at(OPEN)
    assert "data-webchat-when" not in tag_at(OPEN)


def test_one_that_never_closes_pays_nothing_either(sandbox):
    make_webchat(hours=make_hours(*((day, "00:00", "00:00") for day in range(7))))
    assert "data-webchat-hours" not in tag_at(OPEN)


def test_a_page_that_was_made_while_open_carries_the_next_closing_first(sandbox):
    office()
    [first] = re.findall(r'data-webchat-hours="(\d+) ', tag_at(OPEN))
    assert datetime.fromtimestamp(int(first) * 60, UTC) == CLOSED


def test_the_launcher_carries_its_next_hours_and_says_that_it_is_closed(sandbox):
    office()
    tag = tag_at(CLOSED)
    [changes] = re.findall(r'data-webchat-hours="([\d ]+)"', tag)
    first, length, pause, *_rest = map(int, changes.split())
    assert (datetime.fromtimestamp(first * 60, UTC), length, pause) == (OPENING, 9 * 60, 15 * 60)
    assert '<span class="webchat-launcher-label" data-webchat-when="closed">Closed at the moment</span>' in tag
    assert '<span class="webchat-launcher-label" data-webchat-when="open" hidden>' in tag
    assert '<span class="webchat-launcher-label" data-webchat-when="closed" hidden>' in tag_at(OPEN)


def test_a_hidden_launcher_is_on_the_page_for_the_next_opening(sandbox):
    office(when_closed=WhenClosed.HIDE)
    opening = re.compile(r"<web-chat[^>]* hidden\s")
    assert opening.match(tag_at(CLOSED))
    assert not opening.match(tag_at(OPEN))
    assert "data-webchat-when" not in tag_at(CLOSED)


def invitation() -> list[str]:
    """The words in sight where the chat stands in a page."""
    html = Client().get("/support/").content.decode()
    html = html[html.index('class="webchat-invitation"') :]
    shown = re.sub(r"(?s)<(\w+)[^>]* hidden>.*?</\1>", "", html[: html.index("</div>")])
    return re.findall(r">([^<>]*\w[^<>]*)<", shown)


CLOSED_TEXT = "The chat is closed at the moment."
UNAVAILABLE_TEXT = "The chat is not available at the moment. Please try again in a minute."


@pytest.mark.parametrize(
    ("when_closed", "said"),
    [
        (WhenClosed.SAY, [CLOSED_TEXT, "Closed at the moment"]),
        (WhenClosed.MESSAGE, [CLOSED_TEXT, "Leave a message"]),
        (WhenClosed.HIDE, [CLOSED_TEXT]),
    ],
)
def test_a_chat_in_the_page_promises_nobody_while_closed(sandbox, when_closed, said):
    office(when_closed=when_closed)
    with travel(OPEN):
        assert invitation() == ["Tell us how we can help.", "Chat with us"]
    with travel(CLOSED):
        assert invitation() == said


@pytest.mark.parametrize("off", [{"enabled": False}, {"draft": True}])
def test_one_that_is_switched_off_invites_nobody(sandbox, off):
    make_webchat(**off)
    assert invitation() == [CLOSED_TEXT]
    assert re.search(r"<web-chat[^>]* hidden\s", tag_at(OPEN)), "but for whose chat runs"


def test_one_without_credentials_invites_nobody(settings):
    settings.TWILIO_API_KEY_SECRET = ""
    make_webchat()
    assert invitation() == [UNAVAILABLE_TEXT]


def test_messages_need_no_credentials_and_are_invited_while_closed(settings):
    settings.TWILIO_API_KEY_SECRET = ""
    office(when_closed=WhenClosed.MESSAGE)
    with travel(CLOSED):
        assert invitation() == [CLOSED_TEXT, "Leave a message"]
    assert 'data-webchat-state="message"' in panel_at(CLOSED)
    with travel(OPEN):
        assert invitation() == [UNAVAILABLE_TEXT]


@pytest.mark.parametrize(
    ("values", "when", "writes"),
    [
        ({}, OPEN, True),
        ({"enabled": False}, OPEN, False),
        ({"hours": OFFICE}, CLOSED, False),
        ({"hours": OFFICE, "when_closed": WhenClosed.MESSAGE}, CLOSED, True),
        (None, OPEN, False),
    ],
)
def test_the_support_page_asks_for_questions_only_while_they_are_taken(sandbox, values, when, writes):
    if values is not None:
        hours = make_hours(*values["hours"]) if "hours" in values else None
        make_webchat(**{**values, "hours": hours})
    with travel(when):
        html = Client().get("/support/").content.decode()
    assert ("Write to us here" in html) == writes
    assert ("Nobody takes questions here" in html) != writes


@pytest.mark.parametrize("when", [OPEN, CLOSED])
@pytest.mark.parametrize("secret", ["", "sandbox-api-key-secret-0123456789abcdef"])
@pytest.mark.parametrize("values", [*({"when_closed": one} for one in WhenClosed), {"enabled": False}])
def test_the_page_and_the_chat_in_it_promise_what_the_panel_takes(sandbox, settings, values, secret, when):
    settings.TWILIO_API_KEY_SECRET = secret
    office(**values)
    takes = re.search(r'data-webchat-state="(\w+)"', panel_at(when))[1]
    with travel(when):
        said, page = invitation(), Client().get("/support/").content.decode()
    assert (said[-1] in ("Chat with us", "Leave a message")) == (takes in ("form", "message"))
    assert ("Write to us here" in page) == (takes in ("form", "message"))
    assert (said == [UNAVAILABLE_TEXT]) == (takes == "unavailable")
    assert (said[0] == CLOSED_TEXT) == (takes in ("message", "closed"))


def test_one_that_takes_messages_says_so(sandbox):
    office(when_closed=WhenClosed.MESSAGE)
    assert 'data-webchat-when="closed">Leave a message<' in tag_at(CLOSED)


def test_flex_webchat_ui_is_not_put_on_a_page_while_closed(sandbox):
    make_legacy(hours=make_hours(*OFFICE))
    with travel(CLOSED):
        assert "twilio-flex-webchat" not in Client().get("/").content.decode()
    with travel(OPEN):
        assert "twilio-flex-webchat" in Client().get("/").content.decode()


def read_changes(changes: str, now: datetime) -> bool:
    """As the launcher's script does."""
    instants = accumulate(map(int, changes.split()))
    return len([one for one in instants if one * 60 > now.timestamp()]) % 2 == 0


@settings(max_examples=20, deadline=None)
@given(
    weekly=st.lists(
        st.tuples(st.integers(0, 6), st.times(), st.times()).map(
            lambda one: (one[0], one[1].strftime("%H:%M"), one[2].strftime("%H:%M"))
        ),
        max_size=20,
        unique_by=lambda one: one[:2],
    ),
    closure=st.sampled_from(["", "", "next_opening", "reopened"]),
    minutes=st.lists(st.integers(0, 3000), min_size=8, max_size=8),
)
def test_the_instants_on_a_page_are_short_and_agree_with_the_server(weekly, closure, minutes):
    Webchat.objects.all().delete()
    webchat = make_webchat(
        hours=make_hours(*weekly, name=f"Plan {datetime.now(UTC)}"), closure=closure, closed_since=OPEN, fields=False
    )
    prefetch_related_objects([webchat], "hours__spans", "hours__special_days")
    changes = changes_ahead(webchat, OPEN)
    assert len(f' data-webchat-hours="{changes}"') <= 150
    first, *_rest = map(int, changes.split() or [0])
    assert not changes or first * 60 > OPEN.timestamp()
    known_until = sum(map(int, changes.split())) * 60
    for number in minutes:
        now = OPEN + timedelta(minutes=number)
        if now.timestamp() < known_until:
            assert read_changes(changes, now) == state_of(webchat, now).is_open
