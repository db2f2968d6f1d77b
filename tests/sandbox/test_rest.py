"""The real twilio-python against the sandbox's REST API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import rest_client
from webchat.sandbox import account


def refused(status: int, code: int) -> Any:
    """Expects Twilio's error of that HTTP status and code."""

    def matches(error: TwilioRestException) -> bool:
        return (error.status, error.code) == (status, code)

    return pytest.raises(TwilioRestException, check=matches)


# v2 WebChats


def test_web_chat_is_a_conversation_with_its_guest(twilio: Client) -> None:
    made = twilio.flex_api.v2.web_channels.create_with_http_info(
        address_sid=account.ADDRESS_SID,
        chat_friendly_name="Support",
        customer_friendly_name="Ada Lovelace",
        pre_engagement_data='{"question": "Où est-il?"}',
        identity="ada-1",
        ui_version="1.0",
    )
    assert made.status_code == 201
    assert made.data.identity == "ada-1"
    conversation = twilio.conversations.v1.conversations(made.data.conversation_sid).fetch()
    assert conversation.friendly_name == "Support"
    assert conversation.state == "active"
    assert conversation.chat_service_sid == account.CHAT_SERVICE_SID
    assert json.loads(conversation.attributes) == {"pre_engagement_data": {"question": "Où est-il?"}}
    assert abs((datetime.now(UTC) - conversation.date_created).total_seconds()) < 60
    (participant,) = conversation.participants.list()
    assert participant.identity == "ada-1"
    assert twilio.conversations.v1.users("ada-1").fetch().friendly_name == "Ada Lovelace"


def test_web_chat_answer_has_exactly_two_fields(sandbox: SandboxServer) -> None:
    answer = sandbox.rest("POST", "/v2/WebChats", AddressSid=account.ADDRESS_SID)
    assert answer.keys() == {"conversation_sid", "identity"}
    assert len(answer["identity"]) == 32
    assert sandbox.conversations()[0]["attributes"] == '{"pre_engagement_data": {}}'


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"address_sid": "IG" + "1" * 32}, 404, 45765),
        ({"address_sid": account.CHAT_SERVICE_SID}, 400, 45745),
        ({"address_sid": ""}, 400, 20001),
        ({"pre_engagement_data": "{"}, 400, 45733),
        ({"pre_engagement_data": "NaN"}, 400, 45733),
        ({"pre_engagement_data": "[" * 50_000}, 400, 45731),
        ({"pre_engagement_data": "[" * 15_000}, 400, 45733),
        ({"pre_engagement_data": json.dumps("x" * 16_400)}, 400, 45731),
        ({"identity": "i" * 257}, 400, 20001),
        ({"customer_friendly_name": "n" * 257}, 400, 20001),
        ({"chat_friendly_name": "n" * 257}, 400, 20001),
    ],
)
def test_web_chat_refused(
    twilio: Client, sandbox: SandboxServer, parameters: dict[str, str], status: int, code: int
) -> None:
    before = len(sandbox.conversations(PageSize=1000))
    with refused(status, code):
        twilio.flex_api.v2.web_channels.create(**{"address_sid": account.ADDRESS_SID, **parameters})
    assert len(sandbox.conversations(PageSize=1000)) == before


def test_pre_engagement_data_just_below_the_limit(twilio: Client) -> None:
    data = json.dumps({"q": "ß" * 8000}, ensure_ascii=False)
    made = twilio.flex_api.v2.web_channels.create(address_sid=account.ADDRESS_SID, pre_engagement_data=data)
    attributes = twilio.conversations.v1.conversations(made.conversation_sid).fetch().attributes
    assert json.loads(attributes)["pre_engagement_data"]["q"] == "ß" * 8000


