"""Fields that are shown only if another has a value, in a browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.site import SiteServer
from tests.support.widget import Widget, violations

FORM = """
from tests.support.factories import Type, make_field, make_webchat
webchat = make_webchat(slug="{slug}", name="Topics")
make_field(webchat, "topic", type=Type.RADIO, choices="delivery | A delivery\\nbill | A bill", label="Topic")
make_field(webchat, "order", label="Order", shown_if="topic", shown_if_value="delivery")
make_field(webchat, "recorded", type=Type.CONSENT, label="I agree", shown_if="topic", shown_if_value="bill")
"""


def widget_of(page: Page, site: SiteServer, slug: str) -> Widget:
    site.shell(FORM.format(slug=slug))
    return Widget(page, site, slug)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_field_comes_with_the_answer_and_goes_with_it(page: Page, site: SiteServer, language: str) -> None:
    page.set_extra_http_headers({"Accept-Language": language})
    slug = f"topics-{language}"
    widget = widget_of(page, site, slug).goto(f"/host/none/one/?webchat={slug}").open()
    order, recorded = widget.field("order"), widget.field("recorded")
    expect(widget.field("topic").first).to_be_visible()
    expect(order).to_be_hidden()
    expect(order).to_be_disabled()
    widget.fill()
    widget.field("topic").first.check()
    expect(order).to_be_visible()
    expect(recorded).to_be_hidden()
    assert violations(page, "web-chat") == []
    order.fill("A-1234")

    # What was typed outlives the page, and the answer shows it again.
    page.reload()
    expect(order).to_have_value("A-1234")
    expect(order).to_be_visible()

    send = widget.form.locator("[data-webchat-submit]")
    order.fill("")
    send.click()
    expect(order).to_be_focused()
    expect(order).to_have_attribute("aria-invalid", "true")
    order.fill("A-1234")
    widget.field("topic").last.focus()
    page.keyboard.press("Space")
    expect(order).to_be_hidden()
    expect(widget.field("topic").last).to_be_focused()
    recorded.check()
    with page.expect_response("**/sessions/") as answer:
        send.click()
    widget.expect_connected()
    channel = answer.value.json()["channel_sid"]
    attributes = json.loads(site.sandbox.rest("GET", f"/v1/Conversations/{channel}")["attributes"])
    told = attributes["pre_engagement_data"]
    assert (told["topic"], told["recorded"]) == ("bill", True)
    assert "order" not in told


@pytest.mark.thorough
def test_a_lost_script_leaves_all_fields_there(page: Page, site: SiteServer) -> None:
    def lose(route: Route) -> None:
        route.abort()

    page.route("**/webchat/conditions*.js", lose)
    widget = widget_of(page, site, "lost").goto("/host/none/one/?webchat=lost").open()
    expect(widget.field("order")).to_be_visible()
    expect(widget.field("recorded")).to_be_visible()
    widget.fill()
    widget.field("topic").last.check()
    widget.field("recorded").check()
    widget.begin()
