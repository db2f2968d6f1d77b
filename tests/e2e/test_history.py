"""A site that shows users their chats: the past ones, by mail too, and a running one in another browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import HOSTS
from tests.e2e.test_journey import sign_in
from tests.e2e.test_site_pages import every_look, too_wide
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.widget import Widget, at_rest, shot, violations

SHOWS = {**HOSTS, "WEBCHAT_HISTORY": "on", "WEBCHAT_MAY_MAIL": "config.demo.mail.may_mail"}


@pytest.fixture(scope="module")
def site(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    with SiteServer(tmp_path_factory.mktemp("history"), sandbox_server, environment=SHOWS) as server:
        yield server


@pytest.fixture
def past_chat(site: SiteServer) -> Iterator[str]:
    """Of Ada's, with more messages than a page has."""
    channel = site.sandbox.open_webchat("w_past")
    site.sandbox.say(channel, "w_past", "Where is my parcel?")
    for number in range(55):
        site.sandbox.say(channel, "agent_robin", f"Line {number}: https://example.com/{'long' * 30}")
    site.sandbox.close(channel)
    site.shell(
        f"""from django.contrib.auth import get_user_model
from webchat.clock import database_now
ChatSession.objects.create(
    webchat=Webchat.objects.get(slug="support"), api="conversations", user=get_user_model().objects.get(username="ada"),
    status="ended", started_at=database_now(), ended_at=database_now(), lease_until=database_now(), browser="past",
    owner="past", key="past", identity="w_past", channel_sid="{channel}", answers={{}}, customer_friendly_name="Ada",
    question="Where is my parcel?")"""
    )
    yield channel
    site.shell("ChatSession.objects.filter(identity='w_past').delete()")


@pytest.mark.thorough
@every_look
def test_past_chats_are_accessible_and_fit(page: Page, site: SiteServer, past_chat: str):
    sign_in(page, site)
    page.goto(site.url)
    page.locator("summary", has_text="Ada").click()
    page.get_by_role("link", name="Your chats").click()
    expect(page.get_by_role("heading", name="Your chats")).to_be_visible()
    expect(page.get_by_text("Where is my parcel?").first).to_be_visible()
    shot(page, os.environ.get("SHOTS"), f"history-{page.viewport_size['width']}")
    assert violations(page) == []
    assert not too_wide(page)
    page.locator("main .card a").first.click()
    expect(page.get_by_text("Line 0:")).to_be_visible()
    shot(page, os.environ.get("SHOTS"), f"past-chat-{page.viewport_size['width']}")
    assert violations(page) == []
    assert not too_wide(page)
    page.get_by_role("button", name="Mail me the conversation").click()
    expect(page.get_by_text("it goes to the e-mail address of your account")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Later messages").click()
    expect(page.get_by_text("Line 54:")).to_be_visible()
    assert violations(page) == []
    site.sandbox.rest("DELETE", f"/v1/Conversations/{past_chat}")
    page.reload()
    expect(page.get_by_text("This conversation is no longer kept.")).to_be_visible()
    assert violations(page) == []


@pytest.mark.thorough
def test_who_is_signed_in_has_the_conversation_mailed(widget: Widget) -> None:
    sign_in(widget.page, widget.site)
    widget.goto().open().field("question").fill("Where is my parcel?")
    with widget.page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    widget.agent_says("Hello")
    expect(widget.log.get_by_text("Hello")).to_be_visible()
    mail = widget.panel.get_by_role("button", name="Mail me the conversation")
    expect(mail).to_have_count(0)
    widget.end()
    widget.page.route("**/transcript/", lambda route: route.abort())
    mail.click()
    expect(widget.panel.get_by_text("We could not be reached.")).to_be_visible()
    widget.page.unroute("**/transcript/")
    mail.click()
    expect(widget.panel.get_by_text("it goes to the e-mail address of your account")).to_be_visible()
    expect(mail).to_be_hidden()
    shot(widget.page, os.environ.get("SHOTS"), "mailed")
    at_rest(widget.page)
    assert violations(widget.page, "web-chat") == []
    asked = "OutgoingMail.objects.filter(kind='transcript', about__session=one).count()"
    session = widget.credentials["session_id"]
    assert widget.site.shell(f"one = '{session}'\nprint({asked})") == "1"


def test_a_user_takes_the_chat_up_in_another_browser_and_the_first_one_says_so(
    page: Page, browser: Browser, site: SiteServer
) -> None:
    sign_in(page, site)
    desk = Widget(page, site).goto().open()
    desk.field("question").fill("Where is my parcel?")
    desk.begin()
    elsewhere = {"name": "Your chat goes on in another browser"}

    context = browser.new_context(viewport={"width": 375, "height": 740})
    phone = Widget(context.new_page(), site)
    sign_in(phone.page, site)
    phone.goto().open()
    expect(phone.panel.get_by_role("heading", **elsewhere)).to_be_visible()
    expect(phone.panel.get_by_text("Where is my parcel?")).to_have_count(0)
    shot(phone.page, os.environ.get("SHOTS"), "elsewhere")
    at_rest(phone.page)
    assert violations(phone.page, "web-chat") == []
    phone.panel.get_by_role("button", name="Go on with it here").click()
    phone.expect_connected()
    expect(phone.log.get_by_text("Where is my parcel?")).to_be_visible()

    expect(desk.panel.get_by_role("heading", **elsewhere)).to_be_visible()
    expect(desk.panel.get_by_text("Where is my parcel?")).to_have_count(0)
    at_rest(page)
    assert violations(page, "web-chat") == []
    expect(phone.composer).to_be_visible()
    phone.send("I am on the bus now")
    expect(phone.log.get_by_text("I am on the bus now")).to_be_visible()
    expect(phone.log.get_by_text("This chat went on in another browser.")).to_be_visible()
    desk.panel.get_by_role("button", name="Start a new chat").click()
    expect(desk.field("question")).to_be_visible()
    expect(phone.composer).to_be_visible()
    desk.page.reload()
    expect(desk.panel.get_by_role("heading", **elsewhere)).to_be_visible()
    phone.end()
    expect(phone.panel.get_by_text("This chat has ended.")).to_be_visible()
    desk.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(desk.field("question")).to_be_visible()
    expect(desk.panel.get_by_role("heading", **elsewhere)).to_have_count(0)
    context.close()
