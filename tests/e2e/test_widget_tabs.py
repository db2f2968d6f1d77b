"""One browser, several tabs, one chat."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.widget import Widget


def test_a_form_in_another_tab_gives_way_to_the_chat(widget: Widget, page: Page) -> None:
    other = Widget(page.context.new_page(), widget.site).goto().open()
    other.fill(question="Written in the other tab")
    widget.start()
    before = len(widget.site.sandbox.conversations())
    other.expect_connected()
    expect(other.log.get_by_text("Where is my parcel?")).to_be_visible()
    # What was written there is not lost.
    expect(other.composer).to_have_value("Written in the other tab")
    expect(other.form).to_have_count(0)
    other.composer.press("Enter")
    expect(widget.log.get_by_text("Written in the other tab")).to_be_visible()
    assert len(widget.site.sandbox.conversations()) == before


@pytest.mark.thorough
def test_a_form_in_a_minimised_panel_gives_way_too(widget: Widget, page: Page) -> None:
    other = Widget(page.context.new_page(), widget.site).goto().open()
    expect(other.field("name")).to_be_visible()
    other.launcher.click()
    widget.start()
    widget.agent_joins()
    expect(other.panel.locator("[data-webchat-log]")).to_have_attribute("aria-busy", "false")
    expect(other.panel).to_be_hidden()
    widget.launcher.click()
    widget.agent_says("Hello")
    for one in (widget, other):
        expect(one.launcher.locator("[data-webchat-badge]")).to_contain_text("1")
    widget.launcher.click()  # what is read in one tab is read in all
    for one in (widget, other):
        expect(one.launcher.locator("[data-webchat-badge]")).to_be_hidden()
    assert "(1)" not in other.page.title()


def test_one_tab_renews_for_both(widget: Widget, page: Page) -> None:
    widget.start()
    other = Widget(page.context.new_page(), widget.site).goto().open()
    other.expect_connected()
    answers: list[int] = []
    for one in (widget, other):
        one.page.on("response", lambda got: answers.append(got.status) if got.url.endswith("/token/") else None)
    widget.await_another_token()
    with page.context.expect_event("response", lambda got: got.url.endswith("/token/")):
        widget.site.sandbox.connections("about_to_expire", widget.credentials["identity"])
    page.wait_for_timeout(1000)  # in which the other tab would ask as well
    assert answers == [200]
    widget.agent_says("Still both?")
    for one in (widget, other):
        expect(one.log.get_by_text("Still both?")).to_be_visible()
        one.send("Yes")
    expect(widget.messages).to_have_count(4)
    expect(other.messages).to_have_count(4)
