"""Staff choose queue, workflow and channel from TaskRouter's lists."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from tests.support.factories import change, make_user, make_webchat
from tests.support.page_form import as_shown
from tests.support.twilio_parameters import faults_of
from webchat.flex import GATEWAYS
from webchat.models import Webchat
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

CHOICE = {
    "address_sid": account.ADDRESS_SID,
    "chat_service_sid": account.CHAT_SERVICE_SID,
    "queue_sid": account.TASK_QUEUE_SID,
    "when_nobody": "message",
    "task_workflow_sid": account.WORKFLOW_SID,
    "task_channel": "default",
    "task_days": "3",
}


def send(client, page, **changes):
    return client.post(page, CHOICE | as_shown(client, page) | changes)


@pytest.fixture
def page(sandbox):
    return f"/admin/webchat/webchat/{make_webchat().pk}/routing/"


def test_what_taskrouter_has_can_be_chosen_and_shows_at_the_webchat(admin_client, page):
    form = admin_client.get(page).context["form"]
    assert dict(form.fields["queue_sid"].choices) == {"": "none: nobody looks", account.TASK_QUEUE_SID: "Everyone"}
    assert {key for key, _name in form.fields["task_channel"].choices} == {"default", "chat"}
    assert send(admin_client, page).status_code == 302
    webchat = Webchat.objects.get()
    assert (webchat.queue_sid, webchat.queue_name) == (account.TASK_QUEUE_SID, "Everyone")
    assert (webchat.task_workflow_sid, webchat.task_workflow_name) == (account.WORKFLOW_SID, "Assign to Anyone")
    assert (webchat.when_nobody, webchat.task_channel, webchat.task_days) == ("message", "default", 3)
    shown = admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/").content.decode()
    assert "looks at the queue “Everyone”; messages become tasks of “Assign to Anyone”" in shown


def test_nothing_can_be_chosen_again(admin_client, page):
    send(admin_client, page)
    send(admin_client, page, queue_sid="", task_workflow_sid="")
    webchat = Webchat.objects.get()
    assert (webchat.queue_sid, webchat.queue_name, webchat.task_workflow_sid) == ("", "", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"address_sid": "IG" + "1" * 32},
        {"chat_service_sid": ""},
        {"queue_sid": "WQ" + "1" * 32},
        {"task_workflow_sid": "x"},
        {"task_channel": "fax"},
        {"task_days": "15"},
    ],
)
def test_what_is_in_no_list_is_refused(admin_client, page, wrong):
    response = send(admin_client, page, **wrong)
    assert list(response.context["form"].errors) == list(wrong)
    assert Webchat.objects.get().queue_sid == ""


def test_a_choice_that_twilio_no_longer_lists_stays_one(admin_client, page):
    change(Webchat.objects.get(), queue_sid="WQ" + "1" * 32, queue_name="Old")
    choices = dict(admin_client.get(page).context["form"].fields["queue_sid"].choices)
    assert choices["WQ" + "1" * 32] == "Old"


def test_an_unreachable_twilio_is_said_in_words_and_changes_nothing(admin_client, page, sandbox):
    sandbox.fault("GET", f"/v1/Workspaces/{account.WORKSPACE_SID}/*", status=403, times=3)
    response = admin_client.post(page, CHOICE, follow=True)
    assert "Twilio does not show its queues: refused (HTTP 403" in response.content.decode()
    assert Webchat.objects.get().queue_sid == ""


def test_who_may_only_look_chooses_nothing(client, page):
    staff = make_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_webchat"))
    client.force_login(staff)
    assert client.get(page).status_code == 403


def test_the_address_and_the_chat_service_are_chosen_from_what_the_account_has(admin_client, page, sandbox):
    change(Webchat.objects.get(), address_sid="IG" + "9" * 32)
    creation = {"AutoCreation.Enabled": "true", "AutoCreation.Type": "studio"}
    creation["AutoCreation.StudioFlowSid"] = account.STUDIO_FLOW_SID
    path = "/v1/Configuration/Addresses"
    sid = sandbox.rest("POST", path, Type="chat", Address="sales", FriendlyName="Sales", **creation)["sid"]
    sandbox.rest("POST", path, Type="sms", Address="+15005550006")
    fields = admin_client.get(page).context["form"].fields
    assert dict(fields["address_sid"].choices) == {
        "IG" + "9" * 32: "IG" + "9" * 32,  # what is chosen stays a choice
        account.ADDRESS_SID: f"Sandbox webchat · {account.ADDRESS_SID}",
        sid: f"Sales · {sid}",
    }
    assert set(dict(fields["chat_service_sid"].choices)) == {account.CHAT_SERVICE_SID, account.OTHER_CHAT_SERVICE_SID}
    chosen = {"address_sid": sid, "chat_service_sid": account.OTHER_CHAT_SERVICE_SID}
    assert send(admin_client, page, **chosen).status_code == 302
    webchat = Webchat.objects.get()
    assert (webchat.address_sid, webchat.chat_service_sid) == (sid, account.OTHER_CHAT_SERVICE_SID)


def test_the_legacy_api_needs_no_address(admin_client, page):
    change(Webchat.objects.get(), api="web_channels", flex_flow_sid=account.FLEX_FLOW_SID)
    chosen = {"address_sid": "", "flex_flow_sid": account.FLEX_FLOW_SID}
    assert send(admin_client, page, **chosen).status_code == 302
    assert Webchat.objects.get().address_sid == ""


def test_a_flex_flow_is_chosen_from_all_pages_of_those_of_webchats(admin_client, page, sandbox):
    change(Webchat.objects.get(), api="web_channels", flex_flow_sid=account.FLEX_FLOW_SID)
    sandbox.rest(
        "POST", "/v1/FlexFlows", FriendlyName="Texts", ChatServiceSid=account.CHAT_SERVICE_SID, ChannelType="sms"
    )
    sids = [
        sandbox.rest(
            "POST",
            "/v1/FlexFlows",
            FriendlyName=f"Shop {n}",
            ChatServiceSid=account.CHAT_SERVICE_SID,
            ChannelType="web",
        )["sid"]
        for n in range(20)
    ]
    before = len(sandbox.log())
    choices = dict(admin_client.get(page).context["form"].fields["flex_flow_sid"].choices)
    asked = [call for call in sandbox.log()[before:] if call["path"] == "/v1/FlexFlows"]
    assert (len(asked), faults_of(asked)) == (2, [])
    assert list(choices) == [account.FLEX_FLOW_SID, *sids]
    assert choices[sids[-1]] == f"Shop 19 · {sids[-1]}"
    assert send(admin_client, page, flex_flow_sid="").context["form"].errors.keys() == {"flex_flow_sid"}
    assert send(admin_client, page, flex_flow_sid=sids[-1]).status_code == 302
    assert Webchat.objects.get().flex_flow_sid == sids[-1]


def test_a_webchat_of_conversations_needs_no_flex_flow_and_keeps_the_one_that_it_had(admin_client, page):
    choices = dict(admin_client.get(page).context["form"].fields["flex_flow_sid"].choices)
    assert list(choices) == ["", account.FLEX_FLOW_SID]
    for sid in (account.FLEX_FLOW_SID, ""):
        assert send(admin_client, page, flex_flow_sid=sid).status_code == 302
        assert Webchat.objects.get().flex_flow_sid == sid


def test_where_twilio_lists_no_flex_flows_any_more_the_rest_can_be_chosen(admin_client, page, sandbox):
    change(Webchat.objects.get(), flex_flow_sid="FO" + "9" * 32)
    sandbox.fault("GET", "/v1/FlexFlows", status=410, times=3)
    choices = dict(admin_client.get(page).context["form"].fields["flex_flow_sid"].choices)
    assert list(choices) == ["", "FO" + "9" * 32]
    assert send(admin_client, page, flex_flow_sid="FO" + "9" * 32).status_code == 302


def test_no_flex_flow_is_asked_for_while_the_legacy_api_is_switched_off(admin_client, page, sandbox, monkeypatch):
    change(Webchat.objects.get(), flex_flow_sid="FO" + "9" * 32)
    monkeypatch.delitem(GATEWAYS, "web_channels")
    before = len(sandbox.log())
    assert "flex_flow_sid" not in admin_client.get(page).context["form"].fields
    assert send(admin_client, page, flex_flow_sid=account.FLEX_FLOW_SID).status_code == 302
    assert Webchat.objects.get().flex_flow_sid == "FO" + "9" * 32
    assert not [call for call in sandbox.log()[before:] if "FlexFlows" in call["path"]]
