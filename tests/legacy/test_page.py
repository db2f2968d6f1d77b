"""The page that carries Flex Webchat UI 2.x: its configuration, its policy, and what stands by for it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.template import engines
from django.test import Client, RequestFactory

from tests.support.factories import Role, Type, change, make_field, make_legacy, make_user, make_webchat
from tests.support.site import ROOT
from webchat.forms.form import PreEngagementForm
from webchat.legacy import page
from webchat.legacy.fields import left_out, pre_engagement_config
from webchat.models import PreEngagementField, Webchat
from webchat.sandbox import account

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]


def make_page(**values: Any) -> Webchat:
    return make_legacy(**{"slug": "legacy", "address_sid": account.ADDRESS_SID, **values})


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.+?)</script>', html)
    assert found
    return dict(json.loads(found[1]))


def config_of(html: str) -> dict[str, Any]:
    return dict(data_of(html)["ui"])


def fields_of(html: str) -> dict[str, dict[str, Any]]:
    return {each["attributes"]["name"]: each for each in config_of(html)["preEngagementConfig"]["fields"]}


def get(client: Client) -> str:
    return client.get("/legacy/").content.decode()


def policy_of(answer: Any) -> dict[str, str]:
    directives = (part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";"))
    return {name: value for name, _space, value in directives}


# --- The configuration -----------------------------------------------------------------------------------------------


def test_the_ui_is_told_our_addresses_texts_and_colours(client):
    make_page(brand_colour="#123456", title="Talk to us", waiting_text="One moment.", launcher_label="Ask")
    html = get(client)
    config = config_of(html)
    assert config["accountSid"] == account.ACCOUNT_SID
    assert config["flexFlowSid"] == account.FLEX_FLOW_SID
    assert config["tokenServerUrl"] == "/webchat/legacy/flex-ui/token"
    assert config["flexWebChannelsUrl"] == "/webchat/legacy/flex-ui/web-channels"
    assert config["startEngagementOnInit"] is False
    assert config["sdkOptions"]["chat"]["Twilsock"]["uri"].startswith("ws://")
    assert config["componentProps"]["MainHeader"]["titleText"] == "Talk to us"
    assert config["componentProps"]["EntryPoint"]["tagline"] == "Ask"
    assert data_of(html)["predefinedMessage"] == {
        "authorName": "Talk to us",
        "body": "One moment.",
        "isFromMe": False,
    }
    assert config["colorTheme"]["overrides"]["EntryPoint"]["Container"] == {
        "background": "#123456",
        "color": "#ffffff",
    }


def test_each_field_is_in_the_words_of_the_ui(client):
    webchat = make_page(fields=False)
    make_field(webchat, "name", type=Type.NAME, role=Role.CUSTOMER_NAME)
    make_field(webchat, "email", type=Type.EMAIL, placeholder="you@example.com")
    make_field(webchat, "phone", type=Type.PHONE, required=False)
    make_field(webchat, "pieces", type=Type.NUMBER)
    make_field(webchat, "day", type=Type.DATE)
    make_field(webchat, "topic", type=Type.SELECT, choices="s | Sales\nh | Help")
    make_field(webchat, "urgent", type=Type.RADIO, choices="yes\nno", initial="no")
    make_field(webchat, "terms", type=Type.CONSENT)
    make_field(webchat, "campaign", type=Type.HIDDEN, initial="spring")
    make_field(webchat, "question", type=Type.TEXTAREA, role=Role.QUESTION)
    fields = fields_of(get(client))
    assert [(name, each["type"], each["attributes"].get("type")) for name, each in fields.items()] == [
        ("friendlyName", "InputItem", "text"),
        ("email", "InputItem", "email"),
        ("phone", "InputItem", "tel"),
        ("pieces", "InputItem", "number"),
        ("day", "InputItem", "date"),
        ("topic", "SelectItem", None),
        ("urgent", "SelectItem", None),
        ("terms", "InputItem", "checkbox"),
        ("question", "TextareaItem", None),
    ]
    assert fields["email"]["attributes"]["placeholder"] == "you@example.com"
    assert not fields["phone"]["attributes"]["required"]
    assert [each["value"] for each in fields["topic"]["options"] if each["selected"]] == [""]
    assert [each["value"] for each in fields["urgent"]["options"] if each["selected"]] == ["no"]


def test_what_the_account_answers_is_shown_and_cannot_be_changed(client):
    webchat = make_page()
    row = change(webchat.fields.get(name="email"), match="account", user_lookup="email")
    client.force_login(make_user())
    email = fields_of(get(client))["email"]
    assert email["attributes"] == {"name": "email", "type": "text", "value": "ada@example.com", "readOnly": True}
    change(row, show_account_value=False)
    assert "email" not in fields_of(get(client))


def test_where_the_account_answers_everything_a_click_starts_the_chat(client):
    webchat = make_page(fields=False)
    make_field(webchat, "email", type=Type.EMAIL, match="account", user_lookup="email")
    assert config_of(get(client))["startEngagementOnInit"] is False
    client.force_login(make_user())
    assert config_of(get(client))["startEngagementOnInit"] is True


def test_what_the_page_knows_travels_signed(client):
    make_page()
    request = RequestFactory().get("/")
    request.user = make_user()
    template = engines["django"].from_string('{% load webchat %}{% webchat "legacy" context=order %}')
    config = config_of(template.render({"order": {"number": "A-1"}}, request))
    assert "A-1" not in json.dumps(config)
    assert config["context"]["context"]


def test_the_ui_speaks_the_language_of_the_page_and_sends_the_same_values(client):
    webchat = make_page(
        fields=False,
        title="Talk to us",
        translations={
            "de": {"title": "Reden wir", "intro": "Hallo", "submit_label": "Los", "launcher_label": "Fragen?"}
        },
    )
    words = {"label": "Thema", "placeholder": "Eines davon", "choices": {"s": "Verkauf"}}
    make_field(webchat, "topic", type=Type.SELECT, choices="s | Sales\nh | Help", translations={"de": words})
    german = config_of(client.get("/legacy/", headers={"Accept-Language": "de"}).content.decode())
    form = german["preEngagementConfig"]
    assert german["componentProps"]["MainHeader"]["titleText"] == "Reden wir"
    assert german["componentProps"]["EntryPoint"]["tagline"] == "Fragen?"
    assert (form["description"], form["submitLabel"]) == ("Hallo", "Los")
    [topic] = form["fields"]
    assert topic["label"] == "Thema"
    assert [each["label"] for each in topic["options"]] == ["…", "Verkauf", "Help"]
    assert [each["value"] for each in topic["options"]] == ["", "s", "h"]
    assert fields_of(get(client))["topic"]["label"] == "Topic", "the copy of another language is another one"


def test_no_text_of_staff_breaks_out_of_the_configuration(client):
    make_page(title="</script><script>alert(1)</script>", intro="<!--")
    html = get(client)
    assert "<script>alert" not in html
    assert config_of(html)["componentProps"]["MainHeader"]["titleText"] == "</script><script>alert(1)</script>"


# --- The policy ------------------------------------------------------------------------------------------------------


def test_only_a_page_that_carries_the_ui_has_the_weaker_policy(client):
    make_webchat(slug="support", name="Support")  # the first is that of pages which name none
    make_page()
    carries = policy_of(client.get("/legacy/"))
    assert "'unsafe-eval'" in carries["script-src"]
    assert "'unsafe-inline'" not in carries["script-src"]
    assert "'strict-dynamic'" in carries["script-src"]
    assert carries["style-src"] == "'self' 'unsafe-inline' https://assets.flex.twilio.com"
    for path in ("/", "/support/", "/webchat/legacy/", "/webchat/legacy/panel/", "/accounts/login/"):
        policy = client.get(path)["Content-Security-Policy"]
        assert "unsafe" not in policy, path
        assert "assets.flex" not in policy, path


@pytest.mark.parametrize(
    "values", [{"widget": "own"}, {"widget": "own", "api": "conversations"}, {"enabled": False}], ids=str
)
def test_a_page_without_it_keeps_the_strict_one(client, values):
    make_page(**values)
    answer = client.get("/legacy/")
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "data-flex-ui" not in answer.content.decode()


def test_without_credentials_our_own_widget_says_that_the_chat_is_unavailable(client, settings):
    make_page()
    settings.TWILIO_API_KEY_SECRET = ""
    html = get(client)
    assert "data-flex-ui" not in html
    assert "<web-chat" in html


# --- What stands by --------------------------------------------------------------------------------------------------


def test_our_own_launcher_stands_by_and_a_link_for_those_without_scripts(client):
    make_page()
    html = get(client)
    template = re.search(r"<template data-flex-ui-own>(.+)</template>", html, re.DOTALL)
    assert template
    assert "<web-chat" in template[1]
    assert re.search(r'<noscript>.*href="/webchat/legacy/"', html)


def test_inline_and_the_page_of_its_own_are_ours(client):
    make_page()
    assert "<web-chat" in client.get("/webchat/legacy/").content.decode()
    assert "data-flex-ui" not in client.get("/webchat/legacy/").content.decode()


def test_only_a_browser_that_may_have_a_chat_asks_for_it(client):
    make_page()
    assert "data-current-url" not in get(client)
    client.get("/webchat/legacy/panel/")
    assert 'data-current-url="/api/webchat/legacy/sessions/current/"' in get(client)


# --- The script ------------------------------------------------------------------------------------------------------


def test_the_sites_own_file_goes_first_and_twilios_host_serves_where_there_is_none(settings, tmp_path):
    settings.STATICFILES_DIRS = [tmp_path]
    assert page.script_url() == page.CDN_URL
    file = tmp_path / page.STATIC_NAME
    file.parent.mkdir(parents=True)
    file.write_text("// the file")
    assert page.script_url() == f"/static/{page.STATIC_NAME}"


def test_a_file_that_is_not_collected_yet_is_not_named(settings, tmp_path):
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [tmp_path], str(tmp_path / "collected")
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "config.storage.ModuleManifestStorage"}}
    file = tmp_path / page.STATIC_NAME
    file.parent.mkdir(parents=True)
    file.write_text("// the file")
    assert page.script_url() == page.CDN_URL


def test_the_installed_file_is_the_one_whose_checksum_twilio_names():
    content = (ROOT / "static" / page.STATIC_NAME).read_bytes()
    assert "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode() == page.INTEGRITY
    assert hashlib.sha512(content).hexdigest() in (ROOT / "Makefile").read_text()


# --- What staff are told ---------------------------------------------------------------------------------------------


def test_staff_read_what_the_ui_does_not_know():
    webchat = make_page(fields=False, position="left")
    make_field(webchat, "order", label="Order", pattern="[A-Z]-[0-9]{4}", pattern_message="Like A-1234.")
    make_field(webchat, "speed", label="Speed", type=Type.RADIO, choices="fast\nslow")
    make_field(webchat, "phone", label="Phone", type=Type.PHONE, help_text="With the country.")
    make_field(webchat, "news", label="News", type=Type.CHECKBOX, initial="yes")
    make_field(webchat, "question", label="Question", type=Type.TEXTAREA, role=Role.QUESTION)
    told = left_out(webchat)
    assert told == [
        "Flex Webchat UI is always on the right.",
        "Flex Webchat UI does not know the help texts: “Phone”.",
        "Flex Webchat UI does not know radio buttons, which are a selection list there: “Speed”.",
        "Flex Webchat UI does not know ticked boxes: each is empty at first: “News”.",
        "Flex Webchat UI does not know rules, which the server checks after the form was sent: “Order”, “Phone”.",
    ]


def test_a_field_that_is_asked_only_sometimes_is_shown_and_not_required():
    webchat = make_page()
    make_field(webchat, "call", label="Call", type=Type.CHECKBOX, required=False)
    make_field(webchat, "phone", label="Phone", shown_if="call")
    items = pre_engagement_config(PreEngagementForm(webchat, user=None))["fields"]
    required = {item["attributes"]["name"]: item["attributes"]["required"] for item in items}
    assert required["phone"] is False
    assert required["question"] is True
    assert left_out(webchat) == ["Flex Webchat UI does not know conditions, and always shows: “Phone”."]


def test_a_plain_form_needs_no_words():
    webchat = make_page()
    assert PreEngagementField.objects.count() == 3
    assert left_out(webchat) == []


def test_the_ui_is_for_the_legacy_api_only():
    with pytest.raises(ValidationError, match="speaks the legacy API only"):
        make_webchat(widget="flex_ui")
