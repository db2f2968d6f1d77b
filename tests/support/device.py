"""What a visitor's device and browser are set to. Playwright sets it in Chromium alone; Firefox does it by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.firefox_for_playwright import run_inside

# A setting of Playwright and its value, and the preference of Firefox that says the same, with its value.
PREFERENCES = {
    ("color_scheme", "dark"): ("layout.css.prefers-color-scheme.content-override", 0),
    ("color_scheme", "light"): ("layout.css.prefers-color-scheme.content-override", 1),
    ("forced_colors", "active"): ("browser.display.document_color_use", 2),
    ("reduced_motion", "reduce"): ("ui.prefersReducedMotion", 1),
    ("has_touch", True): ("ui.primaryPointerCapabilities", 1),  # coarse, and cannot hover
}
COOKIES = "network.cookie.cookieBehavior"
# The only tabs are those of one test.
IN_EVERY_TAB = """
for (const window of Services.wm.getEnumerator("navigator:browser"))
  for (const { browsingContext } of window.gBrowser.browsers) browsingContext.%s = %s;
"""


def is_firefox(browser: Browser) -> bool:
    return browser.browser_type.name == "firefox"


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A fresh browser profile, with Playwright's options. Firefox has no `is_mobile`; the size of a phone it has."""
    if not is_firefox(browser):
        return browser.new_context(**options)
    for name in {COOKIES, *(name for name, _value in PREFERENCES.values())}:
        run_inside(browser, f"Services.prefs.clearUserPref({json.dumps(name)})")
    for (name, value), preference in PREFERENCES.items():
        if options.get(name) == value:
            set_preference(browser, *preference)
    has_scripts = options.pop("java_script_enabled", True)
    beyond_playwright = ("is_mobile", *(name for name, _value in PREFERENCES))
    context = browser.new_context(**{name: value for name, value in options.items() if name not in beyond_playwright})
    if not has_scripts:
        context.on("page", lambda _page: run_inside(browser, IN_EVERY_TAB % ("allowJavascript", "false")))
    return context


def emulate_media(page: Page, **settings: str) -> None:
    """`color_scheme`, `forced_colors`, `media` and `reduced_motion`, as Playwright's own function takes them."""
    browser = browser_of(page)
    if not is_firefox(browser):
        page.emulate_media(**settings)  # type: ignore[arg-type]
        return
    if medium := settings.pop("media", None):
        run_inside(browser, IN_EVERY_TAB % ("mediumOverride", json.dumps(medium)))
    for setting in settings.items():
        set_preference(browser, *PREFERENCES[setting])


def set_preference(browser: Browser, name: str, value: int) -> None:
    run_inside(browser, f"Services.prefs.setIntPref({json.dumps(name)}, {value})")


def go_back(page: Page) -> None:
    """As the browser's button does. Playwright's own function waits for a load, which there is not within a page."""
    page.evaluate("void setTimeout(() => history.back())")


def block_cookies(page: Page) -> Callable[[], None]:
    """Returns what allows them again."""
    browser = browser_of(page)
    if is_firefox(browser):
        set_preference(browser, COOKIES, 2)
        return lambda: run_inside(browser, f"Services.prefs.clearUserPref({json.dumps(COOKIES)})")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setDocumentCookieDisabled", {"disabled": True})
    return lambda: session.send("Emulation.setDocumentCookieDisabled", {"disabled": False}) and None


def browser_of(page: Page) -> Browser:
    browser = page.context.browser
    assert browser
    return browser
