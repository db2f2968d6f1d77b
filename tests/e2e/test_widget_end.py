"""After a chat: what stays, what can be taken along, and what the next one need not ask."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_journey import sign_in
from tests.support.widget import Widget


def downloaded(widget: Widget) -> tuple[str, str]:
    """The file's name and text."""
    with widget.page.expect_download() as download:
        widget.panel.get_by_role("button", name="Download the conversation").locator("visible=true").click()
    return download.value.suggested_filename, Path(download.value.path()).read_text()


def test_the_conversation_can_be_taken_along_while_it_runs(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    for number in range(40):
        widget.agent_says(f"Line {number}")
    widget.page.reload()
    widget.expect_connected()
    assert widget.messages.count() < 40
    widget.panel.locator("[data-webchat-options] summary").click()
    name, text = downloaded(widget)
    assert re.fullmatch(r"support-20\d\d-\d\d-\d\d\.txt", name)
    lines = text.splitlines()
    assert lines[:2] == ["Chat with us", ""]
    assert re.fullmatch(r"\[\d+ \w+ 20\d\d, \d+:\d\d\] You: Where is my parcel\?", lines[2])
    assert [line.split("] ")[1] for line in lines if "Line" in line] == [f"Robin: Line {n}" for n in range(40)]
    assert "Robin has joined the chat" in text
    assert widget.credentials["identity"] not in text


def test_the_conversation_can_be_taken_along_after_its_end(widget: Widget) -> None:
    widget.start()
    with widget.page.expect_file_chooser() as chooser:
        widget.panel.get_by_role("button", name="Attach files").click()
    chooser.value.set_files({"name": "a b.pdf", "mimeType": "", "buffer": b"%PDF"})
    widget.send("Two\nlines")
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    widget.end()
    _name, text = downloaded(widget)
    assert "You: Two\nlines\nAttached file: a b.pdf\n" in text
    assert "not included" not in text


@pytest.mark.thorough
def test_what_could_not_be_loaded_before_the_end_is_said(widget: Widget) -> None:
    widget.start()
    for number in range(40):
        widget.agent_says(f"Line {number}")
    widget.page.reload()
    widget.expect_connected()
    widget.site.sandbox.close(widget.channel)
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    _name, text = downloaded(widget)
    assert "Earlier messages are not included." in text
    assert "Line 39" in text


def test_the_next_form_knows_who_they_are_and_not_what_they_asked(widget: Widget) -> None:
    widget.start()
    widget.end()
    widget.panel.get_by_role("button", name="Start a new chat").click()
    expect(widget.field("name")).to_have_value("José Müller")
    expect(widget.field("email")).to_have_value("jose@example.com")
    expect(widget.field("question")).to_have_value("")
    assert widget.page.evaluate("JSON.stringify([localStorage, sessionStorage])").find("jose") == -1


def test_the_next_form_knows_nothing_of_somebody_else(widget: Widget, page: Page) -> None:
    widget.start()
    widget.end()
    other = page.context.new_page()
    sign_in(other, widget.site)
    other.get_by_text("Ada", exact=True).click()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("link", name="Sign in").first).to_be_visible()
    widget.panel.get_by_role("button", name="Start a new chat").click()
    expect(widget.field("name")).to_have_value("")
    expect(widget.field("email")).to_have_value("")
