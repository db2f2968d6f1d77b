"""The rating after a chat, as a visitor meets it."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

from tests.support.site import SiteServer
from tests.support.widget import Widget, at_rest, shot, violations


@pytest.fixture(scope="module", autouse=True)
def asking(site: SiteServer) -> None:
    site.shell('Webchat.objects.filter(slug="support").update(ask_rating=True)')


def ratings(widget: Widget) -> str:
    return widget.site.shell("print([(one.score, one.comment) for one in Rating.objects.order_by('rated_at')])")


def test_a_visitor_rates_the_chat_after_a_reload_and_changes_their_mind(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.agent_says("Hello")
    expect(widget.log.get_by_text("Hello")).to_be_visible()
    widget.site.sandbox.close(widget.channel)
    group = widget.panel.get_by_role("group", name="How was this chat?")
    expect(group).to_be_visible()
    widget.page.reload()
    expect(group).to_be_visible()
    widget.page.evaluate("sessionStorage.removeItem('webchat:support:past')")  # as after half an hour
    widget.page.reload()
    expect(widget.field("question")).to_be_visible()
    shot(widget.page, os.environ.get("SHOTS"), "last")
    widget.panel.get_by_text("Rate your last chat").click()
    expect(group).to_be_visible()
    at_rest(widget.page)
    assert violations(widget.page, "web-chat") == []
    comment = widget.panel.get_by_label("Would you like to add something?")
    expect(comment).to_be_hidden()
    group.get_by_role("radio", name="4 Good").check()
    comment.fill("Quick")
    shot(widget.page, os.environ.get("SHOTS"), "rating")
    assert violations(widget.page, "web-chat") == []
    widget.panel.get_by_role("button", name="Send rating").click()
    expect(widget.panel.get_by_text("Thank you for your rating.")).to_be_focused()
    widget.panel.get_by_text("Change it").click()
    group.get_by_role("radio", name="5 Very good").check()
    widget.panel.get_by_role("button", name="Send rating").click()
    expect(group).to_be_hidden()
    shot(widget.page, os.environ.get("SHOTS"), "rated")
    assert violations(widget.page, "web-chat") == []
    assert ratings(widget).endswith("(5, 'Quick')]")
    widget.page.reload()
    expect(widget.field("question")).to_be_visible()
    widget.page.wait_for_load_state("networkidle")
    expect(widget.panel.get_by_text("Thank you for your rating.")).to_have_count(0)


@pytest.mark.thorough
def test_who_skips_it_is_asked_no_more_and_nobody_is_whom_no_agent_answered(widget: Widget) -> None:
    widget.start()
    widget.agent_says("Hello")
    expect(widget.log.get_by_text("Hello")).to_be_visible()
    widget.end()
    group = widget.panel.get_by_role("group", name="How was this chat?")
    widget.panel.get_by_role("link", name="Skip").click()
    expect(group).to_have_count(0)
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_focused()
    widget.page.reload()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    widget.page.wait_for_load_state("networkidle")
    expect(group).to_have_count(0)
    widget.panel.get_by_role("button", name="Start a new chat").click()
    widget.fill().submit()
    expect(widget.composer).to_be_visible()
    widget.expect_connected()
    widget.end()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    widget.page.wait_for_load_state("networkidle")
    expect(group).to_have_count(0)
