"""What is left out in Firefox is still there to be left out: a test that is renamed would run again unseen."""

from __future__ import annotations

import ast

from tests.e2e.not_in_firefox import SKIPPED, reason_to_skip
from tests.support.site import ROOT

E2E = ROOT / "tests/e2e"


def test_each_name_that_is_skipped_is_a_test() -> None:
    tests = {
        node.name
        for path in E2E.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert set().union(*SKIPPED.values()) - tests == set()


def test_a_test_is_skipped_by_its_name_and_else_runs() -> None:
    assert reason_to_skip("test_a_page_from_the_back_forward_cache")
    assert reason_to_skip("test_from_the_question_to_the_end") is None
