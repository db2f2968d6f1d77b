"""The pre-engagement form: what staff compose is what visitors are asked, and nothing else reaches Flex."""

from __future__ import annotations

import json
import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.factories import ANSWERS, make_field, make_user, make_webchat
from webchat.forms.form import DATA_MAX_BYTES, FormInvalid, Page, PreEngagementForm
from webchat.forms.message_form import MessageForm
from webchat.forms.submit import empty_form, require_member
from webchat.models import PreEngagementField
from webchat.visitors import Visitor

pytestmark = pytest.mark.django_db

Type, Role, Match = PreEngagementField.Type, PreEngagementField.Role, PreEngagementField.Match
ORIGIN = "http://testserver"


def form_of(webchat, data=None, user=None, page_url="", **options):
    return PreEngagementForm(webchat, user=user, data=data, page=Page(ORIGIN, page_url), **options)


def answers_of(webchat, data, user=None, **options):
    form = form_of(webchat, data, user, **options)
    assert form.is_valid(), form.errors
    return form.answers()


def errors_of(webchat, data, user=None):
    form = form_of(webchat, data, user)
    assert not form.is_valid()
    return form.errors


def test_an_answer_reads_in_its_own_direction_and_an_empty_field_in_the_pages():
    webchat = make_webchat()
    make_field(webchat, "phone", type=Type.PHONE)
    make_field(webchat, "day", type=Type.DATE)
    empty, filled = (
        {
            name: re.findall(r' dir="(\w+)"', str(form[name]))
            for form in [form_of(webchat, data)]
            for name in ("name", "question", "phone", "day")
        }
        for data in (None, {**ANSWERS, "phone": "+41791234567", "day": "2030-12-31"})
    )
    assert empty == {"name": [], "question": [], "phone": ["ltr"], "day": []}
    assert filled == {"name": ["auto"], "question": ["auto"], "phone": ["ltr"], "day": []}


def test_the_rows_are_the_fields_in_their_order():
    webchat = make_webchat(fields=False)
    make_field(webchat, "second", position=2)
    make_field(webchat, "first", position=1)
    assert list(form_of(webchat).fields) == ["first", "second"]


def test_an_empty_form_is_made_once_for_all_whom_it_says_nothing_of():
    webchat, guest = make_webchat(), Visitor("browser", "key", None, "")
    once = empty_form(PreEngagementForm, webchat, guest, "")
    assert empty_form(PreEngagementForm, webchat, Visitor("another", "key", None, ""), "") is once
    with translation.override("de"):
        assert empty_form(PreEngagementForm, webchat, guest, "") is not once
    of_message = empty_form(MessageForm, webchat, guest, "")
    assert isinstance(of_message, MessageForm)
    ada = Visitor("browser", "key", make_user(), "")
    for visitor, context in ((ada, ""), (guest, "signed by the page")):
        own = empty_form(PreEngagementForm, webchat, visitor, context)
        assert own is not once
        assert (own.user, own.context) == (visitor.user, context)


def test_flex_gets_plain_json_with_what_the_site_adds():
    webchat = make_webchat()
    page = f"{ORIGIN}/support/?a=1"
    answers = answers_of(webchat, {**ANSWERS, "location": page, "referrer": "https://search.example/"})
    assert answers.data == {
        **ANSWERS,
        "friendlyName": "José Müller",
        "location": page,
        "referrer": "https://search.example/",
        "locale": "en",
        "verified": [],
    }
    assert answers.question == "Where is my parcel?"
    assert json.loads(json.dumps(answers.data)) == answers.data


@pytest.mark.parametrize(
    "location", ["https://evil.example/", "javascript:alert(1)", f"{ORIGIN}@evil.example/", "http://[", "\x00"]
)
def test_a_foreign_location_is_not_passed_on(location):
    assert answers_of(make_webchat(), {**ANSWERS, "location": location}).data["location"] == ""


def test_the_page_is_the_location_when_the_form_names_none():
    answers = answers_of(make_webchat(), ANSWERS, page_url=f"{ORIGIN}/pricing/")
    assert answers.data["location"] == f"{ORIGIN}/pricing/"


@pytest.mark.parametrize("name", ["identity", "role", "sid", "ttl", "verified", "friendlyName"])
def test_what_the_form_does_not_ask_is_refused(name):
    assert "no field" in str(errors_of(make_webchat(), {**ANSWERS, name: "x"})["__all__"])


