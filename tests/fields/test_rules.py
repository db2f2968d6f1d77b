"""Fields that staff compose: what can be saved, what a saved one accepts, and which input it shows."""

from __future__ import annotations

import json
from datetime import date

import pytest
import time_machine
from django import forms
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.factories import make_field, make_webchat
from webchat.fields import autofill, patterns
from webchat.fields.formfields import as_date
from webchat.forms.form import Page, PreEngagementForm
from webchat.models import PreEngagementField, Webchat

Field = PreEngagementField
Type, Role, Match, Audience = Field.Type, Field.Role, Field.Match, Field.Audience

# Of every field alone: no test here needs a row in the database.
UNSAVED = Webchat(slug="x", name="X")


def field_of(type_, **values):
    row = Field(webchat=UNSAVED, type=type_, **{"label": "Field", "name": "field", **values})
    row.full_clean(validate_unique=False, validate_constraints=False, exclude=["webchat"])
    return row.formfield()


def refusal(type_, **values):
    with pytest.raises(ValidationError) as caught:
        field_of(type_, **values)
    return caught.value.message_dict


def accepts(field, answer):
    try:
        field.clean(answer)
    except ValidationError:
        return False
    return True


def html_of(field):
    return str(field.get_bound_field(forms.Form(), "field"))


# --- Types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "values", "attributes"),
    [
        (Type.TEXT, {}, {'type="text"', 'maxlength="200"'}),
        (Type.TEXT, {"min_length": 3, "max_length": 9}, {'minlength="3"', 'maxlength="9"'}),
        (Type.NAME, {}, {'type="text"', 'autocomplete="name"', 'maxlength="80"'}),
        (Type.EMAIL, {}, {'type="text"', 'inputmode="email"', 'autocomplete="email"'}),
        (Type.EMAIL, {"autocomplete": "off"}, {'autocomplete="off"'}),
        (Type.PHONE, {}, {'type="tel"', 'autocomplete="tel"'}),
        (Type.NUMBER, {"minimum": "1", "maximum": "9"}, {'type="number"', 'min="1"', 'max="9"', 'inputmode="numeric"'}),
        (Type.NUMBER, {"decimal_places": 2}, {'step="0.01"', 'inputmode="decimal"'}),
        (Type.DATE, {"minimum": "2026-01-05"}, {'type="date"', 'min="2026-01-05"'}),
        (Type.DATE, {"initial": "2026-02-01", "autocomplete": "bday"}, {'value="2026-02-01"', 'autocomplete="bday"'}),
        (Type.TEXT, {"pattern": "[A-Z&]{2}", "pattern_message": "Two"}, {'maxlength="100"'}),
        (Type.TEXTAREA, {"placeholder": "Write"}, {"<textarea", 'placeholder="Write"', 'maxlength="2000"'}),
        (Type.CHECKBOX, {"initial": "yes"}, {'type="checkbox"', "checked"}),
        (Type.CONSENT, {"required": False}, {'type="checkbox"', "required"}),
        (Type.SELECT, {"choices": "a | Apple", "placeholder": "Fruit"}, {'<option value="" selected>Fruit', ">Apple<"}),
        (Type.RADIO, {"choices": "a\nb", "initial": "b"}, {'value="b"', "checked"}),
    ],
)
def test_a_field_shows_the_input_of_its_type(type_, values, attributes):
    html = html_of(field_of(type_, **values))
    assert not {attribute for attribute in attributes if attribute not in html}, html


@time_machine.travel("2026-03-31 12:00", tick=False)
@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-02-29", date(2024, 2, 29)),
        ("today", date(2026, 3, 31)),
        ("today+30d", date(2026, 4, 30)),
        ("today-1d", date(2026, 3, 30)),
        ("today-1m", date(2026, 2, 28)),
        ("today+9m", date(2026, 12, 31)),
        ("today+11m", date(2027, 2, 28)),
        ("today-18y", date(2008, 3, 31)),
    ],
)
def test_a_day_is_written_or_counted_from_today(text, day):
    assert as_date(text) == day


@pytest.mark.parametrize(
    "text", ["", "Today", "today +1d", "today+1w", "today-9999y", "today+99999m", "31.12.2026", "2026-13-01", "x"]
)
def test_what_is_no_day_is_refused(text):
    with pytest.raises(ValidationError):
        as_date(text)


def test_someone_born_on_a_leap_day_is_eighteen_on_time():
    with time_machine.travel("2026-02-28", tick=False):
        assert not accepts(field_of(Type.DATE, maximum="today-18y"), "2008-02-29")
    with time_machine.travel("2026-03-01", tick=False):
        assert accepts(field_of(Type.DATE, maximum="today-18y"), "2008-02-29")


