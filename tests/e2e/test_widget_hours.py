"""A launcher that is on the page while the chat is open."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.engines import Engine
from tests.support.site import SiteServer
from tests.support.widget import Widget

# Two open in ten minutes, for an hour; one closes then.
DUSK = """
from datetime import UTC, datetime, time, timedelta
opens = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
hours, _ = OpeningHours.objects.get_or_create(name="Dusk", time_zone="UTC")
hours.spans.all().delete()
hours.spans.create(weekday=opens.weekday(), opens=opens.time(), closes=(opens + timedelta(hours=1)).time())
for slug, when_closed in [("dusk", "hide"), ("dawn", "message")]:
    Webchat.objects.update_or_create(slug=slug, defaults={"hours": hours, "when_closed": when_closed})

tokyo, _ = OpeningHours.objects.get_or_create(name="Tokyo", time_zone="Asia/Tokyo")
tokyo.spans.all().delete()
tokyo.spans.create(weekday=0, opens=time(9), closes=time(9, 1))
Webchat.objects.update_or_create(slug="tokyo", defaults={"hours": tokyo, "when_closed": "say"})

evening, _ = OpeningHours.objects.get_or_create(name="Evening", time_zone="UTC")
evening.spans.all().delete()
yesterday = opens - timedelta(days=1)
evening.spans.create(weekday=yesterday.weekday(), opens=opens.time(), closes=opens.time())
webchat = Webchat.objects.get(slug="support")
webchat.pk = Webchat.objects.filter(slug="evening").values_list("pk", flat=True).first()
webchat.slug, webchat.hours, webchat.when_closed = "evening", evening, "hide"
webchat.save()
"""
HOST = "/host/none/one/?webchat="


@pytest.fixture(scope="module", autouse=True)
def dusk(site: SiteServer) -> None:
    site.shell(DUSK)


def test_a_hidden_launcher_comes_at_the_opening_and_goes_at_closing(page: Page, site: SiteServer) -> None:
    page.clock.install()
    widget = Widget(page, site, "dusk").goto(HOST + "dusk")
    expect(widget.element).to_be_attached()
    expect(widget.element).to_be_hidden()
    page.clock.fast_forward("08:00")
    expect(widget.launcher).to_be_hidden()
    page.clock.fast_forward("02:00")
    expect(widget.launcher).to_be_visible()
    page.clock.fast_forward("01:00:00")
    expect(widget.launcher).to_be_hidden()


def test_a_launcher_says_what_visitors_find_now(page: Page, site: SiteServer) -> None:
    page.clock.install()
    widget = Widget(page, site, "dawn").goto(HOST + "dawn")
    expect(page.get_by_role("button", name="Leave a message")).to_be_visible()
    page.clock.fast_forward("10:00")
    expect(page.get_by_role("button", name="Chat with us")).to_be_visible()
    expect(widget.launcher.get_by_text("Leave a message")).to_be_hidden()


@pytest.mark.thorough
def test_an_open_panel_is_not_taken_away(page: Page, site: SiteServer) -> None:
    """The device's clock says that it is open, the server decides, and tells when it will be."""
    page.clock.install()
    widget = Widget(page, site, "dusk").goto(HOST + "dusk")
    page.clock.fast_forward("10:00")
    widget.open()
    expect(widget.panel.locator("[data-webchat-state=closed] time")).to_be_visible()
    page.clock.fast_forward("01:00:00")
    expect(widget.panel).to_be_visible()


@pytest.mark.thorough
def test_whose_chat_runs_keeps_the_launcher_in_every_tab(page: Page, site: SiteServer) -> None:
    first = Widget(page, site, "evening").goto(HOST + "evening").open()  # it has no form, and starts
    expect(first.log).to_have_attribute("aria-busy", "false")
    tab, stranger = page.context.new_page(), page.context.browser.new_page()
    for other in (tab, stranger):
        other.clock.install()
        launcher = Widget(other, site, "evening").goto(HOST + "evening").launcher
        expect(launcher).to_be_visible()
        other.clock.fast_forward("10:00")
        if other is stranger:
            expect(launcher).to_be_hidden()
    expect(Widget(tab, site, "evening").launcher).to_be_visible()
    site.shell("Webchat.objects.filter(slug='evening').update(closure='reopened')")
    # A page that was made while closed.
    expect(Widget(tab, site, "evening").goto(HOST + "evening").launcher).to_be_visible()
    expect(Widget(stranger, site, "evening").goto(HOST + "evening").element).to_be_hidden()
    stranger.close()


# Puts the element back into the page as a framework does, when another hour has come by the device's clock.
ATTACH_LATER = """
const now = Date.now() + 11 * 60_000;
Date.now = () => now;
document.body.append(document.querySelector("web-chat"));
"""


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["firefox", "webkit"], indirect=True)
@pytest.mark.parametrize(
    ("slug", "before", "after"), [("dusk", None, "Chat with us"), ("dawn", "Leave a message", "Chat with us")]
)
def test_the_launcher_at_its_hours_in_the_other_engines(
    engine: Engine, site: SiteServer, slug: str, before: str | None, after: str
) -> None:
    engine.goto(f"{site.url}{HOST}{slug}")
    launcher = "document.querySelector('[data-webchat-launcher]')"
    if before:
        engine.wait(f"{launcher}.innerText.trim() === '{before}'")
    else:
        engine.wait(f"customElements.get('web-chat') && !{launcher}.getClientRects().length")
    engine.evaluate(ATTACH_LATER)
    engine.wait(f"{launcher}.getClientRects().length && {launcher}.innerText.trim() === '{after}'")


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["firefox", "webkit"], indirect=True)
def test_when_somebody_is_back_in_the_other_engines(engine: Engine, site: SiteServer) -> None:
    """In the business's time and in the visitor's."""
    engine.goto(f"{site.url}{HOST}tokyo")
    engine.click("[data-webchat-launcher]")
    engine.wait("document.querySelector('[data-webchat-state=closed] time[datetime]')?.getClientRects().length")
    engine.wait("document.querySelector('[data-webchat-own-time]')?.innerText.startsWith('By your clock: ')")
    engine.wait("/\\d:00/.test(document.querySelector('[data-webchat-own-words]').innerText)")
