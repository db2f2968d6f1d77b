"""The admin: what staff can compose, what it refuses, and what it never shows."""

from __future__ import annotations

import pytest

from tests.factories import ANSWERS, make_webchat
from tests.visiting import VisitorClient
from webchat.models import ChatSession, PreEngagementField, Webchat
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

INLINE = "fields"


def field_rows(*rows):
    data = {f"{INLINE}-TOTAL_FORMS": len(rows), f"{INLINE}-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        defaults = {"position": number, "type": "text", "required": "on", "audience": "", "role": "", "match": ""}
        data |= {f"{INLINE}-{number}-{name}": value for name, value in (defaults | row).items()}
    return data


def webchat_form(**values):
    defaults = {
        field.name: field.default
        for field in Webchat._meta.fields
        if isinstance(field.default, str) and field.name != "id"
    }
    return {
        **defaults,
        "name": "Sales",
        "slug": "sales",
        "enabled": "on",
        "api": "conversations",
        "address_sid": account.ADDRESS_SID,
        "chat_service_sid": account.CHAT_SERVICE_SID,
        **field_rows(),
        **values,
    }


def test_staff_compose_a_webchat_with_its_form(admin_client):
    rows = field_rows({"label": "Your name", "role": "customer_name"}, {"label": "Question", "type": "textarea"})
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 302, response.context["errors"]
    webchat = Webchat.objects.get(slug="sales")
    assert list(webchat.fields.values_list("name", flat=True)) == ["your_name", "question"]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"address_sid": "IG123"}, "starts with IG"),
        ({"address_sid": account.CHAT_SERVICE_SID}, "starts with IG"),
        ({"address_sid": ""}, "needs the SID of a chat address"),
        ({"api": "web_channels"}, "needs the SID of a Flex Flow"),
        ({"chat_service_sid": "IS" + "g" * 32}, "starts with IS"),
        ({"brand_colour": "red;}"}, "six hex digits"),
        (field_rows({"label": "Where", "name": "location"}), "key of the site"),
        (field_rows({"label": "A", "name": "Upper"}), "small letter first"),
        (field_rows({"label": "A", "type": "select"}), "at least one choice"),
        (field_rows({"label": "A", "type": "radio", "choices": "x\nx"}), "same value"),
        (field_rows({"label": "A", "type": "hidden"}), "needs a value"),
        (field_rows({"label": "A", "match": "account", "user_lookup": "shoe_size"}), "no field"),
        (field_rows({"label": "A", "match": "account", "user_lookup": "password"}), "cannot be used"),
        (field_rows({"label": "A", "match": "account", "user_lookup": ""}), "Say where the value is"),
        (field_rows({"label": "A", "match": "annotate", "user_lookup": "groups__name"}), "cannot be used"),
        (field_rows({"label": "A", "min_length": 9, "max_length": 3}), "longer than the longest"),
    ],
    ids=map(str, range(16)),
)
def test_what_would_fail_at_run_time_is_refused_at_save(admin_client, values, complaint):
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**values))
    assert response.status_code == 200
    assert complaint in response.content.decode()
    assert not Webchat.objects.exists()


def test_two_fields_of_one_name_are_refused(admin_client):
    rows = field_rows({"label": "Name"}, {"label": "Name"})
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 200
    assert not Webchat.objects.exists()


def test_a_fields_name_is_frozen_at_its_first_save(admin_client):
    webchat = make_webchat()
    field = webchat.fields.get(name="email")
    field.label, field.name = "Your e-mail", "mail"
    with pytest.raises(Exception, match="stays “email”"):
        field.full_clean()


def test_the_connection_test_says_in_words_that_all_is_well(admin_client, sandbox):
    webchat = make_webchat()
    action = {"action": "test_connection", "_selected_action": [webchat.pk]}
    response = admin_client.post("/admin/webchat/webchat/", action, follow=True)
    assert "everything that a chat needs is there" in response.content.decode()


@pytest.mark.parametrize(
    "change",
    [
        {"TWILIO_AUTH_TOKEN": "wrong-token-0123456789"},
        {"TWILIO_API_KEY_SECRET": "wrong-secret-0123456789"},
        {"address_sid": "IG" + "1" * 32},
        {"chat_service_sid": "IS" + "1" * 32},
        {"api": "web_channels", "flex_flow_sid": "FO" + "1" * 32},
    ],
    ids=str,
)
def test_the_connection_test_says_in_words_what_is_wrong(admin_client, sandbox, settings, change):
    row = {name: value for name, value in change.items() if name.islower()}
    for name in change.keys() - row.keys():
        setattr(settings, name, change[name])
    webchat = make_webchat(**row)
    action = {"action": "test_connection", "_selected_action": [webchat.pk]}
    html = admin_client.post("/admin/webchat/webchat/", action, follow=True).content.decode()
    assert 'class="error"' in html
    assert "everything that a chat needs is there" not in html
    assert not any(value in html for value in change.values() if value.startswith("wrong"))


def test_secrets_are_shown_by_their_last_four_characters_only(admin_client):
    webchat = make_webchat()
    html = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    assert f"…{account.AUTH_TOKEN[-4:]}" in html
    assert account.AUTH_TOKEN not in html
    assert account.API_KEY_SECRET not in html


def test_sessions_are_for_reading(admin_client, sandbox):
    make_webchat()
    credentials = VisitorClient().start(ANSWERS).json()
    session = ChatSession.objects.get()
    page = f"/admin/webchat/chatsession/{session.pk}/change/"
    html = admin_client.get(page).content.decode()
    assert credentials["channel_sid"] in html
    assert credentials["token"] not in html
    assert session.owner not in html
    assert admin_client.post(page, {"status": "ended"}).status_code == 403
    assert admin_client.get("/admin/webchat/chatsession/add/").status_code == 403
    found = admin_client.get("/admin/webchat/chatsession/", {"q": credentials["channel_sid"], "status": "active"})
    assert "José Müller" in found.content.decode()


def test_the_admins_policy_has_scripts_of_its_own_only(admin_client):
    for path in ("/admin/", "/admin/webchat/webchat/add/", "/admin/login/"):
        policy = admin_client.get(path, follow=True)["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_every_type_role_and_rule_has_words():
    for choices in (PreEngagementField.Type, PreEngagementField.Role, PreEngagementField.Match):
        assert all(label for _value, label in choices.choices)
