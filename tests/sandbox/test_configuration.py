"""What an account is set up with, by REST: parameters, refusals and lists as Twilio describes them."""

from __future__ import annotations

import copy
import itertools
import json

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.support.twilio_clients import rest_client
from webchat.flex.studio_flow import build_definition
from webchat.sandbox import account

DEFINITION = build_definition(account.WORKFLOW_SID, account.TASK_CHANNELS["chat"], "a test")
ADDRESSES = "/v1/Configuration/Addresses"


def refusal(call):
    with pytest.raises(TwilioRestException) as raised:
        call()
    return raised.value.status, raised.value.code


def answer(sandbox, method, path, form=None, user=account.ACCOUNT_SID, password=account.AUTH_TOKEN):
    found = sandbox.request(method, path, data=form, auth=(user, password))
    return found.status_code, found.json() if found.content else None


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"Address": "x"}, 400, 20001),
        ({"Type": "chat"}, 400, 20001),
        ({"Type": "pigeon", "Address": "x"}, 400, 20001),
        ({"Type": "chat", "Address": "sandbox"}, 409, 20409),
        ({"Type": "chat", "Address": "x", "AutoCreation.Type": "studio"}, 400, 20001),
        ({"Type": "chat", "Address": "x", "AutoCreation.Type": "webhook"}, 400, 20001),
        ({"Type": "chat", "Address": "x", "AutoCreation.Type": "pigeon"}, 400, 20001),
        ({"Type": "chat", "Address": "x", "AutoCreation.ConversationServiceSid": "IS" + "9" * 32}, 400, 20001),
    ],
)
def test_an_address_is_refused(sandbox, form, status, code):
    found, body = answer(sandbox, "POST", ADDRESSES, form)
    assert (found, body["code"], body["status"]) == (status, code, status)
    assert len(sandbox.rest("GET", ADDRESSES)["address_configurations"]) == 1


def test_an_address_lives_by_its_sid_and_its_text(twilio, sandbox):
    addresses = twilio.conversations.v1.address_configurations
    made = addresses.create(type="chat", address="by-text")
    assert made.auto_creation["enabled"] is False
    assert [one.sid for one in addresses.list(type="chat", page_size=1)] == [account.ADDRESS_SID, made.sid]
    assert addresses.list(type="sms") == []
    retries = {"auto_creation_type": "studio", "auto_creation_studio_flow_sid": account.STUDIO_FLOW_SID}
    assert refusal(lambda: made.update(**retries, auto_creation_studio_retry_count=4)) == (400, 20001)
    changed = twilio.conversations.v1.address_configurations("by-text").update(**retries, auto_creation_enabled=True)
    assert changed.auto_creation == {
        "enabled": True,
        "type": "studio",
        "conversation_service_sid": None,
        "studio_flow_sid": account.STUDIO_FLOW_SID,
        "studio_retry_count": 0,
    }
    assert made.delete()
    assert refusal(made.fetch) == (404, 20404)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"ChatServiceSid": account.CHAT_SERVICE_SID, "ChannelType": "web"}, 20001),
        ({"FriendlyName": "x", "ChannelType": "web"}, 20001),
        ({"FriendlyName": "x", "ChatServiceSid": account.CHAT_SERVICE_SID}, 20001),
        ({"FriendlyName": "x", "ChatServiceSid": "IS" + "9" * 32, "ChannelType": "web"}, 20001),
        ({"FriendlyName": "x", "ChatServiceSid": account.CHAT_SERVICE_SID, "ChannelType": "pigeon"}, 20001),
    ],
)
def test_a_flex_flow_is_refused(sandbox, form, code):
    found, body = answer(sandbox, "POST", "/v1/FlexFlows", form)
    assert (found, body["code"]) == (400, code)
    assert len(sandbox.rest("GET", "/v1/FlexFlows")["flex_flows"]) == 1


