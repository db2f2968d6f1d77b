"""A real browser against the real site and the real sandbox."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, expect, sync_playwright

from tests.e2e.not_in_firefox import reason_to_skip
from tests.support import firefox_for_playwright
from tests.support.browser import installed
from tests.support.device import new_context
from tests.support.engines import Chromium, Engine, Firefox, FirefoxProcess, WebKit
from tests.support.missing import skip_without
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.widget import Widget

# Without these, Chromium tries to reach its maker's servers.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A test that passes does not wait for it: for a busy machine.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
# The site as it is, and beside it the pages of tests/e2e/hosts.
HOSTS: dict[str, str | None] = {"DJANGO_SETTINGS_MODULE": "tests.e2e.hosts.settings"}

FIREFOX = "Firefox ESR (apt-get install firefox-esr)"
# Firefox tells of a script that did not come, or that was another, and of a line that broke by the same event as of an
# uncaught error.
NOT_LOADED = re.compile(
    "Loading (failed|module)|None of the .* hashes in the integrity attribute match"
    "|The connection to ws://|Firefox can.t establish a connection"
)


@pytest.fixture(scope="session")
def site(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    with SiteServer(tmp_path_factory.mktemp("site"), sandbox_server, environment=HOSTS) as server:
        yield server


def in_firefox() -> bool:
    """Whether all tests run in Firefox, by BROWSER=firefox."""
    return os.environ.get("BROWSER") == "firefox"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves all but the first parameter of a test to `make thorough`, unless it is marked with `each_parameter`. In
    Firefox, leaves out what Playwright cannot do there, and the tests that have an engine of their own."""
    for item in items:
        assert isinstance(item, pytest.Function)
        is_first = not hasattr(item, "callspec") or not any(item.callspec.indices.values())
        if not is_first and not item.get_closest_marker("each_parameter"):
            item.add_marker(pytest.mark.thorough)
        if in_firefox():
            if reason := reason_to_skip(item.originalname):
                item.add_marker(pytest.mark.skip(reason=reason))
            if "engine" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="has its own engine"))


@pytest.fixture(scope="session")
def start_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Browser]]:
    """Gives the browser of all tests, and another where it has closed by itself, as some Firefoxes do: that costs one test."""
    running: list[Browser] = []
    with sync_playwright() as playwright:

        def start() -> Browser:
            if not running or not running[-1].is_connected():
                running.append(launch(playwright, tmp_path_factory))
            return running[-1]

        yield start
        if running:
            running[-1].close()


def launch(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    if in_firefox():
        if not FirefoxProcess.installed():
            skip_without(FIREFOX)
        return firefox_for_playwright.launch(playwright, tmp_path_factory.mktemp("firefox"))
    path = os.environ.get("CHROMIUM") or installed()
    assert path, "no Chromium: run the tests by `make test`"
    return playwright.chromium.launch(executable_path=path, args=QUIET)


@pytest.fixture
def browser(start_browser: Callable[[], Browser]) -> Browser:
    return start_browser()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh browser profile. `@pytest.mark.parametrize("context", [{…}], indirect=True)` sets its options."""
    context = new_context(browser, **{"locale": "en-GB", **getattr(request, "param", {})})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test on an uncaught error or a violation of the Content-Security-Policy."""
    page = context.new_page()
    problems: list[str] = []

    def uncaught(error: Error) -> None:
        # Turbo leaves it uncaught when it was reading a page that nobody wants any more.
        is_given_up = error.name == "AbortError" and "/host/turbo/" in page.url
        # Twilio's SDK leaves uncaught what it was asking when its line was closed, and Firefox tells of it.
        is_cut_off = "disconnected" in error.message and "/sdk/" in (error.stack or "")
        if not is_given_up and not (in_firefox() and (is_cut_off or NOT_LOADED.match(error.message))):
            problems.append(f"uncaught: {error.stack or error}")

    page.on("pageerror", uncaught)
    page.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    if os.environ.get("SCREENSHOTS"):
        folder = Path(os.environ["SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{request.node.name[:100]}.png")
    assert problems == []


@pytest.fixture
def widget(page: Page, site: SiteServer) -> Iterator[Widget]:
    """The chat on a fresh page. No fault of the sandbox outlives the test."""
    yield Widget(page, site)
    site.sandbox.clear_faults()


@pytest.fixture(scope="session")
def firefox_process() -> Iterator[FirefoxProcess]:
    if not FirefoxProcess.installed():
        skip_without(FIREFOX)
    with FirefoxProcess() as process:
        yield process


@pytest.fixture(params=["chromium", "firefox", "webkit"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A visitor's window in each of the three engines, or in those of
    `@pytest.mark.parametrize("engine", ["firefox"], indirect=True)`. Fails the test on a problem of the page."""
    match request.param:
        case "chromium":
            yield Chromium(request.getfixturevalue("page"))
        case "firefox":
            with Firefox(request.getfixturevalue("firefox_process")) as engine:
                yield engine
                assert engine.problems == []
        case "webkit":
            if not WebKit.installed():
                skip_without(f"WebKit (apt-get install {' '.join(WebKit.PACKAGES)})")
            with WebKit() as engine:
                yield engine
                assert engine.problems == []
