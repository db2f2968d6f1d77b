"""`make picture`: the picture in README.md, of the demo as it is today."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.support.site import ROOT

PICTURE = ROOT / "docs" / "chat.png"
MOST_BYTES = 150_000
QUESTION = "Are the trail shoes back in size 42?"


def main() -> None:
    with ExitStack() as stack:
        site = sys.argv[1] if len(sys.argv) > 1 else start_demo(stack)
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=os.environ["CHROMIUM"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", locale="en")
        chat(page, site)
        page.screenshot(path=PICTURE)
        browser.close()
    size = PICTURE.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{PICTURE} has {size} bytes, more than {MOST_BYTES}.")
    print(f"{PICTURE}: {size} bytes")  # noqa: T201


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
