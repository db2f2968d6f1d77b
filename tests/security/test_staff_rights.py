"""What staff with some permissions may do, and what the pages beside Django's own must not let them do."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.support.factories import ANSWERS, make_field, make_hours, make_user, make_webchat
from tests.support.page_form import as_shown
from tests.support.visitor import VisitorClient
from webchat.fields.lookups import validate_lookup
from webchat.models import ChatSession, PreEngagementField

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]


def staff(*permissions: str) -> Client:
    user = make_user("grace", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def webchat():
    webchat = make_webchat(fields=False, title="Old")
    make_field(webchat, "kept", label="Old label")
    make_field(webchat, "lost")
    return webchat


def import_form(client: Client, webchat, *names: str, how: str = "replace", texts: str = ""):
    fields = [{"label": "New label", "type": "InputItem", "attributes": {"name": name}} for name in names]
    config = json.dumps({"title": "New", "fields": fields})
    address = f"/admin/webchat/webchat/{webchat.pk}/import/"
    posted = {"config": config, "how": how} | ({"texts": texts} if texts else {})
    shown = client.post(address, posted).content.decode()
    seen = re.search(r'name="seen" value="(\w+)"', shown)
    return client.post(address, {**posted, "save": "1", "seen": seen[1] if seen else ""})


BASE = ["change_webchat", "view_preengagementfield"]


@pytest.mark.parametrize(
    ("permissions", "names", "how", "missing"),
    [
        ([], ["new"], "add", "add"),
        (["change", "delete"], ["new"], "add", "add"),
        (["add", "delete"], ["kept"], "replace", "change"),
        (["add", "change"], ["kept"], "replace", "delete"),
        (["add", "change"], ["new"], "replace", "delete"),
    ],
)
def test_an_import_needs_the_permissions_of_what_it_does(webchat, permissions, names, how, missing):
    before = list(PreEngagementField.objects.values())
    client = staff(*BASE, *(f"{action}_preengagementfield" for action in permissions))
    refused = import_form(client, webchat, *names, how=how)
    assert refused.status_code == 200
    assert f"webchat.{missing}_preengagementfield" in refused.content.decode()
    assert list(PreEngagementField.objects.values()) == before


def test_with_all_of_them_it_imports(webchat):
    client = staff(*BASE, *(f"{action}_preengagementfield" for action in ("add", "change", "delete")))
    assert import_form(client, webchat, "kept", "new", texts="on").status_code == 302
    assert set(webchat.fields.values_list("name", "label")) == {("kept", "New label"), ("new", "New label")}


def test_adding_alone_needs_no_permission_to_delete(webchat):
    client = staff(*BASE, "add_preengagementfield")
    assert import_form(client, webchat, "new", how="add").status_code == 302
    assert webchat.fields.count() == 3


def test_who_may_only_look_looks(webchat):
    client = staff("view_webchat", "view_preengagementfield")
    page = client.get(f"/admin/webchat/webchat/{webchat.pk}/change/")
    assert page.status_code == 200
    assert "Old label" in page.content.decode()
    assert "Test the connection" not in client.get("/admin/webchat/webchat/").content.decode()
    assert client.get(f"/admin/webchat/webchat/{webchat.pk}/export/").status_code == 200


def test_who_may_only_look_calls_nobody_at_twilio(webchat, sandbox):
    client = staff("view_webchat")
    client.post("/admin/webchat/webchat/", {"action": "test_connection", "_selected_action": [webchat.pk]})
    assert sandbox.log() == []


@pytest.mark.parametrize(("permissions", "added"), [((), 0), (("add_specialday",), 1)])
def test_public_holidays_need_the_permission_to_add_days(permissions, added):
    plan = make_hours((0, "09:00", "17:00"))
    client = staff("change_openinghours", *permissions)
    page = client.get(f"/admin/webchat/openinghours/{plan.pk}/change/").content.decode()
    offered = client.get("/admin/webchat/openinghours/").content.decode()
    assert ("holidays/" in page, "add_public_holidays" in offered) == (bool(added), bool(added))
    address = f"/admin/webchat/openinghours/{plan.pk}/holidays/?country=DE&year=2030&region=&language=de"
    client.post(address, {"day": ["2030-01-01"]})
    assert plan.special_days.count() == added


def test_who_may_not_change_fields_moves_none_by_saving_the_webchat(webchat):
    webchat.fields.filter(name="lost").update(position=77)
    client = staff("change_webchat", "view_webchat")
    url = f"/admin/webchat/webchat/{webchat.pk}/change/"
    page = client.get(url).context["adminform"].form
    values = {name: "" if page[name].value() is None else page[name].value() for name in page.fields}
    values = {name: value for name, value in values.items() if value is not False}
    saved = client.post(url, {**values, **as_shown(client, url), "title": "Changed"})
    assert saved.status_code == 302, saved.context["errors"]
    assert webchat.fields.get(name="lost").position == 77


@pytest.mark.parametrize("path", ["password", "is_superuser", "last_login", "id", "is_staff", "date_joined"])
def test_no_form_compares_answers_with_what_is_not_offered(path, settings):
    with pytest.raises(Exception, match=r"is not offered|cannot be used"):
        validate_lookup(path)
    settings.WEBCHAT_USER_LOOKUPS = ["password"]
    with pytest.raises(Exception, match="cannot be used"):
        validate_lookup("password")


def test_staff_choose_from_the_list(webchat, admin_client, settings):
    webchat.fields.filter(name="kept").update(user_lookup="date_joined")
    settings.WEBCHAT_USER_LOOKUPS = ["email", "customer_number"]
    page = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    select = page.split('<select name="fields-0-user_lookup"')[1].split("</select>")[0]
    assert select.count("<option") == 4  # none, the two, and what it was before
    assert 'value="date_joined" selected' in select


def test_a_superuser_deletes_an_account_with_chats_and_the_chats_stay_without_the_person(admin_client, sandbox):
    make_webchat()
    ada = make_user("ada")
    client = Client()
    client.force_login(ada)
    VisitorClient(client=client).start(ANSWERS)
    session = ChatSession.objects.get(user=ada)
    page = admin_client.get(f"/admin/accounts/user/{ada.pk}/delete/").content.decode()
    assert "would require deleting the following protected" not in page
    assert admin_client.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 302
    session.refresh_from_db()
    assert (session.user, session.status, session.answers, session.customer_friendly_name) == (None, "ended", {}, "")
    # The worker closes what the request did not, and nobody finds the chat by that browser's cookie.
    assert session.close_pending
    assert client.get("/api/webchat/support/sessions/current/").status_code == 404
