"""Staff at a webchat of the legacy API: what they are told, and the move to Flex Conversations."""

from __future__ import annotations

from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from tests.support.factories import ANSWERS, change, make_field, make_legacy, make_user, make_webchat
from tests.support.flex_ui import FlexUi
from tests.support.page_form import as_shown
from tests.support.visitor import VisitorClient
from webchat.chats.end import end_chat
from webchat.models import ChatSession, Webchat
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

LIST = "/admin/webchat/webchat/"


def move_url(webchat):
    return f"{LIST}{webchat.pk}/move/"


def move(client, webchat, address_sid=account.ADDRESS_SID):
    url = move_url(webchat)
    return client.post(url, {"address_sid": address_sid, **as_shown(client, url)}, follow=True)


def change_page(client, webchat):
    return unescape(client.get(f"{LIST}{webchat.pk}/change/").content.decode())


def test_the_action_asks_for_the_address(admin_client):
    webchat = make_legacy()
    action = {"action": "move_to_conversations", "_selected_action": [webchat.pk]}
    response = admin_client.post(LIST, action)
    assert (response.status_code, response["Location"]) == (302, move_url(webchat))
    assert 'name="address_sid"' in admin_client.get(move_url(webchat)).content.decode()


def test_the_action_is_for_one_at_a_time(admin_client):
    chosen = [make_legacy(slug=slug, name=slug).pk for slug in ("one", "two")]
    action = {"action": "move_to_conversations", "_selected_action": chosen}
    assert "Choose one webchat" in admin_client.post(LIST, action, follow=True).content.decode()


def test_a_move_changes_the_api_and_nothing_else(admin_client, sandbox):
    webchat = make_legacy(title="Talk to us")
    ui = FlexUi()
    sid = ui.start().json()["sid"]
    fields = list(webchat.fields.values())
    html = admin_client.get(move_url(webchat)).content.decode()
    assert "1 chat is running" in html
    response = move(admin_client, webchat)
    assert "Moved to Flex Conversations" in response.content.decode()
    moved = Webchat.objects.get()
    assert (moved.api, moved.widget, moved.address_sid) == ("conversations", "own", account.ADDRESS_SID)
    assert (moved.title, moved.flex_flow_sid) == ("Talk to us", account.FLEX_FLOW_SID)
    assert list(moved.fields.values()) == fields
    moved.full_clean()
    assert LogEntry.objects.filter(change_message__contains="Moved to Flex Conversations").exists()

    session = ChatSession.objects.get()
    assert (session.is_active, session.api) == (True, "web_channels")
    assert ui.refresh().status_code == 200
    visitor = VisitorClient()
    assert visitor.start(ANSWERS).json()["api"] == "conversations"
    end_chat(session, ChatSession.EndedBy.VISITOR)
    assert ("POST", f"/v1/WebChannels/{sid}") in [(call["method"], call["path"]) for call in sandbox.log()]


@pytest.mark.parametrize(
    ("address_sid", "complaint"),
    [
        ("", "This field is required."),
        ("FO" + "0" * 32, "it starts with IG"),
        ("IG" + "1" * 32, "There is no address with this SID"),
    ],
)
def test_an_address_that_takes_no_chats_changes_nothing(admin_client, sandbox, address_sid, complaint):
    webchat = make_legacy()
    response = move(admin_client, webchat, address_sid)
    assert response.status_code == 200
    assert complaint in unescape(response.content.decode())
    assert Webchat.objects.get().api == "web_channels"


def test_nor_does_one_that_cannot_be_checked(admin_client, sandbox):
    webchat = make_legacy()
    sandbox.fault("GET", "/v1/Configuration", status=503, times=5)
    response = move(admin_client, webchat)
    assert "Twilio gave no proper answer" in unescape(response.content.decode())
    assert Webchat.objects.get().api == "web_channels"


def test_a_webchat_that_is_there_already_is_left_alone(admin_client):
    webchat = make_webchat()
    response = admin_client.get(move_url(webchat), follow=True)
    assert "uses Flex Conversations already" in response.content.decode()
    assert move_url(webchat) not in change_page(admin_client, webchat)


def test_who_may_only_look_moves_nothing(client):
    webchat = make_legacy()
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_webchat"))
    client.force_login(user)
    assert client.post(move_url(webchat), {"address_sid": account.ADDRESS_SID}).status_code == 403
    assert client.get(f"{LIST}999/move/").status_code in (403, 404)


def test_staff_read_that_the_api_is_gone_and_where_chats_go(admin_client, sandbox):
    webchat = make_legacy()
    assert "the latest chat" not in change_page(admin_client, webchat)
    sandbox.fault("POST", "/v1/WebChannels", status=410, times=2)
    assert FlexUi().start().status_code == 503
    assert "Twilio no longer serves the legacy API: the latest chat" in change_page(admin_client, webchat)
    # As a release wrote it that kept no codes.
    assert ChatSession.objects.update(failure_code="")
    assert "Twilio no longer serves the legacy API: the latest chat" in change_page(admin_client, webchat)
    change(webchat, address_sid=account.ADDRESS_SID)
    assert FlexUi().start().status_code == 201
    html = change_page(admin_client, webchat)
    assert "went to the address by Flex Conversations" in html
    assert move_url(webchat) in html
    assert FlexUi().start().status_code == 201  # by the legacy API, which answers again
    assert "went to the address" not in change_page(admin_client, webchat)


def test_staff_read_what_the_ui_leaves_out_and_what_it_costs(admin_client):
    webchat = make_legacy()
    make_field(webchat, "phone", type="phone", label="Phone", required=False)
    html = change_page(admin_client, webchat)
    assert "which the server checks after the form was sent: “Phone”" in html
    assert "'unsafe-eval'" in html
    Webchat.objects.update(widget="own")
    assert "which the server checks" not in change_page(admin_client, webchat)
