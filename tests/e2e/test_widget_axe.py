"""axe finds nothing in any state of the widget: large and small, in both directions of writing, light and dark."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.support.device import emulate_media
from tests.support.site import SiteServer
from tests.support.widget import Widget, at_rest, shot, violations

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
VISITORS = {
    "desktop": DESKTOP,
    "phone": PHONE,
    "arabic": {**DESKTOP, "locale": "ar"},
    "arabic-phone": {**PHONE, "locale": "ar"},
    "contrast": {**DESKTOP, "forced_colors": "active"},
}
visitors = pytest.mark.parametrize("context", VISITORS.values(), ids=VISITORS, indirect=True)
# In which the rules about landmarks and headings of the page are asked too, and the demo's own page with them.
WHOLE_PAGE = {"closed", "form", "chat"}

COLOURS = ["1f5fbf", "000000", "ffffff", "ffd400", "e2001a", "767676"]


@pytest.fixture(scope="module", autouse=True)
def webchats(site: SiteServer) -> None:
    """One that says when it opens, one that takes messages, and one in each colour."""
    site.shell(
        f"""for colour in {COLOURS}:
            Webchat.objects.get_or_create(slug="c" + colour, defaults={{"brand_colour": "#" + colour, "enabled": True}})
        Webchat.objects.get_or_create(slug="away", defaults={{"closure": "until", "closed_until": "2099-01-04T08:00Z"}})
        hours, _ = OpeningHours.objects.get_or_create(name="Never", time_zone="Europe/Berlin")
        Webchat.objects.get_or_create(slug="sleeping", defaults={{"hours": hours, "when_closed": "message"}})""".replace(
            "\n        ", "\n"
        )
    )


@pytest.fixture
def check(widget: Widget, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Looks at the state that the page is in, by light and by night."""
    name = request.node.callspec.id.replace("/", "_")

    def look(state: str) -> None:
        # In high contrast the colours are the system's own.
        for scheme in ("light",) if "contrast" in name else ("light", "dark"):
            emulate_media(widget.page, color_scheme=scheme)
            at_rest(widget.page)
            shot(widget.page, os.environ.get("WIDGET_SHOTS"), f"{name}-{state}-{scheme}")
            within = "html" if state in WHOLE_PAGE else "web-chat"
            assert violations(widget.page, within) == [], f"{state}, {scheme}"

    return look


