"""Bad input in the administration: filters, selections, addresses, formsets. Never a 500 or 503."""

from __future__ import annotations

import json
import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client

from tests.support.factories import make_user, make_webchat
from webchat.clock import database_now
from webchat.models import ChatSession, PreEngagementField, Webchat

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

HUGE = "9" * 20
VALUES = ["a\x00b", HUGE, f"-{HUGE}", "\ufffe"]
NAMES = [
    "q", "p", "_to_field", "created_at__year", "created_at__gte", "date_joined__year", "id__exact", "webchat__id__exact",
    "answers__x", "enabled__exact",
]  # fmt: skip

MODELS = [model for model in apps.get_models() if admin.site.is_registered(model)]
MODEL_OF = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/": model for model in MODELS}
LISTS = [*MODEL_OF]


@pytest.fixture
def staff():
    ChatSession.objects.create(
        webchat=make_webchat(), owner="x", key="x", lease_until=database_now(), answers={}, customer_friendly_name="Ada"
    )
    client = Client(raise_request_exception=False)
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    return client


def failures(answers: dict) -> dict:
    return {asked: answer.status_code for asked, answer in answers.items() if answer.status_code >= 500}


@pytest.mark.parametrize("name", NAMES)
def test_no_filter_of_any_list_is_an_error(staff, name):
    # All values in the list with most filters, two in each.
    asked = [(address, value) for address in LISTS for value in (VALUES if "chatsession" in address else VALUES[:2])]
    assert failures({(address, value): staff.get(address, {name: value}) for address, value in asked}) == {}


def test_a_search_of_too_many_words_looks_for_the_first_and_says_so(staff):
    """SQLite answered "Expression tree is too large"."""
    answers = {address: staff.get(address, {"q": "ada " * 1_100}) for address in LISTS}
    assert failures(answers) == {}
    for address, answer in answers.items():
        if admin.site.get_model_admin(MODEL_OF[address]).search_fields:
            html = answer.content.decode()
            assert "Only the first 100 words are looked for." in html, address
            assert f'value="{" ".join(["ada"] * 100)}"' in html, "the box shows them"


@pytest.mark.parametrize("key", ["a%00b", HUGE, "_00"])
def test_no_address_of_a_row_is_an_error(staff, key):
    pages = [f"{address}{key}/{page}/" for address in LISTS for page in ("change", "delete", "history")]
    pages += [f"/admin/webchat/webchat/{key}/{page}/" for page in ("preview", "preview/panel", "import", "export")]
    assert failures({page: staff.get(page) for page in [*pages, f"/admin/r/{key}/{key}/"]}) == {}


@pytest.mark.parametrize("value", VALUES)
def test_no_search_of_an_autocompleted_field_is_an_error(staff, value):
    sound = {"app_label": "webchat", "model_name": "chatsession", "field_name": "user", "term": "x"}
    assert failures({name: staff.get("/admin/autocomplete/", {**sound, name: value}) for name in sound}) == {}


@pytest.mark.parametrize("value", ["a\x00b", HUGE])
@pytest.mark.parametrize("address", LISTS)
def test_no_selection_of_rows_is_an_error(staff, address, value):
    page = staff.get(address).content.decode()
    answers = {}
    for action in ["no_such_action", "", *re.findall(r'<option value="(\w+)"', page)]:
        posted = {"action": action, "_selected_action": [value], "index": "0", "select_across": "0"}
        for also in ({}, {"index": "x"}):
            answers[action, str(also)] = staff.post(address, {**posted, **also})
    assert failures(answers) == {}


@pytest.mark.parametrize("number", ["99999999", "101", "-1", "x", "", "9" * 5000, "1\x00"])
def test_no_number_of_announced_rows_costs_or_fails(staff, number):
    """A hundred million of them took 35 seconds."""
    for name in ("fields-TOTAL_FORMS", "form-TOTAL_FORMS", "anything-TOTAL_FORMS"):
        answer = staff.post("/admin/webchat/webchat/add/", {"name": "x", "slug": "x", name: number})
        assert answer.status_code == 400


def test_management_numbers_that_contradict_each_other_are_an_error_of_the_form(staff):
    for initial in ("99999999", "-1", "x", HUGE):
        posted = {"name": "x", "slug": "x", "fields-TOTAL_FORMS": "1", "fields-INITIAL_FORMS": initial}
        assert staff.post("/admin/webchat/webchat/add/", posted).status_code < 500


SOUND = {"label": "Name", "type": "InputItem", "attributes": {"name": "n", "type": "text", "required": True}}
ODD = ["\ud800", "a\0b", "x" * 5000, 10**400, [[]], {"a": "\0"}]


@pytest.mark.parametrize("value", ODD)
def test_no_text_that_staff_import_is_an_error(staff, value):
    address = f"/admin/webchat/webchat/{Webchat.objects.get().pk}/import/"
    configs = [
        *({"fields": [{**SOUND, name: value}]} for name in ("label", "type", "options", "value")),
        *(
            {"fields": [{**SOUND, "attributes": {**SOUND["attributes"], name: value}}]}
            for name in ("name", "type", "value")
        ),
        {"fields": [SOUND], "title": value, "description": value, "submitLabel": value},
        {"fields": [SOUND], "context": {"key": value}},
        {"fields": [SOUND], "context": value},
        {"fields": value},
        {"fields": [value]},
    ]
    answers = {}
    for config in configs:
        text = json.dumps(config)
        form = {"config": text, "how": "replace", "texts": "on"}
        shown = staff.post(address, form)
        seen = re.search(r'name="seen" value="(\w+)"', shown.content.decode())
        answers[text[:100]] = staff.post(address, {**form, "seen": seen[1], "save": "1"}) if seen else shown
    assert failures(answers) == {}
    assert not [field for field in PreEngagementField.objects.all() if "\0" in str(vars(field))]
    assert "\0" not in str(vars(Webchat.objects.get()))
