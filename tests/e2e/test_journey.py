"""The visitor's whole way, as different visitors go it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.device import emulate_media
from tests.support.site import SiteServer
from tests.support.waiting import until
from tests.support.widget import RECORD_BODIES, Widget, sent_bodies, violations


def sign_in(page: Page, site: SiteServer, user: str = "ada") -> None:
    page.goto(f"{site.url}/accounts/login/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill("sandbox")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/")


def test_from_the_question_to_the_end(widget: Widget) -> None:
    widget.record_events()
    widget.start()
    assert widget.at_twilio() == ["Where is my parcel?"]
    expect(widget.panel.get_by_text("An agent will be with you shortly.")).to_be_visible()

    widget.agent_joins()
    expect(widget.log.get_by_text("Robin has joined the chat")).to_be_visible()
    expect(widget.panel.get_by_text("With Robin")).to_be_visible()
    expect(widget.panel.get_by_text("An agent will be with you shortly.")).to_be_hidden()

    widget.agent_types()
    expect(widget.panel.locator("[data-webchat-typing]")).to_contain_text("Robin is typing…")
    widget.agent_says("On its way!")
    expect(widget.log.get_by_text("On its way!")).to_be_visible()
    expect(widget.messages.last).to_have_css("animation-duration", "0.12s")
    expect(widget.panel.locator("[data-webchat-typing]")).to_be_hidden()

    widget.send("Thank you,\nRobin")
    expect(widget.messages).to_have_count(3)
    until(lambda: widget.at_twilio() == ["Where is my parcel?", "On its way!", "Thank you,\nRobin"])

    widget.end()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    expect(widget.composer).to_be_hidden()
    expect(widget.log.get_by_text("On its way!")).to_be_visible()
    states = {found["sid"]: found["state"] for found in widget.site.sandbox.conversations()}
    assert states[widget.channel] == "closed"
    assert widget.page.evaluate("sessionStorage.getItem('webchat:support:draft')") is None

    widget.panel.get_by_role("button", name="Start a new chat").click()
    expect(widget.field("name")).to_be_focused()
    names = [name for name, _detail in widget.events()]
    assert names == ["opening", "opened", "started", "message", "message", "ending", "ended"]
    session = widget.credentials["session_id"]
    assert widget.events()[-1][1] == {"session_id": session, "by": "visitor"}


def test_the_agent_ends(widget: Widget) -> None:
    widget.page.add_init_script(RECORD_BODIES)
    widget.start()
    widget.agent_joins()
    widget.agent_says("Goodbye!")
    expect(widget.log.get_by_text("Goodbye!")).to_be_visible()
    with widget.page.expect_response("**/end/") as told:
        widget.site.sandbox.close(widget.channel)
    assert told.value.status == 200
    assert sent_bodies(widget.page, "/end/") == ["ended_by=agent"]
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    widget.page.reload()
    expect(widget.log.get_by_text("Goodbye!")).to_be_visible()
    expect(widget.panel.get_by_role("button", name="Start a new chat")).to_be_visible()


@pytest.mark.parametrize(
    "name", ["José", "Anne-Marie", "O’Brien", "St. John", "山田太郎", "Nuñez Müller", "Ḥasan al-Baṣrī"]
)
def test_every_name_starts_a_chat(widget: Widget, name: str) -> None:
    widget.start(name=name)
    shown = widget.site.sandbox.desk(widget.channel)
    assert shown["customer"]["friendly_name"] == name


def test_markup_stays_text_on_both_sides(widget: Widget) -> None:
    nasty = '<img src=x onerror="document.title=1"> & <b>bold</b>'
    widget.start(question=nasty)
    widget.agent_says(nasty)
    expect(widget.messages).to_have_count(2)
    assert widget.messages.locator(".webchat-text").all_inner_texts() == [nasty, nasty]
    assert widget.messages.locator("img, b").count() == 0


def test_a_reload_resumes_where_the_visitor_was(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.agent_says("Hello!")
    expect(widget.log.get_by_text("Hello!")).to_be_visible()
    widget.composer.fill("half a sent")
    widget.page.reload()
    widget.expect_connected()
    expect(widget.log.get_by_text("Hello!")).to_be_visible()
    expect(widget.composer).to_have_value("half a sent")
    expect(widget.messages).to_have_count(2)
    expect(widget.panel.get_by_text("With Robin")).to_be_visible()
    widget.send("half a sentence, whole")
    expect(widget.messages).to_have_count(3)
    widget.page.reload()
    widget.expect_connected()
    expect(widget.composer).to_have_value("")


def test_minimised_it_counts_and_stays_minimised_on_the_next_page(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    expect(widget.log.get_by_text("Robin has joined")).to_be_visible()
    widget.panel.get_by_role("button", name="Minimise chat").click()
    expect(widget.panel).to_be_hidden()
    widget.agent_says("Are you there?")
    badged = widget.page.get_by_role("button", name=re.compile("Chat with us.*Unread messages: 1", re.DOTALL))
    expect(badged).to_be_visible()
    expect(widget.page).to_have_title(re.compile(r"^\(1\) "))
    expect(widget.element.locator("[data-webchat-announcer]")).to_have_text("Unread messages: 1")
    widget.page.reload()
    expect(badged).to_be_visible()
    expect(widget.panel).to_be_hidden()
    widget.open()
    expect(widget.log.get_by_text("Are you there?")).to_be_visible()
    expect(widget.launcher.locator("[data-webchat-badge]")).to_be_hidden()
    expect(widget.page).not_to_have_title(re.compile(r"^\("))
    widget.panel.get_by_role("button", name="Minimise chat").click()
    widget.page.reload()
    expect(widget.launcher).to_be_visible()
    expect(widget.launcher.locator("[data-webchat-badge]")).to_be_hidden()


def test_the_chat_in_a_page(widget: Widget) -> None:
    widget.goto("/support/")
    expect(widget.form).to_have_count(0)
    box = widget.panel.bounding_box()
    assert box
    assert box["height"] < 400  # a sentence and a button, and no empty room for a chat
    widget.panel.get_by_role("link", name="Chat with us").click()
    widget.fill().submit()
    widget.expect_connected()
    widget.page.reload()
    widget.expect_connected()


def test_the_chat_as_a_page(widget: Widget) -> None:
    widget.start("/webchat/support/")
    widget.agent_says("Hello!")
    expect(widget.log.get_by_text("Hello!")).to_be_visible()
    widget.page.reload()
    widget.expect_connected()
    expect(widget.page.get_by_text("needs JavaScript")).to_have_count(0)


def test_a_signed_in_visitor_is_not_asked_what_is_known(widget: Widget) -> None:
    sign_in(widget.page, widget.site)
    widget.goto().open()
    expect(
        widget.form.get_by_text("Ada Lovelace").or_(widget.form.get_by_text("ada@example.com")).first
    ).to_be_visible()
    expect(widget.field("email")).to_have_count(0)
    widget.field("question").fill("Where is my parcel?")
    with widget.page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    data = widget.site.sandbox.desk(widget.channel)["pre_engagement_data"]
    assert data["email"] == "ada@example.com"
    assert "email" in data["verified"]


def test_signing_out_ends_the_chat(widget: Widget) -> None:
    sign_in(widget.page, widget.site)
    widget.goto().open()
    widget.field("question").fill("Where is my parcel?")
    widget.submit()
    widget.expect_connected()
    widget.panel.get_by_role("button", name="Minimise chat").click()
    widget.page.get_by_text("Ada", exact=True).click()
    widget.page.get_by_role("button", name="Sign out").click()
    expect(widget.page.get_by_text("Signing out ends it")).to_be_visible()
    for scheme in ("light", "dark"):
        emulate_media(widget.page, color_scheme=scheme)
        assert violations(widget.page) == [], scheme
    widget.page.get_by_role("button", name="End the chat and sign out").click()
    expect(widget.page.get_by_text("You are signed out, and your chat has ended.")).to_be_visible()
    widget.open()
    expect(widget.field("email")).to_be_visible()
    expect(widget.field("email")).to_have_value("")


@pytest.mark.parametrize("end", ["desk", "channel"])
def test_the_legacy_api(page: Page, site: SiteServer, end: str) -> None:
    """By our own widget; tests/e2e/test_flex_ui.py has the one that belongs to it. The channel's own end leaves the
    conversation open, with an attribute that says so."""
    widget = Widget(page, site, "legacy")
    widget.goto("/webchat/legacy/")
    expect(widget.form).to_have_js_property("noValidate", True)
    with page.expect_response("**/sessions/") as answer:
        widget.fill().submit()
    widget.credentials = answer.value.json()
    assert widget.credentials["api"] == "web_channels"
    widget.expect_connected()
    widget.agent_joins()
    widget.agent_says("Hello!")
    expect(widget.log.get_by_text("Hello!")).to_be_visible()
    if end == "desk":
        site.sandbox.desk(widget.channel, "complete", author="Robin")
    else:
        site.sandbox.rest("POST", f"/v1/WebChannels/{widget.channel}", ChatStatus="inactive")
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()


@pytest.mark.parametrize("context", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript(page: Page, site: SiteServer, context: BrowserContext) -> None:
    page.goto(site.url)
    page.get_by_role("link", name="Chat with us").click()
    page.wait_for_url("**/webchat/support/")
    page.get_by_label("Your name").fill("José Müller")
    page.get_by_label("E-mail address").fill("jose@example.com")
    page.get_by_label("How can we help?").fill("x")
    page.evaluate("document.querySelector('[name=email]').type = 'text'")
    page.get_by_label("E-mail address").fill("not an address")
    page.get_by_role("button", name="Start chat").click()
    expect(page.get_by_label("E-mail address")).to_be_focused()
    expect(page.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Your name")).to_have_value("José Müller")
    page.get_by_label("E-mail address").fill("jose@example.com")
    page.get_by_role("button", name="Start chat").click()
    expect(page.get_by_text("Your question has reached our team.")).to_be_visible()
    running = [found for found in site.sandbox.conversations() if found["state"] == "active"]
    assert site.sandbox.messages(running[0]["sid"])[0]["body"] == "x"
    page.get_by_role("button", name="End chat").click()
    expect(page.get_by_label("Your name")).to_be_visible()
    assert all(
        found["state"] == "closed" for found in site.sandbox.conversations() if found["sid"] == running[0]["sid"]
    )
