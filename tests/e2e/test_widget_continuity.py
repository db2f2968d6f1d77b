"""The chat goes on: from page to page, in several tabs, over sleep, lost networks and restarted servers."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import QUIET
from tests.support.browser import installed
from tests.support.device import go_back
from tests.support.site import SiteServer
from tests.support.waiting import until
from tests.support.widget import RECORD_BODIES, Widget, access_token, fetch

LIBRARIES = ["turbo", pytest.param("htmx-2", marks=pytest.mark.thorough), "htmx-4"]
library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture
def widget(widget: Widget) -> Widget:
    widget.record_events()
    return widget


def go_to(widget: Widget, page: str) -> None:
    """By the host's link, and the library's way."""
    widget.page.get_by_role("link", name=f"Go to {page}").click()
    expect(widget.page.get_by_role("heading", name=f"Page {page}")).to_be_visible()
    expect(widget.page).to_have_title(re.compile(f"Page {page}$"))


def expect_same_document(widget: Widget) -> None:
    assert widget.page.evaluate("window.document_of_the_start === true")


def mark_document(widget: Widget) -> None:
    widget.page.evaluate("window.document_of_the_start = true")


def expect_one_launcher_that_works(widget: Widget) -> None:
    """A listener too many would close what the click has just opened."""
    expect(widget.element).to_have_count(1)
    was_open = widget.launcher.get_attribute("aria-expanded") == "true"
    for expected in (not was_open, was_open):
        widget.launcher.click()
        expect(widget.launcher).to_have_attribute("aria-expanded", str(expected).lower())
        expect(widget.panel).to_be_visible(visible=expected)


def expect_delivered(widget: Widget) -> None:
    """Nothing says that it is being sent, or was not."""
    unsent = widget.messages.locator("[data-webchat-delivery]").filter(visible=True)
    expect(unsent).to_have_count(0)


COUNT_SOCKETS = """
window.openSockets = 0;
window.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address);
    window.openSockets += 1;
    this.addEventListener("close", () => (window.openSockets -= 1));
  }
};
"""


def open_sockets(page: Page) -> int:
    """How many WebSockets of the document are open. Its test has added COUNT_SOCKETS."""
    return int(page.evaluate("window.openSockets"))


# --- Navigation without a load ---------------------------------------------------------------------------------


@library
def test_a_running_chat_goes_along(widget: Widget, library: str) -> None:
    widget.page.add_init_script(COUNT_SOCKETS)
    widget.start(f"/host/{library}/one/")
    mark_document(widget)
    widget.composer.fill("half a sent")
    for page in ("two", "one", "two"):
        go_to(widget, page)
        expect(widget.panel).to_be_visible()
        expect(widget.composer).to_have_value("half a sent")
        expect_one_launcher_that_works(widget)
        widget.composer.focus()
        widget.page.keyboard.press("Escape")
        expect(widget.launcher).to_be_focused()
        widget.open()
    widget.agent_says("Hello!")
    expect(widget.messages).to_have_count(2)
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(3)
    expect_delivered(widget)
    assert widget.at_twilio()[1:] == ["Hello!", "half a sent"]
    go_back(widget.page)
    expect(widget.page.get_by_role("heading", name="Page one")).to_be_visible()
    expect(widget.element).to_have_count(1)
    expect(widget.messages).to_have_count(3)
    expect_same_document(widget)
    assert open_sockets(widget.page) == 1
    assert [name for name, _detail in widget.events()].count("started") == 1


@pytest.mark.thorough
@library
def test_a_minimised_chat_goes_along_and_counts(widget: Widget, library: str) -> None:
    widget.start(f"/host/{library}/one/")
    mark_document(widget)
    widget.page.keyboard.press("Escape")
    expect(widget.launcher).to_be_focused()
    widget.agent_says("Are you there?")
    expect(widget.page).to_have_title("(1) Page one")
    go_to(widget, "two")
    expect(widget.page).to_have_title("(1) Page two")
    expect(widget.panel).to_be_hidden()
    expect(widget.launcher.locator("[data-webchat-badge]")).to_contain_text("1")
    widget.open()
    expect(widget.page).to_have_title("Page two")
    expect_same_document(widget)


@library
def test_what_was_typed_into_the_form_goes_along(widget: Widget, library: str) -> None:
    widget.goto(f"/host/{library}/one/").open().fill(question="Where is")
    mark_document(widget)
    go_to(widget, "two")
    expect(widget.field("question")).to_have_value("Where is")
    expect_one_launcher_that_works(widget)
    expect_same_document(widget)
    widget.submit()
    widget.expect_connected()


@pytest.mark.thorough
@library
def test_a_page_without_the_chat_lets_it_go_and_the_next_has_it_again(widget: Widget, library: str) -> None:
    widget.page.add_init_script(COUNT_SOCKETS)
    widget.start(f"/host/{library}/one/")
    mark_document(widget)
    go_to(widget, "two")
    go_to(widget, "plain")
    expect(widget.element).to_have_count(0)
    until(lambda: not open_sockets(widget.page))
    # They keep copies of pages: in memory, never on the disk. What the chat keeps for its tab is another thing.
    copies = widget.page.evaluate("JSON.stringify([localStorage, {...sessionStorage, 'webchat:support:past': ''}])")
    assert "Where is my parcel?" not in copies
    widget.agent_says("Still there?")
    go_to(widget, "two")
    expect(widget.panel).to_be_visible()
    expect(widget.messages).to_have_count(2)
    expect_one_launcher_that_works(widget)
    go_to(widget, "plain")
    go_back(widget.page)
    expect(widget.messages).to_have_count(2)
    expect_one_launcher_that_works(widget)
    expect_same_document(widget)


@library
def test_a_chat_that_ends_while_a_page_without_it_is_shown_can_be_read_on_the_next(
    widget: Widget, library: str
) -> None:
    widget.page.add_init_script(COUNT_SOCKETS)
    widget.start(f"/host/{library}/one/")
    mark_document(widget)
    widget.composer.fill("half a sent")
    go_to(widget, "plain")
    until(lambda: not open_sockets(widget.page))
    widget.site.sandbox.desk(widget.channel, "complete", author="Robin")
    go_to(widget, "two")
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    expect(widget.log.get_by_text("Where is my parcel?")).to_be_visible()
    expect(widget.panel.get_by_label("What you had not sent yet")).to_have_value("half a sent")
    expect_same_document(widget)


@library
def test_from_the_launcher_into_the_page_and_back(widget: Widget, library: str) -> None:
    widget.start(f"/host/{library}/one/")
    go_to(widget, "inline")
    expect(widget.element).to_have_attribute("mode", "inline")
    widget.expect_connected()
    widget.send("In the page")
    expect(widget.messages).to_have_count(2)
    go_to(widget, "one")
    expect(widget.element).to_have_attribute("mode", "launcher")
    expect(widget.messages).to_have_count(2)
    expect_one_launcher_that_works(widget)


@pytest.mark.thorough
def test_turbo_morphs_the_page_around_it(widget: Widget) -> None:
    widget.start("/host/turbo/one/")
    mark_document(widget)
    widget.composer.fill("half a sent")
    widget.page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener("turbo:morph", done, {once: true});
          Turbo.session.refresh(location.href);
        }).then(() => true)"""
    )
    expect(widget.composer).to_have_value("half a sent")
    expect_one_launcher_that_works(widget)
    expect_same_document(widget)


