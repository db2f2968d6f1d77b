"""Twilsock frame by frame: what the SDK relies on, and what it never sends."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import jwt
import pytest

from tests.support.sandbox import SandboxServer
from tests.support.stopwatch import at_most
from tests.support.twilio_clients import Browser, access_token, run
from tests.support.waiting import until
from webchat.sandbox import account, limits, twilsock
from webchat.sandbox.frames import encode

CONFIGURATION = "/Client/v2/Configuration"


async def sync_objects(browser: Browser, sid: str) -> dict[str, str]:
    return dict((await browser.get(f"/Client/v2/Conversations/{sid}"))["sync_objects"])


# Tokens


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, 20101),
        ("garbage", 20101),
        ("a.b.c", 20101),
        (42, 20101),
        (access_token(secret="w" * 32), 20101),
        (access_token(service="IS" + "1" * 32), 20101),
        (access_token(account_sid="AC" + "1" * 32), 20101),
        (access_token(key="SK" + "1" * 32), 20101),
        (access_token(""), 20101),
        (access_token(None), 20101),
        (access_token("i" * 257), 20101),
        (access_token(valid_until=int(time.time()) - 1), 20104),
        (access_token(ttl=86_400 + 3_600), 20104),
    ],
)
def test_refused_token(sandbox: SandboxServer, token: Any, code: int) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            status = await browser.init(token)
            assert (status["code"], status["errorCode"]) == (401, code)
            header, _ = await browser.reply(await browser.send({"method": "message", "http_request": {}}))
            assert header["status"]["code"] == 401
            assert (await browser.update(access_token()))["code"] == 401

    run(scenario())


def test_unsigned_token_is_refused(sandbox: SandboxServer) -> None:
    claims = {
        "iss": account.API_KEY_SID,
        "sub": account.ACCOUNT_SID,
        "exp": time.time() + 600,
        "grants": {"identity": "guest", "chat": {"service_sid": account.CHAT_SERVICE_SID}},
    }
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"cty": "twilio-fpa;v=1"})
    other_kind = jwt.encode(claims, account.API_KEY_SECRET, algorithm="HS256")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            assert (await browser.init(unsigned))["errorCode"] == 20101
            assert (await browser.init(other_kind))["errorCode"] == 20101

    run(scenario())


def test_update_keeps_the_identity(sandbox: SandboxServer) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            assert (await browser.init(access_token("ada")))["code"] == 200
            assert (await browser.update(access_token("ada", ttl=7200)))["code"] == 200
            assert (await browser.update(access_token("bob")))["errorCode"] == 51215
            assert (await browser.update("garbage"))["errorCode"] == 20101
            assert (await browser.get(CONFIGURATION))["identity"] == "ada"
            assert (await browser.init(access_token("bob")))["code"] == 400

    run(scenario())


def test_expiry_is_announced_then_ends_the_connection(sandbox: SandboxServer) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            started = time.time()
            await browser.init(access_token(valid_until=int(started) + 2))
            header, _ = await browser.frame(lambda header, _: header["method"] == "client_update")
            assert header["client_update_type"] == "token_about_to_expire"
            assert 0.4 < time.time() - started < 1.5
            header, _ = await browser.frame(lambda header, _: header["method"] == "close")
            assert header["status"] == {"code": 410, "status": "TOKEN_EXPIRED", "errorCode": 51207}
            assert time.time() == pytest.approx(int(started) + 2, abs=0.5)

    run(scenario())


def test_renewal_moves_the_expiry(sandbox: SandboxServer) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token(valid_until=int(time.time()) + 2))
            await browser.update(access_token(ttl=3600))
            end = time.time() + 3
            while time.time() < end:
                assert (await browser.get(CONFIGURATION))["identity"] == "guest"
            assert "client_update" not in {header["method"] for header, _ in browser.frames}

    run(scenario())


# Reading


def test_only_participants_read(sandbox: SandboxServer) -> None:
    mine, foreign = sandbox.open_webchat("reader"), sandbox.open_webchat("stranger")
    sandbox.say(foreign, "stranger", "secret")

    async def scenario() -> None:
        async with Browser.to(sandbox) as other, Browser.to(sandbox) as browser:
            await other.init(access_token("stranger"))
            await browser.init(access_token("reader"))
            names = list((await sync_objects(other, foreign)).values())
            names += [f"{foreign}.channel", f"{foreign}.roster", f"{foreign}.messages"]
            configuration = await other.get(CONFIGURATION)
            names += [*configuration["sync_objects"].values(), "stranger.info", "stranger.channels"]
            for name in names:
                for kind in ("Documents", "Maps", "Lists"):
                    assert (await browser.request("GET", f"/v3/{kind}/{name}"))[0] == 404
                    assert (await browser.request("GET", f"/v3/{kind}/{name}/Items"))[0] == 404
            for kind in ("document", "map", "list"):
                await browser.subscribe(*[(name, kind, 0) for name in names])
                for name in names:
                    event = await browser.event("subscription_failed", object_sid=name, object_type=kind)
                    assert event["error"]["status"] == 404
            for method, path in [
                ("GET", f"/Client/v2/Conversations/{foreign}"),
                ("GET", f"/Client/v2/Users/me/Conversations/{foreign}"),
                ("POST", f"/Client/v2/Users/me/Conversations/{foreign}"),
                ("POST", f"/Client/v2/Conversations/{foreign}/Messages"),
                ("DELETE", f"/Client/v2/Conversations/{foreign}/Participants/stranger"),
            ]:
                assert (await browser.request(method, path, {}))[0] == 403
            assert (await browser.request("GET", "/Client/v2/Users/stranger"))[0] == 404
            assert (await browser.request("POST", "/Client/v2/Users/stranger", {"friendly_name": "x"}))[0] == 403
            listed = await browser.get("/Client/v2/Users/me/Conversations")
            assert [one["conversation_sid"] for one in listed["conversations"]] == [mine]

    run(scenario())


def test_who_left_hears_no_more(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("leaver")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("leaver"))
            objects = await sync_objects(browser, sid)
            await browser.subscribe((objects["messages"], "list", 1), (objects["conversation"], "document", 1))
            await browser.event("subscription_established", object_sid=objects["messages"])
            status, _ = await browser.request("DELETE", f"/Client/v2/Conversations/{sid}/Participants/leaver", {})
            assert status == 200
            sandbox.say(sid, "agent", "not for you")
            assert "list_item_added" not in await browser.events()
            assert (await browser.request("GET", f"/v3/Lists/{objects['messages']}"))[0] == 404

    run(scenario())


def test_roots_and_items(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("ada@x.org", CustomerFriendlyName="Ada", PreEngagementData='{"q": 1}')
    for number in range(25):
        sandbox.say(sid, "agent", str(number))

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("ada@x.org"))
            objects = await sync_objects(browser, sid)
            document = await browser.get(f"/v3/Documents/{objects['conversation']}")
            assert document["data"]["attributes"] == {"pre_engagement_data": {"q": 1}}
            assert document["data"]["state"]["current"] == "active"
            assert document["data"]["lastMessage"]["index"] == 24
            assert (await browser.get(f"/v3/Documents/{sid}.channel"))["sid"] == document["sid"]
            info = await browser.get("/v3/Maps/ada%40x.org.info", Include="items")
            assert {item["key"]: item["data"] for item in info["items"]} == {
                "friendlyName": {"value": "Ada"},
                "attributes": {"value": "{}"},
            }

            items = f"/v3/Lists/{objects['messages']}/Items"
            page = await browser.get(items, PageSize="10", Order="desc")
            assert [item["index"] for item in page["items"]] == list(range(24, 14, -1))
            assert (page["meta"]["previous_token"], page["meta"]["next_token"] is None) == (None, False)
            page = await browser.get(items, PageSize="10", Order="desc", From="5")
            assert [item["index"] for item in page["items"]] == [5, 4, 3, 2, 1, 0]
            assert page["meta"]["next_token"] is None
            assert page["meta"]["previous_token"] is not None
            page = await browser.get(items, PageSize="10", Order="asc", From="23")
            assert [item["data"]["text"] for item in page["items"]] == ["23", "24"]
            page = await browser.get(items, Index="7")
            assert [item["data"]["text"] for item in page["items"]] == ["7"]
            assert (await browser.get("/v3/Maps/ada%40x.org.channels/Items", Key="CH0"))["items"] == []
            assert (await browser.request("GET", items, params={"From": "x"}))[0] == 400

    run(scenario())


# Subscriptions


def test_replay_brings_what_was_missed_and_nothing_twice(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("replayed")
    sandbox.say(sid, "agent", "known")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("replayed"))
            objects = await sync_objects(browser, sid)
            messages = objects["messages"]
            known = (await browser.get(f"/v3/Lists/{messages}"))["last_event_id"]
            (edited,) = sandbox.messages(sid)
            removed = sandbox.say(sid, "agent", "soon removed")
            sandbox.say(sid, "agent", "missed")
            path = f"/v1/Conversations/{sid}/Messages"
            sandbox.rest("POST", f"{path}/{edited['sid']}", Body="edited")
            sandbox.rest("DELETE", f"{path}/{removed['sid']}")

            await browser.subscribe((messages, "list", known), correlation_id=77)
            assert await browser.events() == [
                "list_item_added",
                "list_item_updated",
                "list_item_removed",
                "subscription_established",
            ]
            added = await browser.event("list_item_added")
            assert (added["item_index"], added["item_data"]["text"]) == (2, "missed")
            updated = await browser.event("list_item_updated")
            assert (updated["item_index"], updated["item_data"]["text"]) == (0, "edited")
            assert (await browser.event("list_item_removed"))["item_index"] == 1
            established = await browser.event("subscription_established")
            assert established["replay_status"] == "completed"
            notifications = [payload for header, payload in browser.frames if header["method"] == "notification"]
            assert {payload["correlation_id"] for payload in notifications} == {77}
            ids = [added["id"], updated["id"], (await browser.event("list_item_removed"))["id"]]
            assert ids == sorted(ids)
            assert established["last_event_id"] == ids[-1] > known

            sandbox.say(sid, "agent", "live")
            live = await browser.event("list_item_added", item_index=3)
            assert live["item_data"]["text"] == "live"
            assert live["id"] > ids[-1]

    run(scenario())


def test_reply_comes_before_the_replay(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("ordered")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("ordered"))
            objects = await sync_objects(browser, sid)
            await browser.subscribe((objects["participants"], "map", 0))
            await browser.event("map_item_added")
            methods = [header["method"] for header, _ in browser.frames[-3:]]
            assert methods[0] == "reply"

    run(scenario())


def test_restored_root_gets_no_replay(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("restored")
    sandbox.say(sid, "agent", "old")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("restored"))
            objects = await sync_objects(browser, sid)
            await browser.subscribe((objects["messages"], "list", None))
            assert await browser.events() == ["subscription_established"]

    run(scenario())


def test_cancelled_subscription_is_silent(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("canceller")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("canceller"))
            messages = (await sync_objects(browser, sid))["messages"]
            await browser.subscribe((messages, "list", 1))
            body = {"action": "cancel", "requests": [{"object_sid": messages, "object_type": "list"}]}
            assert (await browser.request("POST", "/v4/Subscriptions", body))[0] == 202
            await browser.event("subscription_canceled", object_sid=messages)
            sandbox.say(sid, "agent", "unheard")
            assert await browser.events() == ["subscription_established", "subscription_canceled"]

    run(scenario())


# Acting


def test_typing_goes_to_the_others_only(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("typist")
    sandbox.rest("POST", f"/v1/Conversations/{sid}/Participants", Identity="agent_typing")
    sandbox.open_webchat("outsider")

    async def scenario() -> None:
        async with Browser.to(sandbox) as guest, Browser.to(sandbox) as agent, Browser.to(sandbox) as outsider:
            await guest.init(access_token("typist"))
            await agent.init(access_token("agent_typing"))
            await outsider.init(access_token("outsider"))
            header = {"http_request": {"path": "/Client/v2/typing", "method": "POST", "params": {}}}
            form = {"method": "message", **header, "payload_type": "application/x-www-form-urlencoded"}
            body = f"ChannelSid={sid}".encode()
            frame = encode({"id": "TMx", **form}, None).replace(b'"payload_size": 0', b'"payload_size":%2d' % len(body))
            await guest.socket.send_bytes(frame + body)
            _, answer = await guest.reply("TMx")
            assert answer == {"typing_timeout": 5}
            _, payload = await agent.frame(
                lambda header, _: header.get("message_type") == "twilio.ipmsg.typing_indicator"
            )
            assert payload == {"channel_sid": sid, "identity": "typist", "typing_timeout": 6}
            for browser in (guest, outsider):
                await browser.get(CONFIGURATION)
                assert "notification" not in {header["method"] for header, _ in browser.frames}

    run(scenario())


def test_read_horizon_is_written_to_both_objects(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("horizon")
    for body in ("one", "two"):
        sandbox.say(sid, "agent", body)

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("horizon"))
            mine = f"/Client/v2/Users/me/Conversations/{sid}"
            assert (await browser.get(mine))["unread_messages_count"] is None
            _, answer = await browser.request("POST", mine, {"last_read_message_index": 0})
            assert answer["unread_messages_count"] == 1
            (item,) = (await browser.get("/v3/Maps/horizon.channels/Items", Key=sid))["items"]
            assert item["data"]["lastConsumedMessageIndex"] == 0
            (member,) = (await browser.get(f"/v3/Maps/{sid}.roster/Items"))["items"]
            assert member["data"]["lastConsumedMessageIndex"] == 0
            assert member["data"]["lastConsumptionTimestamp"].endswith("Z")
            _, answer = await browser.request("POST", mine, {"last_read_message_index": 99})
            assert (answer["unread_messages_count"], answer["last_read_message_index"]) == (0, 1)
            _, answer = await browser.request("POST", mine, {"last_read_message_index": None})
            assert answer["unread_messages_count"] is None
            assert (await browser.request("POST", mine, {"last_read_message_index": "x"}))[0] == 400
            assert (await browser.request("POST", mine, {"notification_level": "muted"}))[0] == 200
            assert (await browser.request("POST", mine, {"notification_level": "loud"}))[0] == 400

    run(scenario())


def test_closing_tells_the_state_before_the_leaving(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("closing")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("closing"))
            objects = await sync_objects(browser, sid)
            mine = (await browser.get("/v3/Maps/closing.channels"))["sid"]
            await browser.subscribe((objects["conversation"], "document", None), (mine, "map", None))
            await browser.event("subscription_established", object_sid=mine)
            sandbox.close(sid)
            event = await browser.event("map_item_updated")
            assert event["item_data"]["status"] == "notParticipating"
            changes = [one for one in await browser.events() if not one.startswith("subscription")]
            assert changes == ["document_updated", "map_item_updated"]
            document = await browser.get(f"/v3/Documents/{objects['conversation']}")
            assert document["data"]["state"]["current"] == "closed"
            for method, path, body in [
                ("POST", f"/Client/v2/Conversations/{sid}/Messages", {"body": "too late"}),
                ("POST", f"/Client/v2/Users/me/Conversations/{sid}", {"last_read_message_index": 0}),
                ("DELETE", f"/Client/v2/Conversations/{sid}/Participants/closing", {}),
                ("POST", "/Client/v2/typing", {"ChannelSid": sid}),
            ]:
                status, answer = await browser.request(method, path, body)
                assert (status, answer["code"]) == (403, 50438)

    run(scenario())


def test_guest_may_change_nothing_of_others(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("modest")
    sandbox.rest("POST", f"/v1/Conversations/{sid}/Participants", Identity="agent_m")
    message = sandbox.say(sid, "agent_m", "mine")["sid"]

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("modest"))
            base = f"/Client/v2/Conversations/{sid}"
            for method, path in [
                ("DELETE", f"{base}/Participants/agent_m"),
                ("DELETE", f"{base}/Messages/{message}"),
                ("POST", f"{base}/Messages/{message}"),
                ("POST", "/Client/v2/Users/agent_m"),
            ]:
                status, answer = await browser.request(method, path, {"body": "yours", "friendly_name": "X"})
                assert (status, answer["code"]) == (403, 50400)
            assert (await browser.get("/Client/v2/Users/agent_m"))["sync_objects"]["user_info_map"]

    run(scenario())
    assert sandbox.messages(sid)[0]["body"] == "mine"


@pytest.mark.parametrize(
    "body",
    [
        {"body": 7},
        {"body": "x" * 33_000},
        {"attributes": {}},
        {"attributes": "{"},
        {"attributes": '"' + "x" * 4096 + '"'},
        {"media_sids": "ME1"},
        {"media_sids": ["ME" + "0" * 32]},
        {"media_sids": ["ME"] * 11},
        {"subject": "s" * 257},
    ],
)
def test_message_refused(sandbox: SandboxServer, body: dict[str, Any]) -> None:
    sid = sandbox.open_webchat("refused")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("refused"))
            assert (await browser.request("POST", f"/Client/v2/Conversations/{sid}/Messages", body))[0] == 400

    run(scenario())
    assert sandbox.messages(sid) == []


# The connection


def test_close_frame_ends_it_and_presence_follows(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("present")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("present"))
            assert sandbox.desk(sid)["customer"]["online"] is True
            await browser.send({"method": "close"})
            assert (await browser.socket.receive()).type.name in {"CLOSE", "CLOSING", "CLOSED"}

    run(scenario())
    until(lambda: sandbox.desk(sid)["customer"]["online"] is False)


def test_client_that_does_not_read_is_dropped(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("deaf")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("deaf"))
            messages = (await sync_objects(browser, sid))["messages"]
            for _ in range(40):
                sandbox.say(sid, "agent", "x" * 32_000)
            transport = browser.socket._response.connection.transport
            transport.pause_reading()
            path = {"path": f"/v3/Lists/{messages}/Items", "method": "GET", "params": {"PageSize": "100"}}
            for _ in range(60):  # of more than 1 MiB each
                await browser.send({"method": "message", "http_request": path})
                await asyncio.sleep(0.02)
                if not sandbox.desk(sid)["customer"]["online"]:
                    break
            else:
                pytest.fail("still connected")
            transport.resume_reading()

    run(scenario())


def test_pings_and_drops_who_is_silent(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilsock, "PING_SECONDS", 0.1)

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("pinged"))
            with at_most(5, at_least=0.8):
                await browser.frame(lambda header, _: header["method"] == "ping")
                for _ in range(6):  # acknowledging keeps the connection
                    await browser.send({"method": "reply", "status": {"code": 200}})
                    await asyncio.sleep(0.1)
                await browser.get(CONFIGURATION)
                message = await browser.socket.receive()
                while message.type is aiohttp.WSMsgType.BINARY:
                    message = await browser.socket.receive()

    run(scenario())


def test_connection_that_never_signs_in_is_dropped(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilsock, "INIT_SECONDS", 0.1)

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            message = await asyncio.wait_for(browser.socket.receive(), 60)
            assert message.type is not aiohttp.WSMsgType.BINARY

    run(scenario())


def test_connections_are_limited(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token())
            monkeypatch.setattr(limits, "CONNECTIONS", 1)
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                async with Browser.to(sandbox):
                    pass

    run(scenario())


def test_push_registrations_are_acknowledged(sandbox: SandboxServer) -> None:
    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token())
            for method in ("put_notification_ctx", "delete_notification_ctx"):
                header, _ = await browser.reply(await browser.send({"method": method}))
                assert header["status"]["code"] == 200

    run(scenario())


def test_own_user_and_messages_can_be_changed(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("changer")
    sandbox.say(sid, "changer", "teh")
    (message,) = sandbox.messages(sid)

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("changer"))
            path = f"/Client/v2/Conversations/{sid}/Messages/{message['sid']}"
            assert (await browser.request("POST", path, {"body": "the"}))[0] == 200
            assert sandbox.messages(sid)[0]["body"] == "the"
            assert (await browser.request("DELETE", path, {}))[0] == 200
            assert sandbox.messages(sid) == []
            user = {"friendly_name": "New", "attributes": '{"a": 1}'}
            assert (await browser.request("POST", "/Client/v2/Users/changer", user))[0] == 200

    run(scenario())
    user = sandbox.rest("GET", "/v1/Users/changer")
    assert (user["friendly_name"], user["attributes"]) == ("New", '{"a": 1}')
    assert sandbox.rest("POST", f"/v1/Users/{user['sid']}", FriendlyName="Newer")["friendly_name"] == "Newer"
