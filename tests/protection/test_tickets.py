"""A webchat may take starts only from forms that it showed, and ask for work when there are many."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient, solution_in
from webchat.models import ChatSession

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds))


def refused(response, status, code):
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not ChatSession.objects.exists()
    return response


# --- Only from the form ----------------------------------------------------------------------------------------------


def test_a_form_that_was_shown_starts_a_chat():
    make_webchat(require_form=True)
    visitor = VisitorClient()
    with later(3):
        assert visitor.start(ANSWERS).status_code == 201
        assert visitor.start(ANSWERS).status_code == 200
    assert ChatSession.objects.count() == 1


def test_a_form_just_shown_is_too_early_and_told_when():
    make_webchat(require_form=True)
    visitor = VisitorClient()
    assert refused(visitor.start(ANSWERS), 409, "too_early")["Retry-After"] == "2"
    with later(2.1):
        assert visitor.start(ANSWERS).status_code == 201


def test_a_key_that_no_form_had_starts_nothing():
    make_webchat(require_form=True)
    refused(VisitorClient().start(ANSWERS, key="a-key-of-my-own"), 403, "form_expired")


def test_the_form_of_another_browser_starts_nothing():
    make_webchat(require_form=True)
    shown, other = VisitorClient(), VisitorClient()
    with later(3):
        refused(other.start(ANSWERS, key=shown.key), 403, "form_expired")


def test_a_form_of_yesterday_is_out_of_date():
    make_webchat(require_form=True)
    visitor = VisitorClient()
    shown = visitor.key
    with later(86_400 - 60):
        visitor.open_panel()  # the cookie is renewed
    with later(86_400 + 60):
        refused(visitor.start(ANSWERS, key=shown), 403, "form_expired")


def test_who_is_signed_in_needs_no_ticket():
    make_webchat(require_form=True)
    visitor = VisitorClient()
    visitor.client.force_login(make_user())
    visitor.open_panel()
    assert visitor.start(ANSWERS, key="a-key-of-my-own").status_code == 201


def test_by_default_any_key_will_do():
    make_webchat()
    assert VisitorClient().start(ANSWERS, key="a-key-of-my-own").status_code == 201


def test_without_javascript_a_form_too_early_comes_back_filled_and_works_then():
    make_webchat(require_form=True)
    visitor = VisitorClient()
    data = {**ANSWERS, "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key}
    page = visitor.client.post("/webchat/support/", data)
    assert page.status_code == 409
    assert visitor.key in page.text
    assert ANSWERS["question"] in page.text
    with later(3):
        assert visitor.client.post("/webchat/support/", data).status_code == 302


def test_without_javascript_a_form_out_of_date_comes_back_with_a_fresh_ticket():
    make_webchat(require_form=True)
    visitor = VisitorClient()
    data = {**ANSWERS, "csrfmiddlewaretoken": visitor.csrf, "idempotency_key": "a-key-of-my-own"}
    page = visitor.client.post("/webchat/support/", data)
    assert page.status_code == 403
    data["idempotency_key"] = re.search(r'name="idempotency_key" value="([^"]+)"', page.text)[1]
    with later(3):
        assert visitor.client.post("/webchat/support/", data).status_code == 302


# --- Proof of work ---------------------------------------------------------------------------------------------------


def test_past_the_threshold_a_start_needs_work():
    make_webchat(proof_after=1)
    first = VisitorClient()
    assert "data-webchat-puzzle" not in first.open_panel()
    assert first.start(ANSWERS).status_code == 201
    second = VisitorClient()
    panel = second.open_panel()
    response = second.start(ANSWERS)
    assert (response.status_code, response.json()["code"]) == (403, "proof_needed")
    assert second.start({**ANSWERS, "proof_of_work": solution_in(panel)}).status_code == 201
    with later(601):
        assert VisitorClient().start(ANSWERS).status_code == 201


def test_a_solution_is_good_for_one_form_only():
    make_webchat(proof_after=0)
    one, other = VisitorClient(), VisitorClient()
    solution = solution_in(one.open_panel())
    refused(other.start({**ANSWERS, "proof_of_work": solution}), 403, "proof_needed")
    assert one.start({**ANSWERS, "proof_of_work": solution}).status_code == 201


@pytest.mark.parametrize("wrong", ["", "garbage", "e30=", "[" * 3000, {"counter": 7}, {"derived_key": "00" * 32}])
def test_what_solves_nothing_starts_nothing(wrong):
    make_webchat(proof_after=0)
    visitor = VisitorClient()
    panel = visitor.open_panel()
    solution = solution_in(panel, **wrong) if isinstance(wrong, dict) else wrong
    refused(visitor.start({**ANSWERS, "proof_of_work": solution}), 403, "proof_needed")


def test_a_puzzle_does_not_keep():
    make_webchat(proof_after=0)
    visitor = VisitorClient()
    solution = solution_in(visitor.open_panel())
    with later(1201):
        refused(visitor.start({**ANSWERS, "proof_of_work": solution}), 403, "proof_needed")


def test_a_solution_is_no_answer(sandbox):
    make_webchat(proof_after=0)
    visitor = VisitorClient()
    assert visitor.start({**ANSWERS, "proof_of_work": solution_in(visitor.open_panel())}).status_code == 201
    assert "proof_of_work" not in ChatSession.objects.get().answers
