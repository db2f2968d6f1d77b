"""Going live: what is left to do, the test of the connection, and drafts, which visitors see nothing of."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.support.factories import ANSWERS, make_hours, make_user, make_webchat
from tests.support.page_form import as_shown, form_of
from tests.support.visitor import VisitorClient
from webchat.clock import database_now
from webchat.flex.webhook_settings import EVENT, set_webhook
from webchat.models import Webchat
from webchat.sandbox import account

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

ADD = "/admin/webchat/webchat/add/"


def page_of(webchat: Webchat) -> str:
    return f"/admin/webchat/webchat/{webchat.pk}/going-live/"


def steps_of(response: Any) -> dict[str, Any]:
    return {step.key: step for step in response.context["steps"]}


def add(client: Any, **values: str) -> Any:
    page = form_of(client.get(ADD).content.decode())
    sids = {"chat_service_sid": [account.CHAT_SERVICE_SID], "address_sid": [account.ADDRESS_SID]}
    posted = {**page, "name": ["Sales"], "slug": ["sales"], **sids, **values}
    return client.post(ADD, posted, follow=True)


def test_it_lists_what_is_done_and_what_to_do(admin_client, settings):
    webchat = make_webchat(hours=make_hours((0, "09:00", "17:00")))
    steps = steps_of(admin_client.get(page_of(webchat)))
    assert {key: step.is_done for key, step in steps.items()} == {
        "credentials": True,
        "service": True,
        "address": True,
        "flow": True,
        "webhook": False,
        "form": True,
        "hours": True,
        "worker": False,
        "test_chat": False,
    }
    settings.TWILIO_AUTH_TOKEN = ""
    webchat.fields.filter(role="question").update(required=False)
    Webchat.objects.update(draft=True, webhook_heard_at=database_now())
    steps = steps_of(admin_client.get(page_of(webchat)))
    done = [key for key, step in steps.items() if step.is_done]
    assert done == ["webhook", "hours"]
    assert "TWILIO_AUTH_TOKEN" in steps["credentials"].words
    webchat.fields.filter(role="question").delete()
    assert not steps_of(admin_client.get(page_of(webchat)))["form"].is_done


def test_the_tag_and_the_address_are_there_to_copy(admin_client, settings):
    html = admin_client.get(page_of(make_webchat())).content.decode()
    assert "{% webchat &quot;support&quot; %}" in html
    assert f"{settings.PUBLIC_BASE_URL}/webchat/support/" in html


def test_a_chat_that_has_been_is_a_test_chat_and_its_end_shows_that_the_webhook_lives(admin_client, sandbox):
    webchat = make_webchat()
    assert VisitorClient().start(ANSWERS).status_code == 201
    assert steps_of(admin_client.get(page_of(webchat)))["test_chat"].is_done
    Webchat.note_webhook(webchat.pk)
    webchat.refresh_from_db()
    heard = webchat.webhook_heard_at
    Webchat.note_webhook(webchat.pk)
    webchat.refresh_from_db()
    assert heard == webchat.webhook_heard_at, "at most once a minute"
    assert steps_of(admin_client.get(page_of(webchat)))["webhook"].is_done
    assert "Twilio&#x27;s webhook lives" in admin_client.get("/admin/").content.decode().replace("'", "&#x27;")


def test_a_new_webchat_that_passes_the_test_is_there_at_once(admin_client, sandbox, client):
    page = add(admin_client)
    webchat = Webchat.objects.get(slug="sales")
    assert not webchat.draft
    assert "everything that a chat needs is there" in page.content.decode()
    assert client.get("/webchat/sales/panel/").status_code == 200


def test_one_that_does_not_is_a_draft_until_it_passes(admin_client, sandbox, client):
    page = add(admin_client, address_sid="IG" + "9" * 32)
    webchat = Webchat.objects.get(slug="sales")
    assert webchat.draft
    html = page.content.decode()
    assert "There is no address with this SID" in html
    assert "is a draft until the test" in html
    assert "A draft: visitors see nothing of it yet." in admin_client.get("/admin/").content.decode()
    assert "Start chat" not in client.get("/webchat/sales/panel/").content.decode()
    assert VisitorClient("sales").start(ANSWERS, key="of-a-draft-000000000000").status_code == 503
    change = f"/admin/webchat/webchat/{webchat.pk}/change/"
    shown = form_of(admin_client.get(change).content.decode())
    admin_client.post(change, {**shown, **as_shown(admin_client, change), "address_sid": account.ADDRESS_SID})
    webchat.refresh_from_db()
    assert not webchat.draft
    assert "Start chat" in client.get("/webchat/sales/panel/").content.decode()


def test_the_button_tests_and_staff_may_insist(admin_client, sandbox):
    webchat = make_webchat(draft=True, address_sid="IG" + "9" * 32)
    found = steps_of(admin_client.post(page_of(webchat), {"test": "1"}))
    assert (found["service"].is_done, found["address"].is_done, found["flow"].is_done) == (True, False, False)
    assert "no address with this SID" in found["address"].problems[0]
    assert found["flow"].words == "First correct what is wrong above."
    webchat.refresh_from_db()
    assert webchat.draft
    admin_client.post(page_of(webchat), {"insist": "1"})
    webchat.refresh_from_db()
    assert not webchat.draft


def test_each_part_at_twilio_says_what_is_wrong_with_it(admin_client, sandbox, settings):
    webchat = make_webchat(draft=True, chat_service_sid="IS" + "9" * 32)
    found = steps_of(admin_client.post(page_of(webchat), {"test": "1"}))
    assert "not the account's default one" in found["service"].problems[0]
    assert found["credentials"].is_done
    settings.TWILIO_AUTH_TOKEN = "x" * 32
    found = steps_of(admin_client.post(page_of(webchat), {"test": "1"}))
    assert "does not accept" in found["credentials"].problems[0]
    assert [found[part].is_done for part in ("service", "address", "flow")] == [False] * 3


def test_the_test_is_of_the_webhook_too(admin_client, sandbox):
    webchat = make_webchat(draft=True)
    found = steps_of(admin_client.post(page_of(webchat), {"test": "1"}))
    assert all(found[part].is_done for part in ("credentials", "service", "address", "flow"))
    assert not found["webhook"].is_done
    assert "does not post ends of chats" in found["webhook"].problems[0]
    webchat.refresh_from_db()
    assert not webchat.draft


def test_a_test_that_passed_is_remembered_until_one_does_not(admin_client, sandbox, settings):
    webchat = make_webchat()
    set_webhook(webchat.chat_service_sid, f"{settings.PUBLIC_BASE_URL}{reverse('twilio-conversations')}", EVENT)
    at_twilio = ("service", "address", "flow", "webhook")
    admin_client.post(page_of(webchat), {"test": "1"})
    found = steps_of(admin_client.get(page_of(webchat)))
    assert [found[part].is_done for part in at_twilio] == [True] * 4
    assert [found[part].words for part in at_twilio[:3]] == ["The test has passed."] * 3
    Webchat.objects.update(address_sid="IG" + "9" * 32)
    admin_client.post(page_of(webchat), {"test": "1"})
    found = steps_of(admin_client.get(page_of(webchat)))
    assert not found["webhook"].is_done
    assert found["address"].words == "The webchat is no draft."


def test_a_save_tests_what_it_changed_and_what_it_is_asked_to(admin_client, sandbox):
    webchat = make_webchat()
    change = f"/admin/webchat/webchat/{webchat.pk}/change/"

    def save(**values: str) -> int:
        before = len(sandbox.log())
        shown = form_of(admin_client.get(change).content.decode())
        assert admin_client.post(change, {**shown, **values}).status_code == 302
        return len(sandbox.log()) - before

    assert save(title="Hello") == 0
    assert save(_continue="1") == 0
    assert save(_continue="test") > 0
    assert save(address_sid="IG" + "9" * 32) > 0


@pytest.mark.parametrize(("permission", "status"), [("view_webchat", 403), ("change_webchat", 200)])
def test_only_who_may_change_it_asks_twilio(client, sandbox, permission, status):
    webchat = make_webchat()
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_webchat", permission]))
    client.force_login(staff)
    assert client.get(page_of(webchat)).status_code == 200
    assert client.post(page_of(webchat), {"test": "1"}).status_code == status
    assert bool(sandbox.log()) == (status == 200)


def actions_of(html):
    """What can be done at each line, by its key."""
    lines = re.findall(r'<li id="(\w+)".*?<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', html, re.DOTALL)
    assert all(address.endswith(f"#{key}") for key, address, _actions in lines), "the answer shows the line again"
    return {
        key: [unescape(words) for words in re.findall(r">([^<>]+)</(?:a|button)>", actions)]
        for key, _address, actions in lines
    }


def test_each_line_has_what_to_do_about_it(admin_client, client, settings):
    webchat = make_webchat()
    html = admin_client.get(page_of(webchat)).content.decode()
    test, set_up = "Test the connection", "Set up at Twilio"
    assert actions_of(html) == {
        "credentials": ["See which are set"],
        "service": [test, set_up, "Change the SIDs"],
        "address": [test, set_up, "Address, queue and tasks"],
        "flow": [test, set_up],
        "webhook": [test, set_up],
        "form": ["Open the form"],
        "hours": ["Choose opening hours"],
        "worker": ["How the site is doing"],
        "test_chat": ["Send a test chat", "Flex, the agents' desk"],
    }
    [chat] = re.findall(r'href="([^"]+)"[^>]*>Send a test chat<', html)
    assert client.get(chat).status_code == 200
    assert f'href="{settings.TWILIO_SANDBOX_URL}"' in html, "else Flex itself"
    settings.TWILIO_SANDBOX_URL = ""
    assert "https://flex.twilio.com/" in admin_client.get(page_of(webchat)).content.decode()
    Webchat.objects.update(draft=True)
    html = admin_client.get(page_of(webchat)).content.decode()
    assert actions_of(html)["test_chat"] == [], "nobody can open a draft"
    assert "nobody can open a draft" in html
    reader = make_user("zoe", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_webchat"))
    client.force_login(reader)
    html = client.get(page_of(webchat)).content.decode()
    assert "Show it to visitors" not in html
    assert actions_of(html)["flow"] == []