def hold(page: Page, address: str | re.Pattern[str]) -> Callable[[], None]:
    """Keeps what goes to that address waiting until the returned function is called."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))

    def release() -> None:
        for route in held:
            route.continue_()
        page.unroute(address)

    return release


@visitors
def test_axe_finds_nothing_in_any_state(widget: Widget, check: Callable[[str], None]) -> None:
    page, panel, sandbox = widget.page, widget.panel, widget.site.sandbox
    reachable = True

    def connect(socket: WebSocketRoute) -> None:
        socket.connect_to_server() if reachable else socket.close()

    page.route_web_socket(re.compile("wsconnect"), connect)
    widget.goto()
    check("closed")
    widget.element.evaluate("(e) => { e.src = '/webchat/away/panel/' }")
    widget.launcher.click()
    expect(panel.locator("[data-webchat-state=closed]")).to_be_visible()
    check("out-of-hours")
    page.keyboard.press("Escape")

    widget.goto()
    widget.element.evaluate("(e) => { e.src = '/webchat/sleeping/panel/' }")
    widget.launcher.click()
    expect(widget.form).to_have_js_property("noValidate", True)
    check("message")
    panel.locator("[data-webchat-submit]").click()
    expect(widget.field("message_text")).to_be_focused()
    check("message-with-errors")
    widget.field("message_text").fill("Is the tent waterproof?")
    widget.field("reply_email").fill("jose@example.com")
    panel.locator("[data-webchat-submit]").click()
    expect(panel.locator("[data-webchat-left-title]")).to_be_focused()
    check("message-left")
    page.keyboard.press("Escape")

    widget.goto()
    release = hold(page, "**/panel/")
    widget.launcher.click()
    expect(panel.locator(".webchat-loading")).to_be_visible()
    check("loading")
    release()
    expect(widget.field("name")).to_be_visible()
    check("form")
    submit = panel.locator("[data-webchat-submit]")
    submit.click()
    expect(widget.errors).to_be_focused()
    check("form-with-errors")
    release = hold(page, re.compile("/sdk/conversations"))  # it travels while one writes
    widget.fill()
    sandbox.fault("POST", "/v2/WebChats", status=429, times=20, headers={"Retry-After": "60"})
    submit.click()
    expect(panel.locator("[data-webchat-detail]")).to_be_visible()
    check("unavailable")
    sandbox.clear_faults()

    release_start = hold(page, "**/sessions/")
    submit.click()
    expect(panel.locator("[data-webchat-busy]")).to_be_visible()
    check("starting")
    with page.expect_response("**/sessions/") as answer:
        release_start()
    widget.credentials = answer.value.json()
    expect(panel.locator("[data-webchat-connection]")).not_to_be_empty()
    expect(widget.messages).to_have_count(1)  # the question, on its way
    check("empty-chat")
    release()
    widget.expect_connected()
    check("waiting")

    widget.agent_joins()
    for number in range(28):
        widget.agent_says(f"Line {number}, see https://example.com/{number}")
    panel.locator("[data-webchat-message]").fill("Thank you!\nThat helps.")
    panel.locator("[data-webchat-send]").click()
    expect(widget.messages).to_have_count(30)
    widget.agent_types()
    expect(panel.locator("[data-webchat-typing]")).to_be_visible()
    check("30-messages")
    panel.locator("[data-webchat-options] summary").click()
    check("options")
    panel.locator("[data-webchat-options] summary").click()
    sandbox.fault("POST", f"/Client/v2/Conversations/{widget.channel}/Messages", status=400, times=9)
    panel.locator("[data-webchat-message]").fill("This one fails")
    panel.locator("[data-webchat-send]").click()
    expect(panel.locator("[data-webchat-resend]")).to_be_visible()
    check("not-sent")
    reachable = False
    sandbox.connections("abort", widget.credentials["identity"])
    expect(panel.locator("[data-webchat-connection]")).not_to_be_empty()
    check("reconnecting")
    panel.locator("[data-webchat-message]").fill("Not sent yet")
    panel.locator("[data-webchat-end]").click()
    check("asked-to-end")
    panel.locator("[data-webchat-confirm-end]").click()
    expect(panel.locator("[data-webchat-kept]")).to_be_visible()
    check("ended-with-unsent-text")
    panel.locator("[data-webchat-new]").click()
    expect(widget.form).to_have_js_property("noValidate", True)
    expect(widget.log).to_be_visible()
    check("form-below-transcript")


@pytest.mark.parametrize("context", [DESKTOP, VISITORS["arabic-phone"]], ids=["desktop", "arabic-phone"], indirect=True)
def test_axe_finds_nothing_in_the_page_of_its_own(widget: Widget, check: Callable[[str], None]) -> None:
    widget.goto("/webchat/support/")
    expect(widget.form).to_have_js_property("noValidate", True)
    widget.panel.locator("[data-webchat-submit]").click()
    expect(widget.errors).to_be_focused()
    check("form-with-errors")
    widget.fill().panel.locator("[data-webchat-submit]").click()
    widget.expect_connected()
    check("chat")


@pytest.mark.thorough
def test_every_brand_colour_can_be_read(widget: Widget) -> None:
    for colour in COLOURS:
        slug = f"c{colour}"
        painted = Widget(widget.page, widget.site, slug).goto(f"/host/none/one/?webchat={slug}").open()
        expect(painted.form).to_be_visible()
        for scheme in ("light", "dark"):
            emulate_media(widget.page, color_scheme=scheme)
            assert violations(widget.page, "web-chat") == [], f"#{colour}, {scheme}"
