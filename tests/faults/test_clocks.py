"""A machine whose clock is wrong takes no chat from anybody: the database's clock decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

DAY = 86_400
MET = {
    "start at the wrong one": 201,
    "start at the right one": 201,
    "chat of the wrong one at the right one": 200,
    "chat of the right one at the wrong one": 200,
    "chat of the right one afterwards": 200,
    "puzzle of the right one at the wrong one": 201,
    "puzzle of the wrong one at the right one": 201,
    "starts by turns within a limit": 8,
    "chats": 4,
}


@pytest.mark.thorough
def test_neither_days_nor_seconds_ahead_nor_behind(postgres_url: str):
    command = [sys.executable, "-m", "tests.faults.wrong_clock", str(100 * DAY), str(-2 * DAY), str(3)]
    environment = {**os.environ, "DATABASE_URL": postgres_url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [MET] * 3
