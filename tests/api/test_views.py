"""The chat as HTML: the panel's states, and the page that works without JavaScript up to a started chat."""

from __future__ import annotations

import gzip
import re

import brotli
import pytest
from django.db import OperationalError
from django.test import Client
from django.utils.html import strip_tags

from tests.support.factories import ANSWERS, Type, change, make_field, make_hours, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession

pytestmark = pytest.mark.django_db

PAGE = "/webchat/support/"


def submit(visitor, answers, **extra):
    data = {"csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key, **answers, **extra}
    return visitor.client.post(PAGE, data)


def test_the_panel_is_the_form_with_a_new_key_each_time(sandbox):
    make_webchat()
    visitor = VisitorClient()
    first = visitor.key
    html = visitor.open_panel()
    assert 'data-webchat-state="form"' in html
    assert visitor.key
    assert visitor.key != first


def test_the_panel_of_a_running_chat_carries_no_token(sandbox):
    make_webchat()
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    html = visitor.open_panel()
    assert 'data-webchat-state="running"' in html
    for secret in (credentials["token"], credentials["identity"], credentials["channel_sid"]):
        assert secret not in html


def test_another_browser_sees_the_form(sandbox):
    make_webchat()
    VisitorClient().start(ANSWERS)
    assert 'data-webchat-state="form"' in VisitorClient().open_panel()


def test_a_closed_webchat_says_so(client):
    make_webchat(enabled=False, closed_text="We are back on Monday.")
    html = client.get("/webchat/support/panel/").content.decode()
    assert 'data-webchat-state="closed"' in html
    assert "We are back on Monday." in html


def test_without_credentials_the_panel_says_that_the_chat_is_unavailable(client, settings):
    settings.TWILIO_API_KEY_SECRET = ""
    make_webchat(unavailable_text="Call +41 44 000 00 00.")
    html = client.get("/webchat/support/panel/").content.decode()
    assert 'data-webchat-state="unavailable"' in html
    assert "Call +41 44 000 00 00." in html


def test_fields_that_are_made_once_for_all_visitors_are_right_for_each(sandbox, client):
    """An empty form's fields are kept with the copy of the webchat: by language, and not of who has an account."""
    webchat = make_webchat(fields=False)
    make_field(webchat, "email", type=Type.EMAIL, required=False, user_lookup="email", match="account")
    panel = "/webchat/support/panel/"
    client.force_login(make_user())
    for _ in range(2):
        html = VisitorClient().open_panel()
        assert 'name="email"' in html
        assert "(optional)" in html
        assert 'name="email"' not in client.get(panel).content.decode()
        french = Client().get(panel, headers={"Accept-Language": "fr"}).content.decode()
        assert 'name="email"' in french
        assert "(optional)" not in french
    change(webchat.fields.get(), label="Where do we write to?")
    assert "Where do we write to?" in VisitorClient().open_panel()


def test_what_is_made_once_of_the_form_keeps_nothing_of_a_visitor(sandbox):
    change(make_webchat(), when_closed="message")
    refused = submit(VisitorClient(), {**ANSWERS, "email": "nowhere", "name": "Grace Hopper"})
    assert (refused.status_code, b"Grace Hopper" in refused.content) == (400, True)
    panel, message = (VisitorClient().client.get(f"/webchat/support/panel/{query}") for query in ("", "?leave"))
    for text in (b"Grace Hopper", b"nowhere", b"Enter a valid", b"autofocus"):
        assert text not in panel.content + message.content
    words = (b"Starting your chat", b"Your chat has not started yet", b"Sending your message", b"not been sent yet")
    assert [word in panel.content for word in words] == [True, True, False, False]
    assert [word in message.content for word in words] == [False, False, True, True]


@pytest.mark.parametrize("path", [PAGE, "/webchat/support/panel/"])
def test_what_belongs_to_one_visitor_is_stored_by_no_cache(client, sandbox, path):
    make_webchat()
    assert "no-store" in client.get(path)["Cache-Control"]


@pytest.mark.parametrize("path", ["/webchat/nope/", "/webchat/nope/panel/", "/webchat/nope/launcher.css"])
def test_an_unknown_webchat_is_404(client, path):
    assert client.get(path).status_code == 404


# --- Without JavaScript ----------------------------------------------------------------------------------------------


def test_the_page_starts_a_chat_and_comes_back_to_it(sandbox):
    make_webchat()
    visitor = VisitorClient()
    response = submit(visitor, ANSWERS)
    assert (response.status_code, response["Location"]) == (302, PAGE)
    html = visitor.client.get(PAGE).content.decode()
    assert 'data-webchat-state="running"' in html
    session = ChatSession.objects.get()
    assert [message["body"] for message in sandbox.messages(session.channel_sid)] == [ANSWERS["question"]]


def test_a_double_click_without_javascript_makes_one_chat(sandbox):
    make_webchat()
    visitor = VisitorClient()
    assert [submit(visitor, ANSWERS).status_code for _ in range(2)] == [302, 302]
    assert ChatSession.objects.count() == 1


def test_errors_stand_at_their_fields_and_nothing_typed_is_lost(sandbox):
    make_webchat()
    response = submit(VisitorClient(), {**ANSWERS, "email": "not-an-address"})
    assert response.status_code == 400
    html = response.content.decode()
    assert 'value="not-an-address"' in html
    assert ANSWERS["question"] in html
    assert 'aria-invalid="true"' in html
    assert 'href="#webchat-support-email"' in html


def test_an_outage_is_said_in_words_and_the_same_form_can_be_sent_again(sandbox):
    make_webchat(unavailable_text="Not now. Call us.")
    visitor = VisitorClient()
    sandbox.fault("POST", "/v2/WebChats", status=400, before=True)
    response = submit(visitor, ANSWERS)
    assert response.status_code == 503
    html = response.content.decode()
    assert "Not now. Call us." in html
    assert ANSWERS["question"] in html
    assert f'value="{visitor.key}"' in html
    assert submit(visitor, ANSWERS).status_code == 302


def test_other_answers_under_the_same_key_get_a_new_key(sandbox):
    make_webchat()
    visitor = VisitorClient()
    submit(visitor, ANSWERS)
    ChatSession.objects.update(status="failed")
    response = submit(visitor, {**ANSWERS, "question": "Another question"})
    assert response.status_code == 422
    html = response.content.decode()
    assert "Another question" in html
    assert visitor.key not in html


def test_the_page_needs_a_csrf_token(sandbox):
    make_webchat()
    visitor = VisitorClient()
    visitor.csrf = "x" * 64
    assert submit(visitor, ANSWERS).status_code == 403
    assert ChatSession.objects.count() == 0


def test_the_chat_can_be_ended_without_javascript(sandbox):
    make_webchat()
    visitor = VisitorClient()
    submit(visitor, ANSWERS)
    response = visitor.client.post(f"{PAGE}end/", {"csrfmiddlewaretoken": visitor.csrf})
    assert response.status_code == 302
    assert ChatSession.objects.get().status == "ended"
    assert visitor.client.get(f"{PAGE}end/").status_code == 405


# --- What staff and visitors write stays text ------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7|add:7 }}"


def test_markup_of_staff_and_visitors_stays_text(sandbox):
    webchat = make_webchat(title=SCRIPT[:60], intro=SCRIPT, launcher_label=SCRIPT[:40])
    make_field(webchat, "more", label=SCRIPT, help_text=SCRIPT, placeholder=SCRIPT[:80], required=False)
    response = submit(VisitorClient(), {**ANSWERS, "email": SCRIPT, "more": SCRIPT})
    html = response.content.decode() + Client().get("/").content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html


# --- The tag ---------------------------------------------------------------------------------------------------------


def test_a_page_view_sets_no_cookie_and_varies_by_nothing_of_the_visitor(client, sandbox):
    make_webchat()
    response = client.get("/")
    assert "<web-chat" in response.content.decode()
    assert not response.cookies


def test_the_tag_shows_nothing_for_an_absent_webchat(client):
    assert "<web-chat" not in client.get("/").content.decode()


@pytest.mark.parametrize("hours", [False, True])
def test_a_launcher_that_is_switched_off_waits_hidden_for_those_whose_chat_runs(client, hours):
    make_webchat(enabled=False, hours=make_hours() if hours else None)
    page = client.get("/").content.decode()
    [tag] = re.findall(r"<web-chat[^>]*>", page)
    assert re.search(r"\shidden\b", tag)
    assert "data-webchat-hours" not in tag  # whose script would show it while they are open


def test_signed_in_visitors_see_what_their_account_answers(sandbox):
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match="account", user_lookup="email")
    visitor = VisitorClient()
    visitor.client.force_login(make_user())
    html = visitor.open_panel()
    assert "ada@example.com" in html
    assert 'name="email"' not in html