def test_a_date_has_a_range_in_days_with_words():
    with time_machine.travel("2026-03-10 12:00", tick=False):
        field = field_of(Type.DATE, minimum="today", maximum="today+30d")
    assert [day for day in ("2026-03-09", "2026-03-10", "2026-04-09", "2026-04-10") if accepts(field, day)] == [
        "2026-03-10",
        "2026-04-09",
    ]
    with pytest.raises(ValidationError, match=r"March 10, 2026 or a later day"):
        field.clean("2026-01-01")
    with pytest.raises(ValidationError, match=r"April 9, 2026 or an earlier day"):
        field.clean("2027-01-01")


def test_a_number_has_a_range_and_becomes_one_in_json():
    whole = field_of(Type.NUMBER, minimum="1", maximum="10")
    assert [
        number
        for number in ("0", "1", "10", "11", "1.5", "ten", "NaN", "Infinity", "9" * 400)
        if accepts(whole, number)
    ] == [
        "1",
        "10",
    ]
    assert whole.clean("7") == 7
    assert isinstance(whole.clean("7"), int)
    assert field_of(Type.NUMBER, required=False).clean("") is None
    assert field_of(Type.NUMBER, decimal_places=2).clean("10.25") == 10.25


def test_a_consent_must_be_given():
    field = field_of(Type.CONSENT, required=False, label="I agree that you keep this chat. " * 10)
    assert accepts(field, "on")
    assert not accepts(field, "")
    assert not field.initial


def test_a_line_break_of_a_browser_counts_once():
    field = field_of(Type.TEXTAREA, max_length=5)
    assert field.clean("ab\r\ncd") == "ab\ncd"


def test_a_persons_name_is_tidied():
    assert field_of(Type.NAME).clean(" O´Brien  ") == "O'Brien"


@pytest.mark.parametrize("type_", [type_ for type_ in Type.values if type_ != Type.HIDDEN])
@pytest.mark.parametrize("answer", [None, True, 5, 1.5, ["a"], {"a": "b"}, [], "\x00", "\ud800", "x" * 50_000])
def test_whatever_json_may_hold_is_taken_or_refused(type_, answer):
    field = field_of(type_, choices="a\nb", required=False, minimum="", maximum="")
    if accepts(field, answer):
        kept = json.dumps(field.clean(answer), cls=DjangoJSONEncoder, ensure_ascii=False).encode()
        assert b"\\u0000" not in kept  # which PostgreSQL refuses


# --- Patterns, more in test_patterns.py ------------------------------------------------------------------------------


def test_an_answer_that_is_too_long_is_refused_before_the_pattern_sees_it():
    field = field_of(Type.TEXT, pattern="((.?){30}){30}x")
    assert field.max_length == patterns.ANSWER_MAX
    with pytest.raises(ValidationError) as caught:
        field.clean("a" * 30_000)
    assert [error.code for error in caught.value.error_list] == ["max_length"]


def test_a_pattern_has_words_of_its_own():
    field = field_of(Type.TEXT, pattern=r"[A-Z]-\d+", pattern_message="A letter, a hyphen, digits: 100 % sure.")
    with pytest.raises(ValidationError, match="100 % sure"):
        field.clean("x")
    with pytest.raises(ValidationError, match="in the form that is asked for"):
        field_of(Type.TEXT, pattern="a").clean("x")


# --- What cannot be saved -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "values", "column"),
    [
        (Type.NUMBER, {"minimum": "5", "maximum": "1"}, "minimum"),
        (Type.NUMBER, {"minimum": "a"}, "minimum"),
        (Type.NUMBER, {"maximum": "1e20"}, "maximum"),
        (Type.NUMBER, {"maximum": "NaN"}, "maximum"),
        (Type.NUMBER, {"minimum": "1.2", "maximum": "3"}, "minimum"),
        (Type.NUMBER, {"initial": "7", "maximum": "5"}, "initial"),
        (Type.NUMBER, {"decimal_places": 7}, "decimal_places"),
        (Type.DATE, {"minimum": "2026-02-30"}, "minimum"),
        (Type.DATE, {"minimum": "today", "maximum": "today-1d"}, "minimum"),
        (Type.DATE, {"initial": "soon"}, "initial"),
        (Type.TEXT, {"min_length": 201}, "min_length"),
        (Type.EMAIL, {"min_length": 300, "max_length": 400}, "min_length"),
        (Type.TEXT, {"pattern": "(a"}, "pattern"),
        (Type.TEXT, {"pattern": "", "initial": "a\u202eb"}, "initial"),
        (Type.TEXT, {"pattern": "a+", "initial": "b"}, "initial"),
        (Type.EMAIL, {"initial": "nobody"}, "initial"),
        (Type.PHONE, {"initial": "12"}, "initial"),
        (Type.NAME, {"initial": "<b>"}, "initial"),
        (Type.CONSENT, {"initial": "yes"}, "initial"),
        (Type.CHECKBOX, {"initial": "maybe"}, "initial"),
        (Type.HIDDEN, {}, "initial"),
        (Type.SELECT, {"choices": "| Nothing"}, "choices"),
        (Type.SELECT, {"choices": "x" * 201}, "choices"),
        (Type.RADIO, {"choices": "a\nb", "initial": "c"}, "initial"),
        (Type.TEXT, {"label": "a\nb"}, "label"),
        (Type.CHECKBOX, {"role": Role.CUSTOMER_NAME}, "role"),
        (Type.EMAIL, {"role": Role.QUESTION}, "role"),
        (Type.CONSENT, {"match": Match.ACCOUNT, "user_lookup": "email"}, "match"),
        (Type.HIDDEN, {"initial": "x", "match": Match.REQUIRE, "user_lookup": "email"}, "match"),
        (Type.EMAIL, {"autocomplete": "tel"}, "autocomplete"),
        (Type.NUMBER, {"autocomplete": "name"}, "autocomplete"),
        (Type.TEXT, {"autocomplete": "street-address"}, "autocomplete"),
        (Type.TEXT, {"autocomplete": "cc-number"}, "autocomplete"),
        (Type.TEXT, {"name": "context"}, "name"),
        ("video", {}, "type"),
    ],
)
def test_what_could_not_be_shown_or_answered_is_refused_at_its_column(type_, values, column):
    assert list(refusal(type_, **values)) == [column]


