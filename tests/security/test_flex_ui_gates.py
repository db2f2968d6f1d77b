"""Flex Webchat UI asks for a token before it has a chat: the token passes the gates of any start."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from tests.support.factories import ANSWERS, make_legacy, make_webchat
from tests.support.flex_ui import FlexUi
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession, LimitCounter
from webchat.models.copies import forget_copies

pytestmark = pytest.mark.django_db


def test_no_more_tokens_than_chats_a_day(sandbox):
    make_legacy(daily_cap=1)
    first = FlexUi()
    assert first.ask_token().status_code == 200
    answers = [FlexUi().ask_token() for _ in range(20)]
    assert {answer.status_code for answer in answers} == {429}
    assert first.open_channel().status_code == 201
    assert VisitorClient().start(ANSWERS).status_code == 429


def test_a_refused_token_leaves_no_row_and_takes_nothing_of_the_day(sandbox, monkeypatch):
    from webchat.protection import limits

    monkeypatch.setattr(limits, "PER_ADDRESS", limits.Limit("start:address", 1, 600))
    make_legacy(daily_cap=2)
    assert FlexUi().ask_token().status_code == 200
    rows = set(LimitCounter.objects.values_list("key", "room_at"))
    for _ in range(10):  # each from another browser
        assert FlexUi().ask_token().status_code == 429
    assert set(LimitCounter.objects.values_list("key", "room_at")) == rows


def test_only_from_the_form_is_not_for_a_form_of_its_own(sandbox):
    """Staff may have chosen both before."""
    webchat = make_legacy()
    type(webchat).objects.update(require_form=True)
    forget_copies()
    ui = FlexUi()
    assert ui.ask_token().status_code == 404
    assert ui.open_channel().status_code == 404
    page = ui.client.get("/").content.decode()
    assert "data-flex-ui=" not in page
    assert "<web-chat" in page  # our own widget, and its form
    webchat.refresh_from_db()
    with pytest.raises(ValidationError, match="form of its own"):
        webchat.full_clean()


def test_in_a_rush_a_token_costs_a_proof_that_the_ui_has_not(sandbox):
    make_legacy(proof_after=1)
    assert FlexUi().start().status_code == 201
    answer = FlexUi().ask_token()
    assert (answer.status_code, answer.json()["code"]) == (403, "proof_needed")
    assert ChatSession.objects.count() == 1


# --- Siblings: what else is refused leaves no row --------------------------------------------------------------------


def test_a_refused_guess_leaves_no_row(sandbox, monkeypatch):
    from webchat.protection import limits

    monkeypatch.setattr(limits, "MEMBER_BY_ADDRESS", limits.Limit("member:address", 1, 600))
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match="require", user_lookup="email")
    forget_copies()
    visitor = VisitorClient()
    guess = {**ANSWERS, "email": "guess@example.com"}
    assert visitor.start(guess).status_code == 400
    rows = set(LimitCounter.objects.values_list("key", flat=True))
    for number in range(10):
        assert visitor.start({**guess, "email": f"guess{number}@example.com"}).status_code == 429
    assert set(LimitCounter.objects.values_list("key", flat=True)) == rows
