"""Real servers and browsers that a machine may lack. Tests that need one are skipped without it, and loudly.

The end of the run says how many tests were skipped for each. With CI=true they fail instead.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections import Counter
from typing import NoReturn

import pytest

from tests.support.site import CACHE

MARK = "not on this machine: "
# Written when apt has read its lists, which is done once for all that a run installs.
UPDATED = CACHE / "apt"
UPDATE_SECONDS = 3600


def skip_without(what: str) -> NoReturn:
    """Ends the test that needs `what`, for example "Firefox (apt-get install firefox-esr)"."""
    reason = MARK + what
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """pytest calls it: tests/conftest.py has it, too."""
    reports = terminalreporter.getreports("skipped")
    reasons = [report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple)]
    missing = Counter(reason.split(MARK, 1)[1] for reason in reasons if MARK in reason)
    for what, number in missing.items():
        terminalreporter.write_line(f"{number} TESTS DID NOT RUN: this machine has no {what}", red=True, bold=True)


def apt_install(*packages: str) -> bool:
    """Installs packages of Debian or Ubuntu where this process may; whether they are there now."""
    if os.geteuid() != 0:
        return False
    CACHE.mkdir(exist_ok=True)
    with UPDATED.open("a") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_EX)  # apt waits for no other
        if not stamp.tell() or time.time() - os.fstat(stamp.fileno()).st_mtime > UPDATE_SECONDS:
            if not run("apt-get", "update", "-qq"):
                return False
            print(packages[0], file=stamp, flush=True)
        return run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def run(*command: str) -> bool:
    """Runs a command whose output goes to stderr; whether it succeeded."""
    print("$", *command, file=sys.stderr)
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0