def test_a_form_whose_outcome_is_in_doubt_keeps_its_key(sandbox):
    """With another key the next sending could open a second channel."""
    make_webchat()
    visitor = VisitorClient()
    sandbox.fault("POST", "/v2/WebChats", fault="reset", before=False)
    sandbox.fault("GET", "/v1/ParticipantConversations", status=500, times=5)
    assert submit(visitor, ANSWERS).status_code == 503
    again = submit(visitor, ANSWERS)
    assert again.status_code == 409
    assert again["Retry-After"] == "1"
    assert f'value="{visitor.key}"' in again.content.decode()


def test_a_database_that_fails_is_said_as_a_page(sandbox, monkeypatch):
    make_webchat(unavailable_text="Not now. Call us.")
    visitor = VisitorClient()

    def fail(*args, **options):
        raise OperationalError("the disk is full")

    monkeypatch.setattr(ChatSession, "save", fail)
    response = submit(visitor, ANSWERS)
    assert response.status_code == 503
    assert response["Retry-After"]
    html = response.content.decode()
    assert "Not now. Call us." in html
    assert ANSWERS["question"] in html


# --- Colours -----------------------------------------------------------------------------------------------------------


STYLES = "/webchat/support/launcher.css"


def test_the_stylesheet_carries_the_brand_colour_and_a_readable_ink(client):
    make_webchat(brand_colour="#ffdd00")
    response = client.get(STYLES)
    assert response["Content-Type"] == "text/css; charset=utf-8"
    css = response.content.decode()
    assert ".webchat-launcher" in css
    rule = css.split(':where(web-chat[slug="support"])')[1]
    assert rule == "{--webchat-brand:#ffdd00;--webchat-brand-ink:#000000}\n"


