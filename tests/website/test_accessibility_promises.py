"""The promises in docs/accessibility.md are kept by tests that exist, and that may fail."""

from __future__ import annotations

import ast
import re

from tests.support.site import ROOT

ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
FAILING = re.compile(r"assert|expect\w*|raises|fails")


def names_of_tests() -> set[str]:
    modules = (ast.parse(module.read_text()) for module in (ROOT / "tests").rglob("test_*.py"))
    functions = (node for module in modules for node in ast.walk(module) if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions if may_fail(function)}


def may_fail(function: ast.FunctionDef) -> bool:
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = [call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls]
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(function))
    return asserts or any(FAILING.fullmatch(name) for name in names)


def test_each_promise_of_accessibility_has_its_tests():
    rows = ROW.findall((ROOT / "docs/accessibility.md").read_text())
    assert [int(number) for number, _tests in rows] == list(range(1, len(rows) + 1))
    promised = {name for _number, tests in rows for name in tests.split(", ")}
    assert len(promised) >= len(rows) > 0
    assert promised <= names_of_tests(), promised - names_of_tests()