def test_each_type_of_field_accepts_its_own_and_refuses_the_rest():
    webchat = make_webchat(fields=False)
    cases = {
        Type.TEXT: ("A-1", "a\ue000b"),
        Type.NAME: ("Anne-Marie", "<b>"),
        Type.EMAIL: ("a@example.com", "a@"),
        Type.PHONE: ("+41446681800", "12"),
        Type.TEXTAREA: ("two\nlines 👍", "a\ue000b"),
        Type.SELECT: ("de", "fr"),
        Type.RADIO: ("de", "fr"),
        Type.CHECKBOX: ("on", ""),
        Type.CONSENT: ("on", ""),
    }
    for type_, (good, bad) in cases.items():
        row = make_field(webchat, f"a_{type_}", type=type_, choices="de | Deutsch\nen")
        assert form_of(webchat, {row.name: good}).is_valid(), type_
        assert row.name in errors_of(webchat, {row.name: bad}), type_
        row.delete()


def test_the_phone_number_travels_as_e164():
    webchat = make_webchat(fields=False)
    make_field(webchat, "phone", type=Type.PHONE)
    assert answers_of(webchat, {"phone": "+41 44 668 18 00"}).data["phone"] == "+41446681800"


def test_hidden_context_is_the_staffs_and_never_the_browsers():
    webchat = make_webchat()
    make_field(webchat, "department", type=Type.HIDDEN, initial="sales")
    assert "department" not in form_of(webchat).fields
    assert answers_of(webchat, {**ANSWERS, "department": "board"}).data["department"] == "sales"


def test_lengths_are_checked_on_the_server():
    webchat = make_webchat(fields=False)
    make_field(webchat, "code", min_length=3, max_length=5)
    assert form_of(webchat, {"code": "abc"}).is_valid()
    assert "code" in errors_of(webchat, {"code": "ab"})
    assert "code" in errors_of(webchat, {"code": "abcdef"})


def test_answers_that_flex_would_not_take_are_refused_here():
    webchat = make_webchat(fields=False)
    for number in range(7):
        make_field(webchat, f"text_{number}", type=Type.TEXTAREA)
    data = {f"text_{number}": "😀" * 500 for number in range(7)}
    with pytest.raises(FormInvalid) as refused:
        answers_of(webchat, data)
    assert "too long" in refused.value.detail
    assert (
        len(json.dumps(answers_of(webchat, dict.fromkeys(data, "😀" * 400)).data, ensure_ascii=False).encode())
        < DATA_MAX_BYTES
    )


# --- The site's users ----------------------------------------------------------------------------------------------


def member_error(webchat, data, user=None):
    """What the gate for members says of a valid form; "" when it lets it pass."""
    form = form_of(webchat, data, user)
    assert form.is_valid(), form.errors
    try:
        require_member(form, form.member_answers, Visitor(browser="browser", key="key", user=user, network="192.0.2.1"))
    except FormInvalid as refused:
        return refused.detail
    return ""


def members_webchat(match):
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match=match, user_lookup="email")
    make_field(webchat, "customer_number", required=False, match=match, user_lookup="customer_number")
    return webchat


def test_a_signed_in_visitors_account_answers_and_the_browser_cannot_change_it():
    webchat = members_webchat(Match.ACCOUNT)
    ada = make_user(customer_number="C-1001")
    form = form_of(webchat, user=ada)
    assert {"email", "customer_number"}.isdisjoint(form.fields)
    assert [(row["label"], row["value"]) for row in form.account_rows] == [
        ("Email", "ada@example.com"),
        ("Customer number", "C-1001"),
    ]
    forged = {**ANSWERS, "email": "boss@example.com", "customer_number": "C-1"}
    data = answers_of(webchat, forged, user=ada).data
    assert (data["email"], data["customer_number"]) == ("ada@example.com", "C-1001")
    assert data["verified"] == ["customer_number", "email"]


def test_what_the_account_does_not_know_is_asked_and_not_verified():
    webchat = members_webchat(Match.ACCOUNT)
    ada = make_user()
    assert "customer_number" in form_of(webchat, user=ada).fields
    data = answers_of(webchat, {**ANSWERS, "customer_number": "C-9"}, user=ada).data
    assert data["verified"] == ["email"]


