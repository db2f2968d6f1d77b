"""What a visitor who waits for an agent reads of the queue."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.engines import Engine
from tests.support.site import SiteServer
from tests.support.widget import ANSWERS, Widget
from webchat.sandbox.account import TASK_QUEUE_SID

# The demo's webchat with a queue.
BUSY = f"""
webchat = Webchat.objects.get(slug="support")
fields = list(webchat.fields.all())
webchat.pk, webchat.slug, webchat.queue_sid = None, "busy", "{TASK_QUEUE_SID}"
webchat.save()
for field in fields:
    field.pk, field.webchat = None, webchat
    field.save()
"""
READING = f"""
from webchat.clock import database_now
now = database_now()
read = {{{{"asked_at": now, "due_at": now, "taken_at": now, "available_agents": 1, "waiting": {{waiting}}}}}}
QueueFigures.objects.update_or_create(queue_sid="{TASK_QUEUE_SID}", defaults=read)
"""


@pytest.fixture(scope="module", autouse=True)
def busy(site: SiteServer) -> None:
    site.shell(BUSY)


def test_how_many_wait_is_told_before_the_chat_and_while_it_waits(page: Page, site: SiteServer) -> None:
    page.clock.install()
    site.shell(READING.format(waiting=3))
    widget = Widget(page, site, "busy").goto("/host/none/one/?webchat=busy").open()
    expect(widget.form.get_by_text("3 people are waiting.")).to_be_visible()
    with page.expect_response("**/sessions/") as answer:
        widget.fill().submit()
    widget.credentials = answer.value.json()
    line = widget.panel.locator("[data-webchat-waiting]")
    expect(line).to_have_text("An agent will be with you shortly. 3 people are waiting.")
    site.shell(READING.format(waiting=12))
    page.clock.fast_forward("30")
    expect(line).to_have_text("An agent will be with you shortly. Many people are waiting.")
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
