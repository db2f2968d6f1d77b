"""The line breaks while the browser loads the chat's scripts. What failed can be repeated, in each engine.

Chromium forgets a failed import since 156, Firefox since 155, WebKit not yet: so nothing may depend on that.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import Engine
from tests.support.line import Line
from tests.support.site import SiteServer
from tests.support.widget import ANSWERS

LOG = "document.querySelector('[role=log]')"
FIELD = "[data-webchat-form] [name=name]"
LOST = "[data-webchat-content] [role=alert]"


@pytest.fixture
def line(site: SiteServer) -> Iterator[Line]:
    with Line(site.port) as line:
        yield line


def open_form(engine: Engine) -> None:
    engine.click("[data-webchat-launcher]")
    engine.wait(f"document.querySelector('{FIELD}')?.getClientRects().length")


def submit(engine: Engine) -> None:
    for name, value in ANSWERS.items():
        if engine.evaluate(f"return !document.querySelector('[data-webchat-form] [name={name}]').value"):
            engine.fill(f"[data-webchat-form] [name={name}]", value)
    engine.click("[data-webchat-submit]")


def wait_for_chat(engine: Engine) -> None:
    engine.wait(f"{LOG}?.getAttribute('aria-busy') === 'false' && {LOG}.innerText.includes({ANSWERS['question']!r})")


# In Chromium: test_widget_failures.py.
@pytest.mark.each_parameter
@pytest.mark.parametrize("engine", ["firefox", "webkit"], indirect=True)
def test_while_the_chat_is_opened(engine: Engine, line: Line) -> None:
    engine.goto(line.url)
    line.cut()
    engine.click("[data-webchat-launcher]")
    engine.wait(f"document.querySelector('{LOST}')?.innerText.includes('could not be loaded')")
    engine.click("[data-webchat-retry]")
    engine.wait(f"document.querySelector('{LOST}')?.innerText.includes('could not be loaded')")
    line.mend()
    engine.click("[data-webchat-retry]")
    engine.wait(f"document.querySelector('{FIELD}')?.getClientRects().length")


@pytest.mark.thorough
def test_while_the_chat_is_opened_and_the_page_is_reloaded(engine: Engine, line: Line) -> None:
    engine.goto(line.url)
    line.cut("/static/webchat/")
    engine.click("[data-webchat-launcher]")
    engine.wait(f"document.querySelector('{LOST}')?.innerText.includes('could not be loaded')")
    line.mend()
    engine.reload()  # the tab remembers that the chat is open
    engine.wait(f"document.querySelector('{FIELD}')?.getClientRects().length")


@pytest.mark.thorough
def test_while_the_visitor_writes(engine: Engine, site: SiteServer, line: Line) -> None:
    engine.goto(line.url)
    open_form(engine)
    before = len(site.sandbox.conversations())
    line.cut()
    engine.fill(FIELD, "A")
    line.wait_for_refusals(3)
    engine.click("[data-webchat-submit]")
    engine.wait("document.activeElement.matches('[data-webchat-errors]')")
    assert len(site.sandbox.conversations()) == before
    line.mend()
    submit(engine)
    wait_for_chat(engine)
    assert len(site.sandbox.conversations()) == before + 1


@pytest.mark.each_parameter
@pytest.mark.parametrize(("engine", "way"), [("firefox", "try again"), ("webkit", "reload")], indirect=["engine"])
def test_while_twilios_sdk_is_loaded(engine: Engine, site: SiteServer, line: Line, way: str) -> None:
    """The chat is open at Flex by then, so the visitor finds that one again."""
    engine.goto(line.url)
    line.cut("/webchat/sdk/")
    open_form(engine)
    before = len(site.sandbox.conversations())
    submit(engine)
    engine.wait("document.querySelector('[data-webchat-reconnect]')?.getClientRects().length")
    line.mend()
    if way == "reload":
        engine.reload()
    else:
        engine.click("[data-webchat-reconnect] button")
    wait_for_chat(engine)
    assert len(site.sandbox.conversations()) == before + 1
