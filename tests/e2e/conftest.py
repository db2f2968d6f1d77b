"""A real browser against the real site and the real sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.browser import installed
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


@pytest.fixture(scope="session")
def site(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    with SiteServer(tmp_path_factory.mktemp("site"), sandbox_server, environment=HOSTS) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or installed()
    assert path, "no Chromium: run the tests by `make test`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh browser profile. `@pytest.mark.parametrize("context", [{…}], indirect=True)` sets its options."""
    context = browser.new_context(**{"locale": "en-GB", **getattr(request, "param", {})})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test on an uncaught error or a violation of the Content-Security-Policy."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
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
        skip_without("Firefox ESR (apt-get install firefox-esr)")
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