def test_friendly_name_is_the_accounts_then_the_forms_then_the_default():
    webchat = make_webchat()
    assert answers_of(webchat, ANSWERS, user=make_user()).customer_friendly_name == "Ada Lovelace"
    assert answers_of(webchat, ANSWERS).customer_friendly_name == "José Müller"
    webchat.fields.filter(name="name").delete()
    assert answers_of(webchat, {k: v for k, v in ANSWERS.items() if k != "name"}).customer_friendly_name == "Visitor"


def test_annotate_tells_staff_and_never_the_visitor(django_assert_num_queries):
    webchat = members_webchat(Match.ANNOTATE)
    make_user()
    known = {**ANSWERS, "email": "ADA@example.com"}
    assert answers_of(webchat, known).account_matches == ["email"]
    assert answers_of(webchat, ANSWERS).account_matches == []
    assert answers_of(webchat, known).data.keys() == answers_of(webchat, ANSWERS).data.keys()
    for data in (known, ANSWERS):
        with django_assert_num_queries(2):  # the fields, and one look-up
            answers_of(webchat, data)


def test_an_inactive_user_matches_nothing():
    webchat = members_webchat(Match.ANNOTATE)
    make_user(is_active=False)
    assert answers_of(webchat, {**ANSWERS, "email": "ada@example.com"}).account_matches == []


def test_require_takes_all_from_one_active_user_with_one_error_for_all():
    webchat = members_webchat(Match.REQUIRE)
    make_user(customer_number="C-1001")
    make_user("bob", customer_number="C-1002")
    make_user("eve", customer_number="C-1003", is_active=False)
    assert member_error(webchat, {**ANSWERS, "email": "ada@example.com", "customer_number": "c-1001"}) == ""
    wrong = [
        ("ada@example.com", "C-1002"),
        ("nobody@example.com", "C-1"),
        ("eve@example.com", "C-1003"),
        ("ada@example.com", ""),
    ]
    errors = {member_error(webchat, {**ANSWERS, "email": email, "customer_number": number}) for email, number in wrong}
    assert errors == {"We cannot find an account with these details. Please check them."}


def test_a_signed_in_member_cannot_pass_with_somebody_elses_details():
    webchat = members_webchat(Match.REQUIRE)
    ada = make_user()
    make_user("bob", customer_number="C-1002")
    assert "cannot find" in member_error(webchat, {**ANSWERS, "customer_number": "C-1002"}, user=ada)


def test_the_text_of_a_consent_is_kept_with_its_time():
    webchat = make_webchat()
    make_field(webchat, "privacy", type=Type.CONSENT, label="I agree to the privacy notice of May 2026.")
    [consent] = answers_of(webchat, {**ANSWERS, "privacy": "on"}).consents
    assert (consent["name"], consent["text"]) == ("privacy", "I agree to the privacy notice of May 2026.")
    assert datetime.now(UTC) - datetime.fromisoformat(consent["given_at"]) < timedelta(seconds=5)


def test_a_form_that_the_account_answers_asks_nothing():
    webchat = make_webchat(fields=False)
    make_field(webchat, "email", type=Type.EMAIL, match=Match.ACCOUNT, user_lookup="email")
    assert form_of(webchat, user=make_user()).asks_nothing
    assert not form_of(webchat).asks_nothing


def test_a_form_names_the_question_that_it_asks_this_visitor():
    webchat = make_webchat(fields=False)
    make_field(webchat, "about", role=Role.QUESTION, audience=PreEngagementField.Audience.ANONYMOUS)
    make_field(webchat, "details", type=Type.TEXTAREA)
    assert form_of(webchat).question_name == "about"
    assert form_of(webchat, user=make_user()).question_name == ""


# --- Whatever staff compose and visitors type -----------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    type_=st.sampled_from([t for t in Type.values if t != "hidden"]),
    required=st.booleans(),
    answer=st.text(max_size=300) | st.text(string.printable, max_size=40) | st.none(),
)
def test_any_answer_is_taken_or_refused_but_never_breaks(type_, required, answer):
    webchat = make_webchat(fields=False, slug="x")
    try:
        make_field(
            webchat, "field", type=type_, required=required, choices="a\nb" if type_ in ("select", "radio") else ""
        )
        form = form_of(webchat, {} if answer is None else {"field": answer})
        if form.is_valid():
            sent = json.dumps(form.answers().data, ensure_ascii=False).encode()
            assert len(sent) < DATA_MAX_BYTES + 1000
        assert "webchat-x-field" in str(form["field"])
    finally:
        webchat.delete()