def test_returning_guest_keeps_the_user(twilio: Client) -> None:
    create = twilio.flex_api.v2.web_channels.create
    create(address_sid=account.ADDRESS_SID, identity="returning", customer_friendly_name="Ana")
    user = twilio.conversations.v1.users("returning").fetch()
    create(address_sid=account.ADDRESS_SID, identity="returning", customer_friendly_name="Ana M.")
    again = twilio.conversations.v1.users("returning").fetch()
    assert (again.sid, again.friendly_name) == (user.sid, "Ana M.")
    assert len(twilio.conversations.v1.participant_conversations.list(identity="returning")) == 2


# v1 WebChannels


def web_channel(twilio: Client, **parameters: str) -> Any:
    return twilio.flex_api.v1.web_channel.create(
        **{
            "flex_flow_sid": account.FLEX_FLOW_SID,
            "identity": "legacy",
            "customer_friendly_name": "Ada",
            "chat_friendly_name": "Legacy chat",
            **parameters,
        }
    )


def test_web_channel_lives_and_ends(twilio: Client, sandbox: SandboxServer) -> None:
    channel = web_channel(twilio, chat_unique_name="order-7", pre_engagement_data='{"q": 1}')
    assert channel.flex_flow_sid == account.FLEX_FLOW_SID
    raw = sandbox.rest("GET", f"/v1/WebChannels/{channel.sid}")
    assert raw.keys() == {"account_sid", "flex_flow_sid", "sid", "url", "date_created", "date_updated"}
    assert channel.sid in {one.sid for one in twilio.flex_api.v1.web_channel.list()}
    conversation = twilio.conversations.v1.conversations("order-7").fetch()
    assert conversation.sid == channel.sid
    assert json.loads(conversation.attributes) == {"pre_engagement_data": {"q": 1}, "status": "ACTIVE"}

    end = {"chat_status": "inactive", "post_engagement_data": '{"stars": 5}'}
    twilio.flex_api.v1.web_channel(channel.sid).update(**end)
    conversation = conversation.fetch()
    assert conversation.state == "closed"
    assert json.loads(conversation.attributes) == {
        "pre_engagement_data": {"q": 1},
        "status": "INACTIVE",
        "post_engagement_data": {"stars": 5},
    }
    twilio.flex_api.v1.web_channel(channel.sid).update(**end)  # twice is no error
    assert twilio.flex_api.v1.web_channel(channel.sid).delete()
    with refused(404, 45204):
        twilio.flex_api.v1.web_channel(channel.sid).fetch()
    with refused(404, 50350):
        conversation.fetch()


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"flex_flow_sid": "FO" + "1" * 32}, 404, 45205),
        ({"identity": ""}, 400, 20001),
        ({"customer_friendly_name": ""}, 400, 20001),
        ({"pre_engagement_data": "no JSON"}, 400, 45733),
    ],
)
def test_web_channel_refused(twilio: Client, parameters: dict[str, str], status: int, code: int) -> None:
    with refused(status, code):
        web_channel(twilio, **parameters)


def test_unique_name_of_a_channel_is_unique(twilio: Client) -> None:
    channel = web_channel(twilio, chat_unique_name="only-one")
    with refused(409, 45208):
        web_channel(twilio, chat_unique_name="only-one")
    assert twilio.flex_api.v1.web_channel(channel.sid).delete()
    assert web_channel(twilio, chat_unique_name="only-one").sid != channel.sid


def test_unique_name_is_free_again_once_the_channel_is_inactive(twilio: Client) -> None:
    channel = web_channel(twilio, chat_unique_name="again")
    twilio.flex_api.v1.web_channel(channel.sid).update(chat_status="inactive")
    assert web_channel(twilio, chat_unique_name="again").sid != channel.sid


# Conversations


