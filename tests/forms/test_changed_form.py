"""Staff change a form while visitors have it open: they get the new one, with what they wrote."""

from __future__ import annotations

import re

import pytest

from tests.support.factories import ANSWERS, Type, change, make_field, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession, Message, Webchat

pytestmark = pytest.mark.django_db

PAGE = "/webchat/support/"
MORE = {**ANSWERS, "ref": "A-17", "topic": "bill"}


@pytest.fixture
def webchat(sandbox) -> Webchat:
    webchat = make_webchat()
    make_field(webchat, "ref", label="Your reference")
    make_field(webchat, "topic", type=Type.SELECT, choices="bill\nparcel")
    return webchat


def field(webchat, name):
    return webchat.fields.get(name=name)


CHANGES = {
    "deleted": lambda webchat: field(webchat, "ref").delete(),
    "for others": lambda webchat: change(field(webchat, "ref"), audience="signed_in"),
    "added": lambda webchat: make_field(webchat, "postcode"),
    "required": lambda webchat: change(field(webchat, "ref"), required=False),
    "choice removed": lambda webchat: change(field(webchat, "topic"), choices="parcel"),
    "reworded": lambda webchat: change(field(webchat, "ref"), label="Your invoice"),
    "of another type": lambda webchat: change(field(webchat, "ref"), type=Type.NUMBER),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_api_asks_for_the_new_form(webchat, case):
    """As for a stale key: the widget then fetches the form, fills it with what was typed and sends it."""
    visitor = VisitorClient()
    CHANGES[case](webchat)
    answer = visitor.start(MORE)
    assert (answer.status_code, answer.json()["code"]) == (403, "form_expired")
    assert "has changed meanwhile" in answer.json()["detail"]
    assert not ChatSession.objects.exists()
    visitor.open_panel()
    names = set(re.findall(r'data-webchat-field="(\w+)"', visitor.open_panel()))
    known = {name: value for name, value in MORE.items() if name in names}
    answers = {**known, "topic": "parcel", **({"postcode": "8001"} if "postcode" in names else {})}
    if case == "of another type":
        answers["ref"] = "17"
    assert visitor.start(answers).status_code == 201


@pytest.mark.parametrize("case", CHANGES)
def test_without_javascript_the_new_form_comes_with_what_was_typed(webchat, case):
    visitor = VisitorClient()
    CHANGES[case](webchat)
    data = {"csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key, **MORE}
    response = visitor.client.post(PAGE, data)
    assert response.status_code == 403
    html = response.content.decode()
    assert "This form has changed meanwhile." in html
    assert ANSWERS["question"] in html
    assert f'value="{ANSWERS["email"]}"' in html
    assert "has no field" not in html
    assert ('name="ref"' in html) == (case not in ("deleted", "for others"))
    assert ('name="postcode"' in html) == (case == "added")
    [data["idempotency_key"]] = re.findall(r'name="idempotency_key" value="([^"]+)"', html)
    assert data["idempotency_key"] != visitor.key


def test_a_signed_in_visitor_gets_the_new_form_too(webchat):
    visitor = VisitorClient()
    visitor.client.force_login(make_user())
    visitor.open_panel()
    make_field(webchat, "postcode")
    assert visitor.start(MORE).json()["code"] == "form_expired"


def test_what_is_not_asked_of_this_visitor_changes_nothing(webchat):
    visitor = VisitorClient()
    make_field(webchat, "contract", audience="signed_in")
    change(webchat, title="Another title")
    assert visitor.start(MORE).status_code == 201


def test_a_program_with_a_key_of_its_own_reads_what_is_wrong(webchat):
    change(webchat, require_form=False)
    visitor = VisitorClient()
    field(webchat, "ref").delete()
    answer = visitor.start(MORE, key="a-key-of-my-own")
    assert answer.status_code == 400
    assert "no field “ref”" in answer.json()["detail"]


def test_a_submit_that_is_repeated_finds_its_chat_though_the_form_was_changed_since(webchat):
    visitor = VisitorClient()
    first = visitor.start(MORE).json()
    make_field(webchat, "postcode")
    again = visitor.start(MORE)
    assert (again.status_code, again.json()["session_id"]) == (200, first["session_id"])
    ChatSession.objects.update(status="starting")
    assert visitor.start(MORE).json()["code"] == "in_progress"
    ChatSession.objects.update(status="failed")
    assert visitor.start(MORE).json()["code"] == "form_expired"
    assert ChatSession.objects.count() == 1


def test_a_message_form_is_as_a_chats(sandbox):
    webchat = make_webchat(when_closed="message", closure="reopened")
    visitor = VisitorClient()
    first = visitor.leave(ANSWERS).json()
    other = VisitorClient()
    make_field(webchat, "postcode")
    assert visitor.leave(ANSWERS).json() == first
    answer = other.leave(ANSWERS)
    assert (answer.status_code, answer.json()["code"]) == (403, "form_expired")
    other.open_panel()
    assert other.leave({**ANSWERS, "postcode": "8001"}).status_code == 201
    assert Message.objects.count() == 2


# --- Consents ----------------------------------------------------------------------------------------------------------

OLD, NEW = "I agree to the notice of May.", "I agree to the notice of June."


def tick(html: str) -> str:
    [value] = re.findall(r'<input type="checkbox" name="consent" value="([^"]+)"', html)
    return value


def test_a_tick_beside_another_text_is_not_a_consent(webchat):
    make_field(webchat, "consent", type=Type.CONSENT, label=OLD)
    visitor = VisitorClient()
    given = tick(visitor.open_panel())
    change(field(webchat, "consent"), label=NEW)
    data = {"csrfmiddlewaretoken": visitor.csrf, "idempotency_key": visitor.key, **MORE, "consent": given}
    html = visitor.client.post(PAGE, data).content.decode()
    assert tick(html) != given
    assert not re.search(r'name="consent"[^>]* checked', html)
    # Sent again with a fresh key, as the widget does with what was ticked before.
    visitor.open_panel()
    assert visitor.start({**MORE, "consent": given}).json()["fields"].keys() == {"consent"}
    assert visitor.start({**MORE, "consent": tick(visitor.open_panel())}).status_code == 201
    assert ChatSession.objects.get().consents[0]["text"] == NEW


@pytest.mark.parametrize("yes", [True, "on", "true", "yes"])
def test_a_program_agrees_by_saying_so(webchat, yes):
    make_field(webchat, "consent", type=Type.CONSENT, label=OLD)
    assert VisitorClient().start({**MORE, "consent": yes}).status_code == 201
