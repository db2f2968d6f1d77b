"""The older SDK's way through Twilsock: a session, its commands, and what it reads.

tests/e2e/test_flex_ui.py has that SDK itself at it.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import Browser, access_token, run
from webchat.sandbox import account

SESSION = {"purpose": "com.twilio.rtd.ipmsg", "context": {"type": "IpMsgSession", "apiVersion": "3"}}


class ChatBrowser(Browser):
    async def open(self, identity: str) -> dict[str, Any]:
        """The session's context."""
        await self.init(access_token(identity))
        status, self.session = await self.request("POST", "/v3/Lists", SESSION)
        assert status == 201
        self.commands = itertools.count()
        assert (await self.get(f"/v3/Lists/{self.session['sid']}/Context"))["data"] == SESSION["context"]
        wanted = {
            "object_sid": self.session["sid"],
            "object_type": "list",
            "last_event_id": self.session["last_event_id"],
        }
        body = {"event_protocol_version": 3, "action": "establish", "correlation_id": 1, "requests": [wanted]}
        assert (await self.request("POST", "/v4/Subscriptions", body))[0] == 202
        event = await self.one_event("list_context_updated")
        assert event["id"] > self.session["last_event_id"]
        return dict(event["context_data"])

    async def one_event(self, event_type: str) -> dict[str, Any]:
        """By protocol version 3 each notification has one event."""
        _, payload = await self.frame(
            lambda header, payload: header["method"] == "notification" and payload["event_type"] == event_type
        )
        assert "events" not in payload
        return dict(payload["event"])

    async def command(self, **request: Any) -> dict[str, Any]:
        """The server's response to a command."""
        command = {"request": request, "commandId": str(next(self.commands))}
        status, item = await self.request("POST", f"/v3/Lists/{self.session['sid']}/Items", {"data": command})
        assert status == 201
        _, payload = await self.frame(
            lambda header, payload: (
                header["method"] == "notification"
                and payload["event_type"] == "list_item_updated"
                and payload["event"]["item_index"] == item["index"]
            )
        )
        assert payload["event"]["item_data"]["commandId"] == command["commandId"]
        return dict(payload["event"]["item_data"]["response"])


def open_channel(sandbox: SandboxServer, identity: str) -> str:
    names = {"CustomerFriendlyName": "Ada", "ChatFriendlyName": "Chat"}
    answer = sandbox.rest("POST", "/v1/WebChannels", FlexFlowSid=account.FLEX_FLOW_SID, Identity=identity, **names)
    return str(answer["sid"])


def test_a_session_says_where_everything_is(sandbox: SandboxServer) -> None:
    channel = open_channel(sandbox, "older")

    async def scenario() -> None:
        async with ChatBrowser.to(sandbox) as browser:
            context = await browser.open("older")
            assert context["identity"] == "older"
            [item] = (await browser.get(f"/v3/Maps/{context['myChannels']}/Items"))["items"]
            assert (item["key"], item["data"]["status"]) == (channel, "joined")
            listed = await browser.get(context["links"]["syncListUrl"])
            assert [each["channel_sid"] for each in listed["channels"]] == [channel]
            document = await browser.get(f"/v3/Documents/{item['data']['channel']}")
            assert document["data"]["attributes"]["status"] == "ACTIVE"
            sandbox.rest("POST", f"/v1/WebChannels/{channel}", ChatStatus="inactive")
            document = await browser.get(f"/v3/Documents/{item['data']['channel']}")
            assert document["data"]["attributes"]["status"] == "INACTIVE"

    run(scenario())


def test_commands_are_answered_in_their_items(sandbox: SandboxServer) -> None:
    channel = open_channel(sandbox, "commander")

    async def scenario() -> None:
        async with ChatBrowser.to(sandbox) as browser:
            context = await browser.open("commander")
            said = await browser.command(action="sendMessage", channelSid=channel, text="Hello", attributes="{}")
            assert (said["status"], said["messageId"]) == (200, 0)
            read = await browser.command(
                action="consumptionReportV2", report=[{"channelSid": channel, "messageIdx": 0}]
            )
            assert read["report"] == [{"channelSid": channel, "unreadMessagesCount": 0}]
            named = await browser.command(action="editUserFriendlyName", username="commander", friendlyName="Grace")
            assert named["status"] == 200
            users = await browser.get(context["links"]["usersUrl"], ChannelSid=channel)
            assert [each["friendly_name"] for each in users["users"]] == ["Grace"]
            status, _ = await browser.request("POST", "/v1/typing", {"ChannelSid": channel})
            assert status == 200

    run(scenario())
    [message] = sandbox.messages(channel)
    assert (message["author"], message["body"]) == ("commander", "Hello")
    assert channel in {each["sid"] for each in sandbox.desk()["conversations"]}  # Studio has heard of it


def test_nobody_acts_for_anybody_else(sandbox: SandboxServer) -> None:
    channel = open_channel(sandbox, "victim")

    async def scenario() -> None:
        async with ChatBrowser.to(sandbox) as victim, ChatBrowser.to(sandbox) as browser:
            await victim.open("victim")
            await browser.open("mallory")
            foreign = victim.session["sid"]
            assert (await browser.request("GET", f"/v3/Lists/{foreign}/Context"))[0] == 404
            assert (await browser.request("POST", f"/v3/Lists/{foreign}/Items", {"data": {}}))[0] == 404
            for request in (
                {"action": "sendMessage", "channelSid": channel, "text": "Hi"},
                {"action": "consumptionReportV2", "report": [{"channelSid": channel, "messageIdx": 0}]},
                {"action": "editUserFriendlyName", "username": "victim", "friendlyName": "x"},
            ):
                assert (await browser.command(**request))["status"] in (403, 404), request
            assert (await browser.request("GET", "/Client/v1/Users", params={"ChannelSid": channel}))[0] in (403, 404)
            assert (await browser.request("GET", "/Client/v1/Users/victim"))[0] == 404
            assert (await browser.get("/Client/v1/Users/me/Channels"))["channels"] == []

    run(scenario())
    assert sandbox.messages(channel) == []


def test_what_it_does_not_know_is_refused(sandbox: SandboxServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    channel = open_channel(sandbox, "odd")
    requests: list[dict[str, Any]] = [
        {"action": "destroyChannel", "channelSid": channel},
        {"action": ["sendMessage"]},
        {"action": "sendMessage"},
        {"action": "sendMessage", "channelSid": channel, "text": {}},
        {"action": "sendMessage", "channelSid": channel, "text": "x", "attributes": "{"},
        {"action": "consumptionReportV2", "report": ["x"]},
        {"action": "consumptionReportV2", "report": [{"channelSid": channel, "messageIdx": "x"}]},
    ]

    async def scenario() -> None:
        async with ChatBrowser.to(sandbox) as browser:
            await browser.open("odd")
            for request in requests:
                assert (await browser.command(**request))["status"] >= 400, request
            for body in ({}, {"data": 1}, {"data": {"request": []}}, {"purpose": "x"}):
                for path in ("/v3/Lists", f"/v3/Lists/{browser.session['sid']}/Items"):
                    assert (await browser.request("POST", path, body))[0] < 500
            for _ in range(50):
                await browser.command(action="consumptionReportV2", report=[])
            items = await browser.get(f"/v3/Lists/{browser.session['sid']}/Items", PageSize="100")
            assert len(items["items"]) == 20

    run(scenario())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