# --- Loads -----------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_a_page_from_the_back_forward_cache(browser: Browser, site: SiteServer) -> None:
    """As it was left, and every listener once. Playwright switches the cache off, hence a browser of its own."""
    path = installed(whole=True)
    if not path:
        pytest.skip("a browser without windows keeps no pages")
    chromium = browser.browser_type.launch(
        executable_path=path,
        args=QUIET,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    page = chromium.new_page()
    page.add_init_script("addEventListener('pageshow', ({ persisted }) => (window.persisted = persisted))")
    widget = Widget(page, site).goto("/host/none/one/").open().fill(question="Where is")
    page.goto(f"{site.url}/host/none/plain/")
    go_back(page)
    expect(page).to_have_title("Page one")
    assert page.evaluate("window.persisted")
    expect(widget.field("question")).to_have_value("Where is")
    expect_one_launcher_that_works(widget)
    widget.submit()
    widget.expect_connected()
    page.goto(f"{site.url}/host/none/plain/")
    go_back(page)
    widget.expect_connected()
    widget.send("Back again")
    expect(widget.messages).to_have_count(2)
    expect_one_launcher_that_works(widget)
    chromium.close()


def test_four_tabs_show_one_chat_and_each_message_once(widget: Widget, page: Page) -> None:
    widget.start()
    others = [Widget(page.context.new_page(), widget.site).goto().open() for _tab in range(3)]
    for other in others:
        other.expect_connected()
    widget.send("From here")
    expect(others[0].messages).to_have_count(2)
    others[0].send("From there")
    for one in (widget, *others):
        expect(one.messages.locator("[data-webchat-text]")).to_have_text(
            ["Where is my parcel?", "From here", "From there"]
        )
    assert len(widget.at_twilio()) == 3


# --- Sleep and lost networks -----------------------------------------------------------------------------------


def test_a_sleep_past_the_end_of_the_token(widget: Widget) -> None:
    """Nothing runs on a machine that sleeps: it wakes with a token that has expired."""

    awake_until: list[float] = []

    def with_a_short_life(route: Route) -> None:
        found = fetch(route)
        credentials = found.json()
        awake_until.append(time.time() + 3)
        route.fulfill(response=found, json={**credentials, "token": access_token(credentials["identity"], seconds=3)})

    widget.page.add_init_script(RECORD_BODIES)
    widget.page.route("**/sessions/", with_a_short_life)
    widget.page.route("**/token/", lambda route: route.abort())
    widget.start()
    widget.composer.fill("half a sent")
    widget.page.context.set_offline(True)
    widget.site.sandbox.connections("abort", widget.credentials["identity"])
    until(lambda: time.time() > awake_until[0])
    widget.agent_says("Are you asleep?")
    widget.page.unroute("**/token/")
    widget.page.context.set_offline(False)
    expect(widget.log.get_by_text("Are you asleep?")).to_be_visible(timeout=20_000)
    expect(widget.composer).to_have_value("half a sent")
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(3)
    expect_delivered(widget)


def test_what_is_written_offline_goes_out_once(widget: Widget) -> None:
    widget.start()
    widget.page.context.set_offline(True)
    widget.site.sandbox.connections("abort", widget.credentials["identity"])
    expect(widget.panel.get_by_text("You are offline.")).to_be_visible()
    widget.send("Written in a tunnel")
    expect(widget.messages.last).to_contain_text("Sending…")
    widget.page.context.set_offline(False)
    expect_delivered(widget)
    expect(widget.messages).to_have_count(2)
    assert widget.at_twilio().count("Written in a tunnel") == 1


@pytest.mark.thorough
def test_what_arrives_twice_is_shown_once(widget: Widget) -> None:
    """After a reconnection Twilio tells again what was known already."""
    widget.start()
    for number in range(3):
        widget.agent_says(f"Line {number}")
    expect(widget.messages).to_have_count(4)
    for _time in range(2):
        widget.site.sandbox.connections("drop", widget.credentials["identity"])
        expect(widget.panel.get_by_text("You are connected again.")).to_be_visible(timeout=15_000)
    widget.agent_says("Line 3")
    expect(widget.messages.locator("[data-webchat-text]")).to_have_text(
        ["Where is my parcel?", *(f"Line {number}" for number in range(4))]
    )


# --- Restarts --------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_site_restarts_under_a_running_chat(widget: Widget) -> None:
    """The conversation is between the browser and Twilio; only a renewal has to wait."""
    widget.start()
    widget.composer.fill("half a sent")
    widget.site.stop()
    try:
        widget.agent_says("Still here")
        expect(widget.messages).to_have_count(2)
        widget.composer.press("Enter")
        expect(widget.messages).to_have_count(3)
        expect_delivered(widget)
        widget.site.sandbox.connections("about_to_expire", widget.credentials["identity"])
    finally:
        with widget.page.expect_response(lambda one: one.url.endswith("/token/") and one.ok):
            widget.site.serve()
    expect(widget.composer).to_be_visible()
    widget.page.reload()
    widget.expect_connected()
    expect(widget.messages).to_have_count(3)


@pytest.mark.thorough
def test_the_sandbox_restarts_and_knows_the_chat_no_more(widget: Widget) -> None:
    widget.start()
    widget.composer.fill("half a sent")
    widget.site.sandbox.restart()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible(timeout=20_000)
    widget.panel.get_by_role("button", name="Start a new chat").click()
    widget.fill(question="Once more").submit()
    widget.expect_connected()
    expect(widget.messages).to_contain_text(["Once more"])
