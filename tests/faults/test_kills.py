"""Processes die in the middle of starts, and no chat is lost or doubled. `python -m tests.kill_bench` does more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kill_bench
from tests.faults.crash_points import POINTS

KILLS = 2 * len(POINTS)


def kill(folder: Path, database_url: str) -> None:
    outcome = kill_bench.run(folder, database_url, kills=KILLS, lease=1.5)
    found = (outcome.lost, outcome.duplicates, outcome.unasked, outcome.asked_twice)
    assert found == (0, 0, 0, 0), outcome
    assert (outcome.kills, outcome.chats >= KILLS) == (KILLS, True), outcome


def test_killed_starts_on_sqlite(tmp_path: Path, request: pytest.FixtureRequest):
    kill(tmp_path / "kills", f"sqlite:///{tmp_path / 'site.sqlite3'}")


def test_killed_starts_on_postgresql(tmp_path: Path, postgres_url: str):
    kill(tmp_path / "kills", postgres_url)
