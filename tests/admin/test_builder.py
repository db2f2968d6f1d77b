"""The live builder: what a webchat's page holds is shown as visitors would find it, and nothing is written or sent."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext, override

from tests.support.factories import make_field, make_legacy, make_user, make_webchat
from tests.support.page_form import form_of
from webchat.admin.builder import CHATS, STATES
from webchat.models import PreEngagementField, Webchat

pytestmark = pytest.mark.django_db


def page_of(client, webchat):
    """What the page of a webchat would send, as nobody touched it."""
    return form_of(client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode())


def frame(client, webchat, values, **chosen):
    sent = values | {f"builder-{name}": value for name, value in chosen.items()}
    return client.post(f"/admin/webchat/webchat/{webchat.pk}/builder/", sent)


def html_of(response):
    assert response.status_code == 200
    return response.content.decode()


def notes_in(html):
    return re.findall(r"<li>(.*?)</li>", html.split('id="notes"')[1])


def test_what_is_not_saved_is_shown_and_nothing_is_written(admin_client):
    webchat = make_webchat()
    values = page_of(admin_client, webchat) | {
        "title": "Ask Northwind",
        "brand_colour": "#aa0011",
        "fields-0-label": "Who are you?",
        "fields-1-DELETE": "on",
        "fields-2-required": "",
    }
    before = list(Webchat.objects.values()), list(PreEngagementField.objects.values())
    with CaptureQueriesContext(connection) as queries:
        html = html_of(frame(admin_client, webchat, values))
    assert "Ask Northwind" in html
    assert 'data-brand="#aa0011" data-ink="#ffffff"' in html
    assert "Who are you?" in html
    assert 'name="email"' not in html
    assert "(optional)" in html
    assert notes_in(html) == []
    assert {query["sql"].split()[0] for query in queries} <= {"SELECT", "SAVEPOINT", "RELEASE"}
    assert (list(Webchat.objects.values()), list(PreEngagementField.objects.values())) == before


def test_a_new_field_is_shown_once_it_is_sound(admin_client):
    webchat = make_webchat()
    new = {"webchat": webchat.pk, "type": "select", "name": "topic", "position": "5", "decimal_places": "0"}
    values = page_of(admin_client, webchat) | {f"fields-3-{name}": value for name, value in new.items()}
    values |= {"fields-TOTAL_FORMS": "4", "fields-3-label": "Topic"}
    html = html_of(frame(admin_client, webchat, values))
    assert 'name="topic"' not in html
    assert notes_in(html) == ["Shown once it is correct: “Topic”."]
    html = html_of(frame(admin_client, webchat, values | {"fields-3-choices": "Sales\nSupport"}))
    assert notes_in(html) == []
    names = re.findall(r'data-webchat-field="(\w+)"', html)
    assert names == ["name", "email", "question", "topic"]


def test_what_is_wrong_stays_as_it_is_saved_and_is_named(admin_client):
    webchat = make_webchat(title="Ask us")
    values = page_of(admin_client, webchat) | {
        "title": "",
        "brand_colour": "red;}",
        "chat_service_sid": "nonsense",
        "fields-1-label": "Mail",
        "fields-1-pattern": "(",
    }
    html = html_of(frame(admin_client, webchat, values))
    assert "Ask us" in html
    assert 'data-brand="#0b5d4e"' in html
    assert ">Mail<" not in html
    assert 'name="email"' in html
    assert notes_in(html) == ["Shown once it is correct: Title, Brand colour, “Email”."]


def test_of_two_fields_of_a_name_or_a_role_the_second_is_named(admin_client):
    webchat = make_webchat()
    new = {"webchat": webchat.pk, "type": "textarea", "position": "", "decimal_places": "0"}
    rows = [{"name": "email", "label": "Another"}, {"name": "more", "label": "A second question", "role": "question"}]
    values = page_of(admin_client, webchat) | {"fields-TOTAL_FORMS": "5"}
    for number, row in enumerate(rows, 3):
        values |= {f"fields-{number}-{name}": value for name, value in {**new, **row}.items()}
    html = html_of(frame(admin_client, webchat, values))
    assert notes_in(html) == ["Shown once it is correct: “Another”, “A second question”."]
    assert re.findall(r'data-webchat-field="(\w+)"', html) == ["name", "email", "question", "more"]


@pytest.mark.parametrize("state", STATES)
def test_every_state_in_every_language(admin_client, state):
    webchat = make_webchat(ask_rating=True, when_closed="message")
    marks = {"launcher": "form", "errors": "form", **dict.fromkeys(CHATS, "sample")}
    for code, _name in settings.LANGUAGES:
        html = html_of(frame(admin_client, webchat, {}, state=state, language=code))
        assert f'<html lang="{code}" dir="{"rtl" if code == "ar" else "ltr"}"' in html
        assert f'data-shown="{state}"' in html
        if state != "launcher":
            assert f'data-webchat-state="{marks.get(state, state)}"' in html
        with override(code):
            assert gettext(webchat.title) in html


def test_the_parts_of_the_states(admin_client):
    webchat = make_webchat(ask_rating=True)
    values = page_of(admin_client, webchat)
    shown = {state: html_of(frame(admin_client, webchat, values, state=state)) for state in STATES}
    assert shown["errors"].count("data-webchat-error>") == 3
    assert "data-webchat-error>" not in shown["form"]
    assert 'id="rating"' in shown["ended"]
    assert 'id="rating"' not in shown["chat"]
    assert {state for state, html in shown.items() if 'id="sample"' in html} == set(CHATS)
    assert "The chat is closed at the moment." in shown["closed"].split('id="panel"')[1]
    assert "Visitors do not find this form" in shown["message"]


def test_a_field_whose_condition_is_no_longer_sound_is_named(admin_client):
    webchat = make_webchat()
    make_field(webchat, "order", shown_if="email")
    values = page_of(admin_client, webchat)
    html = html_of(frame(admin_client, webchat, values))
    assert 'name="order"' in html
    assert notes_in(html) == []
    html = html_of(frame(admin_client, webchat, values | {"fields-1-DELETE": "on"}))
    assert 'name="order"' not in html
    assert notes_in(html) == ["Shown once it is correct: “Order”."]


def test_the_texts_of_a_language_are_shown_as_they_are_written(admin_client):
    webchat = make_webchat(title="Ask us")
    values = page_of(admin_client, webchat) | {"title__de": "Fragen Sie uns", "fields-1-label__de": "Ihre Adresse"}
    html = html_of(frame(admin_client, webchat, values, language="de"))
    assert "Fragen Sie uns" in html
    assert "Ihre Adresse" in html
    html = html_of(frame(admin_client, webchat, values | {"title__de": "x" * 100}, language="de"))
    assert "Ask us" in html
    assert notes_in(html) == ["Shown once it is correct: Title (Deutsch)."]


def test_staff_are_told_where_visitors_find_another_widget(admin_client):
    webchat = make_legacy()
    html = html_of(frame(admin_client, webchat, page_of(admin_client, webchat)))
    assert notes_in(html) == ["On the site&#x27;s pages visitors find Twilio&#x27;s own widget instead."]


def test_the_colours_of_the_device_count_unless_staff_chose_others(admin_client):
    webchat = make_webchat()
    values = page_of(admin_client, webchat)
    assert "webchat-dark" in html_of(frame(admin_client, webchat, values, look="dark"))
    assert "webchat-light" in html_of(frame(admin_client, webchat, values | {"colour_scheme": "light"}, look="dark"))


def test_a_signed_in_visitor_is_the_member_of_staff(admin_client):
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match="account", user_lookup="email")
    values = page_of(admin_client, webchat)
    assert "admin@example.com" in html_of(frame(admin_client, webchat, values, visitor="user"))
    assert "admin@example.com" not in html_of(frame(admin_client, webchat, values))


def test_errors_are_of_what_this_visitor_is_asked(admin_client):
    webchat = make_webchat()
    make_field(webchat, "member_number", audience=PreEngagementField.Audience.SIGNED_IN)
    make_field(webchat, "friend", audience=PreEngagementField.Audience.ANONYMOUS)
    values = page_of(admin_client, webchat)
    for visitor, asked, other in (("guest", "friend", "member_number"), ("user", "member_number", "friend")):
        html = html_of(frame(admin_client, webchat, values, state="errors", visitor=visitor))
        assert f'name="{asked}"' in html
        assert other not in html


def test_a_new_webchat_is_shown_before_its_first_save(admin_client):
    values = form_of(admin_client.get("/admin/webchat/webchat/add/").content.decode())
    html = html_of(admin_client.post("/admin/webchat/webchat/add/builder/", values | {"title": "Ask us"}))
    assert "Ask us" in html
    assert re.findall(r'data-webchat-field="(\w+)"', html) == ["name", "email", "question"]
    assert not Webchat.objects.exists()


def test_a_page_without_its_form_shows_what_is_saved(admin_client):
    webchat = make_webchat(title="Ask us")
    make_field(webchat, "order")
    html = html_of(frame(admin_client, webchat, {}, state="nonsense", language="xx"))
    assert "Ask us" in html
    assert 'name="order"' in html


def test_the_frame_stands_in_the_admin_alone_and_sends_nothing(admin_client):
    webchat = make_webchat()
    page = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/")
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    answer = frame(admin_client, webchat, page_of(admin_client, webchat))
    policy = answer["Content-Security-Policy"].split("; ")
    assert {"frame-ancestors 'self'", "form-action 'none'", "connect-src http://testserver/static/"} <= set(policy)
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/builder/").status_code == 405


@pytest.mark.parametrize(
    ("permissions", "status", "of_new"),
    [((), 403, 403), (("view_webchat",), 200, 403), (("change_webchat",), 200, 403), (("add_webchat",), 403, 200)],
)
def test_it_is_for_staff_who_may_see_the_webchat(client, permissions, status, of_new):
    webchat = make_webchat(title="Ask us")
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)
    response = frame(client, webchat, {"title": "Something else"})
    assert response.status_code == status
    if status == 200:
        # Who may only look sees what is saved.
        assert ("Something else" in response.content.decode()) == (permissions == ("change_webchat",))
    assert client.post("/admin/webchat/webchat/add/builder/", {}).status_code == of_new


def test_it_is_for_staff_alone(client):
    webchat = make_webchat()
    assert frame(client, webchat, {}).status_code == 302
    assert Client(enforce_csrf_checks=True).post(f"/admin/webchat/webchat/{webchat.pk}/builder/").status_code == 403
