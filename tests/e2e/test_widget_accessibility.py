"""For everybody: keyboard, screen reader, phone, zoom, dark, high contrast, right to left."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.device import go_back
from tests.support.widget import Widget, violations

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
phone = pytest.mark.parametrize("context", [PHONE], indirect=True)


@pytest.mark.thorough
@pytest.mark.parametrize("context", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_a_colour_scheme_of_staffs_choice_is_the_chats_whatever_the_device_says(widget: Widget) -> None:
    device = widget.page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    chosen = "light" if device == "dark" else "dark"
    rows = "Webchat.objects.filter(slug='legacy')"
    widget.site.shell(f"{rows}.update(colour_scheme={chosen!r})")
    try:
        widget = Widget(widget.page, widget.site, "legacy").goto("/webchat/legacy/")
        colours = widget.element.evaluate(
            "(e) => [getComputedStyle(e).colorScheme, getComputedStyle(e.querySelector('.webchat-panel')).backgroundColor]"
        )
        assert colours == [chosen, "rgb(28, 32, 38)" if chosen == "dark" else "rgb(255, 255, 255)"]
        expect(widget.field("name")).to_be_visible()
        assert violations(widget.page) == []
    finally:
        widget.site.shell(f"{rows}.update(colour_scheme='system')")


def test_every_field_has_a_label_of_its_own_and_says_what_it_is_for(widget: Widget) -> None:
    widget.goto().open()
    expect(widget.field("name")).to_be_visible()
    fields = widget.form.locator("input:not([type=hidden]), textarea, select")
    assert fields.evaluate_all("(all) => all.filter((one) => one.labels.length < 1).length") == 0
    expect(widget.field("name")).to_have_attribute("autocomplete", "name")
    expect(widget.field("email")).to_have_attribute("autocomplete", "email")
    widget.fill().submit()
    widget.expect_connected()
    assert widget.composer.evaluate("(one) => one.labels.length") == 1


def test_on_a_desktop_the_panel_is_a_dialog_beside_the_page(widget: Widget) -> None:
    widget.goto()
    launcher = widget.page.get_by_role("button", name="Chat with us")
    expect(launcher).to_have_attribute("aria-expanded", "false")
    controls = launcher.get_attribute("aria-controls")
    assert widget.page.locator(f"#{controls}").count() == 1
    launcher.focus()
    widget.page.keyboard.press("Enter")
    expect(launcher).to_have_attribute("aria-expanded", "true")
    dialog = widget.page.get_by_role("dialog", name="Chat with us")
    expect(dialog).to_be_visible()
    assert dialog.get_attribute("aria-modal") is None
    assert widget.page.locator("[inert]").count() == 0
    expect(widget.field("name")).to_be_focused()
    after = widget.element.evaluate(
        """(e) => e.querySelector("[data-webchat-launcher]")
             .compareDocumentPosition(e.querySelector("[data-webchat-panel]")) & Node.DOCUMENT_POSITION_FOLLOWING"""
    )
    assert after


def test_escape_closes_from_inside_and_outside_and_the_focus_returns(widget: Widget) -> None:
    widget.goto().open()
    expect(widget.field("name")).to_be_focused()
    widget.page.keyboard.press("Escape")
    expect(widget.panel).to_be_hidden()
    expect(widget.launcher).to_be_focused()
    widget.open()
    widget.page.get_by_role("link", name="Home").first.focus()
    widget.page.keyboard.press("Escape")
    expect(widget.panel).to_be_hidden()
    expect(widget.page.get_by_role("link", name="Home").first).to_be_focused()


def test_the_keyboard_can_leave_the_panel_on_a_desktop(widget: Widget) -> None:
    widget.goto().open()
    expect(widget.field("name")).to_be_focused()
    outside = False
    for _step in range(40):
        widget.page.keyboard.press("Tab")
        outside |= not widget.page.evaluate("!!document.activeElement.closest('web-chat')")
    assert outside


@phone
def test_on_a_phone_the_panel_covers_the_page_and_keeps_the_focus(widget: Widget) -> None:
    widget.goto().open()
    expect(widget.field("name")).to_be_visible()
    dialog = widget.page.get_by_role("dialog", name="Chat with us")
    assert dialog.get_attribute("aria-modal") == "true"
    # Where it is when it has come to rest.
    widget.page.evaluate("Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => {})))")
    box = dialog.bounding_box()
    assert box
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 360, 740)
    assert widget.page.evaluate("document.querySelector('main').inert")
    for _step in range(30):
        widget.page.keyboard.press("Tab")
        assert widget.page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('[data-webchat-panel]')"
        )
    scrolled = widget.page.evaluate("window.scrollTo(0, 500), window.scrollY")
    widget.panel.get_by_role("button", name="Minimise chat").click()
    assert widget.page.locator("[inert]").count() == 0
    assert widget.page.evaluate("getComputedStyle(document.body).overflow") == "visible"
    expect(widget.launcher).to_be_focused()
    assert scrolled is not None


@phone
def test_on_a_phone_nothing_zooms_in_or_is_too_small_to_hit(widget: Widget) -> None:
    widget.start()
    assert widget.composer.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)") >= 16
    targets = widget.panel.locator("button:visible, textarea:visible")
    for target in targets.all():
        reach = target.evaluate(
            """(e) => { const box = e.getBoundingClientRect(), more = getComputedStyle(e, "::after");
                        return Math.max(box.height, more.content === "none" ? 0 : parseFloat(more.height)) }"""
        )
        assert reach >= 44, target.evaluate("(e) => e.outerHTML")


def test_at_320_pixels_nothing_is_cut_off(widget: Widget) -> None:
    widget.page.set_viewport_size({"width": 320, "height": 568})
    widget.start()
    widget.agent_says("averyveryveryveryveryveryveryveryveryverylongwordwithoutanybreakinit" * 3)
    expect(widget.messages).to_have_count(2)
    assert widget.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert widget.log.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
    # As a desktop's window at 400 %.
    widget.page.set_viewport_size({"width": 320, "height": 256})
    for part in (widget.log, widget.composer, widget.panel.get_by_role("button", name="Send")):
        expect(part).to_be_in_viewport(ratio=0.9)


def test_the_log_is_one_live_region_and_history_is_not_read_out(widget: Widget) -> None:
    widget.start()
    widget.agent_says("Hello!")
    expect(widget.log.get_by_text("Hello!")).to_be_visible()
    live = widget.messages.last.evaluate(
        """(e) => { let count = 0;
                    for (; e; e = e.parentElement) count += e.matches("[role=log],[role=status],[role=alert],[aria-live]");
                    return count }"""
    )
    assert live == 1
    assert widget.log.locator("[role=status], [role=alert], [aria-live]").count() == 0
    expect(widget.log).to_have_attribute("tabindex", "0")
    expect(widget.page.get_by_role("log", name="Conversation")).to_be_visible()
    widget.page.add_init_script(
        """new MutationObserver((all) => { for (const one of all)
             if (one.target.matches?.("[data-webchat-messages]") && one.addedNodes.length)
               (window.busy ??= []).push(one.target.closest("[role=log]").getAttribute("aria-busy")); })
           .observe(document, {childList: true, subtree: true});"""
    )
    widget.page.reload()
    widget.expect_connected()
    assert set(widget.page.evaluate("window.busy")) == {"true"}


@pytest.mark.thorough
@pytest.mark.parametrize("context", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_who_asked_for_that(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    expect(widget.log.get_by_text("Robin has joined")).to_be_visible()
    widget.agent_types()
    expect(widget.panel.locator("[data-webchat-typing]")).to_be_visible()
    assert widget.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.thorough
def test_the_dots_stop_by_themselves(widget: Widget) -> None:
    """Nothing that starts by itself moves for more than five seconds."""
    widget.start()
    endless = widget.page.evaluate(
        "document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime > 5500).length"
    )
    assert endless == 0


# --- What axe does not see ---------------------------------------------------------------------------------------


def test_the_launcher_is_a_button_whose_name_stays(widget: Widget) -> None:
    widget.goto()
    expect(widget.launcher).to_have_attribute("type", "button")
    shown = widget.launcher.inner_text().strip()
    for expanded in (False, True):
        named = widget.page.get_by_role("button", name="Chat with us", exact=True, expanded=expanded)
        expect(named).to_have_count(1)
        assert shown in (named.get_attribute("aria-label") or named.text_content() or "")
        widget.launcher.click()


def test_everything_is_in_one_named_region(widget: Widget) -> None:
    widget.start()
    region = widget.page.get_by_role("region", name="Chat with us")
    expect(region).to_have_count(1)
    expect(region.get_by_role("log")).to_be_visible()
    assert widget.element.locator("main, header, footer, [role=main], [role=banner], [role=contentinfo]").count() == 0


# Where motion is welcome, the page glides to what has the focus: then the place would be that of a moment.
@pytest.mark.parametrize("context", [{"reduced_motion": "reduce"}], indirect=True)
@pytest.mark.parametrize("width", [1280, 768, 360])
def test_what_has_the_focus_is_not_hidden_behind_the_launcher(widget: Widget, width: int) -> None:
    widget.page.set_viewport_size({"width": width, "height": 640})
    widget.goto()
    for _step in range(40):
        widget.page.keyboard.press("Tab")
        hidden = widget.page.evaluate(
            """() => { const focused = document.activeElement;
                 if (focused === document.body || focused.closest("web-chat")) return null;
                 const box = focused.getBoundingClientRect();
                 const over = document.querySelector("[data-webchat-launcher]").getBoundingClientRect();
                 const inside = box.left >= over.left && box.right <= over.right
                              && box.top >= over.top && box.bottom <= over.bottom;
                 return inside ? focused.outerHTML : null }"""
        )
        assert hidden is None


@pytest.mark.thorough
def test_help_is_at_the_same_place_on_every_page(widget: Widget) -> None:
    places = []
    for path in ("/host/none/one/", "/host/none/two/", "/host/bootstrap/one/"):
        widget.goto(path)
        places.append(
            widget.page.evaluate(
                """() => { const chat = document.querySelector("web-chat");
                     return [chat.parentElement.tagName, chat.previousElementSibling.tagName,
                             chat.nextElementSibling?.tagName ?? "last"] }"""
            )
        )
    assert places == [places[0]] * 3


@pytest.mark.thorough
def test_nobody_solves_a_puzzle_and_nothing_is_framed(widget: Widget) -> None:
    hosts: set[str] = set()
    widget.page.on("request", lambda one: hosts.add(one.url.split("/")[2]))
    widget.start()
    assert len(widget.page.frames) == 1
    assert hosts <= {widget.site.url.split("/")[2], widget.site.sandbox.url.split("/")[2]}


@pytest.mark.thorough
def test_what_may_be_left_out_says_so_in_words(widget: Widget) -> None:
    widget.goto().open()
    expect(widget.field("customer_number")).to_be_visible()
    for name, required in {"name": True, "email": True, "customer_number": False, "question": True}.items():
        label = widget.field(name).evaluate("(e) => e.labels[0].innerText")
        assert ("(optional)" in label) == (not required), name


def test_the_log_scrolls_by_the_keyboard(widget: Widget) -> None:
    widget.start()
    for number in range(12):
        widget.agent_says(f"Line {number}")
    expect(widget.messages).to_have_count(13)
    widget.log.focus()
    before = widget.log.evaluate("(e) => e.scrollTop")
    for _press in range(3):
        widget.page.keyboard.press("ArrowUp")
    widget.page.wait_for_function(
        "([log, before]) => log.scrollTop < before", arg=[widget.log.element_handle(), before]
    )
    expect(widget.log).to_be_focused()
    assert widget.messages.locator("[tabindex]").count() == 0


@pytest.mark.thorough
def test_how_to_send_is_said_and_there_is_a_button(widget: Widget) -> None:
    widget.start()
    expect(widget.composer).to_have_accessible_description("Enter sends, Shift + Enter starts a new line.")
    widget.composer.fill("By the button")
    widget.panel.get_by_role("button", name="Send", exact=True).click()
    expect(widget.messages).to_have_count(2)


@pytest.mark.thorough
def test_wide_spacing_and_large_text_cut_nothing_off(widget: Widget) -> None:
    """WCAG's text spacing, at twice the size of text."""
    widget.page.set_viewport_size({"width": 640, "height": 900})
    widget.start()
    widget.agent_says("A rather long answer, to see whether it stays inside of its bubble when everything is larger.")
    expect(widget.messages).to_have_count(2)
    cut = widget.page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`web-chat { font-size: 32px !important } * { line-height: 1.5 !important; letter-spacing: 0.12em !important;
                             word-spacing: 0.16em !important } p { margin-block-end: 2em !important }`);
          document.adoptedStyleSheets.push(sheet);
          const chat = document.querySelector("web-chat"), screen = document.documentElement.clientWidth;
          return [...chat.querySelectorAll("button, p, h2, label, textarea, time, span")].filter((one) => {
            if (!one.checkVisibility() || one.closest(".webchat-hidden") || !one.innerText?.trim()) return false;
            const box = one.getBoundingClientRect();
            return one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline"
                || box.right > screen + 1 || box.left < -1;
          }).map((one) => one.outerHTML.slice(0, 200));
        }"""
    )
    assert cut == []


@pytest.mark.thorough
def test_nothing_sounds_by_itself(widget: Widget) -> None:
    widget.page.add_init_script(
        """window.sounds = 0;
        for (const name of ["AudioContext", "Audio"])
          window[name] = new Proxy(window[name], {construct: (...all) => (window.sounds += 1, Reflect.construct(...all))});
        HTMLMediaElement.prototype.play = async () => { window.sounds += 1 };"""
    )
    widget.start()
    widget.page.keyboard.press("Escape")
    widget.agent_says("Are you there?")
    expect(widget.launcher.locator("[data-webchat-badge]")).to_be_visible()
    assert widget.page.evaluate("window.sounds") == 0
    assert widget.page.locator("audio, video").count() == 0


@pytest.mark.thorough
def test_the_form_waits_as_long_as_the_visitor_needs(widget: Widget) -> None:
    widget.page.clock.install()
    widget.goto().open().fill(question="Slowly written")
    widget.page.clock.fast_forward("20:00:00")
    expect(widget.field("question")).to_have_value("Slowly written")
    widget.submit()
    widget.expect_connected()


@pytest.mark.thorough
def test_nothing_shows_up_by_hovering_alone(widget: Widget) -> None:
    widget.start()
    before = widget.panel.inner_text()
    for control in widget.element.locator("button:visible, textarea:visible, time:visible").all():
        control.hover()
        assert widget.panel.inner_text() == before


@pytest.mark.thorough
def test_zooming_is_never_forbidden(widget: Widget) -> None:
    for path in ("/", "/webchat/support/"):
        widget.goto(path)
        viewport = widget.page.locator("meta[name=viewport]").get_attribute("content") or ""
        assert not re.search("maximum-scale|user-scalable|minimum-scale", viewport)


@pytest.mark.thorough
@pytest.mark.parametrize("context", [{"forced_colors": "active"}], indirect=True)
def test_in_high_contrast_shapes_and_focus_have_lines(widget: Widget) -> None:
    widget.start()
    widget.agent_says("Hello!")
    expect(widget.messages).to_have_count(2)
    shapes = widget.element.locator(
        "[data-webchat-launcher], [data-webchat-panel], [data-webchat-text], [data-webchat-send], [data-webchat-message]"
    )
    for shape in shapes.filter(visible=True).all():
        line = shape.evaluate(
            """(e) => { const style = getComputedStyle(e);
                 const seen = style.borderTopColor !== style.backgroundColor && !/^rgba.*, 0\\)$/.test(style.borderTopColor);
                 return style.borderTopStyle === "solid" && parseFloat(style.borderTopWidth) >= 1 && seen }"""
        )
        assert line, shape.evaluate("(e) => e.outerHTML")
    widget.composer.focus()
    for _step in range(4):
        outline = widget.page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth] })()"
        )
        assert outline[0] != "none"
        assert float(outline[1].removesuffix("px")) >= 2
        widget.page.keyboard.press("Shift+Tab")
    assert widget.page.evaluate("!!document.activeElement.closest('web-chat')")


LANDSCAPE = {**PHONE, "viewport": {"width": 812, "height": 375}}


@pytest.mark.thorough
@pytest.mark.parametrize("context", [LANDSCAPE], indirect=True)
def test_a_phone_on_its_side_has_the_whole_screen_a_keyboard_of_its_own_and_back(widget: Widget) -> None:
    page = widget.page
    page.add_init_script("window.wentBack = 0; addEventListener('popstate', () => (wentBack += 1), { capture: true })")
    page.goto(f"{widget.site.url}/support/")
    widget.goto()
    widget.open()
    dialog = page.get_by_role("dialog", name="Chat with us")
    expect(dialog).to_have_attribute("aria-modal", "true")
    assert dialog.bounding_box() == {"x": 0, "y": 0, "width": 812, "height": 375}
    go_back(page)
    expect(dialog).to_be_hidden()
    assert page.url == f"{widget.site.url}/"

    widget.open().fill().panel.locator("[data-webchat-submit]").tap()
    widget.expect_connected()
    expect(widget.composer).to_have_attribute("enterkeyhint", "enter")
    widget.composer.press_sequentially("one")
    widget.composer.press("Enter")
    widget.composer.press_sequentially("two")
    expect(widget.composer).to_have_value("one\ntwo")
    expect(widget.panel.get_by_text("Shift + Enter")).to_have_count(0)
    assert violations(page, "web-chat") == []

    # Closed by its button, the panel leaves nothing for Back to close; after a reload Back still closes it.
    page.reload()
    expect(dialog).to_be_visible()
    widget.expect_connected()
    go_back(page)
    expect(dialog).to_be_hidden()
    assert page.url == f"{widget.site.url}/"
    widget.open()
    widget.panel.get_by_role("button", name="Minimise chat").tap()
    expect(dialog).to_be_hidden()
    page.wait_for_function("() => history.state?.webchat === undefined")

    # Closed and opened in one go by the page, it is open, and Back closes it.
    widget.open()
    left = page.evaluate("window.wentBack")
    page.evaluate("() => { const chat = document.querySelector('web-chat'); chat.close(); chat.open(); }")
    page.wait_for_function("(before) => window.wentBack > before", arg=left)
    page.wait_for_function("() => history.state?.webchat === 'support'")
    expect(dialog).to_be_visible()
    expect(dialog).to_have_attribute("aria-modal", "true")
    go_back(page)
    expect(dialog).to_be_hidden()
    go_back(page)
    expect(page).to_have_url(f"{widget.site.url}/support/")
