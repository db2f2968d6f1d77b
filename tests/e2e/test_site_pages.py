"""The website and the agent desk in a browser: accessible by axe's rules, in light and dark, on a phone and a desk."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.widget import AXE

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 320, "height": 640}
# Colours do not depend on the width, so two of the four pairs show all.
LOOKS = [{"viewport": DESK, "color_scheme": "light"}, {"viewport": PHONE, "color_scheme": "dark"}]
every_look = pytest.mark.parametrize(
    "context", LOOKS, indirect=True, ids=lambda look: f"{look['viewport']['width']}-{look['color_scheme']}"
)
ADDRESSES = ["/", "/support/", "/legacy/", "/accounts/login/", "/accounts/password_reset/", "/nowhere/"]


def violations(page: Page) -> list[str]:
    """What axe finds, without the chat, which has tests of its own, and without what Twilio makes."""
    page.evaluate(AXE)
    found = page.evaluate(
        "axe.run({exclude: ['web-chat', '#twilio-customer-frame']}, {resultTypes: ['violations'], preload: false})"
    )
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]


def too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@every_look
def test_a_page_is_accessible_and_fits(page: Page, site: SiteServer):
    for address in ADDRESSES:
        page.goto(site.url + address)
        assert violations(page) == [], address
        assert not too_wide(page), address


@every_look
def test_sign_in_refused_and_the_menu_are_accessible(page: Page, site: SiteServer):
    page.goto(f"{site.url}/accounts/login/?next=/support/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Please enter a correct username")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Password").fill("sandbox")
    page.get_by_label("Password").press("Enter")
    page.wait_for_url(f"{site.url}/support/")
    page.locator("summary", has_text="Ada").press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert violations(page) == []
    assert not too_wide(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    menu = page.locator("summary", has_text="Ada")
    expect(menu).to_be_focused()
    menu.press("Enter")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


@pytest.mark.thorough
@pytest.mark.parametrize("context", [{"viewport": {"width": 1600, "height": 900}}], indirect=True)
def test_the_art_of_the_home_page_is_whole_on_a_wide_screen(page: Page, site: SiteServer) -> None:
    page.goto(site.url)
    drawn, box = page.locator(".range").evaluate(
        "(art) => [art.viewBox.baseVal.height * art.getScreenCTM().d, art.getBoundingClientRect().height]"
    )
    assert drawn <= box + 1  # a pixel of rounding


def test_the_keyboard_can_skip_to_the_content(page: Page, site: SiteServer):
    page.goto(site.url)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("context", [{"locale": "ar", "viewport": PHONE}], indirect=True)
def test_a_page_is_mirrored_for_arabic(page: Page, site: SiteServer):
    page.goto(site.url)
    brand, link = page.locator(".brand").bounding_box(), page.locator(".actions .button").first.bounding_box()
    assert brand["x"] + brand["width"] > 280
    assert link["x"] + link["width"] > 280
    assert not too_wide(page)


@pytest.fixture
def busy_desk() -> Iterator[SandboxServer]:
    with SandboxServer() as sandbox:
        for name in ("Ada", "Bob", "Cy"):
            data = {"name": name, "email": f"{name}@example.com", "verified": ["email"]}
            sid = sandbox.open_webchat(name, CustomerFriendlyName=name, PreEngagementData=json.dumps(data))
            sandbox.say(sid, name, f"Hello, I am {name}.", webhooks=True)
            if name != "Cy":
                sandbox.desk(sid, "accept", author="Robin")
            if name == "Ada":
                sandbox.desk(sid, "complete", author="Robin")
        yield sandbox


@every_look
def test_the_agent_desk_is_accessible_and_fits(page: Page, busy_desk: SandboxServer):
    page.goto(busy_desk.url)
    for name in ("Cy", "Bob", "Ada"):
        link = page.get_by_role("link", name=name)
        expect(link).to_be_visible()
        assert violations(page) == []
        link.click()
        expect(page.get_by_role("log")).to_contain_text(f"I am {name}.")
        assert violations(page) == []
        assert not too_wide(page)
        if (back := page.get_by_role("link", name="All chats")).is_visible():
            back.click()


@pytest.mark.parametrize("context", [{"viewport": {"width": 375, "height": 500}}], indirect=True)
def test_a_form_on_a_page_of_its_own_scrolls_with_the_page_alone(page: Page, site: SiteServer) -> None:
    page.goto(f"{site.url}/webchat/support/")
    form = page.locator("[data-webchat-form]")
    assert form.evaluate("(form) => form.scrollHeight - form.clientHeight") == 0
    edges = page.locator("[data-webchat-panel]").bounding_box()
    assert edges["x"] >= 12  # as far from the edge as the rest of the page, about
    assert edges["x"] + edges["width"] <= 375 - 12


@pytest.mark.thorough
@pytest.mark.parametrize("context", [{"locale": "ar", "viewport": PHONE}], indirect=True)
def test_texts_in_another_direction_keep_their_punctuation(page: Page, site: SiteServer) -> None:
    # That nobody has translated.
    site.shell("PreEngagementField.objects.filter(webchat__slug='support', name='question').update(translations={})")
    page.goto(f"{site.url}/webchat/support/")
    label = page.get_by_text("How can we help?")
    start, end = (
        label.evaluate(
            """(label, place) => {
                const text = document.createTreeWalker(label, NodeFilter.SHOW_TEXT).nextNode();
                const range = document.createRange();
                range.setStart(text, place < 0 ? text.length - 1 : 0);
                range.setEnd(text, place < 0 ? text.length : 1);
                return range.getBoundingClientRect().x;
            }""",
            place,
        )
        for place in (0, -1)
    )
    assert start < end  # the question mark stands after the words, to their right
