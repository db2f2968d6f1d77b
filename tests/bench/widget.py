"""What the chat weighs and how fast it is for a visitor: `make bench-widget`.

The site under gunicorn with the sandbox in place of Twilio, all on this machine, and Chromium. Sizes are those of the
files that a whole chat really asked for; for each encoding the site is asked again. Times are taken in the page, from
the event to the frame that shows its outcome, each in a new browser profile with an empty cache. They depend on the
machine, so each comes with the time of the one request that it waits for, as the browser measured it.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.conftest import QUIET
from tests.support.browser import installed
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer
from tests.support.widget import ON_DEMAND, Widget

# Twilio's own webchat, all of it loaded with the page: @twilio/flex-webchat-ui 2.9.4, measured from its package.
FLEX_WEBCHAT_UI = ("static/webchat/flex-ui/twilio-flex-webchat.js", 549_188)
CONVERSATIONS = "node_modules/@twilio/conversations/builds/twilio-conversations.min.js"

# The time from an event to the frame in which its outcome is on the screen.
WATCH = """
window.took = {};
const until = (selector, name, since) => {
  const look = () => {
    if (!document.querySelector(selector)?.checkVisibility()) return requestAnimationFrame(look);
    requestAnimationFrame(() => { const shown = new MessageChannel();
      shown.port1.onmessage = () => { window.took[name] = performance.now() - since; };
      shown.port2.postMessage(0); });
  };
  look();
};
addEventListener("click", (event) => {
  if (event.target.closest("[data-webchat-launcher]")) until("[data-webchat-form]", "form", event.timeStamp);
}, true);
addEventListener("submit", (event) => {
  if (event.target.matches("[data-webchat-form]")) until(".webchat-message", "message", event.timeStamp);
}, true);
"""


# How long the browser waited for the answer to each.
REQUESTS = """
() => Object.fromEntries(["panel", "sessions"].map((name) => {
  const found = performance.getEntriesByType("resource").find((entry) => new URL(entry.name).pathname.endsWith(`/${name}/`));
  return [name, found.duration];
}))
"""


def wire_size(address: str) -> int:
    """Bytes of the whole answer, headers included, as a browser gets it over HTTP/1.1."""
    target = urlsplit(address)
    path = f"{target.path}?{target.query}" if target.query else target.path
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {target.netloc}",
        "Accept-Encoding: gzip, deflate, br",
        "Connection: close",
    ]
    with socket.create_connection((target.hostname, target.port)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return sum(len(part) for part in iter(lambda: connection.recv(65536), b""))


class Weight:
    """Bytes as they are, and under each encoding."""

    def __init__(self, raw: int, gzipped: int, brotlied: int) -> None:
        self.sizes = [raw, gzipped, brotlied]

    @classmethod
    def served(cls, address: str) -> Weight:
        """What travels, asked for with each encoding; the site compresses no page that has a secret in it."""
        return cls(*(cls._travels(address, encoding) for encoding in ("identity", "gzip", "br")))

    @staticmethod
    def _travels(address: str, encoding: str) -> int:
        with requests.get(address, headers={"Accept-Encoding": encoding}, stream=True, timeout=30) as answer:
            answer.raise_for_status()
            return len(answer.raw.read(decode_content=False))

    @classmethod
    def of(cls, content: bytes) -> Weight:
        return cls(len(content), len(gzip.compress(content, 9)), len(brotli.compress(content)))

    def __add__(self, other: Weight) -> Weight:
        return Weight(*map(sum, zip(self.sizes, other.sizes, strict=True)))

    def row(self, name: str) -> str:
        return f"  {name:<62}" + "".join(f"{size:>11,}" for size in self.sizes)


def total(addresses: list[str]) -> Weight:
    return sum((Weight.served(one) for one in addresses), Weight(0, 0, 0))


def whole_chat(page: Page, site: SiteServer) -> dict[str, list[str]]:
    """One visitor's way; the chat's own files that each step asked for."""
    seen: list[str] = []
    page.on("request", lambda one: seen.append(one.url) if "webchat" in urlsplit(one.url).path else None)
    steps: dict[str, list[str]] = {}

    def step(name: str, act: Callable[[], Any]) -> None:
        before = len(seen)
        act()
        page.wait_for_load_state("networkidle")
        new = dict.fromkeys(one for one in seen[before:] if urlsplit(one).path.endswith((".js", ".css")))
        steps[name] = [one for one in new if not any(one in earlier for earlier in steps.values())]

    widget = Widget(page, site)
    step("page", widget.goto)
    step("panel", lambda: expect(widget.open().field("name")).to_be_visible())
    step("chat", lambda: (widget.fill().submit(), widget.expect_connected()))
    return steps


def weigh(browser: Browser, site: SiteServer) -> None:
    page = browser.new_page()
    steps = whole_chat(page, site)
    page.close()
    found = re.search(rb"<web-chat.*</web-chat>", requests.get(site.url, timeout=30).content, re.DOTALL)
    markup = found[0] if found else b""
    panel = requests.get(f"{site.url}/webchat/support/panel/", timeout=30).content
    own = [one for step in ("panel", "chat") for one in steps[step] if one.endswith(".js") and "/sdk/" not in one]
    usual = [one for one in own if Path(urlsplit(one).path).name.split(".")[0] not in ON_DEMAND]
    folder = Path(site.environment["STATIC_ROOT"]) / "webchat"
    on_demand = [
        f"{site.url}/static/webchat/{found.relative_to(folder)}"
        for name in sorted(ON_DEMAND)
        for found in folder.rglob(f"{name}.?*.js")
    ]

    def kind(step: str, suffix: str) -> list[str]:
        return [one for one in steps[step] if urlsplit(one).path.endswith(suffix) and "/sdk/" not in one]

    print(f"{'bytes':<64}{'raw':>11}{'gzip':>11}{'brotli':>11}")
    print("every page view")
    print(total(kind("page", ".js")).row("launcher, scripts (2,100 gzip at most)"))
    print(total(kind("page", ".css")).row("launcher, styles (2,048 gzip at most)"))
    print(Weight.of(markup).row("launcher, markup (1,536 gzip at most)"))
    requests_made = [*kind("page", ".js"), *kind("page", ".css")]
    on_the_wire = sum(map(wire_size, requests_made)) + Weight.of(markup).sizes[1]
    print(
        f"  all of it on the wire, with the headers of {len(requests_made)} answers; markup by gzip {on_the_wire:>24,}"
    )
    print("after the click")
    print(total(kind("panel", ".js")).row("form, scripts"))
    print(total(kind("panel", ".css")).row("form, styles (4,096 gzip at most)"))
    print(Weight.of(panel).row("form, markup; sent uncompressed (6,144 gzip at most)"))
    print("after a valid form, fetched while the visitor writes it")
    print(total([one for one in usual if one in steps["chat"]]).row("chat, scripts"))
    print(
        total([one for one in steps["chat"] if "/sdk/" in one]).row("Twilio's Conversations SDK (76,800 gzip at most)")
    )
    print("sums")
    print(total(usual).row("own scripts of a started chat (17,700 gzip at most)"))
    print(total(on_demand).row("own scripts that come when they are needed"))
    print("beside them")
    print(Weight.of((ROOT / CONVERSATIONS).read_bytes()).row("@twilio/conversations as Twilio builds it"))
    path = Path(os.environ.get("FLEX_WEBCHAT_UI", ROOT / FLEX_WEBCHAT_UI[0]))
    name = "@twilio/flex-webchat-ui 2.9.4"
    if path.exists():
        print(Weight.of(path.read_bytes()).row(name))
    else:
        print(f"  {name + ' (not installed here: as measured)':<62}{'':>11}{FLEX_WEBCHAT_UI[1]:>11,}")


def until(page: Page, name: str) -> None:
    deadline = time.monotonic() + 30
    while not page.evaluate("(name) => name in window.took", name):
        assert time.monotonic() < deadline, f"no {name} in 30 s"
        page.wait_for_timeout(20)


def wait(browser: Browser, site: SiteServer) -> dict[str, float]:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.add_init_script(WATCH)
    widget = Widget(page, site).goto()
    page.wait_for_load_state("networkidle")
    widget.open()
    until(page, "form")
    widget.fill()
    page.wait_for_load_state("networkidle")  # as it is for anybody who takes seconds to write
    widget.submit()
    until(page, "message")
    took: dict[str, float] = page.evaluate("window.took") | page.evaluate(REQUESTS)
    context.close()
    return took


def measure(browser: Browser, site: SiteServer, times: int) -> None:
    wait(browser, site)  # warms the site up
    runs = [wait(browser, site) for _run in range(times)]
    print(f"milliseconds, medians of {times} (fastest, slowest), and times the one request that it waits for")
    for name, what, request in (
        ("form", "click to form", "panel"),
        ("message", "valid form to first message", "sessions"),
    ):
        took = [one[name] for one in runs]
        ratio = statistics.median(one[name] / one[request] for one in runs)
        print(f"  {what:<28}{statistics.median(took):8.0f}  ({min(took):.0f}, {max(took):.0f})   × {ratio:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        SandboxServer() as sandbox,
        SiteServer(Path(folder), sandbox) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or installed(), args=QUIET)
        weigh(browser, site)
        measure(browser, site, options.times)
        browser.close()


if __name__ == "__main__":
    main()