def test_conversation_lives(twilio: Client) -> None:
    conversations = twilio.conversations.v1.conversations
    made = conversations.create(friendly_name="Plain", unique_name="plain-1", attributes='{"a": 1}')
    assert conversations("plain-1").fetch().sid == made.sid
    with refused(409, 50353):
        conversations.create(unique_name="plain-1")
    changed = conversations(made.sid).update(friendly_name="Other", timers_inactive="PT5M", state="inactive")
    assert (changed.friendly_name, changed.state, changed.timers) == ("Other", "inactive", {"inactive": "PT5M"})
    assert conversations(made.sid).messages.create(author="x", body="wakes it up")
    assert conversations(made.sid).fetch().state == "active"
    assert conversations(made.sid).update(state="closed").state == "closed"
    for change in ({"state": "active"}, {"friendly_name": "No more"}, {"attributes": "{}"}):
        with refused(403, 50438):
            conversations(made.sid).update(**change)
    with refused(403, 50438):
        conversations(made.sid).messages.create(body="too late")
    with refused(403, 50438):
        conversations(made.sid).participants.create(identity="too late")
    assert conversations(made.sid).update(state="closed").state == "closed"
    assert conversations(made.sid).delete()
    with refused(404, 50350):
        conversations(made.sid).fetch()


def test_conversations_are_listed_by_state(twilio: Client) -> None:
    active = twilio.conversations.v1.conversations.create(friendly_name="open")
    closed = twilio.conversations.v1.conversations.create(friendly_name="shut")
    closed.update(state="closed")
    listed = {one.sid for one in twilio.conversations.v1.conversations.list(state="active")}
    assert active.sid in listed
    assert closed.sid not in listed
    today, tomorrow = datetime.now(UTC).date().isoformat(), "2999-01-01"
    assert active.sid in {one.sid for one in twilio.conversations.v1.conversations.list(start_date=today)}
    assert twilio.conversations.v1.conversations.list(start_date=tomorrow) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_messages_in_pages(twilio: Client, order: str) -> None:
    conversation = twilio.conversations.v1.conversations.create()
    for number in range(7):
        conversation.messages.create(author="anybody", body=str(number))
    bodies = [message.body for message in conversation.messages.list(order=order, page_size=3)]
    assert bodies == sorted("0123456", reverse=order == "desc")
    page = conversation.messages.page(order=order, page_size=3)
    assert page.previous_page_url is None
    second = page.next_page()
    assert second is not None
    assert second.previous_page_url is not None
    third = second.next_page()
    assert third is not None
    assert third.next_page_url is None


def test_message_lives(twilio: Client) -> None:
    conversation = twilio.conversations.v1.conversations.create()
    made = conversation.messages.create(body="from the system", attributes='{"k": 1}')
    assert (made.index, made.author, made.participant_sid, made.media) == (0, "system", None, None)
    assert conversation.messages(made.sid).update(body="changed").body == "changed"
    assert conversation.messages(made.sid).fetch().attributes == '{"k": 1}'
    assert conversation.messages(made.sid).delete()
    with refused(404, 50351):
        conversation.messages(made.sid).fetch()
    assert conversation.messages.create(body="next").index == 1


def test_participant_lives(twilio: Client) -> None:
    conversation = twilio.conversations.v1.conversations.create()
    made = conversation.participants.create(identity="robin@example.com", attributes='{"x": 1}')
    assert conversation.participants("robin@example.com").fetch().sid == made.sid
    with refused(409, 50433):
        conversation.participants.create(identity="robin@example.com")
    conversation.messages.create(author="robin@example.com", body="hi")
    assert conversation.messages.list()[0].participant_sid == made.sid
    read = conversation.participants(made.sid).update(last_read_message_index=0, attributes="{}")
    assert (read.last_read_message_index, read.attributes) == (0, "{}")
    (found,) = twilio.conversations.v1.participant_conversations.list(identity="robin@example.com")
    assert (found.conversation_sid, found.conversation_state) == (conversation.sid, "active")
    assert conversation.participants(made.sid).delete()
    with refused(404, 50432):
        conversation.participants(made.sid).fetch()
    assert twilio.conversations.v1.participant_conversations.list(identity="robin@example.com") == []