def test_flex_flows_are_listed_read_and_open_chats_of_their_own(twilio, sandbox):
    flows = twilio.flex_api.v1.flex_flow
    made = flows.create(friendly_name="Shop", chat_service_sid=account.CHAT_SERVICE_SID, channel_type="web")
    assert [one.sid for one in flows.list(page_size=1)] == [account.FLEX_FLOW_SID, made.sid]
    assert [one.sid for one in flows.list(friendly_name="Shop")] == [made.sid]
    fetched = twilio.flex_api.v1.flex_flow(made.sid).fetch()
    assert (fetched.friendly_name, fetched.channel_type, fetched.chat_service_sid) == (
        "Shop",
        "web",
        account.CHAT_SERVICE_SID,
    )
    names = {"identity": "by-flow", "customer_friendly_name": "Eve", "chat_friendly_name": "Chat"}
    channel = twilio.flex_api.v1.web_channel.create(flex_flow_sid=made.sid, **names)
    assert channel.flex_flow_sid == made.sid
    sandbox.become("empty")
    assert flows.list() == []
    assert refusal(fetched.fetch) == (404, 20404)


def test_no_webchat_comes_by_an_address_that_makes_no_conversation(twilio, sandbox):
    create = twilio.flex_api.v2.web_channels.create
    addresses = twilio.conversations.v1.address_configurations
    switched_off = addresses.create(type="chat", address="off").sid
    of_texts = addresses.create(type="sms", address="+15005550006").sid
    assert refusal(lambda: create(address_sid=switched_off)) == (400, 45761)
    assert refusal(lambda: create(address_sid=of_texts)) == (400, 45760)
    sandbox.become("no_flex")
    assert refusal(lambda: create(address_sid=account.ADDRESS_SID)) == (404, 45765)


def test_flex_and_conversations_are_set_up_apart(sandbox):
    flex = {"X-Twilio-Host": "flex-api.twilio.com"}
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    of_flex = sandbox.request("GET", "/v1/Configuration", headers=flex, auth=credentials).json()
    assert of_flex["taskrouter_target_workflow_sid"] == account.WORKFLOW_SID
    assert sandbox.request("POST", "/v1/Configuration", headers=flex, auth=credentials).status_code == 415
    assert sandbox.rest("GET", "/v1/Configuration")["default_chat_service_sid"] == of_flex["chat_service_instance_sid"]
    sandbox.become("no_flex")
    without = sandbox.request("GET", "/v1/Configuration", headers=flex, auth=credentials)
    assert (without.status_code, without.json()["code"]) == (404, 45101)


def test_services_are_listed_and_chosen(twilio, sandbox):
    services = twilio.conversations.v1.services.list()
    assert [one.sid for one in services] == [account.CHAT_SERVICE_SID, account.OTHER_CHAT_SERVICE_SID]
    configuration = twilio.conversations.v1.configuration()
    assert refusal(lambda: configuration.update(default_chat_service_sid="IS" + "9" * 32)) == (400, 20001)
    configuration.update(default_chat_service_sid=account.OTHER_CHAT_SERVICE_SID)
    assert configuration.fetch().default_chat_service_sid == account.OTHER_CHAT_SERVICE_SID
    assert refusal(twilio.conversations.v1.services("IS" + "9" * 32).fetch) == (404, 20404)


def test_a_workflow_and_a_channel_are_found_by_name(twilio, sandbox):
    sandbox.become("taken")
    workspace = twilio.taskrouter.v1.workspaces(account.WORKSPACE_SID)
    assert [one.sid for one in workspace.workflows.list(friendly_name="Billing")] == [account.OTHER_WORKFLOW_SID]
    assert workspace.workflows(account.WORKFLOW_SID).fetch().friendly_name == "Assign to Anyone"
    assert workspace.task_channels("chat").fetch().sid == account.TASK_CHANNELS["chat"]
    assert refusal(workspace.workflows("WW" + "9" * 32).fetch) == (404, 20404)
    assert refusal(workspace.task_channels("pigeon").fetch) == (404, 20404)


def test_a_flow_is_created_changed_and_deleted(twilio, sandbox):
    flows = twilio.studio.v2.flows
    made = flows.create(friendly_name="A", status="draft", definition=DEFINITION, commit_message="first")
    assert (made.revision, made.valid, made.date_updated, made.definition["states"]) == (
        1,
        True,
        None,
        DEFINITION["states"],
    )
    listed = {one.sid: one for one in flows.list(page_size=1)}[made.sid]
    assert (listed.friendly_name, listed.definition, listed.commit_message) == ("A", None, None)
    changed = made.update(status="published", friendly_name="B")
    assert (changed.revision, changed.status, changed.friendly_name, changed.commit_message) == (
        2,
        "published",
        "B",
        None,
    )
    assert twilio.studio.v2.flow_validate.update(friendly_name="A", status="draft", definition=DEFINITION).valid
    assert made.delete()
    assert refusal(made.fetch) == (404, 20404)


