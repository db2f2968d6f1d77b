"""What the visitor finds again: a running chat in any tab and on any page, a chat that ended, and what was typed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_journey import sign_in
from tests.e2e.test_widget_end import downloaded
from tests.e2e.test_widget_files import choose, file
from tests.support.widget import Widget


def test_the_agent_completes_while_the_visitor_types(widget: Widget) -> None:
    widget.start()
    choose(widget, file("photo.png"))
    widget.composer.press_sequentially("half a sent")
    widget.site.sandbox.close(widget.channel)
    ended = widget.panel.get_by_text("This chat has ended.")
    expect(ended).to_be_focused()
    for key in ("Space", "Enter"):
        widget.page.keyboard.press(key)
    expect(ended).to_be_focused()
    expect(widget.panel.get_by_label("What you had not sent yet")).to_have_value("half a sent")
    expect(widget.log.get_by_text("Where is my parcel?")).to_be_visible()

    widget.page.reload()
    expect(ended).to_be_visible()
    expect(widget.log.get_by_text("Where is my parcel?")).to_be_visible()
    assert "You: Where is my parcel?" in downloaded(widget)[1]
    widget.panel.get_by_role("button", name="Start a new chat").click()
    expect(widget.field("question")).to_have_value("half a sent")
    expect(widget.log.get_by_text("Where is my parcel?")).to_be_in_viewport()
    expect(widget.log.get_by_text("Not sent.")).to_be_visible()
    expect(widget.log.get_by_role("button", name="Try again")).to_have_count(0)
    text = widget.messages.first.locator("[data-webchat-text]")
    expect(text).to_have_css("white-space", "pre-wrap")  # by the chat's own stylesheet, still
    expect(widget.panel.get_by_role("button", name="Start chat")).to_be_visible()
    with widget.page.expect_response("**/sessions/") as answer:
        widget.fill(question="half a sentence").submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    expect(widget.messages.locator("[data-webchat-text]")).to_have_text(["half a sentence"])


@pytest.mark.parametrize("by", ["AGENT", "STAFF"])
def test_a_chat_that_ends_between_two_pages_stays_readable(widget: Widget, page: Page, by: str) -> None:
    widget.start()
    widget.agent_says("On its way")
    expect(widget.log.get_by_text("On its way")).to_be_visible()
    widget.composer.press_sequentially("half a sent")
    page.goto("about:blank")
    widget.agent_says("It comes on Friday")
    widget.site.shell(
        f"ChatSession.objects.filter(pk='{widget.credentials['session_id']}').end(ChatSession.EndedBy.{by})"
    )
    widget.goto("/legacy/").goto()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    for text in ("Where is my parcel?", "On its way", "It comes on Friday"):
        expect(widget.log.get_by_text(text)).to_be_visible()
    saved = downloaded(widget)[1]
    assert "You: Where is my parcel?" in saved
    assert "Our team: It comes on Friday" in saved
    assert saved.count("On its way") == 1
    expect(widget.panel.get_by_label("What you had not sent yet")).to_have_value("half a sent")
    widget.panel.get_by_role("button", name="Start a new chat").click()
    expect(widget.field("question")).to_have_value("half a sent")
    expect(widget.log.get_by_text("On its way")).to_be_visible()

    # Somebody else, or the same after a sign-in, finds nothing of it.
    sign_in(page, widget.site)
    expect(widget.form).to_be_visible()
    expect(page.get_by_text("On its way")).to_have_count(0)
    assert "On its way" not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_what_was_typed_into_the_form_is_there_on_the_next_page_until_somebody_signs_in(
    widget: Widget, page: Page
) -> None:
    widget.goto().open().fill(question="Where is")
    page.goto(f"{widget.site.url}/host/none/one/")
    expect(widget.field("question")).to_have_value("Where is")
    expect(widget.field("name")).to_have_value("José Müller")
    page.reload()
    expect(widget.field("question")).to_have_value("Where is")
    sign_in(page, widget.site)
    expect(widget.form).to_be_visible()
    expect(widget.field("question")).to_have_value("")
    assert "Where is" not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_a_new_tab_knows_of_the_running_chat_and_what_is_unread(widget: Widget, page: Page) -> None:
    widget.start()
    widget.panel.get_by_role("button", name="Minimise chat").click()
    widget.agent_says("Are you there?")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    # Staff switch the chat off meanwhile: nobody else finds it any more.
    widget.site.shell("Webchat.objects.filter(slug='support').update(enabled=False)")
    try:
        other = Widget(page.context.new_page(), widget.site).goto()
        expect(other.page).to_have_title(re.compile(r"^\(1\) "))
        expect(other.launcher.locator("[data-webchat-badge]")).to_contain_text("1")
        other.open()
        expect(other.log.get_by_text("Are you there?")).to_be_visible()
        other.send("Yes")
        widget.open()
        expect(widget.messages.filter(has_text="Yes")).to_have_count(1)
        stranger = Widget(page.context.browser.new_page(), widget.site).goto()
        expect(stranger.element).to_be_attached()
        expect(stranger.launcher).to_be_hidden()
        stranger.page.close()
    finally:
        widget.site.shell("Webchat.objects.filter(slug='support').update(enabled=True)")