def test_a_page_view_fetches_one_stylesheet_of_the_chat(client):
    webchat = make_webchat()
    page = re.sub(r"<template.*?</template>", "", client.get("/").content.decode(), flags=re.DOTALL)
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert [one for one in sheets if "webchat" in one] == [f"{STYLES}?v={webchat.stylesheet.version}"]


@pytest.mark.parametrize("scheme", ["system", "light", "dark"])
@pytest.mark.parametrize("path", ["/", "/support/", "/webchat/support/"])
def test_the_colour_scheme_is_the_webchats(client, sandbox, scheme, path):
    make_webchat(colour_scheme=scheme)
    html = client.get(path).content.decode()
    for classes in re.findall(r'<web-chat [^>]*class="([^"]+)"', html):
        assert {"webchat-system", "webchat-light", "webchat-dark"} & set(classes.split()) == {f"webchat-{scheme}"}
    assert "<web-chat" in html


@pytest.mark.parametrize("logo", ["site/favicon.svg", "/media/logo.png?v=2"])
@pytest.mark.parametrize("path", ["/", "/support/", "/webchat/support/"])
def test_the_head_of_the_chat_has_the_logo_and_a_line_below_the_title(client, sandbox, logo, path):
    make_webchat(logo=logo, subtitle="Answers within <minutes>")
    html = client.get(path).content.decode()
    address = logo if logo.startswith("/") else "/static/site/favicon.svg"
    assert f'<img class="webchat-logo" src="{address}" alt=""' in html
    assert re.search(r"<p class=\"webchat-presence\"[^>]*>Answers within &lt;minutes&gt;</p>", html)


