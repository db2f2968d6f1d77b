"""What the launcher costs a page on which nobody chats."""

from __future__ import annotations

import gzip
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.support.device import emulate_media
from tests.support.site import SiteServer
from tests.support.waiting import until
from tests.support.widget import ON_DEMAND, Widget

SCRIPTS, STYLES, PANEL_CSS, CHAT, SDK = 2050, 2048, 3120, 17_700, 75 * 1024
ON_THE_WIRE = 4400

PANEL = {"panel", "api", "templates"}


def name_of(address: str) -> str:
    return urlsplit(address).path.rsplit("/", 1)[1].split(".")[0]


def size(address: str) -> int:
    """Bytes of the file at gzip -9, however it was sent."""
    return len(gzip.compress(requests.get(address, timeout=60).content, 9))


def ours(sent: list[Request], *kinds: str) -> list[str]:
    return [one.url for one in sent if "webchat" in urlsplit(one.url).path and one.resource_type in kinds]


@pytest.fixture
def sent(page: Page) -> list[Request]:
    seen: list[Request] = []
    page.on("request", lambda one: seen.append(one))
    return seen


def test_a_page_view_is_cheap_and_leaves_no_trace(
    page: Page, site: SiteServer, context: BrowserContext, sent: list[Request]
) -> None:
    page.add_init_script(
        """window.shifts = []; window.writes = [];
        new PerformanceObserver((list) => list.getEntries().forEach((one) => window.shifts.push(one.value)))
          .observe({type: "layout-shift", buffered: true});
        for (const name of ["setItem", "removeItem", "clear"]) {
          const real = Storage.prototype[name];
          Storage.prototype[name] = function (...rest) { window.writes.push(name); return real.apply(this, rest); };
        }"""
    )
    widget = Widget(page, site).goto()
    page.wait_for_load_state("networkidle")
    scripts, styles = ours(sent, "script"), ours(sent, "stylesheet")
    assert [name_of(one) for one in scripts] == ["web-chat"]
    assert [name_of(one) for one in styles] == ["launcher"]
    assert sum(map(size, scripts)) <= SCRIPTS
    assert sum(map(size, styles)) <= STYLES
    assert {urlsplit(one.url).netloc for one in sent} == {urlsplit(site.url).netloc}
    assert context.cookies() == []
    assert page.evaluate("[window.writes, window.shifts, localStorage.length, sessionStorage.length]") == [[], [], 0, 0]
    assert len(gzip.compress(widget.element.evaluate("(e) => e.outerHTML").encode())) <= 1536


# Closed until noon of another day, as its page says.
CLOSED = """
from datetime import UTC, datetime, timedelta
hours, _ = OpeningHours.objects.get_or_create(name="Noon", time_zone="UTC")
hours.spans.get_or_create(weekday=(datetime.now(UTC) + timedelta(days=2)).weekday(), opens="12:00", closes="13:00")
Webchat.objects.get_or_create(slug="noon", defaults={"hours": hours})
"""


@pytest.mark.parametrize("slug", ["support", "noon"])
def test_all_that_a_page_view_loads_of_the_chat_weighs_little_on_the_wire(
    page: Page, site: SiteServer, sent: list[Request], slug: str
) -> None:
    """As the browser counts it: the bytes of each answer, compressed, with its headers. Opening hours cost nothing more."""
    site.shell(CLOSED)
    widget = Widget(page, site, slug).goto(f"/host/none/one/?webchat={slug}")
    page.wait_for_load_state("networkidle")
    assert bool(widget.element.get_attribute("data-webchat-hours")) is (slug == "noon")
    chat = [one for one in sent if "webchat" in urlsplit(one.url).path]
    assert {one.resource_type for one in chat} == {"script", "stylesheet"}
    weights = {}
    for one in chat:
        response = one.response()
        assert response
        assert response.header_value("content-encoding") == "br"
        weights[name_of(one.url)] = one.sizes()["responseHeadersSize"] + one.sizes()["responseBodySize"]
    assert sum(weights.values()) <= ON_THE_WIRE, weights


def test_what_follows_the_visitors_steps(page: Page, site: SiteServer, sent: list[Request]) -> None:
    widget = Widget(page, site).goto()
    before = len(sent)
    widget.launcher.hover()
    until(lambda: page.wait_for_timeout(20) or {name_of(one) for one in ours(sent[before:], "fetch")} == PANEL)
    hovered = sent[before:]
    assert ours(hovered, "script") == []
    assert page.context.cookies() == []

    widget.open()
    expect(widget.field("name")).to_be_visible()
    for_the_form = {name_of(one) for one in ours(sent[before:], "script")}
    assert for_the_form == PANEL
    assert sum(size(one) for one in ours(sent[before:], "stylesheet")) <= PANEL_CSS
    fragment = requests.get(f"{site.url}/webchat/support/panel/", timeout=60).content
    assert len(gzip.compress(fragment, 9)) <= 5 * 1024

    with page.expect_request("**/sdk/conversations*.js") as preloaded:
        widget.field("name").press_sequentially("J")
    assert size(preloaded.value.url) <= SDK
    widget.fill().submit()
    widget.expect_connected()
    assert len([one for one in sent if "/sdk/" in one.url]) <= 2
    # What only some webchats and visitors need comes when they do.
    own = {one for one in ours(sent[before:], "script") if "/sdk/" not in one}
    usual = [one for one in own if name_of(one) not in ON_DEMAND]
    assert sum(map(size, usual)) <= CHAT
    assert {name_of(one) for one in own} & ON_DEMAND == {"outgoing-files"}
    hosts = {urlsplit(one.url).netloc for one in sent}
    assert hosts <= {urlsplit(site.url).netloc, urlsplit(site.sandbox.url).netloc}


def test_every_module_is_served_under_its_hashed_name(page: Page, site: SiteServer, sent: list[Request]) -> None:
    """Else a cached old module would import a new one."""
    Widget(page, site).start()
    names = [urlsplit(one).path.rsplit("/", 1)[1] for one in ours(sent, "script")]
    assert len(names) > 5
    assert [name for name in names if name.count(".") != 2] == []
    assert len(names) == len(set(names)) or len([one for one in names if "conversations" in one]) == 2


@pytest.mark.thorough
def test_printing_leaves_the_widget_out(page: Page, site: SiteServer) -> None:
    widget = Widget(page, site).goto().open()
    emulate_media(page, media="print")
    expect(widget.launcher).to_be_hidden()
    expect(widget.panel).to_be_hidden()
