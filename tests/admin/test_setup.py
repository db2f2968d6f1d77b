"""The admin's page “Set up at Twilio”: the plan, and a button that carries it out as it was shown."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.support.factories import change, make_user, make_webchat
from tests.support.page_form import form_of
from webchat.models import Webchat
from webchat.sandbox import account

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

NEW = "/admin/webchat/webchat/setup/"


def send(client, page, **changes):
    """Presses the button of the page as it is shown."""
    shown = {name: values[0] for name, values in form_of(client.get(page).content.decode()).items()}
    return client.post(page, shown | changes, follow=True)


def page_of(webchat):
    return f"/admin/webchat/webchat/{webchat.pk}/setup/"


def test_a_new_account_gets_a_webchat_by_one_button(admin_client, sandbox):
    sandbox.become("empty")
    shown = admin_client.get(NEW).content.decode()
    assert "Create the Studio flow" in shown
    assert "Add the webchat “support” to this site." in shown
    assert not Webchat.objects.exists()
    assert sandbox.rest("GET", "/v2/Flows")["flows"] == []
    answer = send(admin_client, NEW, save="1")
    said = [str(message) for message in answer.context["messages"]]
    assert [one.partition(":")[0] for one in said] == ["Done"] * 4
    webchat = Webchat.objects.get()
    assert answer.request["PATH_INFO"] == reverse("admin:webchat_webchat_change", args=[webchat.pk])
    again = admin_client.get(page_of(webchat)).content.decode()
    assert "Nothing is left to do." in again
    assert 'name="save"' not in again


def test_what_is_anothers_is_shown_and_replaced_when_told_so(admin_client, sandbox):
    webchat = make_webchat()
    page = page_of(webchat)
    shown = admin_client.get(page).content.decode()
    assert "starts the flow “Chat Flow”, which is not this site" in shown
    assert 'name="save"' not in shown
    assert "--replace joins" in shown
    assert "Put this site in its place (--replace)" in shown
    looked = admin_client.post(page, {"others": "replace"}).content.decode()
    seen = form_of(looked)["seen"][0]
    assert "in place of the flow “Chat Flow”" in looked
    assert account.STUDIO_FLOW_SID in str(sandbox.rest("GET", "/v1/Configuration/Addresses"))
    admin_client.post(page, {"others": "replace", "seen": seen, "save": "1"})
    assert account.STUDIO_FLOW_SID not in str(sandbox.rest("GET", "/v1/Configuration/Addresses"))


def test_only_what_was_shown_is_done(admin_client, sandbox):
    sandbox.become("empty")
    answer = admin_client.post(NEW, {"others": "stop", "seen": "", "save": "1"})
    assert "not what you looked at" in answer.content.decode()
    assert sandbox.rest("GET", "/v2/Flows")["flows"] == []
    # A click on a plan that stops does nothing either.
    sandbox.become("taken")
    send(admin_client, NEW, save="1")
    assert len(sandbox.rest("GET", "/v2/Flows")["flows"]) == 1


def test_a_refused_step_is_said_with_the_way_by_hand(admin_client, sandbox):
    sandbox.become("empty")
    sandbox.fault("POST", "/v1/Configuration/Addresses", status=403)
    said = [str(message) for message in send(admin_client, NEW, save="1").context["messages"]]
    assert any(one.startswith("Not done: Create the chat address") and "By hand: Console" in one for one in said)
    assert not Webchat.objects.exists()


@pytest.mark.parametrize("status", [401, 403, 503])
def test_what_cannot_be_read_is_said(admin_client, sandbox, status):
    sandbox.fault("GET", "/v1/Configuration", status=status)
    assert "could not be read" in admin_client.get(NEW).content.decode()
    sandbox.become("no_flex")
    assert "This account has no Flex" in admin_client.get(NEW).content.decode()


@pytest.mark.parametrize(
    ("permissions", "of_new", "of_webchat"),
    [
        (["view_webchat", "add_webchat", "change_webchat"], 403, 403),
        (["view_webchat", "setup_flex"], 403, 403),
        (["view_webchat", "setup_flex", "change_webchat"], 403, 200),
        (["view_webchat", "setup_flex", "add_webchat"], 200, 403),
    ],
)
def test_it_has_a_permission_of_its_own(client, sandbox, permissions, of_new, of_webchat):
    user = make_user("grace", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    webchat = make_webchat()
    assert client.get(NEW).status_code == of_new
    assert client.get(page_of(webchat)).status_code == of_webchat
    shown = client.get(reverse("admin:webchat_webchat_changelist")).content.decode()
    assert (NEW in shown) == (of_new == 200)
    shown = client.get(reverse("admin:webchat_webchat_change", args=[webchat.pk])).content.decode()
    assert (page_of(webchat) in shown) == (of_webchat == 200)


def test_a_second_new_webchat_has_a_slug_of_its_own(admin_client, sandbox):
    sandbox.become("empty")
    change(make_webchat(), enabled=False)
    assert "Add the webchat “support-2” to this site." in admin_client.get(NEW).content.decode()