def test_same_resources_under_the_service(twilio: Client) -> None:
    service = twilio.conversations.v1.services(account.CHAT_SERVICE_SID)
    made = service.conversations.create(friendly_name="By service")
    assert made.url.endswith(f"/v1/Services/{account.CHAT_SERVICE_SID}/Conversations/{made.sid}")
    assert twilio.conversations.v1.conversations(made.sid).fetch().friendly_name == "By service"
    assert service.fetch().friendly_name == "Flex Chat Service"
    with refused(404, 20404):
        twilio.conversations.v1.services("IS" + "1" * 32).fetch()
    with refused(404, 20404):
        twilio.conversations.v1.services("IS" + "1" * 32).conversations.create()


def test_fixed_configuration(twilio: Client) -> None:
    address = twilio.conversations.v1.address_configurations(account.ADDRESS_SID).fetch()
    assert (address.type, address.auto_creation["type"]) == ("chat", "studio")
    assert [one.sid for one in twilio.conversations.v1.address_configurations.list()] == [account.ADDRESS_SID]
    assert twilio.conversations.v1.address_configurations.list(type="sms") == []
    flow = twilio.flex_api.v1.flex_flow(account.FLEX_FLOW_SID).fetch()
    assert (flow.channel_type, flow.enabled) == ("web", True)
    assert twilio.conversations.v1.configuration().fetch().default_chat_service_sid == account.CHAT_SERVICE_SID
    assert twilio.api.v2010.accounts(account.ACCOUNT_SID).fetch().status == "active"


def test_user_and_message_by_their_sids(twilio: Client) -> None:
    conversation = twilio.conversations.v1.conversations.create(attributes='{"a": 1}')
    conversation.participants.create(identity="by-sid")
    user = twilio.conversations.v1.users("by-sid").update(friendly_name="Named", attributes='{"x": 2}')
    assert twilio.conversations.v1.users(user.sid).fetch().friendly_name == "Named"
    assert (user.attributes, user.is_online) == ('{"x": 2}', False)
    with refused(404, 20404):
        twilio.conversations.v1.users("nobody").fetch()
    with pytest.raises(TwilioRestException, check=lambda error: error.status == 400):
        twilio.conversations.v1.users("by-sid").update(attributes="{")


def test_unknown_query_values(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("query")
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    for path in (f"/v1/Conversations/{sid}/Messages?Order=random", "/v1/ParticipantConversations"):
        assert sandbox.request("GET", path, auth=credentials).status_code == 400
    path = f"/v1/Conversations/{sid}/Participants/query"
    form = {"LastReadMessageIndex": "many"}
    assert sandbox.request("POST", path, data=form, auth=credentials).status_code == 400
    form = {"ChatStatus": "active"}
    sid = sandbox.rest(
        "POST",
        "/v1/WebChannels",
        FlexFlowSid=account.FLEX_FLOW_SID,
        Identity="query",
        CustomerFriendlyName="Ada",
        ChatFriendlyName="Chat",
    )["sid"]
    assert sandbox.request("POST", f"/v1/WebChannels/{sid}", data=form, auth=credentials).status_code == 400


def test_percent_encoded_identity(sandbox: SandboxServer) -> None:
    identity = "a/b c?ü%"
    sid = sandbox.rest("POST", "/v1/Conversations")["sid"]
    sandbox.rest("POST", f"/v1/Conversations/{sid}/Participants", Identity=identity)
    assert sandbox.rest("GET", f"/v1/Users/{quote(identity, safe='')}")["identity"] == identity


# Credentials and routes


def test_api_key_works_too(sandbox: SandboxServer) -> None:
    client = rest_client(sandbox, account.API_KEY_SID, account.API_KEY_SECRET)
    assert client.conversations.v1.conversations.create().sid


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (account.ACCOUNT_SID, "wrong"),
        ("AC" + "1" * 32, account.AUTH_TOKEN),
        (account.API_KEY_SID, account.AUTH_TOKEN),
        (account.ACCOUNT_SID, account.API_KEY_SECRET),
    ],
)
def test_wrong_credentials(sandbox: SandboxServer, user: str, password: str) -> None:
    with refused(401, 20003):
        rest_client(sandbox, user, password).conversations.v1.configuration().fetch()


