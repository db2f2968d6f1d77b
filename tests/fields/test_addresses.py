"""E-mail addresses and phone numbers as people type and paste them, and the same person in two spellings.

The same on SQLite and PostgreSQL: the database finds candidates, the normal form decides.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import make_field, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.fields.emails import clean_email, validate_email
from webchat.fields.lookups import matches_one_user, normal_form
from webchat.models import LimitCounter, PreEngagementField, Webchat

Type, Match = PreEngagementField.Type, PreEngagementField.Match


def field_of(type_):
    return PreEngagementField(name="a", label="A", type=type_, required=True).formfield()


# --- E-mail addresses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("jane@example.org\u200b", "jane@example.org"),
        ("\u202ajane@example.org\u202c", "jane@example.org"),
        ("ja\u2060ne@exam\u00adple.org ", "jane@example.org"),
        ("jane@example。org", "jane@example.org"),
        ("jane@example．org", "jane@example.org"),
        ("jane@example｡org", "jane@example.org"),
        ("ｊａｎｅ＠ｅｘａｍｐｌｅ．ｏｒｇ", "jane@example.org"),
        ("jörg@example.org", "jörg@example.org"),
        ("jo\u0308rg@bücher.example", "jörg@bücher.example"),
        ("Jane.O'Hara+x@Example.ORG", "Jane.O'Hara+x@Example.ORG"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("jane@studio.photography", "jane@studio.photography"),
        ("ज़@डाटा.भारत", "ज\u093c@डाटा.भारत"),
    ],
)
def test_an_address_reaches_flex_as_a_mail_server_takes_it(typed, kept):
    assert field_of(Type.EMAIL).clean(typed) == kept


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("jane@example，org", "“,” cannot stand after the @"), ("jane@example,org", "“,” cannot stand"), ("jane@exa_mple.org", "“_” cannot"),
        ("jane@example、org", "“、” cannot stand"), ("jane@example.org;bob@example.org", "valid e-mail"), ("jane@example.org>", "“>” cannot"),
        ("jane", "valid e-mail"), ("jane@", "valid e-mail"), ("@example.org", "valid e-mail"), ("j ane@example.org", "valid e-mail"),
        ("“jane”@example.org", "valid e-mail"), ("jane@example", "valid e-mail"), ("\u200b", "enter your e-mail address"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed, words):
    with pytest.raises(ValidationError, match=words):
        field_of(Type.EMAIL).clean(typed)


@settings(deadline=None)
@given(st.text(max_size=30) | st.text("ab@.-。．\u200b\u00adıſßö,", max_size=20))
def test_a_clean_address_stays_as_it_is_and_shows_all_that_it_holds(typed):
    cleaned = clean_email(typed)
    assert clean_email(cleaned) == cleaned
    assert normal_form(normal_form(typed)) == normal_form(typed)
    assert "@" not in cleaned or normal_form(cleaned) == normal_form(typed)
    assert not set(cleaned) & set("\u200b\u00ad\u202c\u2060")
    try:
        validate_email(cleaned)
    except ValidationError:
        return
    assert cleaned.isprintable()


# --- Phone numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "+41446681800", "0041 44 668 18 00", "+41 (0)44 668 18 00", "tel:+41-44-668-18-00", "(0041) 44 668 18 00", "☎\ufe0f +41 44 668 18 00",
        "+41446681800\ufe0f", "\u202a+41 44 668 18 00\u202c", "＋４１ ４４ ６６８ １８ ００", "٠٠٤١٤٤٦٦٨١٨٠٠", "+41\u200b446681800",
    ],
)  # fmt: skip
def test_a_phone_number_is_taken_as_it_stands_on_a_card(typed):
    assert field_of(Type.PHONE).clean(typed).as_e164 == "+41446681800"


@pytest.mark.parametrize("typed", ["044 668 18 00", "00", "+", "12", "00 00", "call me"])
def test_what_is_no_international_number_is_refused(typed):
    with pytest.raises(ValidationError):
        field_of(Type.PHONE).clean(typed)


@pytest.mark.parametrize(
    ("region", "typed", "kept"),
    [
        ("CH", "044 668 18 00", "+41446681800"),
        ("CH", "٠٤٤ ٦٦٨ ١٨ ٠٠", "+41446681800"),
        ("CH", "+49 30 901820", "+4930901820"),
        ("CH", "0049 30 901820", "+4930901820"),
        ("US", "(212) 555-2368", "+12125552368"),
    ],
)
def test_a_webchat_that_names_a_country_takes_its_national_numbers(region, typed, kept):
    webchat = Webchat(phone_region=region)
    field = PreEngagementField(webchat=webchat, name="a", label="A", type=Type.PHONE).formfield()
    assert field.clean(typed).as_e164 == kept


@pytest.mark.parametrize("region", ["xx", "ch", "C"])
def test_a_country_is_one_that_has_phone_numbers(region):
    with pytest.raises(ValidationError, match="two letters of a country"):
        Webchat._meta.get_field("phone_region").clean(region, None)


# --- One person in two spellings -------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("stored", "typed", "same"),
    [
        ("mike@digital.example", "MIKE@Digital.Example", True),
        ("Mike@Digital.example", "mike@digital.example\u200b", True),
        ("mike@digital.example", "ｍike@digital。example", True),
        ("mike@digital.example", "mike@dıgital.example", False),
        ("mike@digital.example", "mike@digİtal.example", False),
        ("mike@digital.example", "mike@digital.example", True),
        ("mise@digital.example", "miſe@digital.example", True),
        ("jörg@bücher.example", "JÖRG@BÜCHER.example", True),
        ("JÖRG@bücher.example", "jörg@bücher.example", True),
        ("jörg@bücher.example", "jo\u0308rg@xn--bcher-kva.example", True),
        ("j@xn--bcher-kva.example", "j@bücher.example", True),
        ("jorg@bucher.example", "jörg@bücher.example", False),
        ("a%b@example.org", "axb@example.org", False),
        ("a_b@example.org", "axb@example.org", False),
    ],
)
def test_two_spellings_are_one_address_on_every_database(stored, typed, same):
    make_user(email=stored)
    assert matches_one_user({"email": typed}) is same


@pytest.mark.parametrize(
    ("stored", "typed", "same"),
    [("C-1001", " c-1001 ", True), ("C-1001", "Ｃ-1001", True), ("C-1001", "C‐1001", False), ("Ä-1", "ä-1", True)],
)
def test_two_spellings_are_one_number_of_a_customer(stored, typed, same):
    make_user(customer_number=stored)
    assert matches_one_user({"customer_number": typed}) is same


def test_all_values_are_those_of_one_user():
    make_user("ada", email="ada@example.com", customer_number="C-1")
    make_user("bob", email="bob@example.com", customer_number="C-2")
    assert matches_one_user({"email": "ADA@example.com", "customer_number": "c-1"})
    assert not matches_one_user({"email": "ada@example.com", "customer_number": "C-2"})
    assert not matches_one_user({"email": ""})
    assert not matches_one_user({})


def test_other_spellings_are_no_way_around_the_limit_of_guesses(sandbox):
    webchat = make_webchat(fields=False)
    make_field(webchat, "question", type=Type.TEXTAREA, role="question")
    make_field(webchat, "email", type=Type.EMAIL, match=Match.REQUIRE, user_lookup="email")
    spellings = [
        "mise@x.example",
        "MISE@x.example",
        "miſe@x.example",
        "ｍise@x.example",
        "mise@x。example",
        "mi\u200bse@x.example",
    ]
    statuses = [
        VisitorClient().start({"question": "Where?", "email": email}, key=f"guess-number-{number}").status_code
        for number, email in enumerate(spellings)
    ]
    assert statuses == [400] * 5 + [429]
    assert LimitCounter.objects.filter(key__startswith="member:value").count() == 1
