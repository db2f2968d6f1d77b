"""Sound and notifications: only for who asked for them, only where they look elsewhere."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.engines import Engine
from tests.support.site import SiteServer
from tests.support.widget import AGENT, ANSWERS, Widget, violations

LISTEN = """
window.notes = 0; window.notified = []; window.hiddenPage = false;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...rest) { window.notes += 1; return start.apply(this, rest); };
const Real = Notification;
window.Notification = class extends Real {
  // Of a browser with windows: one without denies all.
  static permission = "default";
  constructor(title, options) {
    super(title, options);
    if (!title) return; // asks only whether there can be any
    window.notified.push([title, options.body]);
    window.last = this;
  }
};
Object.defineProperty(document, "visibilityState", {get: () => window.hiddenPage ? "hidden" : "visible"});
Object.defineProperty(document, "hidden", {get: () => !!window.hiddenPage});
document.hasFocus = () => !window.hiddenPage;
"""


@pytest.fixture
def widget(widget: Widget) -> Widget:
    widget.page.add_init_script(LISTEN)
    return widget


def look_away(widget: Widget) -> None:
    widget.page.evaluate("window.hiddenPage = true; document.dispatchEvent(new Event('visibilitychange'))")


def options(widget: Widget) -> None:
    widget.panel.locator("[data-webchat-options] summary").click()


def says(widget: Widget, text: str) -> None:
    widget.agent_says(text)
    expect(widget.panel.locator("[data-webchat-log]").get_by_text(text, exact=True)).to_be_attached()
    widget.page.wait_for_timeout(300)


def test_it_is_silent_until_somebody_asks_for_sound(widget: Widget) -> None:
    widget.start()
    look_away(widget)
    says(widget, "Silent")
    assert widget.page.evaluate("[window.notes, window.notified.length]") == [0, 0]
    names = widget.page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    assert not [name for name in names if "alerts" in name]
    assert widget.page.evaluate("sessionStorage.getItem('webchat:support:sound')") is None


@pytest.mark.thorough
def test_a_sound_that_was_switched_on_lasts_for_this_tab(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    options(widget)
    assert violations(widget.page) == []
    sound = widget.panel.get_by_role("switch", name="Play a sound for new messages")
    expect(sound).not_to_be_checked()
    sound.check()
    # It sounds at once, so that the visitor knows what they chose.
    sounded = widget.page.wait_for_function("() => window.notes === 2 && performance.now()").json_value()
    # A second sound within a second would not be heard.
    widget.page.wait_for_function("(sounded) => performance.now() > sounded + 1000", arg=sounded)
    says(widget, "In sight")
    assert widget.page.evaluate("window.notes") == 2
    look_away(widget)
    says(widget, "Out of sight")
    widget.page.wait_for_function("() => window.notes === 4")

    widget.page.reload()
    widget.expect_connected()
    options(widget)
    expect(sound).to_be_checked()
    sound.uncheck()
    look_away(widget)
    says(widget, "Silent again")
    assert widget.page.evaluate("[window.notes, sessionStorage.getItem('webchat:support:sound')]") == [0, None]


def test_a_notification_tells_who_wrote_and_not_what(widget: Widget) -> None:
    widget.page.context.grant_permissions(["notifications"])
    widget.start()
    widget.agent_joins()
    widget.agent_says("Hello")
    options(widget)
    widget.panel.get_by_role("switch", name="Notify me when I am on another page").check()
    says(widget, "In sight")
    assert widget.page.evaluate("window.notified") == []
    widget.panel.get_by_role("button", name="Minimise chat").click()
    look_away(widget)
    says(widget, "A secret")
    widget.page.wait_for_function("() => window.notified.length")
    assert widget.page.evaluate("window.notified") == [["Chat with us", "New message from Robin"]]
    widget.page.evaluate("window.hiddenPage = false; window.last.dispatchEvent(new Event('click'))")
    expect(widget.panel).to_be_visible()


@pytest.mark.thorough
def test_notifications_that_the_browser_refuses_are_said(widget: Widget) -> None:
    widget.page.add_init_script("Notification.requestPermission = async () => 'denied'")
    widget.start()
    options(widget)
    switch = widget.panel.get_by_role("switch", name="Notify me when I am on another page")
    switch.click()
    expect(widget.panel.get_by_text("Your browser does not allow notifications")).to_be_visible()
    expect(switch).not_to_be_checked()
    widget.page.keyboard.press("Escape")
    expect(switch).to_be_hidden()
    expect(widget.panel).to_be_visible()


CONNECTED = "document.querySelector('[role=log]')?.getAttribute('aria-busy') === 'false'"
# What a sound needs of the browser: the state of its context when a note is started.
HEAR = """
window.heard = [];
const Context = AudioContext;
window.AudioContext = class extends Context { constructor() { super(); window.audio = this; } };
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...rest) { heard.push(this.context.state); return start.apply(this, rest); };
document.hasFocus = () => false;
"""


# Firefox makes no sound on a machine without a device for it.
@pytest.mark.parametrize("engine", ["webkit", "chromium"], indirect=True)
def test_a_sound_that_was_switched_on_is_heard_after_a_reload(engine: Engine, site: SiteServer) -> None:
    """The first gesture on the page wakes it: WebKit lets no other moment do so."""
    engine.goto(site.url)
    engine.click("[data-webchat-launcher]")
    for name, value in ANSWERS.items():
        engine.fill(f"[data-webchat-form] [name={name}]", value)
    engine.click("[data-webchat-submit]")
    engine.wait(CONNECTED)
    engine.wait("!document.querySelector('[role=log] [data-words=sending]')")
    newest = max(site.sandbox.conversations(), key=lambda conversation: str(conversation["date_created"]))
    engine.click("[data-webchat-options] summary")
    engine.wait("document.querySelector('[data-webchat-options]').open")
    # Not by the place of the box: the panel moves while people join.
    engine.evaluate("document.querySelector('[data-webchat-sound]').click()")
    engine.wait("sessionStorage.getItem('webchat:support:sound') === 'on'")

    engine.reload()
    engine.evaluate(HEAR)
    engine.wait("document.querySelector('[data-webchat-sound]')?.checked")
    engine.wait(CONNECTED)
    engine.click("[data-webchat-message]")
    engine.wait("window.audio?.state === 'running'")
    site.sandbox.say(str(newest["sid"]), AGENT, "Do you hear me?")
    assert engine.wait("window.heard.length === 2 && window.heard") == ["running", "running"]
