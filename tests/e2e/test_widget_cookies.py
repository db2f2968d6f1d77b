"""A browser that keeps no cookies: the visitor reads what to allow before they type anything."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.device import block_cookies
from tests.support.widget import Widget


def test_where_cookies_are_blocked_the_chat_says_what_to_allow(widget: Widget) -> None:
    allow = block_cookies(widget.page)
    for address in ("/", "/webchat/support/"):
        widget.goto(address)
        if address == "/":
            widget.open()
        expect(widget.panel.get_by_role("alert")).to_contain_text("Please allow cookies for this site")
        expect(widget.form).to_have_count(0)
    allow()
    widget.panel.get_by_role("button", name="Try again").click()
    expect(widget.field("name")).to_be_visible()
