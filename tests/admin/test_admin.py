"""The admin: what staff can compose, what it refuses, and what it never shows."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from tests.support.factories import ANSWERS, make_field, make_user, make_webchat
from tests.support.page_form import as_shown, form_of
from tests.support.visitor import VisitorClient
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
        "attachment_max_mb": "10",
        "stop_before_close": "0",
        **field_rows(),
        **values,
    }


def test_staff_compose_a_webchat_with_its_form(admin_client):
    rows = field_rows({"label": "Your name", "role": "customer_name"}, {"label": "Question", "type": "textarea"})
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 302, response.context["errors"]
    webchat = Webchat.objects.get(slug="sales")
    assert list(webchat.fields.values_list("name", flat=True)) == ["your_name", "question"]


# By the setting: values that are refused, each in a page of its own, and what is said.
REFUSED_SETTINGS = [
    {
        "address_sid": ("IG123", "starts with IG"),
        "chat_service_sid": ("IS" + "g" * 32, "starts with IS"),
        "brand_colour": ("red;}", "six hex digits"),
        "colour_scheme": ("blue", "not one of the available choices"),
        "logo": ("https://elsewhere.example/logo.png", "no such static file"),
        "attachment_kinds": ([], "Choose at least one"),
        "attachment_max_mb": ("151", "less than or equal to 150"),
    },
    {
        "address_sid": (account.CHAT_SERVICE_SID, "starts with IG"),
        "logo": ("//elsewhere.example/logo.png", "no such static file"),
        "attachment_kinds": (["html"], "not one of the available choices"),
    },
    {
        "address_sid": ("", "needs the SID of a chat address"),
        "logo": ("/\\elsewhere.example/logo.png", "no such static file"),
    },
    {"logo": ("../.env", "no such static file")},
    {"logo": ("/a b\u202e.png", "no such static file")},
]


def test_a_setting_that_would_fail_at_run_time_is_refused_at_save(admin_client):
    for refused in REFUSED_SETTINGS:
        values = {name: value for name, (value, _words) in refused.items()}
        response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(attachments="on", **values))
        assert response.status_code == 200
        errors = response.context["adminform"].form.errors
        assert set(errors) - {"attachment_kinds"} == set(refused) - {"attachment_kinds"}
        for name, (_value, words) in refused.items():
            assert words in " ".join(errors[name])
    assert not Webchat.objects.exists()


def test_the_legacy_api_needs_its_own_sid(admin_client):
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(api="web_channels"))
    assert "needs the SID of a Flex Flow" in " ".join(response.context["adminform"].form.errors["flex_flow_sid"])
    assert not Webchat.objects.exists()


# A field's settings, which of them is refused, and what is said.
REFUSED_FIELDS = [
    ({"name": "location"}, "name", "key of the site"),
    ({"name": "Upper"}, "name", "small letter first"),
    ({"type": "select"}, "choices", "at least one choice"),
    ({"type": "radio", "choices": "x\nx"}, "choices", "same value"),
    ({"type": "hidden"}, "initial", "needs a value"),
    ({"match": "account", "user_lookup": "shoe_size"}, "user_lookup", "no field"),
    ({"match": "account", "user_lookup": "password"}, "user_lookup", "cannot be used"),
    ({"match": "account", "user_lookup": ""}, "user_lookup", "Say where the value is"),
    ({"match": "annotate", "user_lookup": "groups__name"}, "user_lookup", "cannot be used"),
    ({"min_length": 9, "max_length": 3}, "min_length", "longer than the longest"),
]


def test_a_field_that_would_fail_at_run_time_is_refused_at_save(admin_client):
    rows = field_rows(
        *[{"label": f"Field {number}", **row} for number, (row, _at, _words) in enumerate(REFUSED_FIELDS)]
    )
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 200
    formset = response.context["inline_admin_formsets"][0].formset
    for form, (_row, at, words) in zip(formset.forms, REFUSED_FIELDS, strict=True):
        assert list(form.errors) == [at]
        assert words in " ".join(form.errors[at])
    assert not Webchat.objects.exists()


def test_two_fields_of_one_name_are_refused(admin_client):
    rows = field_rows({"label": "Name"}, {"label": "Name"})
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 200
    assert not Webchat.objects.exists()


def test_a_name_is_made_of_a_label_in_any_script(admin_client):
    labels = ("お名前", "メール", "Größe", "Όνομα", "Имя", "الاسم", "Straße & Nr. ½", "2. Name", "😀")
    rows = field_rows(*[{"label": label} for label in labels])
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert response.status_code == 302, response.context["errors"]
    webchat = Webchat.objects.get()
    names = ["field_1", "field_2", "grosse", "onoma", "imya", "field_3", "strasse_nr_1_2", "field_2_name", "field_4"]
    assert list(webchat.fields.values_list("name", flat=True)) == names
    saved(admin_client, webchat, {"label": "電話", "position": ""})
    assert webchat.fields.get(label="電話").name == "field_5", "numbers that are taken stay so"


def test_the_country_of_phone_numbers_is_chosen_from_a_list(admin_client):
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(phone_region="CH"))
    assert response.status_code == 302, response.context["errors"]
    assert Webchat.objects.get().phone_region == "CH"
    assert (
        '<option value="CH" selected>CH +41</option>'
        in admin_client.get(f"/admin/webchat/webchat/{Webchat.objects.get().pk}/change/").content.decode()
    )


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


# --- Composing a form -----------------------------------------------------------------------------------------------


def change_form(webchat, *added, **changes):
    """What the browser sends from the change page: the rows as they are, `added` behind them."""
    rows = list(webchat.fields.all())
    data = webchat_form(name=webchat.name, slug=webchat.slug)
    data |= field_rows(*[{} for _row in rows], *added)
    data[f"{INLINE}-INITIAL_FORMS"] = len(rows)
    for number, row in enumerate(rows):
        own = {
            column: getattr(row, column)
            for column in ("id", "position", "label", "name", "type", "role", "match", "user_lookup")
        }
        data |= {f"{INLINE}-{number}-{column}": value for column, value in own.items()}
    return {**data, **changes}


def saved(client, webchat, *added, **changes):
    """The page after a save that succeeds."""
    url = f"/admin/webchat/webchat/{webchat.pk}/change/"
    data = change_form(webchat, *added, **changes) | as_shown(client, url)
    response = client.post(url, {**data, "_continue": "1"}, follow=True)
    assert response.redirect_chain, response.context["errors"]
    return response


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def notes_of(response):
    return [given.text for given in response.context["advice"]]


def test_two_fields_of_one_role_are_refused_at_the_second(admin_client):
    rows = field_rows(
        {"label": "Your name", "role": "customer_name"},
        {"label": "Company", "role": "customer_name"},
        {"label": "Question", "role": "question"},
    )
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**rows))
    assert not Webchat.objects.exists()
    formset = response.context["inline_admin_formsets"][0].formset
    assert [list(form.errors) for form in formset.forms] == [[], ["role"], []]
    assert "“Your name” has this role already" in response.content.decode()


def test_a_role_can_be_handed_over_and_one_that_is_deleted_does_not_count(admin_client):
    webchat = make_webchat()
    response = saved(admin_client, webchat, **{f"{INLINE}-0-role": "", f"{INLINE}-1-role": "customer_name"})
    assert webchat.fields.get(role="customer_name").name == "email"
    gone = {f"{INLINE}-1-DELETE": "on", f"{INLINE}-0-role": "customer_name"}
    response = saved(admin_client, webchat, **gone)
    assert webchat.fields.get(role="customer_name").name == "name"
    assert notes_of(response) == []


def test_a_form_without_a_name_or_a_question_is_saved_with_a_warning(admin_client):
    webchat = make_webchat()
    assert notes_of(saved(admin_client, webchat)) == []
    webchat.fields.filter(role__in=["customer_name", "question"]).delete()
    response = saved(admin_client, webchat)
    said = " ".join(messages_of(response))
    assert "the visitor's name" in said
    assert "no agent is reached" in said
    again = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/")
    assert len(notes_of(again)) == 2
    assert "no agent is reached" in again.content.decode()


def test_one_thing_that_members_must_know_is_warned_of_on_each_save(admin_client):
    webchat = make_webchat()
    row = webchat.fields.get(name="email")
    row.match, row.user_lookup = "require", "email"
    row.save()
    for _again in range(2):
        assert any("try them here" in text for text in messages_of(saved(admin_client, webchat)))
    assert any(
        "try them here" in text for text in notes_of(admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/"))
    )
    number = {"label": "Customer number", "position": "", "match": "require", "user_lookup": "customer_number"}
    response = saved(admin_client, webchat, number)
    assert not any("try them here" in text for text in messages_of(response))
    assert any("“Email”, “Customer number” must match one account" in text for text in notes_of(response))


def test_two_fields_of_one_lookup_are_one_thing(admin_client):
    webchat = make_webchat()
    webchat.fields.filter(name__in=["name", "email"]).update(match="require", user_lookup="email")
    assert any("try them here" in text for text in messages_of(saved(admin_client, webchat)))


def test_the_order_is_by_position_and_a_new_field_comes_last(admin_client):
    webchat = make_webchat()
    saved(admin_client, webchat, {"label": "Last", "position": ""})
    assert list(webchat.fields.values_list("name", "position")) == [
        ("name", 10),
        ("email", 20),
        ("question", 30),
        ("last", 40),
    ]
    saved(admin_client, webchat, {"label": "Between", "position": "15"}, **{f"{INLINE}-3-position": "5"})
    assert list(webchat.fields.values_list("name", flat=True)) == ["last", "name", "between", "email", "question"]


def test_each_field_is_one_line_that_says_what_it_is(admin_client):
    webchat = make_webchat()
    make_field(webchat, "number", required=False, match="account", user_lookup="customer_number", audience="signed_in")
    html = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    lines = [
        unescape(re.sub(r"<[^>]+>", " ", line)).split()
        for line in re.findall(r'<span class="webchat-row-words">.*?</summary>', html, re.S)
    ]
    assert [" ".join(line) for line in lines] == [
        "name name of a person required the visitor's name",
        "email e-mail address required",
        "question longer text required the question",
        "number text optional from account signed-in visitors",
    ]
    assert len(re.findall(r"<details open>", html)) == 1, "only the empty row that is cloned is open"


def test_a_row_with_an_error_is_open(admin_client):
    webchat = make_webchat()
    url = f"/admin/webchat/webchat/{webchat.pk}/change/"
    data = change_form(webchat, **{f"{INLINE}-1-label": ""}) | as_shown(admin_client, url)
    html = admin_client.post(url, data).content.decode()
    assert len(re.findall(r"<details open>", html)) == 2


def test_the_brand_colour_is_shown_with_the_text_that_reads_on_it(admin_client):
    for colour, words in {"#0b5d4e": "white, contrast 7.8 : 1", "#ffd400": "black, contrast 14.7 : 1"}.items():
        webchat = make_webchat(slug=f"c{colour[1:]}", brand_colour=colour)
        html = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
        assert words in html
        assert f'fill="{colour}"' in html
        assert "always 4.5 : 1 or more" in html
        assert "style=" not in html


# --- The page of a webchat --------------------------------------------------------------------------------------------


def tabs_of(response):
    return {tab.key: [line for fieldset in tab.fieldsets for line in fieldset] for tab in response.context["tabs"]}


def test_each_setting_is_in_one_tab_and_what_is_edited_weekly_in_the_first(admin_client):
    webchat = make_webchat(subtitle="We answer at once")
    response = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/")
    assert [tab.title for tab in response.context["tabs"]] == ["Form", "Texts", "Look", "Hours", "Twilio", "Limits"]
    fields = [field for lines in tabs_of(response).values() for line in lines for field in line]
    shown = [each.field["name"] if each.is_readonly else each.field.name for each in fields]
    form = response.context["adminform"].form
    texts = response.context["tabs"][1]
    shown += [each.field.name for language in texts.translated.languages() for each in language.inputs]
    assert set(form.fields) - {"name", "slug", "enabled", "site"} <= set(shown)
    assert len(shown) == len(set(shown))
    assert response.context["tabs"][0].inlines
    assert form["waiting_text"].as_widget().count('rows="2"') == 1
    assert form["brand_colour"].as_widget().startswith('<input type="color"')


@pytest.mark.parametrize(
    ("values", "tab"),
    [({"daily_cap": "0"}, "limits"), ({"waiting_text": ""}, "texts"), ({f"{INLINE}-1-label": ""}, "form")],
)
def test_a_tab_with_an_error_says_so(admin_client, values, tab):
    webchat = make_webchat()
    url = f"/admin/webchat/webchat/{webchat.pk}/change/"
    response = admin_client.post(url, change_form(webchat, **values) | as_shown(admin_client, url))
    assert [each.key for each in response.context["tabs"] if each.has_errors] == [tab]
    assert f'<a href="#{tab}" id="tab-{tab}" class="has-errors">' in response.content.decode()


def test_a_new_webchat_begins_with_three_fields_in_their_roles_and_with_the_known_sids(admin_client):
    make_webchat()
    url = "/admin/webchat/webchat/add/"
    page = form_of(admin_client.get(url).content.decode())
    saved = admin_client.post(url, {**page, "name": ["Sales"], "slug": ["sales"]})
    assert saved.status_code == 302, saved.context["errors"]
    webchat = Webchat.objects.get(slug="sales")
    assert list(webchat.fields.values_list("name", "type", "role", "match")) == [
        ("name", "name", "customer_name", ""),
        ("email", "email", "", "account"),
        ("question", "textarea", "question", ""),
    ]
    assert webchat.address_sid == account.ADDRESS_SID


def test_who_may_only_look_sees_the_tabs_without_inputs(client):
    webchat = make_webchat()
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_webchat", "view_preengagementfield"]))
    client.force_login(staff)
    html = client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    assert 'id="tab-limits"' in html
    assert "data-move" not in html.split('class="js-inline')[1].split("empty-form")[0]
    assert 'name="fields-0-required"' not in html


# --- Preview --------------------------------------------------------------------------------------------------------


def test_the_preview_shows_both_forms_in_frames_that_send_nothing(admin_client):
    webchat = make_webchat(waiting_long_text="Call us, it is quicker.")
    webchat.fields.filter(name="email").update(match="account", user_lookup="email")
    page = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/preview/")
    html = page.content.decode()
    assert re.findall(r'sandbox="([^"]*)"', html) == ["allow-same-origin"] * 2
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert "contrast" in html
    assert "Call us, it is quicker. (after five minutes of waiting)" in html
    panels = [
        admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/preview/panel/{query}") for query in ("", "?signed-in")
    ]
    for panel in panels:
        policy = panel["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in policy
        assert "form-action 'none'" in policy
        assert "unsafe" not in policy
        assert panel["X-Frame-Options"] == "SAMEORIGIN"
        assert "<script" not in panel.content.decode()
    anonymous, signed_in = (panel.content.decode() for panel in panels)
    assert 'name="email"' in anonymous
    assert "admin@example.com" not in anonymous
    assert 'name="email"' not in signed_in
    assert "admin@example.com" in signed_in


def test_a_value_of_the_account_is_shown_or_not_as_staff_chose(admin_client):
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match="account", user_lookup="email", show_account_value=False)
    panel = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/preview/panel/?signed-in").content.decode()
    assert "admin@example.com" not in panel
    assert 'name="email"' not in panel


@pytest.mark.parametrize("page", ["preview", "preview/panel", "import", "export"])
def test_the_pages_of_a_webchat_are_for_staff_who_may_see_it(client, page):
    webchat = make_webchat()
    url = f"/admin/webchat/webchat/{webchat.pk}/{page}/"
    assert client.get(url).status_code == 302
    staff = make_user(is_staff=True)
    client.force_login(staff)
    assert client.get(url).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_webchat"))
    assert client.get(url).status_code == (403 if page == "import" else 200)
    assert client.get(f"/admin/webchat/webchat/99/{page}/").status_code == 404


# --- Import and export ----------------------------------------------------------------------------------------------

CONFIG = """{
  title: 'Hello', fields: [
    {label: 'Your name', type: 'InputItem', attributes: {name: 'friendlyName', required: true}},
    {label: 'Secret', type: 'InputItem', attributes: {name: 'pin', type: 'password'}},
    {label: '<b>City</b>', type: 'InputItem', attributes: {name: 'city'}},
  ]}"""


def send(client, webchat, **data):
    return client.post(f"/admin/webchat/webchat/{webchat.pk}/import/", {"config": CONFIG, "how": "add", **data})


def test_an_import_is_shown_before_it_is_saved(admin_client):
    webchat = make_webchat()
    shown = send(admin_client, webchat, preview="1")
    html = shown.content.decode()
    assert webchat.fields.count() == 3
    assert "never asks for a password" in html
    assert "There is a field “name” already" in html
    assert "&lt;b&gt;City&lt;/b&gt;" in html
    seen = shown.context["form"].fingerprint
    response = send(admin_client, webchat, save="1", seen=seen)
    assert response.status_code == 302
    assert list(webchat.fields.values_list("name", flat=True)) == ["name", "email", "question", "city"]
    webchat.refresh_from_db()
    assert webchat.title == "Chat with us"
    assert LogEntry.objects.get().get_change_message() == "1 field was imported."


def test_what_was_not_seen_is_shown_and_not_saved(admin_client):
    webchat = make_webchat()
    seen = send(admin_client, webchat, preview="1").context["form"].fingerprint
    response = send(admin_client, webchat, save="1", seen=seen, how="replace")
    assert response.status_code == 200
    assert webchat.fields.count() == 3
    html = response.content.decode()
    assert "Fields of the form that will be deleted" in html
    response = send(admin_client, webchat, save="1", seen=response.context["form"].fingerprint, how="replace")
    assert response.status_code == 302
    assert list(webchat.fields.values_list("name", flat=True)) == ["name", "city"]


def test_an_import_undoes_nothing_that_was_saved_meanwhile(admin_client):
    webchat = make_webchat()
    seen = send(admin_client, webchat, preview="1", how="replace").context["form"].fingerprint
    webchat.fields.filter(name="name").update(label="Your full name")
    response = send(admin_client, webchat, save="1", seen=seen, how="replace")
    assert response.status_code == 200
    assert webchat.fields.get(name="name").label == "Your full name"
    assert messages_of(response) == ["This is not what you looked at: look again, and save."]
    response = send(admin_client, webchat, save="1", seen=response.context["form"].fingerprint, how="replace")
    assert response.status_code == 302


def test_an_import_can_bring_the_texts_too(admin_client):
    webchat = make_webchat()
    seen = send(admin_client, webchat, preview="1", texts="on").context["form"].fingerprint
    send(admin_client, webchat, save="1", texts="on", seen=seen)
    webchat.refresh_from_db()
    assert webchat.title == "Hello"


def test_an_import_that_cannot_be_read_says_where(admin_client):
    response = send(admin_client, make_webchat(), preview="1", config="{fields: [\n{label: 'A' type: 'B'}]}")
    assert "Line 2 cannot be read" in response.content.decode()


def test_the_form_is_exported_as_a_file(admin_client):
    webchat = make_webchat()
    response = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/export/")
    assert response["Content-Disposition"] == 'attachment; filename="support-pre-engagement.json"'
    names = [field["attributes"]["name"] for field in json.loads(response.content)["preEngagementConfig"]["fields"]]
    assert names == ["friendlyName", "email", "query"]