def test_a_logo_that_a_later_release_has_no_more_is_none(client, settings):
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    settings.DEBUG = False
    webchat = make_webchat()
    webchat.logo = "site/gone.svg"
    assert webchat.logo_address == ""


@pytest.mark.parametrize("formatting", [True, False])
def test_staff_choose_whether_agents_markdown_is_shown(sandbox, formatting):
    make_webchat(formatting=formatting)
    log = re.search(r"<div\s+class=\"webchat-log\".*?>", VisitorClient().open_panel(), re.DOTALL)[0]
    assert ("data-markdown" in log) == formatting


def test_what_changes_the_colours_changes_their_address():
    one, other = make_webchat(), make_webchat(slug="other", brand_colour="#123456")
    assert one.stylesheet.version != other.stylesheet.version
    before = one.stylesheet.version
    one.brand_colour = "#123456"
    assert one.stylesheet.version != before


def test_only_its_own_version_is_kept_for_ever(client):
    """While two versions of the site are served, the one may answer what a page of the other asks for."""
    webchat = make_webchat()
    current = client.get(f"{STYLES}?v={webchat.stylesheet.version}")
    assert {"public", "immutable", "max-age=31536000"} == set(current["Cache-Control"].split(", "))
    for query in ("", "?v=old"):
        other = client.get(STYLES + query)
        assert other.status_code == 200
        assert set(other["Cache-Control"].split(", ")) == {"public", "max-age=60"}


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("", ""), ("zstd", "")]
)
def test_the_stylesheet_travels_compressed(client, accepted, encoding):
    make_webchat()
    plain = client.get(STYLES).content
    response = client.get(STYLES, headers={"Accept-Encoding": accepted})
    assert response.get("Content-Encoding", "") == encoding
    assert "Accept-Encoding" in response["Vary"]
    undo = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[encoding]
    assert undo(response.content) == plain
    assert int(response["Content-Length"]) == len(response.content)
    if encoding:
        assert len(response.content) < len(plain) / 3


def test_up_to_two_problems_stand_at_their_fields_and_the_first_has_the_cursor(sandbox):
    """Without JavaScript as with it."""
    make_webchat()
    html = submit(VisitorClient(), {**ANSWERS, "email": "", "question": ""}).content.decode()
    assert re.findall(r'<(?:input|textarea)[^>]* name="(\w+)"[^>]* autofocus', html) == ["email"]
    assert re.search(r"data-webchat-errors\s+hidden", html)
    assert "<bdi>Please enter your e-mail address.</bdi></p>" in html
    assert "<bdi>Please fill this in.</bdi></p>" in html


def test_from_three_problems_on_they_are_listed_and_a_question_takes_no_colon(sandbox):
    webchat = make_webchat()
    webchat.fields.filter(name="question").update(label="What is it about?")
    html = submit(VisitorClient(), dict.fromkeys(ANSWERS, "")).content.decode()
    assert re.search(r"data-webchat-errors\s+autofocus", html)
    assert len(re.findall("autofocus", html)) == 1
    listed = re.search(r"data-webchat-error-links>(.*?)</ul>", html, re.DOTALL)[1]
    links = re.findall(r"<a [^>]*>(.+?)</a>", listed)
    assert [strip_tags(link) for link in links] == [
        "Name: Please enter your name.",
        "Email: Please enter your e-mail address.",
        "What is it about? Please fill this in.",
    ]
    # An English question in an Arabic page ends with its own "?".
    assert links[2] == "<bdi>What is it about?</bdi> <bdi>Please fill this in.</bdi>"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("name", "Please enter your name."),
        ("phone", "Please enter your phone number."),
        ("number", "Please enter a number."),
        ("date", "Please enter a date."),
        ("radio", "Please choose."),
        ("consent", "Please tick this box."),
        ("text", "Please fill this in."),
    ],
)
def test_what_is_missing_is_said_in_a_few_words(sandbox, kind, words):
    webchat = make_webchat(fields=False)
    make_field(webchat, "asked", type=kind, required=True, choices="a\nb" if kind == "radio" else "")
    html = submit(VisitorClient(), {"asked": ""}).content.decode()
    assert f"<bdi>{words}</bdi></p>" in html
