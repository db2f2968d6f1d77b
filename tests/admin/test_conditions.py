"""Staff choose when a field is shown: from a list, and what could not work is refused in words."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.admin.test_admin import INLINE, field_rows, webchat_form
from tests.support.factories import Type, make_field, make_webchat
from tests.support.page_form import form_of
from webchat.forms.advice import advice
from webchat.models import Webchat

pytestmark = pytest.mark.django_db


def make_topics():
    webchat = make_webchat(fields=False)
    make_field(webchat, "topic", type=Type.SELECT, choices="delivery | A delivery\nbill", label="Topic?")
    make_field(webchat, "news", type=Type.CHECKBOX, required=False)
    make_field(webchat, "order", shown_if="topic", shown_if_value="delivery")
    return webchat


def address_of(webchat):
    return f"/admin/webchat/webchat/{webchat.pk}/change/"


def change(client, webchat, **values):
    """Sends the page of a webchat as it is, but for these values."""
    sent = form_of(client.get(address_of(webchat)).content.decode())
    return client.post(address_of(webchat), sent | {f"{INLINE}-{name}": value for name, value in values.items()})


def errors_of(response):
    formset = response.context["inline_admin_formsets"][0].formset
    return [" ".join(form.errors.get("shown_if", [])) for form in formset.forms]


def test_one_list_of_the_page_has_every_answer_of_the_fields(admin_client):
    webchat = make_topics()
    html = admin_client.get(address_of(webchat)).content.decode()
    [offered] = re.findall(r'<datalist id="fields-conditions"[^>]*>(.*?)</datalist>', html, re.DOTALL)
    assert re.findall(r'<option value="([^"]*)">([^<]*)<', offered) == [
        ("", "always"),
        ("topic", "Topic?: any answer"),
        ("topic=delivery", "Topic?: A delivery"),
        ("topic=bill", "Topic?: bill"),
        ("news", "News: ticked"),
    ]
    inputs = re.findall(rf'<input[^>]*name="{INLINE}-\d+-shown_if"[^>]*>', html)
    assert len(inputs) == 3
    assert all('list="fields-conditions"' in each for each in inputs)
    assert 'value="topic=delivery"' in inputs[2]


def test_a_page_of_many_fields_grows_by_the_field_alone(admin_client):
    """Options and bytes of the page, for twice as many fields that others can depend on."""
    options, sizes = [], []
    webchat = make_webchat(fields=False)
    for count in (5, 10, 20):
        for number in range(webchat.fields.count(), count):
            make_field(webchat, f"topic_{number}", type=Type.SELECT, choices="a\nb\nc\nd\ne\nf")
        html = admin_client.get(address_of(webchat)).content.decode()
        options.append(html.count("<option"))
        sizes.append(len(html.encode()))
    assert options[2] - options[1] == 2 * (options[1] - options[0])
    assert (sizes[2] - sizes[1]) / 10 < 18_000, "bytes of one field"
    assert (sizes[2] - sizes[1]) / (sizes[1] - sizes[0]) == pytest.approx(2, rel=0.02)


def test_what_is_chosen_is_saved_and_can_be_taken_back(admin_client):
    webchat = make_topics()
    assert change(admin_client, webchat, **{"2-shown_if": "news"}).status_code == 302
    order = webchat.fields.get(name="order")
    assert (order.shown_if, order.shown_if_value) == ("news", "")
    assert change(admin_client, webchat, **{"2-shown_if": "topic=bill"}).status_code == 302
    order.refresh_from_db()
    assert (order.shown_if, order.shown_if_value) == ("topic", "bill")
    assert "only sometimes" in admin_client.get(address_of(webchat)).content.decode()
    assert change(admin_client, webchat, **{"2-shown_if": ""}).status_code == 302
    order.refresh_from_db()
    assert (order.shown_if, order.shown_if_value) == ("", "")


def test_a_save_that_touches_nothing_keeps_the_condition(admin_client):
    webchat = make_topics()
    assert change(admin_client, webchat).status_code == 302
    order = webchat.fields.get(name="order")
    assert (order.shown_if, order.shown_if_value) == ("topic", "delivery")


# What is changed of one of three fields, by its place, and the words at which of them.
REFUSED = [
    ({"0-DELETE": "on"}, 2, "no field “topic_0”"),
    ({"2-shown_if": "weather"}, 2, "no field “weather”"),
    ({"2-shown_if": "order_2"}, 2, "depend on itself"),
    ({"2-shown_if": "topic_3=weather"}, 2, "“weather” is none of the choices of “Topic?”"),
    ({"0-choices": "a\nb"}, 2, "“delivery” is none of the choices of “Topic?”"),
    ({"0-type": "text"}, 2, "“Topic?” has no choices"),
    ({"0-type": "hidden", "0-initial": "delivery"}, 2, "always the same value"),
    ({"2-shown_if": "news_7=on"}, 2, "“News 7” has no choices"),
    ({"1-shown_if": "order_8"}, 1, "“Order 8” is itself shown only if"),
    ({"0-shown_if": "order_9"}, 0, "“Order 9” is itself shown only if"),
    ({"2-role": "question"}, 2, "with a role is always shown"),
    ({"2-match": "require", "2-user_lookup": "email"}, 2, "only members can answer"),
]


def test_what_could_not_work_is_refused_at_its_field(admin_client):
    """All cases on one page, each with three fields of its own."""
    webchat = make_webchat(fields=False)
    changed = {}
    for case, (values, _row, _words) in enumerate(REFUSED):
        make_field(webchat, f"topic_{case}", type=Type.SELECT, choices="delivery | A delivery\nbill", label="Topic?")
        make_field(webchat, f"news_{case}", type=Type.CHECKBOX, required=False)
        make_field(webchat, f"order_{case}", shown_if=f"topic_{case}", shown_if_value="delivery")
        for place, value in values.items():
            row, name = place.split("-")
            changed[f"{3 * case + int(row)}-{name}"] = value
    response = change(admin_client, webchat, **changed)
    assert response.status_code == 200
    errors = errors_of(response)
    refused = {3 * case + row for case, (_values, row, _words) in enumerate(REFUSED)}
    both_ways = 3 * 9 + 2  # where the first depends on the third as well
    assert {number for number, error in enumerate(errors) if error} == refused | {both_ways}
    for case, (_values, row, words) in enumerate(REFUSED):
        assert words in errors[3 * case + row]
    assert set(webchat.fields.filter(name__startswith="order").values_list("shown_if_value", flat=True)) == {"delivery"}


def test_fields_that_are_all_new_can_depend_on_each_other(admin_client):
    rows = field_rows(
        {"label": "Topic", "name": "topic", "type": "radio", "choices": "a\nb"},
        {"label": "Why", "shown_if": "topic=b"},
    )
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 302, response.context["errors"]
    why = Webchat.objects.get(slug="sales").fields.get(name="why")
    assert (why.shown_if, why.shown_if_value) == ("topic", "b")


def test_of_two_people_one_moves_the_condition_and_the_other_keeps_the_change(admin_client):
    webchat = make_topics()
    mine = form_of(admin_client.get(address_of(webchat)).content.decode()) | {f"{INLINE}-2-label": "Order number"}
    webchat.fields.filter(name="order").update(shown_if="news", shown_if_value="")
    html = unescape(admin_client.post(address_of(webchat), mine).content.decode())
    assert "“Order: Show only if” is now: News: ticked" in html
    assert form_of(html)[f"{INLINE}-2-shown_if"] == ["news"]


def test_a_field_above_the_one_on_which_it_depends_is_warned_of():
    webchat = make_topics()
    assert not [given.text for given in advice(webchat) if "depends" in given.text]
    webchat.fields.filter(name="order").update(position=0)
    webchat.fields.filter(name="topic").update(position=5)
    [told] = [given.text for given in advice(Webchat.objects.get()) if "depends" in given.text]
    assert told.startswith("“Order” stands above “Topic?”")
