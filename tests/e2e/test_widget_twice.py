"""The same chat twice in a page: a launcher on every page of the site, and in the page of one."""

from __future__ import annotations

from collections import Counter

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.site import SiteServer


def parts(page: Page) -> tuple[Locator, Locator]:
    """The launcher's button, and the chat in the page."""
    return page.locator("[data-webchat-launcher]"), page.locator("web-chat[mode=inline]")


def expect_one_form(page: Page, inline: Locator) -> None:
    expect(page.get_by_label("How can we help?")).to_have_count(1)
    page.get_by_label("How can we help?").click()
    expect(inline.locator("textarea")).to_be_focused()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert [name for name, times in Counter(ids).items() if times > 1] == []


@pytest.mark.thorough
def test_the_launcher_steps_back_where_its_chat_stands_in_the_page(page: Page, site: SiteServer) -> None:
    panels: list[str] = []
    page.on("request", lambda one: panels.append(one.url) if one.url.endswith("/panel/") else None)
    page.goto(f"{site.url}/host/none/both/")
    launcher, inline = parts(page)
    expect(page.locator("web-chat")).to_have_count(2)
    expect(launcher).to_be_hidden()
    inline.get_by_role("link", name="Chat with us").click()
    expect_one_form(page, inline)
    # What a page's own script does, to the first that it finds.
    assert page.evaluate("document.querySelector('web-chat').mode") == "launcher"
    page.evaluate("document.querySelector('web-chat').open()")
    expect_one_form(page, inline)
    page.reload()  # the tab remembers that the chat is open
    expect_one_form(page, inline)
    assert len(panels) == 2


def test_a_launcher_that_came_along_gives_its_chat_to_the_page(page: Page, site: SiteServer) -> None:
    page.goto(f"{site.url}/host/turbo/one/")
    launcher, inline = parts(page)
    launcher.click()
    expect(page.get_by_label("How can we help?")).to_be_visible()
    page.get_by_role("link", name="Go to both").click()
    expect(inline.get_by_label("How can we help?")).to_be_visible()
    expect(launcher).to_be_hidden()
    expect_one_form(page, inline)
    page.get_by_role("link", name="Go to two").click()
    expect(inline).to_have_count(0)
    expect(launcher).to_be_visible()
    expect(page.get_by_label("How can we help?")).to_be_visible()
