"""For everybody: keyboard, screen reader, phone, zoom, dark, high contrast, right to left."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.widget import Widget, shot
from tests.site_server import SiteServer

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
phone = pytest.mark.parametrize("context", [PHONE], indirect=True)


@pytest.fixture
def widget(page: Page, site: SiteServer) -> Iterator[Widget]:
    yield Widget(page, site)
    site.sandbox.clear_faults()


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


@pytest.mark.parametrize("context", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_who_asked_for_that(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    expect(widget.log.get_by_text("Robin has joined")).to_be_visible()
    widget.agent_types()
    expect(widget.panel.locator("[data-webchat-typing]")).to_be_visible()
    assert widget.page.evaluate("document.getAnimations().length") == 0


def test_the_dots_stop_by_themselves(widget: Widget) -> None:
    """Nothing that starts by itself moves for more than five seconds."""
    widget.start()
    endless = widget.page.evaluate(
        "document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime > 5500).length"
    )
    assert endless == 0


BOOTSTRAP_LIKE = """
*,*::before,*::after{box-sizing:border-box} p{margin:0 0 3rem;font-size:2rem} ul,ol{padding-left:4rem;list-style:square}
h1,h2{font-size:4rem;margin:2rem 0;color:purple} button,input,textarea{border-radius:0;font-family:serif;font-size:9px}
button,[type=button]{background:yellow;text-transform:none} input[type=text],input[type=email]{height:90px;background:pink}
label{display:inline-block;margin-bottom:3rem} a{color:red;text-decoration:none} fieldset{border:9px solid}
textarea{background:pink;height:300px} img,svg{display:block;max-width:100%;vertical-align:middle} form{margin:50px}
"""


def test_a_hosts_own_styles_do_not_break_it(widget: Widget) -> None:
    """Element selectors as resets and frameworks have them, worse than any of them."""
    widget.page.route("**/site*.css", lambda route: route.fulfill(content_type="text/css", body=BOOTSTRAP_LIKE))
    widget.start()
    widget.agent_says("Hello!")
    expect(widget.messages).to_have_count(2)
    shot(widget.page, os.environ.get("WIDGET_SHOTS"), "host-styles")
    style = "(e, name) => getComputedStyle(e)[name]"
    assert widget.composer.evaluate(style, "fontSize") == "16px"
    assert widget.composer.evaluate("(e) => e.offsetHeight") < 60
    assert widget.panel.get_by_role("heading").first.evaluate(style, "fontSize") == "18px"
    assert widget.messages.last.locator("[data-webchat-text]").evaluate(style, "marginBottom") == "0px"
    launcher = widget.launcher.bounding_box()
    assert launcher
    assert launcher["height"] == 56
