"""A test that lacks its server or browser is skipped loudly, and fails in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.site import ROOT

SUITE = """
from tests.support.missing import skip_without

def test_one(): skip_without("Oracle (ask its vendor)")
def test_two(): skip_without("Oracle (ask its vendor)")
def test_there(): pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text("from tests.support.missing import pytest_terminal_summary")
    (tmp_path / "pytest.ini").write_text("[pytest]")
    (tmp_path / "test_suite.py").write_text(SUITE)
    return tmp_path


def run(suite: Path, ci: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    without = [option for plugin in ("schemathesis", "django", "hypothesispytest") for option in ("-p", f"no:{plugin}")]
    command = [sys.executable, "-m", "pytest", "--numprocesses", "1", *without, str(suite)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=suite)


def test_the_end_of_the_run_says_how_many_tests_were_skipped_and_why(suite):
    done = run(suite, ci="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 TESTS DID NOT RUN: this machine has no Oracle (ask its vendor)" in done.stdout


def test_ci_takes_no_skip(suite):
    done = run(suite, ci="true")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 1 passed" in done.stdout
