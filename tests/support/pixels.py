"""Compares how the chat looks in two commits: `python -m tests.support.pixels BEFORE [AFTER]`.

Without AFTER, the files as they are. Chromium walks a visitor's way through both, at 375 and 1280 pixels, light and dark, in
English and Arabic. Pictures that are not the same to the last pixel are named, and a folder has them beside each other, with
what differs in red. Nothing moves or blinks in a picture, and each says that it is noon. The exit code is 1 if any differs.
"""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import installed
from tests.support.sandbox import SandboxServer
from tests.support.site import ROOT, SiteServer, minify
from tests.support.widget import Widget, at_rest

WIDTHS = {375: 740, 1280: 800}
LANGUAGES = ["en", "ar"]
HOSTS = {"DJANGO_SETTINGS_MODULE": "tests.e2e.hosts.settings"}
# Else round corners look a little different where only a part of a picture was painted anew.
STEADY = ["--disable-gpu", "--disable-partial-raster"]
# Neither in git nor made by a commit alone.
BUILT = ["static/webchat/sdk/conversations.js"]
CLOSED = """
hours, _ = OpeningHours.objects.get_or_create(name="Never", time_zone="Europe/Berlin")
Webchat.objects.create(slug="away", hours=hours, when_closed="message")
"""
NOON = "() => document.querySelectorAll('web-chat time').forEach((time) => { time.textContent = '12:00'; })"
COMPARE = """async (addresses) => {
  const [before, after] = await Promise.all(addresses.map(async (address) => {
    const picture = await createImageBitmap(await (await fetch(address)).blob());
    const { width, height } = picture;
    const paper = new OffscreenCanvas(width, height).getContext("2d");
    paper.drawImage(picture, 0, 0);
    return paper.getImageData(0, 0, width, height);
  }));
  const { width, height } = before;
  const box = { left: width, top: height, right: 0, bottom: 0 };
  let count = 0;
  for (let at = 0; at < before.data.length; at += 4) {
    const isSame = [0, 1, 2].every((channel) => before.data[at + channel] === after.data[at + channel]);
    for (const channel of [0, 1, 2]) before.data[at + channel] = 255 - (255 - before.data[at + channel]) / 4;
    if (isSame) continue;
    before.data.set([255, 0, 0], at);
    const x = (at / 4) % width, y = Math.floor(at / 4 / width);
    count += 1;
    box.left = Math.min(box.left, x), box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y), box.bottom = Math.max(box.bottom, y);
  }
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height }).getContext("2d").putImageData(before, 0, 0);
  return { count, all: width * height, ...box, picture: canvas.toDataURL().split(",")[1] };
}"""


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = Path(tempfile.mkdtemp(prefix="webchat-pixels-"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or installed(), args=STEADY)
        before, after = (take_pictures(browser, commit, folder) for commit in (*sys.argv[1:], None)[:2])
        differing = [name for name in before if differ(browser.new_page(), folder, before[name], after[name])]
        browser.close()
    say(f"{len(differing)} of {len(before)} pictures differ: {folder}")
    sys.exit(bool(differing))


def take_pictures(browser: Browser, commit: str | None, folder: Path) -> dict[str, Path]:
    """Those of a commit, by their names. The walks have a site and a sandbox of their own."""
    label = f"{len(list(folder.iterdir()))}-{(commit or 'now').replace('/', '-')}"
    with tempfile.TemporaryDirectory() as made, SandboxServer() as sandbox:
        root = check_out(commit, Path(made) / "release") if commit else ROOT
        (data := Path(made) / "data").mkdir()
        site = SiteServer(data, sandbox, root=root, environment={**HOSTS, "STATIC_ROOT": str(data / "static")})
        minify(root)
        site.manage("collectstatic", "--no-input", "--verbosity", "0")
        site.manage("migrate", "--verbosity", "0")
        site.manage("demo_data")
        site.shell(CLOSED)
        site.serve()
        try:
            (folder / label).mkdir()
            return dict(walks(browser, site, folder / label))
        finally:
            site.stop()


def check_out(commit: str, root: Path) -> Path:
    """The commit's files, with the packages and the SDK that are here."""
    files = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(files)) as archive:
        archive.extractall(root, filter="data")
    for name in (".venv", "node_modules", *BUILT):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    return root


def walks(browser: Browser, site: SiteServer, folder: Path) -> Iterator[tuple[str, Path]]:
    for width, height in WIDTHS.items():
        for language in LANGUAGES:
            page = browser.new_page(
                viewport={"width": width, "height": height}, locale=language, reduced_motion="reduce"
            )
            page.set_default_timeout(30_000)
            for state in states(Widget(page, site)):
                page.mouse.move(0, 0)
                for scheme in ("light", "dark"):
                    page.emulate_media(color_scheme=scheme)
                    at_rest(page)
                    page.evaluate(NOON)
                    name = f"{state}-{width}-{language}-{scheme}"
                    yield name, folder / f"{name}.png"
                    page.screenshot(path=folder / f"{name}.png", animations="disabled", caret="hide")
            page.context.close()


def states(widget: Widget) -> Iterator[str]:
    """Walks a visitor's way, and stops where the chat looks different."""
    page, panel = widget.page, widget.panel
    away = Widget(page, widget.site, "away").goto("/host/none/one/?webchat=away").open()
    expect(away.form).to_have_js_property("noValidate", True)
    yield "message"
    widget.goto("/host/none/one/")
    expect(widget.launcher).to_be_visible()
    yield "closed"
    widget.open()
    expect(widget.form).to_have_js_property("noValidate", True)
    yield "form"
    panel.locator("[data-webchat-submit]").click()
    expect(widget.errors).to_be_focused()
    yield "errors"
    widget.fill()
    with page.expect_response("**/sessions/") as answer:
        panel.locator("[data-webchat-submit]").click()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    expect(panel.locator("[data-webchat-waiting]")).to_be_visible()
    yield "waiting"
    widget.agent_joins()
    widget.agent_says("It will be with you tomorrow.\nSee https://example.com/")
    expect(widget.log.get_by_role("link", name="https://example.com/")).to_be_visible()
    yield "chat"
    panel.locator("[data-webchat-end]").click()
    panel.locator("[data-webchat-confirm-end]").click()
    expect(panel.locator("[data-webchat-new]")).to_be_visible()
    yield "ended"


def differ(page: Page, folder: Path, before: Path, after: Path) -> bool:
    """Says by how much, and leaves a picture of it."""
    found: dict[str, Any] = page.evaluate(COMPARE, [address(before), address(after)])
    page.close()
    if found["count"]:
        (folder / "differences").mkdir(exist_ok=True)
        (folder / "differences" / before.name).write_bytes(base64.b64decode(found["picture"]))
        where = f"x {found['left']} to {found['right']}, y {found['top']} to {found['bottom']}"
        say(f"{before.stem}: {found['count']} pixels ({found['count'] / found['all']:.2%}), {where}")
    return bool(found["count"])


def address(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