@pytest.mark.parametrize("missing", ["FriendlyName", "Status", "Definition"])
@pytest.mark.parametrize("path", ["/v2/Flows", "/v2/Flows/Validate"])
def test_a_flow_needs_its_parameters(sandbox, path, missing):
    form = {"FriendlyName": "A", "Status": "draft", "Definition": json.dumps(DEFINITION)}
    del form[missing]
    status, body = answer(sandbox, "POST", path, form)
    assert (status, body["code"]) == (400, 20001)


def broken(change):
    definition = copy.deepcopy(DEFINITION)
    change(definition)
    return definition


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda one: one.update(initial_state="SendToFlex"), "#/initial_state"),
        (lambda one: one["states"][0].update(type="pigeon"), "#/states/0/type"),
        (lambda one: one["states"][1].update(name="Trigger"), "#/states"),
        (lambda one: one["states"][0]["transitions"][2].update(next="Nowhere"), "#/states/0/transitions/2/next"),
        (lambda one: one["states"][1]["properties"].update(workflow="{{x}}"), "#/states/1/properties/workflow"),
        (lambda one: one["states"][1]["properties"].update(channel=None), "#/states/1/properties/channel"),
        (lambda one: one["states"][1]["properties"].update(timeout=3600), "#/states/1/properties/timeout"),
        (lambda one: one["states"][1].update(type="make-http-request"), "#/states/1/properties/url"),
        (lambda one: one["states"][1].update(type="set-variables", properties={"variables": [{}]}), "#/states/1/properties/variables"),
        (lambda one: one.update(states=[]), "#/initial_state"),
        (lambda one: one.update(states=None), "#/"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_a_wrong_definition_is_refused_with_the_place(sandbox, change, path):
    form = {"FriendlyName": "A", "Status": "draft", "Definition": json.dumps(broken(change))}
    for where in ("/v2/Flows", "/v2/Flows/Validate"):
        status, body = answer(sandbox, "POST", where, form)
        assert (status, body["code"]) == (400, 81022)
        assert path in {error["property_path"] for error in body["details"]["errors"]}
    assert len(sandbox.rest("GET", "/v2/Flows")["flows"]) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"states": {}}'])
def test_what_is_no_definition_is_refused(sandbox, text):
    status, body = answer(sandbox, "POST", "/v2/Flows", {"FriendlyName": "A", "Status": "draft", "Definition": text})
    assert (status, body["code"]) == (400, 81022 if text else 20001)


def test_only_the_auth_token_makes_keys(twilio, sandbox):
    made = twilio.new_keys.create(friendly_name="site")
    assert made.secret
    assert [(one.sid, one.friendly_name) for one in twilio.keys.list()] == [(made.sid, "site")]
    assert refusal(lambda: twilio.new_keys.create(friendly_name="x" * 65)) == (400, 70001)
    by_key = rest_client(sandbox, account.API_KEY_SID, account.API_KEY_SECRET)
    assert refusal(lambda: by_key.new_keys.create(friendly_name="site")) == (401, 20003)
    keys = f"/2010-04-01/Accounts/{account.ACCOUNT_SID}/Keys.json"
    assert answer(sandbox, "GET", keys, None, account.API_KEY_SID, account.API_KEY_SECRET)[0] == 401
    assert "secret" not in sandbox.rest("GET", keys)["keys"][0]


def test_a_key_that_may_not_write_may_read(sandbox):
    key = (account.READ_ONLY_KEY_SID, account.READ_ONLY_KEY_SECRET)
    assert answer(sandbox, "GET", ADDRESSES, None, *key)[0] == 200
    assert answer(sandbox, "POST", ADDRESSES, {"Type": "chat", "Address": "x"}, *key)[0] == 403
    assert answer(sandbox, "POST", "/v2/WebChats", {"AddressSid": account.ADDRESS_SID}, *key)[0] == 403


def test_the_account_becomes_one_of_its_kinds_alone(sandbox):
    assert sandbox.request("POST", "/account", json={"kind": "pigeon"}).status_code == 400
    assert sandbox.request("POST", "/account", json={}).status_code == 400
    sandbox.become("empty")
    assert sandbox.rest("GET", ADDRESSES)["address_configurations"] == []
