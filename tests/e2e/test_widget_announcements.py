"""What a screen reader is told, and how often: counted where it listens, in the live regions."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.widget import Widget

# What a reader would say: the visible text that comes into a live region, unless that is busy. ARIA's defaults for
# role=log and role=status: additions and changed text, removals unheard; a status is read as a whole.
LISTEN = """window.heard = [];
new MutationObserver((changes) => {
  const said = new Set();
  for (const { target, addedNodes, type } of changes) {
    const element = target.nodeType === 1 ? target : target.parentElement;
    const region = element?.closest("[role=log], [role=status], [role=alert]");
    if (!region || region.ariaBusy === "true" || !region.checkVisibility()) continue;
    if (region.role !== "log") said.add(region);
    else if (type === "characterData") said.add(target);
    else for (const node of addedNodes) said.add(node);
  }
  for (const one of said) {
    const visible = one.nodeType === 1 ? one.checkVisibility() : one.parentElement?.checkVisibility();
    const inside = [...said].some((other) => other !== one && other.contains(one));
    const text = (one.nodeType === 1 ? one.innerText : one.data).replace(/\\s+/g, " ").trim();
    if (visible && !inside && text) window.heard.push(text);
  }
}).observe(document, {childList: true, characterData: true, subtree: true});"""


@pytest.fixture
def widget(widget: Widget) -> Widget:
    widget.page.add_init_script(LISTEN)
    return widget


def heard(widget: Widget, at_least: int = 0) -> list[str]:
    """Since the last time that it was asked, and what comes right after it."""
    widget.page.wait_for_function("(count) => window.heard.length >= count", arg=at_least)
    widget.page.wait_for_timeout(150)
    return list(widget.page.evaluate("window.heard.splice(0)"))


def heard_of(widget: Widget, text: str) -> list[str]:
    """What was said of a message, without what is said of the chat meanwhile, as that somebody has joined."""
    widget.page.wait_for_function("(text) => window.heard.some((said) => said.includes(text))", arg=text)
    return [said for said in heard(widget) if text in said]


def test_each_message_is_read_out_once_and_moves_no_focus(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    expect(widget.panel.get_by_text("With Robin")).to_be_visible()
    widget.composer.focus()
    heard(widget)
    widget.agent_says("Hello!")
    expect(widget.messages).to_have_count(2)
    [said] = heard_of(widget, "Hello!")
    assert re.fullmatch(r"Robin \d{1,2}:\d{2}( [AP]M)? Hello!", said)
    expect(widget.composer).to_be_focused()
    widget.agent_says("How can I help?")
    expect(widget.messages).to_have_count(3)
    [said] = heard_of(widget, "How can I help?")
    assert said.endswith("How can I help?")
    expect(widget.composer).to_be_focused()


def test_ones_own_message_is_read_out_once(widget: Widget) -> None:
    widget.start()
    widget.send("Thank you")
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    [said] = heard_of(widget, "Thank you")
    assert re.fullmatch(r"You \d{1,2}:\d{2}( [AP]M)? Thank you Sending…", said)


@pytest.mark.thorough
def test_history_is_not_read_out(widget: Widget) -> None:
    widget.start()
    widget.agent_says("Long ago")
    expect(widget.messages).to_have_count(2)
    widget.page.reload()
    widget.expect_connected()
    assert not [said for said in heard(widget) if "Long ago" in said or "parcel" in said]


@pytest.mark.thorough
def test_the_regions_are_there_before_they_speak(widget: Widget) -> None:
    """What comes with its text already in it is not read out by every reader."""
    widget.start()
    # The words for who waits are there hidden, and shown as soon as the chat is.
    waits = widget.page.locator("[data-webchat-waiting]")
    statuses = widget.element.locator("[role=status]").filter(has_not=waits)
    assert statuses.count() >= 4
    assert statuses.all_inner_texts() == [""] * statuses.count()
    assert widget.element.locator("[role=log] [role=status], [role=status] [role=status]").count() == 0


def test_unread_messages_of_a_closed_panel_are_told_once_each(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    expect(widget.panel.get_by_text("With Robin")).to_be_visible()
    widget.page.keyboard.press("Escape")
    heard(widget)
    for count in (1, 2):
        widget.agent_says("Are you there?")
        name = re.compile(rf"^Chat with us,? .*Unread messages: {count}$", re.DOTALL)
        expect(widget.page.get_by_role("button", name=name)).to_be_visible()
        assert heard(widget, at_least=1) == [f"Unread messages: {count}"]
