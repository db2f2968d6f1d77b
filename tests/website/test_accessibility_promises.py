"""The promises in docs/accessibility.md are kept by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)


def names_of_tests() -> set[str]:
    modules = (ast.parse(module.read_text()) for module in (ROOT / "tests").rglob("test_*.py"))
    functions = (node for module in modules for node in ast.walk(module) if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_each_promise_of_accessibility_has_its_tests():
    rows = ROW.findall((ROOT / "docs/accessibility.md").read_text())
    assert [int(number) for number, _tests in rows] == list(range(1, 35))
    promised = {name for _number, tests in rows for name in tests.split(", ")}
    assert promised <= names_of_tests(), promised - names_of_tests()
