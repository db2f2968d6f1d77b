"""Colours, measures, scrolling and the direction of writing, as browsers compute them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.device import emulate_media
from tests.support.engines import ENTER, TAB, Engine
from tests.support.site import ROOT, SiteServer
from tests.support.waiting import until
from tests.support.widget import AGENT, ANSWERS, Widget

PANEL = "document.querySelector('[data-webchat-panel]')"
LOG = "document.querySelector('[role=log]')"

# Each colour that is painted in the chat, and where; [colour, element] pairs. Of what inherits, what is painted counts.
PAINTED = """() => {
  const found = [];
  for (const one of document.querySelectorAll("web-chat, web-chat *")) {
    if (!one.checkVisibility() || one.closest(".webchat-hidden, template")) continue;
    for (const pseudo of [null, "::before", "::after"]) {
      const style = getComputedStyle(one, pseudo);
      if (pseudo && /^(none|normal)$/.test(style.content)) continue;
      const colours = [style.color, style.backgroundColor];
      for (const side of ["Top", "Right", "Bottom", "Left"])
        if (style[`border${side}Width`] !== "0px") colours.push(style[`border${side}Color`]);
      if (style.outlineStyle !== "none") colours.push(style.outlineColor);
      colours.push(...(style.boxShadow.match(/rgba?\\([^)]*\\)/g) ?? []));
      if (one.matches("input:not([type=checkbox], [type=radio]), textarea"))
        colours.push(getComputedStyle(one, "::placeholder").color);
      for (const colour of colours) found.push([colour, `${one.tagName} ${one.className.baseVal ?? one.className} ${pseudo ?? ""}`]);
    }
  }
  return found;
}"""

CORNERS = """() => [...document.querySelectorAll("web-chat *")]
  .filter((one) => one.checkVisibility() && !one.closest(".webchat-hidden") && one.type !== "radio")
  .flatMap((one) => ["TopLeft", "TopRight", "BottomLeft", "BottomRight"].map(
    (corner) => [getComputedStyle(one)[`border${corner}Radius`], one.getAttribute("class") ?? one.tagName]))
  .filter(([radius, name]) => radius !== "0px" && !/webchat-initials|webchat-spinner/.test(name))"""


def promised() -> list[str]:
    """The custom properties that the docs name."""
    text = (ROOT / "docs/integration.md").read_text()
    return sorted(
        {name for line in text.splitlines() if line.startswith("| `--") for name in re.findall(r"`(--[a-z-]+)`", line)}
    )


@pytest.fixture
def widget(page: Page, site: SiteServer) -> Iterator[Widget]:
    emulate_media(page, reduced_motion="reduce")
    yield Widget(page, site)
    site.sandbox.clear_faults()


# More than the box of those that are chosen shows at once, and one that is refused.
FILES = [*(f"sum-{number}.pdf" for number in range(10)), "no.exe"]


def states(widget: Widget) -> Iterator[str]:
    """Walks a visitor's way, and stops where the chat looks different."""
    page, panel = widget.page, widget.panel
    widget.site.shell(
        "Webchat.objects.filter(slug='support')"
        ".update(ask_rating=True, when_closed='message', message_recipients='staff@example.com')"
    )
    yield "launcher"
    widget.open()
    expect(widget.form).to_have_js_property("noValidate", True)
    yield "form"
    widget.submit()
    expect(widget.errors).to_be_focused()
    yield "errors"
    widget.fill()
    with page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    widget.agent_joins()
    widget.agent_says("See https://example.com/")
    expect(widget.messages).to_have_count(2)  # a message ends the typing that came before it
    widget.agent_types()
    expect(panel.locator("[data-webchat-typing]")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        panel.locator("[data-webchat-attach]").click()
    chooser.value.set_files([{"name": name, "mimeType": "", "buffer": b"x"} for name in FILES])
    expect(panel.locator("[data-webchat-chosen] > li")).to_have_count(10)
    panel.locator("[data-webchat-options] summary").click()
    yield "chat"
    path = f"/Client/v2/Conversations/{widget.channel}/Messages"
    widget.site.sandbox.fault("POST", path, status=400, times=9)
    widget.send("This one fails")
    expect(panel.locator("[data-webchat-resend]")).to_be_visible()
    widget.site.sandbox.clear_faults()
    widget.launcher.click()
    widget.agent_says("Are you there?")
    expect(widget.element.locator("[data-webchat-badge]")).to_be_visible()
    yield "badge"
    widget.launcher.click()
    page.context.set_offline(True)
    expect(panel.locator("[data-webchat-connection]")).not_to_be_empty()
    yield "offline"
    page.context.set_offline(False)
    panel.locator("[data-webchat-end]").click()
    expect(panel.locator("[data-webchat-confirm]")).to_be_visible()
    yield "asked"
    panel.locator("[data-webchat-confirm-end]").click()
    expect(panel.get_by_role("group", name="How was this chat?")).to_be_visible()
    yield "ended"
    panel.get_by_role("radio", name="5 Very good").check()
    panel.get_by_role("button", name="Send rating").click()
    expect(panel.get_by_text("Thank you for your rating.")).to_be_focused()
    yield "rated"
    widget.element.evaluate("(e) => { e.remember(null, 'past'); e.src += '?leave=1' }")
    expect(panel.get_by_role("button", name="Send message")).to_be_visible()
    yield "message"


def set_properties(widget: Widget, **values: str) -> None:
    widget.element.evaluate(
        "(e, values) => { for (const [name, value] of Object.entries(values)) e.style.setProperty(name, value) }",
        {f"--webchat-{name.replace('_', '-')}": value for name, value in values.items()},
    )


# --- What the docs promise ---------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_each_colour_of_the_chat_is_one_that_the_docs_name(widget: Widget) -> None:
    """And each that they name is one of the chat."""
    measures = {"gap", "layer", "radius"}
    names = [name.removeprefix("--webchat-") for name in promised()]
    assert measures | {"brand", "brand-ink", "ink", "surface", "notice", "shadow"} < set(names)
    markers = {name: f"rgb({number}, 0, 255)" for number, name in enumerate(names) if name not in measures}
    # Nothing, a shade for light backgrounds behind the launcher, and what the browser paints in boxes to tick.
    others = {"rgba(0, 0, 0, 0)", "rgba(255, 255, 255, 0.45)"}
    widget.goto("/host/none/one/")
    set_properties(widget, **{**markers, "shadow": f"0 0 9px {markers['shadow']}"})
    seen: set[str] = set()
    for state in states(widget):
        painted = {colour: place for colour, place in widget.page.evaluate(PAINTED) if colour not in others}
        assert {colour: place for colour, place in painted.items() if colour not in markers.values()} == {}, state
        seen |= painted.keys()
    assert [name for name, colour in markers.items() if colour not in seen] == []


@pytest.mark.thorough
def test_one_radius_rounds_every_corner(widget: Widget) -> None:
    widget.goto("/host/none/one/")
    set_properties(widget, radius="0px")
    for state in states(widget):
        assert widget.page.evaluate(CORNERS) == [], state


@pytest.mark.thorough
def test_gap_and_layer_hold_for_launcher_and_panel(widget: Widget) -> None:
    widget.goto("/host/none/one/")
    set_properties(widget, gap="33px", layer="77")
    widget.open()
    size = widget.page.viewport_size
    assert size
    for part in (widget.launcher, widget.panel):
        box = part.bounding_box()
        assert box
        assert size["width"] - box["x"] - box["width"] == pytest.approx(33, abs=1)
        assert part.evaluate("(e) => getComputedStyle(e).zIndex") == "77"
    box = widget.launcher.bounding_box()
    assert box
    assert size["height"] - box["y"] - box["height"] == pytest.approx(33, abs=3)  # raised a little under the mouse


@pytest.mark.thorough
def test_there_are_three_sizes_of_text(widget: Widget) -> None:
    sizes = """() => [...document.querySelectorAll("web-chat *")].filter((one) => one.checkVisibility()
      && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
      .map((one) => getComputedStyle(one).fontSize)"""
    widget.goto("/host/none/one/")
    seen = {size for _state in states(widget) for size in widget.page.evaluate(sizes)}
    assert seen == {"13px", "16px", "18px"}


@pytest.mark.parametrize("device", ["light", "dark"])
def test_the_colour_scheme_is_the_webchats(page: Page, site: SiteServer, device: Any) -> None:
    site.shell(
        "for scheme in ('system', 'light', 'dark'):\n"
        "    Webchat.objects.update_or_create(slug='in-' + scheme, defaults={'colour_scheme': scheme})"
    )
    emulate_media(page, color_scheme=device)
    expected = {"system": device, "light": "light", "dark": "dark"}
    for scheme, shown in expected.items():
        painted = Widget(page, site, f"in-{scheme}").goto(f"/host/none/one/?webchat=in-{scheme}").open()
        style = painted.panel.evaluate(
            "(e) => { const { colorScheme, backgroundColor, color } = getComputedStyle(e); return [colorScheme, backgroundColor, color] }"
        )
        colours = {
            "light": ["rgb(255, 255, 255)", "rgb(27, 31, 36)"],
            "dark": ["rgb(28, 32, 38)", "rgb(241, 243, 245)"],
        }
        assert style == [{"system": "light dark"}.get(scheme, scheme), *colours[shown]], scheme


# --- Scrolling ---------------------------------------------------------------------------------------------------------


def start(engine: Engine, site: SiteServer, *, right_to_left: bool = False) -> str:
    """A connected chat; the SID of its channel."""
    engine.goto(site.url)
    if right_to_left:
        engine.evaluate("document.documentElement.dir = 'rtl'")
    engine.click("[data-webchat-launcher]")
    engine.wait("document.activeElement.name === 'name'")
    for name, value in ANSWERS.items():
        engine.fill(f"[name={name}]", value)
    engine.click("[data-webchat-submit]")
    wait_for_message(engine, ANSWERS["question"])
    newest = max(site.sandbox.conversations(), key=lambda conversation: str(conversation["date_created"]))
    return str(newest["sid"])


IS_CUT = "(e) => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight"


def wait_for_message(engine: Engine, text: str) -> None:
    engine.wait(f"{LOG}?.getAttribute('aria-busy') === 'false' && {LOG}.innerText.includes({json.dumps(text)})")


@pytest.mark.parametrize("engine", ["webkit", "firefox", "chromium"], indirect=True)
def test_the_keyboard_scrolls_the_conversation_and_never_the_panel(engine: Engine, site: SiteServer) -> None:
    channel = start(engine, site)
    for number in range(30):
        site.sandbox.say(channel, AGENT, f"Line {number}, see https://example.com/{number}")
    wait_for_message(engine, "Line 29")
    engine.wait(f"{LOG}.querySelectorAll('a').length === 30")
    engine.evaluate(f"{LOG}.querySelector('a').focus()")
    for _link in range(12):
        engine.press(TAB)
        assert engine.evaluate(f"return {PANEL}.scrollTop") == 0
    assert engine.evaluate(f"const p = {PANEL}; return p.scrollHeight - p.clientHeight") <= 0
    assert engine.evaluate(f"{PANEL}.scrollTop = 99; return {PANEL}.scrollTop") == 0


@pytest.mark.parametrize("context", [{"viewport": {"width": 375, "height": 700}, "locale": "de"}], indirect=True)
def test_the_head_of_the_chat_can_be_read_and_does_not_grow_when_agents_join(widget: Widget) -> None:
    """In a language of long words, on a phone."""
    widget.goto().open().fill()
    with widget.page.expect_response("**/sessions/") as answer:
        widget.panel.locator("[data-webchat-submit]").click()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    header, title = widget.panel.locator(".webchat-header"), widget.panel.locator("[data-webchat-title]")
    before = header.bounding_box()
    assert before
    assert before["height"] == 64
    presence = widget.panel.get_by_text("Mit Robin")
    end = widget.panel.get_by_role("button", name="Chat beenden").first
    for number, name in enumerate(["Robin", "Sam", "Kim", "Lou", "Alex"], start=1):
        widget.agent_joins(name)
        expect(widget.panel.locator("[data-webchat-people] > *")).to_have_count(min(number, 3))
        expect(presence).to_be_visible()
        assert header.bounding_box() == before
        for words in [title, *([presence] if number == 1 else [])]:
            assert words.evaluate(IS_CUT) is False, (name, words)
        # The room comes from the button's words.
        expect(end).to_have_text("", use_inner_text=True)
    # As in a chat that stands in the page.
    widget.goto("/support/")
    expect(widget.panel.locator("[data-webchat-people] > *")).to_have_count(3)
    assert title.evaluate(IS_CUT) is False
    expect(end).to_have_text("", use_inner_text=True)
    expect(end).to_have_css("border-top-color", "rgba(0, 0, 0, 0)")
    widget.page.set_viewport_size({"width": 800, "height": 700})
    expect(end).to_have_text("Chat beenden", use_inner_text=True)
    expect(end).not_to_have_css("border-top-color", "rgba(0, 0, 0, 0)")


SMALL_PHONE = {"viewport": {"width": 320, "height": 640}, "locale": "ar", "has_touch": True, "is_mobile": True}
BROKEN_WORDS = r"""(e) => {
  const text = document.createTreeWalker(e, NodeFilter.SHOW_TEXT).nextNode();
  const range = document.createRange();
  return [...text.data.matchAll(/\S+/g)].filter(({ 0: word, index }) => {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    return range.getClientRects().length > 1;
  }).map(([word]) => word);
}"""
IN_SIGHT = """(e) => {
  const range = document.createRange();
  range.setStart(e.firstChild, 0);
  range.setEnd(e.firstChild, 3);
  const [letters, line] = [range.getBoundingClientRect(), e.closest("p").getBoundingClientRect()];
  return letters.left >= line.left && letters.right <= line.right;
}"""
# A finger's width around the middle of it.
IS_LARGE = """(e) => {
  const { x, y, width, height } = e.getBoundingClientRect();
  const [middle, centre] = [x + width / 2, y + height / 2];
  return [[-21.5, 0], [21.5, 0], [0, -21.5], [0, 21.5]].every(([right, down]) =>
    e.contains(document.elementFromPoint(middle + right, centre + down)));
}"""


@pytest.mark.parametrize("context", [SMALL_PHONE], indirect=True)
def test_the_head_of_the_chat_holds_many_agents_on_a_small_phone_in_arabic(widget: Widget) -> None:
    widget.goto().open().fill()
    with widget.page.expect_response("**/sessions/") as answer:
        widget.panel.locator("[data-webchat-submit]").click()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    for name in ("Konstantina Papadopoulou-Alexandrescu", "Robin Sanchez", "Wei Zhang"):
        widget.agent_joins(name)
    expect(widget.panel.locator("[data-webchat-people] > *")).to_have_count(2)
    name = widget.panel.locator("[data-webchat-presence] bdi")
    expect(name).to_contain_text("Wei Zhang")
    assert name.evaluate("(e) => e.scrollWidth > e.clientWidth")
    assert name.evaluate(IN_SIGHT)
    assert widget.panel.locator("[data-webchat-title] bdi").evaluate(BROKEN_WORDS) == []
    buttons = widget.panel.locator(".webchat-header .webchat-header-button")
    expect(buttons).to_have_count(3)
    assert [one.evaluate(IS_LARGE) for one in buttons.all()] == [True] * 3
    end = widget.panel.get_by_role("button", name="إنهاء الدردشة").first
    expect(end).to_have_text("", use_inner_text=True)


@pytest.mark.thorough
def test_buttons_and_fields_show_the_pointer_the_press_and_the_focus(widget: Widget) -> None:
    widget.goto("/host/none/one/").open()
    page, button, field = widget.page, widget.panel.locator("[data-webchat-submit]"), widget.field("name")
    expect(field).to_be_focused()
    # A soft ring; high contrast replaces it by the outline, which is transparent otherwise.
    expect(field).to_have_css("box-shadow", re.compile(" 0px 0px 0px 3px$"))
    expect(field).to_have_css("outline", re.compile(r"^rgba\(0, 0, 0, 0\) solid 2px"))
    expect(button).to_have_css("filter", "none")
    button.hover()
    expect(button).to_have_css("filter", "brightness(0.9)")
    expect(button).to_have_css("transform", "none")
    page.mouse.down()
    expect(button).to_have_css("transform", "matrix(0.97, 0, 0, 0.97, 0, 0)")
    page.mouse.move(0, 0)  # not pressed after all
    page.mouse.up()
    expect(button).to_have_css("filter", "none")
    field.focus()
    minimise = widget.panel.locator("[data-webchat-close]")
    # Firefox stops at the form on the way, since that scrolls.
    until(lambda: page.keyboard.press("Shift+Tab") or minimise.evaluate("(e) => e === document.activeElement"))
    expect(minimise).to_have_css("outline-style", "solid")


@pytest.mark.thorough
def test_no_box_of_the_panel_is_longer_than_it_looks(widget: Widget) -> None:
    """What only screen readers get lies in the boxes that scroll, and not below the panel."""
    widget.page.set_viewport_size({"width": 700, "height": 520})
    widget.goto("/host/none/one/")
    for state in states(widget):
        if state == "launcher":
            continue
        overflow = widget.panel.evaluate("(e) => e.scrollHeight - e.clientHeight")
        assert overflow <= 0, state


# --- The direction of writing ------------------------------------------------------------------------------------------


@pytest.mark.each_parameter
@pytest.mark.parametrize("engine", ["firefox", "webkit"], indirect=True)
def test_each_message_stands_and_ends_as_its_own_language_does(engine: Engine, site: SiteServer) -> None:
    channel = start(engine, site, right_to_left=True)
    site.sandbox.say(channel, AGENT, "Good morning!\nIt is on its way, and it will be with you by tomorrow at noon.")
    site.sandbox.say(channel, AGENT, "صباح الخير!\nإنها في الطريق إليك، وستصل إليك غدًا قبل الظهر إن شاء الله.")
    wait_for_message(engine, "صباح الخير!")
    # The distance of the short first line from the left and the right edge of its bubble.
    edges = engine.evaluate(
        f"""return [...{LOG}.querySelectorAll('.webchat-text')].slice(-2).map((text) => {{
          const range = document.createRange(), node = text.firstChild, box = text.getBoundingClientRect();
          range.setStart(node, 0);
          range.setEnd(node, node.data.indexOf("\\n"));
          const line = range.getBoundingClientRect();
          const mark = document.createRange();
          mark.setStart(node, node.data.indexOf("!"));
          mark.setEnd(node, node.data.indexOf("!") + 1);
          const end = mark.getBoundingClientRect();
          return {{left: line.left - box.left, right: box.right - line.right, endsRight: end.left > line.left + 5}};
        }})"""
    )
    english, arabic = edges
    assert english["left"] < 20 < english["right"]
    assert english["endsRight"]
    assert arabic["right"] < 20 < arabic["left"]
    assert not arabic["endsRight"]


DIRECTION = "return getComputedStyle(document.activeElement).direction"


@pytest.mark.thorough
def test_an_answer_reads_in_its_own_direction(engine: Engine, site: SiteServer) -> None:
    engine.goto(site.url)
    engine.evaluate("document.documentElement.dir = 'rtl'")
    engine.click("[data-webchat-launcher]")
    engine.wait("document.activeElement.name === 'name'")
    assert engine.evaluate(DIRECTION) == "rtl"
    engine.press("Jo!")
    assert engine.evaluate(DIRECTION) == "ltr"


def test_what_is_being_written_reads_in_its_own_direction(engine: Engine, site: SiteServer) -> None:
    start(engine, site, right_to_left=True)
    engine.click("[data-webchat-message]")
    assert engine.evaluate(DIRECTION) == "rtl"  # so is the placeholder
    engine.press("hello!")
    assert engine.evaluate(DIRECTION) == "ltr"
    engine.press(ENTER)
    wait_for_message(engine, "hello!")
    assert engine.evaluate(DIRECTION) == "rtl"
