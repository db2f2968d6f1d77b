"""On a page with Bootstrap, with Tailwind's preflight and with hostile styles the widget looks as on a page with none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.device import emulate_media, new_context
from tests.support.site import SiteServer
from tests.support.widget import Widget, shot

# The styles of all elements of the widget that can be seen, by their place in it. The font family is the host's, and
# with it what depends on the widths of letters.
MEASURE = """() => {
  const names = ["display", "position", "boxSizing", "float", "opacity", "visibility", "color", "backgroundColor",
    "fontSize", "fontWeight", "fontStyle", "lineHeight", "letterSpacing", "textTransform", "textAlign", "textIndent",
    "textDecorationLine", "listStyleType", "marginTop", "marginBottom", "marginLeft", "marginRight", "paddingTop",
    "paddingBottom", "paddingLeft", "paddingRight", "borderTopWidth", "borderTopStyle", "borderTopColor",
    "borderTopLeftRadius", "cursor", "whiteSpace", "boxShadow", "outlineStyle"];
  const chat = document.querySelector("web-chat");
  const found = {};
  const place = (one) => one === chat ? "" : place(one.parentElement) + ">" + one.tagName.toLowerCase()
    + "." + (one.getAttribute("class") ?? "") + "#" + [...one.parentElement.children].indexOf(one);
  for (const one of chat.querySelectorAll("*")) {
    if (!one.checkVisibility() || one.closest(".webchat-hidden")) continue;
    const style = getComputedStyle(one), before = getComputedStyle(one, "::before");
    found[place(one)] = Object.fromEntries(names.map((name) => [name, style[name]]));
    found[place(one)].before = before.content;
    if (style.borderTopWidth === "0px") delete found[place(one)].borderTopStyle, delete found[place(one)].borderTopColor;
    // Centred, and as wide as its letters.
    if (one.matches(".webchat-day")) delete found[place(one)].marginLeft, delete found[place(one)].marginRight;
    if (one.matches("button, svg, input, textarea, .webchat-panel, .webchat-header")) {
      const box = one.getBoundingClientRect();
      found[place(one)].height = Math.round(box.height);
      if (!one.matches("button")) found[place(one)].width = Math.round(box.width);
    }
  }
  return found;
}"""


@pytest.fixture
def widget(widget: Widget) -> Widget:
    emulate_media(widget.page, reduced_motion="reduce")
    return widget


def measure_each_state(widget: Widget, library: str) -> dict[str, Any]:
    """The computed styles of the launcher, the form with errors and the chat on that host's page."""
    page, folder = widget.page, os.environ.get("WIDGET_SHOTS")
    states: dict[str, Any] = {}

    def look(state: str) -> None:
        page.mouse.move(0, 0)
        shot(page, folder, f"host-{library}-{state}")
        states[state] = page.evaluate(MEASURE)

    widget.goto(f"/host/{library}/one/")
    expect(widget.launcher).to_be_visible()
    look("launcher")
    widget.open()
    expect(widget.field("name")).to_be_visible()
    widget.submit()
    expect(widget.errors).to_be_focused()
    look("form")
    widget.fill().submit()
    widget.expect_connected()
    widget.site.sandbox.say(running_channel(widget), "agent_robin", "See https://example.com/")
    expect(widget.messages).to_have_count(2)
    expect(widget.log.get_by_role("link", name="https://example.com/")).to_be_visible()
    look("chat")
    widget.panel.get_by_role("button", name="End chat").first.click()
    expect(widget.panel.get_by_role("button", name="Keep chatting")).to_be_visible()
    look("end")
    return states


def running_channel(widget: Widget) -> str:
    answer = widget.page.evaluate("fetch('/api/webchat/support/sessions/current/').then((answer) => answer.json())")
    return str(answer["channel_sid"])


@pytest.fixture(scope="module")
def plain(start_browser: Callable[[], Browser], site: SiteServer) -> dict[str, Any]:
    context = new_context(start_browser(), locale="en-GB", reduced_motion="reduce")
    states = measure_each_state(Widget(context.new_page(), site), "none")
    context.close()
    return states


@pytest.mark.parametrize("library", ["bootstrap", "tailwind", "hostile"])
def test_the_hosts_styles_change_nothing(widget: Widget, plain: dict[str, Any], library: str) -> None:
    found = measure_each_state(widget, library)
    changed = [
        f"{state} {place.rsplit('>', 1)[-1]} {name}: {value} -> {found[state].get(place, {}).get(name)}"
        for state, places in plain.items()
        for place, styles in places.items()
        for name, value in styles.items()
        if found[state].get(place, {}).get(name) != value
    ]
    assert changed == [], "\n".join(changed[:80])
    for state, places in plain.items():
        assert list(found[state]) == list(places), state
