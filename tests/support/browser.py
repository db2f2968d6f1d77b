"""Prints the path of a Chromium for the browser tests: the machine's own, else one that apt or Playwright installs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.support.missing import apt_install, run

# The same browser without windows: a quarter faster.
SHELL = "chromium-headless-shell"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def installed(*, whole: bool = False) -> str | None:
    names = NAMES if whole else (SHELL, *NAMES)
    return next(filter(None, map(shutil.which, names)), None)


def playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def find() -> str:
    if path := installed() or playwrights_own():
        return path
    if apt_install("chromium", SHELL) and (path := installed()):  # Ubuntu does not have it
        return path
    with_libraries = ["--with-deps"] if os.geteuid() == 0 else []
    if run(sys.executable, "-m", "playwright", "install", *with_libraries, "chromium") and (path := playwrights_own()):
        return path
    if apt_install("chromium") and (path := installed()):
        return path
    sys.exit("The browser tests need Chromium: sudo apt-get install chromium")


if __name__ == "__main__":
    print(find())
