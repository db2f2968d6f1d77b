"""<web-chat> as an element of the page: what its attributes and events let a page do."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.widget import Widget

VETO = 'document.addEventListener("web-chat:%s", (event) => { if (window.isVetoed) event.preventDefault(); });'


@pytest.fixture
def widget(widget: Widget) -> Widget:
    widget.record_events()
    return widget


def names(widget: Widget) -> list[str]:
    return [name for name, _detail in widget.events()]


@pytest.mark.thorough
def test_a_page_keeps_the_chat_closed(widget: Widget) -> None:
    widget.page.add_init_script(VETO % "opening")
    widget.goto()
    widget.page.evaluate("window.isVetoed = true")
    widget.launcher.click()
    widget.page.evaluate("document.querySelector('web-chat').open()")
    expect(widget.panel).to_be_hidden()
    expect(widget.launcher).to_have_attribute("aria-expanded", "false")
    assert names(widget) == ["opening", "opening"]
    assert widget.page.evaluate("sessionStorage.length") == 0
    widget.page.evaluate("window.isVetoed = false")
    widget.open()
    assert names(widget) == ["opening", "opening", "opening", "opened"]


def test_a_page_keeps_the_chat_from_ending(widget: Widget) -> None:
    widget.page.add_init_script(VETO % "ending")
    widget.start()
    widget.page.evaluate("window.isVetoed = true")
    widget.end()
    expect(widget.composer).to_be_visible()
    expect(widget.panel.get_by_role("button", name="End chat")).to_be_focused()
    widget.page.evaluate("document.querySelector('web-chat').end()")
    widget.send("Still here")
    expect(widget.messages).to_have_count(2)
    assert names(widget).count("ending") == 2
    assert "ended" not in names(widget)

    widget.page.evaluate("window.isVetoed = false")
    widget.end()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    session = widget.credentials["session_id"]
    assert widget.events()[-2:] == [
        ["ending", {"session_id": session}],
        ["ended", {"session_id": session, "by": "visitor"}],
    ]


def test_the_agents_end_cannot_be_kept_off(widget: Widget) -> None:
    widget.page.add_init_script(VETO % "ending")
    widget.start()
    widget.page.evaluate("window.isVetoed = true")
    widget.site.sandbox.close(widget.channel)
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    assert "ending" not in names(widget)
    assert widget.events()[-1] == ["ended", {"session_id": widget.credentials["session_id"], "by": "agent"}]


def test_another_slug_and_src_show_another_chat(widget: Widget) -> None:
    """The running chat is let go, and found again when the element comes back to it."""
    widget.start()
    widget.element.evaluate(
        """(element) => {
             window.chat = element;
             element.slug = "legacy";
             element.src = "/webchat/legacy/panel/";
           }"""
    )
    other = widget.page.locator("web-chat[slug=legacy][src='/webchat/legacy/panel/']")
    expect(other.locator("form[action='/webchat/legacy/']")).to_be_visible()
    expect(other.get_by_role("log")).to_have_count(0)
    expect(other.get_by_role("button", name="End chat")).to_have_count(0)
    assert widget.page.evaluate("[chat.slug, chat.src, chat.mode]") == ["legacy", "/webchat/legacy/panel/", "launcher"]
    widget.page.evaluate("chat.slug = 'support'; chat.src = '/webchat/support/panel/'")
    widget.expect_connected()
    expect(widget.messages).to_have_count(1)


@pytest.mark.thorough
def test_another_mode_is_followed_at_once(widget: Widget) -> None:
    widget.goto()
    widget.page.evaluate("document.querySelector('web-chat').mode = 'inline'")
    expect(widget.launcher).to_be_hidden()
    expect(widget.panel).to_be_visible()
    widget.page.evaluate("document.querySelector('web-chat').mode = 'launcher'")
    expect(widget.launcher).to_be_visible()
    expect(widget.panel).to_be_hidden()