@pytest.mark.parametrize("header", ["Basic !!!", "Basic", "Bearer x", "Basic " + "QQ=="])
def test_malformed_credentials(sandbox: SandboxServer, header: str) -> None:
    answer = sandbox.request("GET", "/v1/Conversations", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


def test_unknown_routes_and_methods(sandbox: SandboxServer) -> None:
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    for path in ("/v1/Nothing", "/v2/WebChats/CH1", "/v1/FlexFlows/FO1", "/v1/Configuration/Addresses/IG1"):
        answer = sandbox.request("GET", path, auth=credentials)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)
        assert answer.json()["more_info"] == "https://www.twilio.com/docs/errors/20404"
    answer = sandbox.request("PUT", "/v1/Conversations", auth=credentials)
    assert (answer.status_code, answer.json()["code"]) == (405, 20004)
    assert sandbox.request("GET", "/v1/Nothing").status_code == 401


@pytest.mark.parametrize("query", ["PageSize=0", "PageSize=x", "Page=-1", "PageSize=1001", "State=open"])
def test_wrong_query(sandbox: SandboxServer, query: str) -> None:
    answer = sandbox.request("GET", f"/v1/Conversations?{query}", auth=(account.ACCOUNT_SID, account.AUTH_TOKEN))
    assert answer.status_code == 400


# Limits


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"body": "ä" * 16_385}, 20001),
        ({"attributes": json.dumps("x" * 4100)}, 50303),
        ({"attributes": "{"}, 20001),
        ({"author": "a" * 257}, 20001),
        ({"subject": "s" * 257}, 20001),
        ({"media_sid": "ME" + "0" * 32}, 20001),
    ],
)
def test_message_limits(twilio: Client, parameters: dict[str, str], code: int) -> None:
    conversation = twilio.conversations.v1.conversations.create()
    with refused(400, code):
        conversation.messages.create(**parameters)
    assert conversation.messages.list() == []


def test_body_of_exactly_32_kb(twilio: Client) -> None:
    conversation = twilio.conversations.v1.conversations.create()
    assert conversation.messages.create(body="ä" * 16_384).index == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"friendly_name": "n" * 257},
        {"unique_name": "n" * 257},
        {"attributes": json.dumps("x" * 17_000)},
        {"attributes": "nonsense"},
        {"state": "asleep"},
        {"timers_inactive": "PT5M"},
        {"timers_inactive": "five minutes", "state": "active"},
    ],
)
def test_conversation_limits(twilio: Client, parameters: dict[str, str]) -> None:
    before = len(twilio.conversations.v1.conversations.list())
    with pytest.raises(TwilioRestException, check=lambda error: error.status == 400):
        twilio.conversations.v1.conversations.create(**parameters)
    assert len(twilio.conversations.v1.conversations.list()) == before


def test_participant_limits(twilio: Client) -> None:
    conversation = twilio.conversations.v1.conversations.create()
    for parameters in ({"identity": "i" * 257}, {"identity": "i", "attributes": json.dumps("x" * 4100)}):
        with pytest.raises(TwilioRestException, check=lambda error: error.status == 400):
            conversation.participants.create(**parameters)
    assert conversation.participants.list() == []


def test_huge_request_is_refused(sandbox: SandboxServer) -> None:
    answer = sandbox.request(
        "POST", "/v2/WebChats", data={"x": "y" * 1_100_000}, auth=(account.ACCOUNT_SID, account.AUTH_TOKEN)
    )
    assert (answer.status_code, answer.json()["code"]) == (413, 20413)
