"""A field that is shown only if another has a value: where it is not shown, nothing of it is required, checked or sent."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.factories import ANSWERS, change, make_field, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.fields.conditions import is_met, problem
from webchat.forms.form import Page, PreEngagementForm
from webchat.forms.message_form import MessageForm
from webchat.models import ChatSession, PreEngagementField, Webchat

pytestmark = pytest.mark.django_db

Type, Role, Match = PreEngagementField.Type, PreEngagementField.Role, PreEngagementField.Match
ORIGIN = "http://testserver"


def make_topics(webchat, **values):
    """A topic, and an order number that is asked where it is about a delivery."""
    make_field(webchat, "topic", type=Type.SELECT, choices="delivery | A delivery\nbill", label="Topic?")
    return make_field(webchat, "order", **{"pattern": r"[A-Z]-\d{4}", **values}, **about("topic", "delivery"))


def about(name, value=""):
    return {"shown_if": name, "shown_if_value": value}


def form_of(webchat, data=None, user=None, kind=PreEngagementForm):
    return kind(webchat, user=user, data=data, page=Page(ORIGIN))


def data_of(webchat, data, user=None):
    form = form_of(webchat, data, user)
    assert form.is_valid(), form.errors
    return form.answers().data


def html_of(webchat, user=None, language="en"):
    client = Client(headers={"accept-language": language})
    if user:
        client.force_login(user)
    return client.get(f"/webchat/{webchat.slug}/").content.decode()


@pytest.mark.parametrize(
    ("wanted", "answer", "met"),
    [
        ("", None, False),
        ("", "", False),
        ("", False, False),
        ("", 0, True),
        ("", 0.0, True),
        ("", True, True),
        ("", "x", True),
        ("bill", "bill", True),
        ("bill", "delivery", False),
        ("bill", "", False),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}", True),
    ],
)
def test_which_answers_meet_a_condition(wanted, answer, met):
    assert is_met(wanted, answer) is met


def test_it_is_required_and_checked_where_it_is_shown():
    webchat = make_webchat()
    make_topics(webchat)
    told = {**ANSWERS, "topic": "delivery"}
    assert list(form_of(webchat, told).errors) == ["order"]
    assert list(form_of(webchat, {**told, "order": "nonsense"}).errors) == ["order"]
    assert data_of(webchat, {**told, "order": "A-1234"})["order"] == "A-1234"


@pytest.mark.parametrize("posted", [{}, {"order": ""}, {"order": "nonsense"}, {"order": "A-1234"}, {"order": ["x"]}])
def test_where_it_is_not_shown_nothing_of_it_is_required_checked_or_sent(posted):
    webchat = make_webchat()
    make_topics(webchat)
    assert "order" not in data_of(webchat, {**ANSWERS, "topic": "bill", **posted})


def test_it_may_stand_above_the_field_on_which_it_depends():
    webchat = make_webchat()
    make_topics(webchat)
    webchat.fields.filter(name="order").update(position=0)
    webchat.fields.filter(name="topic").update(position=90)
    assert "order" not in data_of(webchat, {**ANSWERS, "topic": "bill", "order": "?"})
    assert list(form_of(webchat, {**ANSWERS, "topic": "delivery"}).errors) == ["order"]


def test_an_answer_that_is_wrong_itself_shows_nothing_else():
    webchat = make_webchat()
    make_topics(webchat)
    assert list(form_of(webchat, {**ANSWERS, "topic": "weather"}).errors) == ["topic"]


def test_a_letter_of_two_signs_is_the_letter_of_one():
    """In the admin, on the server and, by the spelling of the choice, in the browser."""
    composed, decomposed = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    webchat = make_webchat()
    make_field(webchat, "where", type=Type.SELECT, choices=f"{composed} | A café\nhome", label="Where?")
    row = make_field(webchat, "table", **about("where", decomposed))
    assert problem(row, webchat.fields.all()) == ""
    assert list(form_of(webchat, {**ANSWERS, "where": composed}).errors) == ["table"]
    assert "table" not in data_of(webchat, {**ANSWERS, "where": "home"})
    assert f'data-webchat-if-value="{composed}"' in html_of(webchat)


def test_a_box_that_is_ticked_asks_for_more():
    webchat = make_webchat()
    make_field(webchat, "call", type=Type.CHECKBOX, required=False)
    make_field(webchat, "phone", type=Type.PHONE, **about("call"))
    assert "phone" not in data_of(webchat, {**ANSWERS, "phone": "+41446681800"})
    assert list(form_of(webchat, {**ANSWERS, "call": "on"}).errors) == ["phone"]
    assert data_of(webchat, {**ANSWERS, "call": "on", "phone": "+41446681800"})["phone"] == "+41446681800"


def test_a_consent_that_is_not_asked_for_was_not_given():
    webchat = make_webchat()
    make_field(webchat, "call", type=Type.CHECKBOX, required=False)
    make_field(webchat, "recorded", type=Type.CONSENT, **about("call"))
    form = form_of(webchat, {**ANSWERS, "recorded": "on"})
    assert form.is_valid(), form.errors
    assert form.answers().consents == []
    form = form_of(webchat, {**ANSWERS, "recorded": "on", "call": "on"})
    assert form.is_valid(), form.errors
    assert [given["name"] for given in form.answers().consents] == ["recorded"]


def test_hidden_context_can_depend_on_an_answer():
    webchat = make_webchat()
    make_topics(webchat, required=False)
    make_field(webchat, "urgent", type=Type.HIDDEN, initial="yes", **about("topic", "delivery"))
    assert data_of(webchat, {**ANSWERS, "topic": "delivery"})["urgent"] == "yes"
    assert "urgent" not in data_of(webchat, {**ANSWERS, "topic": "bill", "urgent": "yes"})


def test_the_account_decides_where_it_answers_the_other_field():
    webchat = make_webchat()
    make_field(webchat, "number", match=Match.ACCOUNT, user_lookup="customer_number", required=False)
    make_field(webchat, "contract", **about("number"))
    customer, guest = make_user(customer_number="C-1001"), make_user("bob")
    assert not form_of(webchat, user=customer).dependence_of("contract")
    assert list(form_of(webchat, ANSWERS, customer).errors) == ["contract"]
    assert form_of(webchat, user=guest).dependence_of("contract").name == "number"
    assert "contract" not in data_of(webchat, {**ANSWERS, "contract": "x"}, guest)


def test_an_answer_of_the_account_is_verified_only_where_it_is_asked_for():
    webchat = make_webchat()
    make_topics(webchat, required=False)
    values = {"match": Match.ACCOUNT, "user_lookup": "customer_number", **about("topic", "bill")}
    make_field(webchat, "number", **values)
    ada = make_user(customer_number="C-1001")
    told = data_of(webchat, {**ANSWERS, "topic": "delivery", "number": "C-9"}, ada)
    assert "number" not in told
    assert told["verified"] == []
    told = data_of(webchat, {**ANSWERS, "topic": "bill"}, ada)
    assert (told["number"], told["verified"]) == ("C-1001", ["number"])
    assert form_of(webchat, user=ada).verified_with({"topic": "delivery"}) == {}
    assert form_of(webchat, user=ada).verified_with({"topic": "bill"}) == {"number": "C-1001"}
    assert html_of(webchat, ada).count('data-webchat-if="topic" data-webchat-if-value="bill"') == 1


def test_who_is_not_asked_the_other_field_is_not_asked_this_one():
    webchat = make_webchat()
    make_field(webchat, "plan", audience="signed_in", type=Type.RADIO, choices="a\nb")
    make_field(webchat, "reason", **about("plan", "b"))
    assert "reason" not in form_of(webchat).fields
    assert "reason" not in data_of(webchat, {**ANSWERS, "reason": "x"})
    assert "reason" in form_of(webchat, user=make_user()).fields


def test_a_chain_that_was_saved_in_spite_of_all_shows_nothing():
    webchat = make_webchat()
    make_topics(webchat, required=False)
    make_field(webchat, "shop", required=False)
    webchat.fields.filter(name="shop").update(**about("order"))
    told = data_of(webchat, {**ANSWERS, "topic": "delivery", "order": "A-1234", "shop": "Bern"})
    assert "shop" not in told


def test_a_message_can_be_answered_though_the_address_is_asked_only_sometimes():
    webchat = make_webchat(fields=False)
    make_field(webchat, "call", type=Type.CHECKBOX, required=False)
    make_field(webchat, "email", type=Type.EMAIL, **about("call"))
    assert list(form_of(webchat, {}, kind=MessageForm).errors) == ["message_text", "reply_email"]


def test_the_page_says_when_it_is_asked_and_the_browser_requires_nothing_of_it():
    webchat = make_webchat()
    make_topics(webchat)
    make_field(webchat, "shop", **about("topic"))
    make_field(webchat, "call", type=Type.CHECKBOX)
    make_field(webchat, "phone", type=Type.PHONE, **about("call"))
    html = html_of(webchat)
    for name in ("order", "shop", "phone"):
        row = html.partition(f'data-webchat-field="{name}"')[2].partition("</div>")[0]
        assert " hidden" not in row.partition(">")[0], "without a script it is there"
        assert " required" not in row, name
        assert "(optional)" not in row, name
    assert "Only if “<bdi>Topic?</bdi>” is “<bdi>A delivery</bdi>”." in html
    assert "Only if you answer “<bdi>Topic?</bdi>”." in html
    assert "Only if you tick “<bdi>Call</bdi>”." in html
    assert "فقط إذا حددت" in html_of(webchat, language="ar")


def test_a_form_that_was_shown_before_a_condition_changed_is_another_form():
    webchat = make_webchat()
    order = make_topics(webchat)
    before = form_of(webchat).shape
    change(order, shown_if_value="bill")
    assert form_of(Webchat.objects.get()).shape != before


def test_a_chat_keeps_and_sends_only_what_was_asked(sandbox, admin_client):
    webchat = make_webchat()
    make_topics(webchat)
    response = VisitorClient().start({**ANSWERS, "topic": "bill", "order": "A-1234"})
    assert response.status_code == 201, response.content
    session = ChatSession.objects.get()
    assert "order" not in session.answers
    assert "A-1234" not in json.dumps(sandbox.rest("GET", f"/v1/Conversations/{session.channel_sid}"))
    html = admin_client.get(f"/admin/webchat/chatsession/{session.pk}/change/").content.decode()
    assert "Topic?" in html
    assert "Order" not in html.partition("webchat-answers")[2].partition("</table>")[0]


# Whatever is sent for fields of every type: what is not shown never reaches Flex.
_SENT = st.one_of(
    st.sampled_from(["", "a", "b", "on", "1", "0", "2026-01-01", "a@example.com", "+41446681800", "text:0"]),
    st.text(max_size=8),
    st.booleans(),
    st.integers(-5, 5),
    st.none(),
    st.lists(st.text(max_size=3), max_size=2),
)


@pytest.fixture
def fuzzed():
    return make_webchat(fields=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    other_type=st.sampled_from([type_ for type_ in Type if type_ != Type.HIDDEN]),
    own_type=st.sampled_from(list(Type)),
    value=st.sampled_from(["", "a"]),
    required=st.booleans(),
    is_first=st.booleans(),
    sent=st.fixed_dictionaries({}, optional={"other": _SENT, "more": _SENT}),
)
def test_whatever_is_sent_what_is_not_shown_never_reaches_flex(
    fuzzed, other_type, own_type, value, required, is_first, sent
):
    fuzzed.fields.all().delete()
    kind = {"choices": "a\nb", "required": required}
    other = make_field(fuzzed, "other", position=1, type=other_type, **kind)
    value = value if other.type in other.CHOICE_TYPES else ""
    initial = "a" if own_type == Type.HIDDEN else ""
    row = make_field(fuzzed, "more", position=0 if is_first else 2, type=own_type, initial=initial, **kind)
    change(row, **about("other", value))
    form = form_of(Webchat.objects.get(), sent)
    if form.is_valid():
        assert ("more" in form.answers().data) == is_met(value, form.cleaned_data["other"])
    elif "more" in form.errors:
        assert is_met(value, form.cleaned_data["other"])
