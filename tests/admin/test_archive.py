"""Webchats that are used no more: out of the way, with their chats."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.page_form import as_shown
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession, Webchat

pytestmark = pytest.mark.django_db

LIST = "/admin/webchat/webchat/"


def act(client, action: str, webchat: Webchat, query: str = ""):
    return client.post(f"{LIST}{query}", {"action": action, "_selected_action": webchat.pk}, follow=True)


def listed(client, **query: str) -> list[str]:
    return [webchat.slug for webchat in client.get(LIST, query).context["cl"].result_list]


def test_an_archived_webchat_starts_no_chat_and_its_running_one_goes_on(admin_client, sandbox):
    webchat = make_webchat()
    visitor, other = VisitorClient(), VisitorClient()
    started = visitor.start(ANSWERS).json()
    act(admin_client, "archive", webchat)
    webchat.refresh_from_db()
    assert (webchat.name, webchat.slug, webchat.enabled) == ("Support", "support", False)
    assert other.start(ANSWERS).json()["code"] == "chat_closed"
    assert ChatSession.objects.get().is_active
    assert visitor.renew(started["session_id"]).status_code == 200


def test_lists_leave_it_out_until_it_is_asked_for(admin_client):
    make_webchat()
    old = make_webchat(slug="old", name="Old")
    act(admin_client, "archive", old)
    assert listed(admin_client) == ["support"]
    assert listed(admin_client, archive="yes") == ["old"]
    assert listed(admin_client, archive="all") == ["old", "support"]
    page = admin_client.get(LIST).content.decode()
    assert ">In use<" in page
    act(admin_client, "take_out", old, "?archive=yes")
    assert listed(admin_client) == ["old", "support"]
    old.refresh_from_db()
    assert not old.enabled


def test_a_page_that_names_none_shows_the_next_one():
    first, second = make_webchat(), make_webchat(slug="second")
    assert Webchat.objects.of_site().first() == first
    first.archive()
    assert Webchat.objects.of_site().first() == second


def test_it_is_not_switched_on_before_it_is_taken_out(admin_client):
    webchat = make_webchat(fields=False)
    webchat.archive()
    url = f"{LIST}{webchat.pk}/change/"
    page = admin_client.get(url).context["adminform"].form
    values = {name: "" if page[name].value() is None else page[name].value() for name in page.fields}
    values = {name: value for name, value in values.items() if value is not False}
    saved = admin_client.post(url, {**values, **as_shown(admin_client, url), "enabled": "on"})
    assert "take it out of the archive first" in saved.content.decode()
    webchat.refresh_from_db()
    assert not webchat.enabled


def test_who_may_only_look_archives_nothing(client):
    webchat = make_webchat()
    user = make_user("grace", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_webchat"))
    client.force_login(user)
    act(client, "archive", webchat)
    webchat.refresh_from_db()
    assert webchat.archived_at is None