def test_what_another_type_would_need_does_not_hinder():
    leftovers = {"pattern": "(", "minimum": "x", "choices": "a\na", "min_length": 999, "decimal_places": 3}
    assert accepts(field_of(Type.CHECKBOX, **leftovers), "on")
    assert accepts(field_of(Type.PHONE, **leftovers), "+41 44 668 18 00")


def test_every_token_that_can_be_chosen_fits_some_type():
    types = set(Type.values)
    for token, _words in autofill.CHOICES:
        assert any(autofill.fits(token, type_) for type_ in types), token


# --- Whatever staff compose -----------------------------------------------------------------------------------------

WORDS = st.text(max_size=12) | st.sampled_from(
    ["", "a", "yes", "1", "2.5", "today", "today-18y", "2026-01-31", "a@example.com", "+41446681800"]
)
DEFINITIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(Type.values), "label": st.text(min_size=1, max_size=20)},
    optional={
        "name": st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True) | st.text(max_size=5),
        "required": st.booleans(),
        "help_text": st.text(max_size=20),
        "placeholder": st.text(max_size=20),
        "choices": st.lists(st.text(max_size=6), max_size=4).map("\n".join),
        "initial": WORDS,
        "min_length": st.none() | st.integers(0, 3000),
        "max_length": st.none() | st.integers(0, 3000),
        "minimum": WORDS,
        "maximum": WORDS,
        "decimal_places": st.integers(0, 7),
        "pattern": st.text("ab()[]{}|*+?\\-^$d1,", max_size=12),
        "pattern_message": st.text(max_size=20),
        "autocomplete": st.sampled_from([token for token, _words in autofill.CHOICES]),
        "audience": st.sampled_from(Audience.values),
        "role": st.sampled_from(Role.values),
        "match": st.sampled_from(Match.values),
        "user_lookup": st.sampled_from(["", "email", "password", "phone"]),
    },
)  # fmt: skip


def answer_for(row, data):
    """An answer that the field's own words promise to accept."""
    match row.type:
        case Type.EMAIL:
            return "a@example.com"
        case Type.PHONE:
            return "+41446681800"
        case Type.NUMBER:
            return row.minimum or row.maximum or "1"
        case Type.DATE:
            return as_date(row.minimum or row.maximum or "today").isoformat()
        case Type.SELECT | Type.RADIO:
            return row.choice_pairs()[0][0]
        case Type.CHECKBOX | Type.CONSENT:
            return "on"
        case _:
            return "a" * max(row.min_length or 1, 1)


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(values=DEFINITIONS, junk=st.text(max_size=40), data=st.data())
def test_a_field_that_can_be_saved_can_be_shown_and_answered(values, junk, data):
    try:
        row = Field(webchat=UNSAVED, **values)
        row.full_clean(validate_unique=False, validate_constraints=False, exclude=["webchat"])
    except ValidationError:
        assume(False)
    field = row.formfield()
    assert html_of(field)
    accepts(field, junk)
    if (row.pattern and row.takes_pattern) or (row.type == Type.EMAIL and (row.min_length or row.max_length)):
        return  # whether an answer can fit those, nobody can tell
    answer = answer_for(row, data)
    field.clean(answer)


@pytest.mark.django_db
def test_a_form_of_one_field_of_each_type_is_shown_and_sent():
    webchat = make_webchat(fields=False)
    answers = {}
    for type_ in Type:
        row = make_field(webchat, f"a_{type_}", type=type_, choices="a\nb", initial="x" if type_ == Type.HIDDEN else "")
        if type_ != Type.HIDDEN:
            answers[row.name] = answer_for(row, None)
    form = PreEngagementForm(webchat, user=None, data=answers, page=Page(origin="http://testserver"))
    assert form.is_valid(), form.errors
    data = form.answers().data
    assert data["a_date"] == as_date("today").isoformat()
    assert data["a_number"] == 1
    assert data["a_phone"] == "+41446681800"
    assert data["a_consent"] is True
