"""A pattern that staff wrote, and answers that a backtracking matcher would try for hours."""

from __future__ import annotations

import pytest

from tests.support.factories import ANSWERS, make_field, make_webchat
from tests.support.visitor import VisitorClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("pattern", [r"((\w{1,3}){101})?", "(a+)+b", r"(\w+\s?)+!"])
def test_two_long_answers_do_not_hold_the_site(pattern):
    webchat = make_webchat()
    for name in ("first", "second"):
        make_field(webchat, name, pattern=pattern).full_clean()
    visitor = VisitorClient()
    answer = visitor.start({**ANSWERS, "first": "a" * 100, "second": "a" * 99 + "?"})
    assert answer.status_code == 400
    assert "second" in answer.json()["fields"]
