"""`make picture`: the pictures in README.md and docs/going-live.md, of the demo as it is today."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Locator, Page, ViewportSize, expect, sync_playwright

from tests.support.site import ROOT

DOCS = ROOT / "docs"
MOST_BYTES = 150_000
QUESTION = "Are the trail shoes back in size 42?"
SCREEN = ViewportSize(width=1280, height=800)
# So high that the row with *Save*, which stays in sight, covers nothing.
ADMIN = ViewportSize(width=1280, height=1600)
MARGIN = 16  # pixels around a part of a page
WEBCHAT = "/admin/webchat/webchat/1/"


def main() -> None:
    with ExitStack() as stack:
        site = sys.argv[1] if len(sys.argv) > 1 else start_demo(stack)
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=os.environ["CHROMIUM"])
        going_live(browser, site)
        page = browser.new_page(viewport=SCREEN, color_scheme="light", locale="en")
        chat(page, site)
        keep(page.screenshot(), "chat.png")
        browser.close()


def keep(picture: bytes, name: str) -> None:
    if len(picture) > MOST_BYTES:
        sys.exit(f"{name} has {len(picture)} bytes, more than {MOST_BYTES}.")
    (DOCS / name).write_bytes(picture)
    print(f"docs/{name}: {len(picture)} bytes")  # noqa: T201


def start_demo(stack: ExitStack) -> str:
    """On free ports, with a database of its own. Returns the site's address."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [one.getsockname()[1], other.getsockname()[1]]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    output = stack.enter_context((folder / "output").open("w+"))
    demo = subprocess.Popen(
        [sys.executable, "-m", "config.demo", "--port", str(ports[0]), "--sandbox-port", str(ports[1])],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    stack.callback(demo.wait)
    stack.callback(demo.terminate)
    while "Ctrl-C ends everything" not in (said := (folder / "output").read_text()):
        if demo.poll() is not None:
            sys.exit(said)
        time.sleep(0.2)
    return f"http://127.0.0.1:{ports[0]}"


def going_live(browser: Browser, site: str) -> None:
    """The steps of docs/going-live.md, as an administrator meets them, up to the agent who takes the test chat."""
    page = browser.new_page(viewport=ADMIN, color_scheme="light", locale="en")
    page.goto(f"{site}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("sandbox")
    page.get_by_role("button", name="Log in").click()
    page.goto(f"{site}{WEBCHAT}change/#twilio")
    keep(top(page.locator("#twilio"), 330), "going-live-sids.png")
    page.goto(f"{site}{WEBCHAT}setup/")
    keep(page.locator("#content").screenshot(), "going-live-setup.png")
    page.goto(f"{site}{WEBCHAT}going-live/")
    page.locator("#flow").get_by_role("button", name="Test the connection").click()
    expect(page.locator("#webhook.is-done")).to_be_visible()
    keep(page.locator("#content").screenshot(), "going-live-list.png")
    desk = browser.new_page(viewport=SCREEN, color_scheme="light", locale="en")
    desk.goto(page.get_by_role("link", name="Flex, the agents' desk").get_attribute("href") or "")
    test_chat = browser.new_page(viewport=SCREEN, color_scheme="light", locale="en")
    chat(test_chat, site)
    desk.get_by_text("Ada Lovelace").first.click()
    expect(desk.get_by_text(QUESTION).first).to_be_visible()
    keep(desk.screenshot(), "going-live-desk.png")


def top(of_page: Locator, height: float) -> bytes:
    """The picture of an element down to so many pixels, with some room around it."""
    of_page.page.evaluate("scrollTo(0, 0)")
    box = of_page.bounding_box()
    if box is None:
        sys.exit(f"{of_page} is not shown.")
    clip = FloatRect(
        x=box["x"] - MARGIN, y=box["y"] - MARGIN, width=box["width"] + 2 * MARGIN, height=height + 2 * MARGIN
    )
    return of_page.page.screenshot(clip=clip, full_page=True)


def chat(page: Page, site: str) -> None:
    """A visitor asks, and the scripted agent greets."""
    page.goto(site)
    page.locator("[data-webchat-launcher]").click()
    panel = page.locator("[data-webchat-panel]")
    panel.locator("[name=name]").fill("Ada Lovelace")
    panel.locator("[name=email]").fill("ada@example.org")
    panel.locator("[name=question]").fill(QUESTION)
    panel.get_by_role("button", name="Start chat").click()
    expect(panel.get_by_role("log")).to_contain_text("this is Sandy", timeout=60_000)
    page.mouse.move(0, 0)


if __name__ == "__main__":
    main()
