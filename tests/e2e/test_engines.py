"""A visitor's whole way in Chromium, Firefox and WebKit."""

from __future__ import annotations

import pytest

from tests.support.engines import ENTER, Engine
from tests.support.site import SiteServer
from tests.support.widget import AGENT, ANSWERS

PANEL = "document.querySelector('[data-webchat-panel]')"
LOG = "document.querySelector('[role=log]')"


def wait_for_message(engine: Engine, text: str) -> None:
    """Until Twilio has it: what the visitor sends is shown before, and the agent may be quicker."""
    engine.wait(f"{LOG}?.getAttribute('aria-busy') === 'false' && {LOG}.innerText.includes({text!r})")
    engine.wait(f"!{LOG}.querySelector('[data-words=sending]')")


@pytest.mark.each_parameter
def test_from_the_question_to_the_end(engine: Engine, site: SiteServer) -> None:
    engine.goto(site.url)
    engine.click("[data-webchat-launcher]")
    engine.wait("document.activeElement.name === 'name'")
    engine.click("[data-webchat-submit]")
    engine.wait("document.activeElement.matches('[data-webchat-errors]')")
    for name, value in ANSWERS.items():
        engine.fill(f"[name={name}]", value)
    engine.click("[data-webchat-submit]")
    wait_for_message(engine, ANSWERS["question"])
    newest = max(site.sandbox.conversations(), key=lambda conversation: str(conversation["date_created"]))
    channel = str(newest["sid"])

    site.sandbox.desk(channel, "accept", author="Robin")
    site.sandbox.say(channel, AGENT, "On its way: https://example.com/")
    wait_for_message(engine, "On its way")
    engine.fill("[data-webchat-message]", f"Thank you{ENTER}")
    wait_for_message(engine, "Thank you")

    engine.click("[data-webchat-close]")
    engine.wait(f"{PANEL}.hidden")
    site.sandbox.say(channel, AGENT, "Are you there?")
    engine.wait("document.title.startsWith('(1) ')")
    engine.reload()
    engine.click("[data-webchat-launcher]")
    wait_for_message(engine, "Are you there?")
    bodies = [message["body"] for message in site.sandbox.messages(channel)]
    assert bodies[-2:] == ["Thank you", "Are you there?"]
    assert bodies.count("Thank you") == 1

    engine.click("[data-webchat-end]")
    engine.wait("document.activeElement.matches('[data-webchat-confirm-keep]')")
    engine.click("[data-webchat-confirm-end]")
    engine.wait("document.activeElement.matches('[data-webchat-ended-text]')")
    states = {conversation["sid"]: conversation["state"] for conversation in site.sandbox.conversations()}
    assert states[channel] == "closed"
