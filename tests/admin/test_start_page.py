"""The admin's first page, and the company's look of all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from tests.support.factories import make_user, make_webchat
from webchat.clock import database_now
from webchat.models import ChatSession, QueueFigures, Webchat, Work, WorkerPass

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

Status = ChatSession.Status


def make_session(webchat: Webchat, status: str, **values: Any) -> ChatSession:
    made = {"owner": "x", "key": str(ChatSession.objects.count()), "lease_until": database_now(), "answers": {}}
    return ChatSession.objects.create(webchat=webchat, status=status, **{**made, **values})


def line_of(client: Any) -> Any:
    (line,) = client.get("/admin/").context["lines"]
    return line


def test_it_says_whether_the_chat_is_open_and_what_goes_on(admin_client):
    webchat = make_webchat()
    other = make_webchat(slug="other", name="Other", enabled=False)
    for _each in range(3):
        make_session(webchat, Status.ACTIVE)
    make_session(webchat, Status.ENDED)
    lines = {line.webchat: line for line in admin_client.get("/admin/").context["lines"]}
    assert lines[webchat].is_open
    assert (lines[webchat].running, lines[webchat].started, lines[webchat].waiting) == (3, 4, None)
    assert not lines[other].is_open
    assert "switched off" in lines[other].state
    assert (lines[other].running, lines[other].started) == (0, 0)


def test_failures_of_today_are_in_words_and_those_of_before_are_over(admin_client):
    webchat = make_webchat()
    for failure in ("refused (HTTP 401)", "refused (HTTP 401)", "unreachable", "abandoned", "something else"):
        make_session(webchat, Status.FAILED, failure=failure)
    old = make_session(webchat, Status.FAILED, failure="busy")
    ChatSession.objects.filter(pk=old.pk).update(created_at=database_now() - timedelta(days=1, seconds=1))
    assert dict(line_of(admin_client).failures) == {
        "Twilio does not accept the credentials. (HTTP 401)": 2,
        "Twilio cannot be reached from this server. Check its network, its firewall and its clock.": 1,
        "The start was cut short here.": 1,
        "something else": 1,
    }
    assert "Twilio cannot be reached" in admin_client.get("/admin/").content.decode()


def test_who_waits_is_known_where_a_queue_is_chosen(admin_client):
    webchat = make_webchat(queue_sid="WQ" + "0" * 32)
    now = database_now()
    assert line_of(admin_client).waiting is None
    QueueFigures.objects.filter(pk=webchat.queue_sid).update(taken_at=now, waiting=2, asked_at=now, due_at=now)
    assert line_of(admin_client).waiting == 2


def test_the_worker_is_seen_alive(admin_client):
    make_webchat()
    assert "The worker lives" not in admin_client.get("/admin/").content.decode()
    for work in Work:
        WorkerPass.note(work)
    assert "The worker lives" in admin_client.get("/admin/").content.decode()


def test_a_webchat_is_switched_off_and_on_with_one_button(admin_client):
    webchat = make_webchat()
    url = f"/admin/webchat/webchat/{webchat.pk}/switch/"
    assert admin_client.get(url).status_code == 405
    assert admin_client.post(url).status_code == 400
    for to, enabled in (("off", False), ("on", True)):
        page = admin_client.post(url, {"to": to}, follow=True)
        webchat.refresh_from_db()
        assert webchat.enabled == enabled
        assert ("Switched on." if enabled else "Switched off") in page.content.decode()
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("permissions", "sees", "counts", "switches"),
    [
        ([], False, False, False),
        (["view_webchat"], True, False, False),
        (["view_webchat", "view_chatsession"], True, True, False),
        (["change_webchat", "view_webchat"], True, False, True),
    ],
)
def test_each_sees_what_their_permissions_are_for(client, permissions, sees, counts, switches):
    webchat = make_webchat()
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)
    html = client.get("/admin/").content.decode()
    assert ("Webchats now" in html) == sees
    assert ("Started today" in html) == counts
    assert ("Switch off" in html) == switches
    assert client.post(f"/admin/webchat/webchat/{webchat.pk}/switch/", {"to": "off"}).status_code == (
        302 if switches else 403
    )
    webchat.refresh_from_db()
    assert webchat.enabled != switches


def test_the_chats_come_first(admin_client):
    found = admin_client.get("/admin/").context["app_list"]
    assert found[0]["app_label"] == "webchat"
    assert [model["object_name"] for model in found[0]["models"]][:3] == ["Webchat", "ChatSession", "Message"]
    assert {app["app_label"] for app in found} == {"webchat", "accounts", "auth", "sites"}


@pytest.mark.parametrize("page", ["/admin/", "/admin/webchat/webchat/add/", "/admin/login/"])
def test_every_page_has_the_companys_name_and_colour(admin_client, client, settings, page):
    settings.COMPANY_NAME, settings.COMPANY_COLOUR = "Fabrikam", "#ffd400"
    html = (client if "login" in page else admin_client).get(page).content.decode()
    assert "Fabrikam <span" in html
    assert "Fabrikam</title>" in html
    assert 'href="/theme.css?v=' in html
    assert "site/admin" in html
    assert "style=" not in html
