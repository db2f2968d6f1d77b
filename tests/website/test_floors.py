"""The README's table of the floors is what import-linter holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_names_each_room_on_its_floor():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (floors,) = (each["layers"] for each in contracts if each["id"] == "floors")
    table = (ROOT / "README.md").read_text().partition("\n## Architecture\n")[2].partition("\n## ")[0]
    told: dict[int, set[str]] = {}
    floor = 0
    for number, rooms in re.findall(r"^\| (\d*) ?\| ((?:`\w+` ?)+) \|", table, re.MULTILINE):
        floor = int(number or floor)
        told.setdefault(floor, set()).update(re.findall(r"\w+", rooms))
    assert [*told] == list(range(1, len(floors) + 1))
    assert told == {number: set(re.findall(r"\w+", rooms)) for number, rooms in enumerate(reversed(floors), 1)}
