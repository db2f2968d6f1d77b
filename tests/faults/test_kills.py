"""Processes die in the middle of starts, and no chat is lost or doubled. `python -m tests.bench.kills` does more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import kills
from tests.faults.crash_points import POINTS

KILLS = len(POINTS)


@pytest.mark.thorough
def test_no_kill_loses_or_doubles_a_chat(tmp_path: Path):
    database = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    outcome = kills.run(tmp_path / "kills", database, kills=KILLS, lease=1.5)
    found = (outcome.lost, outcome.duplicates, outcome.unasked, outcome.asked_twice)
    assert found == (0, 0, 0, 0), outcome
    assert outcome.kills == KILLS
    assert outcome.chats >= KILLS
