"""What a visitor who waits for an agent reads: of the queue, after minutes, and of a way out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.engines import Engine
from tests.support.site import SiteServer
from tests.support.widget import ANSWERS, Widget, violations
from webchat.sandbox.account import TASK_QUEUE_SID

# The demo's webchat with a queue, and as one that takes messages while it is closed.
WEBCHATS = f"""
for slug, values in {{"busy": {{"queue_sid": "{TASK_QUEUE_SID}"}}, "patient": {{"when_closed": "message"}}}}.items():
    webchat = Webchat.objects.get(slug="support")
    fields = list(webchat.fields.all())
    webchat.pk, webchat.slug = None, slug
    for name, value in values.items():
        setattr(webchat, name, value)
    webchat.save()
    for field in fields:
        field.pk, field.webchat = None, webchat
        field.save()
"""
EARLIER = """
from datetime import timedelta
session = ChatSession.objects.get(pk="{session}")
session.created_at -= timedelta(minutes={minutes})
session.save()
"""
READING = f"""
from webchat.clock import database_now
now = database_now()
read = {{{{"asked_at": now, "due_at": now, "taken_at": now, "available_agents": 1, "waiting": {{waiting}}}}}}
QueueFigures.objects.update_or_create(queue_sid="{TASK_QUEUE_SID}", defaults=read)
"""


@pytest.fixture(scope="module", autouse=True)
def webchats(site: SiteServer) -> None:
    site.shell(WEBCHATS)


def test_how_many_wait_is_told_before_the_chat_and_while_it_waits(page: Page, site: SiteServer) -> None:
    page.clock.install()
    site.shell(READING.format(waiting=3))
    page.route(re.compile("/chat/waiting"), lambda route: route.abort(), times=1)  # what failed to load is loaded again
    widget = Widget(page, site, "busy").goto("/host/none/one/?webchat=busy").open()
    expect(widget.form.get_by_text("3 people are waiting.")).to_be_visible()
    with page.expect_response("**/sessions/") as answer:
        widget.fill().submit()
    widget.credentials = answer.value.json()
    line = widget.panel.locator("[data-webchat-waiting]")
    expect(line.locator("p").first).to_have_text("An agent will be with you shortly. 3 people are waiting.")
    site.shell(READING.format(waiting=12))
    page.clock.fast_forward("30")
    # With the words of who has waited so long, on a slow machine those for a minute.
    expect(line.locator("p").first).to_have_text(re.compile(r"\w\. Many people are waiting\.$"))
    widget.agent_joins()
    expect(line).to_be_hidden()


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["firefox", "webkit"], indirect=True)
def test_how_many_wait_in_the_other_engines(engine: Engine, site: SiteServer) -> None:
    site.shell(READING.format(waiting=3))
    engine.goto(f"{site.url}/host/none/one/?webchat=busy")
    engine.click("[data-webchat-launcher]")
    engine.wait("document.querySelector('[data-webchat-form]')?.innerText.includes('3 people are waiting.')")
    engine.wait("document.activeElement.name === 'name'")
    for name, value in ANSWERS.items():
        engine.fill(f"[data-webchat-form] [name={name}]", value)
    engine.click("[data-webchat-submit]")
    engine.wait("document.querySelector('[data-webchat-waiting]')?.innerText.includes('3 people are waiting.')")


@pytest.mark.thorough
def test_who_waits_long_is_told_so_and_may_leave_a_message_instead(page: Page, site: SiteServer) -> None:
    page.clock.install()
    widget = Widget(page, site, "patient").goto("/host/none/one/?webchat=patient").open()
    with page.expect_response("**/sessions/") as answer:
        widget.fill().submit()
    session = answer.value.json()["session_id"]
    widget.expect_connected()
    line = widget.panel.locator("[data-webchat-waiting]")
    expect(line.locator("p").first).to_have_text("An agent will be with you shortly.")
    page.clock.fast_forward("01:00")
    expect(line.locator("p").first).to_have_text("Thank you for waiting. We have not forgotten you.")
    # The page begins anew, and the visitor's clock is wrong: the chat is as old as our server says.
    site.shell(EARLIER.format(session=session, minutes=6))
    page.reload()
    expect(line.locator("p").first).to_have_text("We are sorry that it takes so long. You may go on waiting here.")
    assert violations(page, "web-chat") == []
    line.get_by_role("button", name="End the chat and leave a message").click()
    question = widget.form.locator("textarea").first
    expect(question).to_have_value(ANSWERS["question"])
    expect(widget.log.get_by_text(ANSWERS["question"])).to_be_visible()  # what was said stays above the form
    assert site.shell(f"print(ChatSession.objects.get(pk='{session}').status)") == "ended"
    widget.fill()
    widget.panel.get_by_role("button", name="Send message").click()
    expect(widget.panel.get_by_role("heading", name="Your message has arrived.")).to_be_visible()
