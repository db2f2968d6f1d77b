"""A message: the same form as a chat's, and what an answer needs; kept once, whatever is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError

from tests.support.factories import ANSWERS, Role, Type, make_field, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.chats import retention
from webchat.forms.message_form import MessageForm
from webchat.models import ChatSession, Message
from webchat.models.webchat import RECIPIENTS_MAX, validate_recipients

pytestmark = pytest.mark.django_db

TEXT = {"message_text": "Is the tent waterproof?"}
ADDRESS = {"reply_email": "jose@example.com"}


def later(span):
    return time_machine.travel(datetime.now(UTC) + span)


def asked(webchat, user=None):
    form = MessageForm(webchat, user=user)
    return {name: field.required for name, field in form.fields.items()}


# --- What is asked ---------------------------------------------------------------------------------------------------


def test_the_form_is_the_webchats_own_where_it_asks_for_all_that_an_answer_needs():
    assert asked(make_webchat(when_closed="message")) == {"name": True, "email": True, "question": True}


def test_a_form_without_question_and_address_asks_for_both():
    webchat = make_webchat(when_closed="message", fields=False)
    make_field(webchat, "topic", type=Type.SELECT, choices="Order\nTent", role=Role.QUESTION)
    assert asked(webchat) == {"topic": True, "message_text": True, "reply_email": True}


def test_what_a_chat_leaves_to_the_visitor_a_message_needs():
    webchat = make_webchat(when_closed="message", fields=False)
    make_field(webchat, "email", type=Type.EMAIL, required=False)
    make_field(webchat, "question", type=Type.TEXTAREA, role=Role.QUESTION, required=False)
    assert asked(webchat) == {"email": True, "question": True}
    # The rows are shared by all threads: a chat's form still leaves them to the visitor.
    assert not any(row.required for row in webchat.fields.all())


@pytest.mark.parametrize(
    ("address", "names"), [("ada@example.com", set()), ("", {"reply_email"}), ("x\ny", {"reply_email"})]
)
def test_an_account_with_an_address_is_not_asked_for_one(address, names):
    webchat = make_webchat(when_closed="message", fields=False)
    assert set(asked(webchat, make_user(email=address))) == {"message_text"} | names


@pytest.mark.parametrize("name", ["message_text", "reply_email"])
def test_staff_cannot_take_the_names_of_what_a_message_adds(name):
    with pytest.raises(ValidationError):
        make_field(make_webchat(when_closed="message", fields=False), name)


# --- What is kept ----------------------------------------------------------------------------------------------------


def test_a_message_is_kept_and_nobody_is_called(sandbox):
    webchat = make_webchat(when_closed="message")
    response = VisitorClient().leave({**ANSWERS, "location": "http://testserver/pricing/"})
    assert response.status_code == 201
    message = Message.objects.get()
    assert response.json() == {
        "message_id": str(message.pk),
        "received_at": message.received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    assert response["Cache-Control"] == "no-store"
    assert (message.webchat, message.user, message.email) == (webchat, None, ANSWERS["email"])
    assert (message.customer_friendly_name, message.text) == (ANSWERS["name"], ANSWERS["question"])
    assert message.answers["location"] == "http://testserver/pricing/"
    assert not ChatSession.objects.exists()
    assert not sandbox.log()


@pytest.mark.parametrize("as_json", [True, False])
def test_json_and_a_form_post_are_kept_alike(as_json):
    make_webchat(when_closed="message", closure="reopened", fields=False)
    assert VisitorClient().leave(TEXT | ADDRESS, as_json=as_json).status_code == 201
    message = Message.objects.get()
    assert (message.text, message.email) == (TEXT["message_text"], ADDRESS["reply_email"])


def test_the_same_key_again_is_the_same_message_and_other_words_are_refused():
    make_webchat(when_closed="message")
    visitor = VisitorClient()
    first, again = visitor.leave(ANSWERS), visitor.leave(ANSWERS)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = visitor.leave({**ANSWERS, "question": "Something else"})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert Message.objects.count() == 1


@pytest.mark.parametrize("name", ["message_text", "reply_email"])
def test_a_key_belongs_to_what_the_message_adds_too(name):
    make_webchat(when_closed="message", closure="reopened", fields=False)
    visitor = VisitorClient()
    assert visitor.leave(TEXT | ADDRESS).status_code == 201
    other = visitor.leave(TEXT | ADDRESS | {name: "ada@example.com"})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


def test_the_account_answers_where_it_can(client):
    webchat = make_webchat(when_closed="message", closure="reopened", fields=False)
    make_field(webchat, "email", type=Type.EMAIL, match="account", user_lookup="email", audience="signed_in")
    user = make_user(email="ada@example.com")
    client.force_login(user)
    assert VisitorClient(client=client).leave(TEXT).status_code == 201
    message = Message.objects.get()
    assert (message.user, message.email, message.answers["verified"]) == (user, "ada@example.com", ["email"])


def test_the_address_that_is_written_goes_before_the_accounts(client):
    make_webchat(when_closed="message")
    client.force_login(make_user(email="ada@example.com"))
    assert VisitorClient(client=client).leave(ANSWERS).status_code == 201
    assert Message.objects.get().email == ANSWERS["email"]


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "jose@example.com\nBcc: all@example.com"}, "email"),
        ({"email": "jose@example.com,all@example.com"}, "email"),
        ({"question": ""}, "question"),
        ({"question": "x" * 2001}, "question"),
        ({"unknown": "x"}, None),
    ],
)
def test_what_the_form_refuses_is_not_kept(change, field):
    make_webchat(when_closed="message")
    response = VisitorClient().leave({**ANSWERS, **change})
    assert response.status_code == 400
    assert field is None or list(response.json()["fields"]) == [field]
    assert not Message.objects.exists()


def test_a_body_that_is_too_large_is_refused_unread():
    make_webchat(when_closed="message")
    assert VisitorClient().leave({**ANSWERS, "question": "x" * 40_000}).status_code == 413


def test_a_post_without_its_token_key_or_webchat_is_refused():
    make_webchat(when_closed="message")
    visitor = VisitorClient()
    assert visitor.leave(ANSWERS, **{"X-CSRFToken": "x" * 32}).status_code == 403
    assert visitor.leave(ANSWERS, key="short").status_code == 400
    visitor.slug = "absent"
    assert visitor.leave(ANSWERS).status_code == 404
    assert not Message.objects.exists()


@pytest.mark.parametrize("values", [{"enabled": False}, {"when_closed": "say"}, {"when_closed": "hide"}])
def test_a_webchat_that_is_switched_off_or_has_no_message_form_takes_none(values):
    make_webchat(**{"when_closed": "message", "closed_text": "Back in May.", **values})
    response = VisitorClient().leave(ANSWERS, key="k" * 20)
    assert (response.status_code, response.json()["detail"]) == (503, "Back in May.")


def test_a_message_takes_from_the_allowance_of_starts_and_says_so_in_its_own_words(sandbox):
    make_webchat(when_closed="message")
    visitor = VisitorClient()
    assert visitor.start(ANSWERS).status_code == 201
    statuses = [visitor.leave(ANSWERS, key=f"{number:020}").status_code for number in range(5)]
    assert statuses == [201, 201, 201, 201, 429]
    refused = visitor.leave(ANSWERS, key="one-more-key")
    assert "messages" in refused.json()["detail"]
    assert refused["Retry-After"]
    assert Message.objects.count() == 4


def test_the_cap_of_a_day_counts_messages_for_themselves(sandbox):
    make_webchat(when_closed="message", daily_cap=1)
    visitor = VisitorClient()
    statuses = [visitor.start(ANSWERS), *(visitor.leave(ANSWERS, key=f"{number:020}") for number in range(2))]
    assert [response.status_code for response in statuses] == [201, 201, 429]


def test_a_message_needs_the_same_proofs_as_a_start():
    make_webchat(when_closed="message", require_form=True)
    visitor = VisitorClient()
    early = visitor.leave(ANSWERS)
    forged = visitor.leave(ANSWERS, key="made-by-a-script")
    assert [early.json()["code"], forged.json()["code"]] == ["too_early", "form_expired"]
    with later(timedelta(seconds=3)):
        assert visitor.leave(ANSWERS).status_code == 201


def test_messages_left_lately_make_the_next_one_prove_its_work():
    webchat = make_webchat(when_closed="message", proof_after=1)
    assert VisitorClient().leave(ANSWERS).status_code == 201
    assert webchat.wants_proof
    response = VisitorClient().leave(ANSWERS)
    assert (response.status_code, response.json()["code"]) == (403, "proof_needed")
    with later(timedelta(minutes=11)):
        assert VisitorClient().leave(ANSWERS).status_code == 201


def test_members_only_holds_for_messages():
    webchat = make_webchat(when_closed="message")
    make_field(webchat, "number", match="require", user_lookup="customer_number")
    make_user(customer_number="C-1001")
    assert VisitorClient().leave({**ANSWERS, "number": "C-9999"}).status_code == 400
    assert VisitorClient().leave({**ANSWERS, "number": "C-1001"}).status_code == 201


def test_no_word_of_a_message_is_logged(caplog):
    make_webchat(when_closed="message")
    VisitorClient().leave(ANSWERS)
    VisitorClient().leave({**ANSWERS, "email": "no address"})
    told = json.dumps([str(record.__dict__) for record in caplog.records], ensure_ascii=False)
    assert "message_left" in told
    assert not [answer for answer in (*ANSWERS.values(), "no address") if answer in told]


# --- Staff's addresses, retention ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "not an address",
        "a@example.com b@example.com",
        "a@example.com\r\nBcc:",
        "a@example.com\n" * (RECIPIENTS_MAX + 1),
    ],
)
def test_what_is_no_list_of_addresses_is_refused(text):
    with pytest.raises(ValidationError):
        validate_recipients(text)


def test_a_message_is_forgotten_like_the_answers_of_a_chat(settings):
    make_webchat(when_closed="message")
    VisitorClient().leave(ANSWERS)
    retention.prune()
    assert Message.objects.get().text
    with later(timedelta(days=settings.WEBCHAT_KEEP_ANSWERS_DAYS, hours=1)):
        retention.prune()
    message = Message.objects.get()
    told = (message.text, message.email, message.answers, message.customer_friendly_name, message.answers_digest)
    assert told == ("", "", {}, "", "")
    with later(timedelta(days=settings.WEBCHAT_KEEP_SESSIONS_DAYS, hours=1)):
        retention.prune()
    assert not Message.objects.exists()
