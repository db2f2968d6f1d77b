"""The agent desk: tasks, what an agent does, the event stream, the scripted agent."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import Browser, access_token, run
from tests.support.waiting import until
from webchat.sandbox import account
from webchat.sandbox.agent_desk import agent_identity
from webchat.sandbox.scripted_agent import GREETING, NAME


def listed(sandbox: SandboxServer) -> set[str]:
    return {view["sid"] for view in sandbox.desk()["conversations"]}


# Tasks


def test_no_task_before_studio_heard_a_message(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("quiet", CustomerFriendlyName="Ada", PreEngagementData='{"q": 1}')
    sandbox.say(sid, "quiet", "not heard by Studio")
    assert sid not in listed(sandbox)
    for action in ("accept", "typing", "read", "complete"):
        path = f"/desk/conversations/{sid}/{action}"
        assert sandbox.request("POST", path, json={"author": "Robin"}).status_code == 409
    assert sandbox.desk(sid)["waiting"] is False

    sandbox.say(sid, "quiet", "heard", webhooks=True)
    view = sandbox.desk()["conversations"][0]
    assert view["sid"] == sid
    assert view["waiting"] is True
    assert view["state"] == "active"
    assert view["api"] == "conversations"
    assert view["customer"] == {"identity": "quiet", "friendly_name": "Ada", "online": False}
    assert view["pre_engagement_data"] == {"q": 1}
    assert view["unread"] == 2
    assert view["last_message"]["body"] == "heard"
    assert "messages" not in view


def test_a_guest_who_takes_another_name_has_the_sites_on_the_desk(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("renamed", CustomerFriendlyName="Jo Roe")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("renamed"))
            await browser.request("POST", "/Client/v2/Users/renamed", {"friendly_name": "Ada (verified)"})
            await browser.request("POST", f"/Client/v2/Conversations/{sid}/Messages", {"body": "hello"})

    run(scenario())
    assert sandbox.rest("GET", "/v1/Users/renamed")["friendly_name"] == "Ada (verified)"  # at Twilio
    view = sandbox.desk(sid)
    names = [view["customer"]["friendly_name"], view["messages"][0]["author_name"], view["last_message"]["author_name"]]
    assert names == ["Jo Roe"] * 3


def test_message_of_the_sdk_makes_the_task(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("sender")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("sender"))
            await browser.request("POST", f"/Client/v2/Conversations/{sid}/Messages", {"body": "hello"})

    run(scenario())
    assert sid in listed(sandbox)


def test_plain_conversation_is_no_business_of_the_desk(sandbox: SandboxServer) -> None:
    sid = sandbox.rest("POST", "/v1/Conversations", FriendlyName="Plain")["sid"]
    sandbox.say(sid, "somebody", "hello", webhooks=True)
    assert sid not in listed(sandbox)
    assert sandbox.request("GET", f"/desk/conversations/{sid}").status_code == 404


# What an agent does


def task(sandbox: SandboxServer, identity: str) -> str:
    sid = sandbox.open_webchat(identity, CustomerFriendlyName="Ada")
    sandbox.say(sid, identity, "Where is my order?", webhooks=True)
    return sid


def test_accept_answer_and_complete(sandbox: SandboxServer) -> None:
    sid = task(sandbox, "served")
    view = sandbox.desk(sid, "accept", author="Robin Müller")
    assert view["agents"] == [{"identity": "agent_robin_muller", "friendly_name": "Robin Müller"}]
    assert view["waiting"] is False
    assert sandbox.desk(sid, "accept", author="Robin Müller")["agents"] == view["agents"]
    assert sandbox.desk(sid, "read", author="Robin Müller")["unread"] == 0
    message = sandbox.desk(sid, "messages", author="Robin Müller", body="On its way.")
    assert (message["author_name"], message["from_customer"], message["index"]) == ("Robin Müller", False, 1)
    assert [one["from_customer"] for one in sandbox.desk(sid)["messages"]] == [True, False]
    view = sandbox.desk(sid, "complete", author="Robin Müller")
    assert (view["state"], view["agents"], view["waiting"]) == ("closed", [], False)
    assert view["messages"][1]["author_name"] == "Robin Müller"
    assert [one["identity"] for one in sandbox.participants(sid)] == ["served"]
    assert sandbox.rest("GET", f"/v1/Conversations/{sid}")["state"] == "closed"
    answer = sandbox.request("POST", f"/desk/conversations/{sid}/messages", json={"author": "Robin", "body": "x"})
    assert answer.status_code == 403


def test_complete_ends_a_legacy_channel_as_legacy_widgets_expect(sandbox: SandboxServer) -> None:
    sid = sandbox.rest(
        "POST",
        "/v1/WebChannels",
        FlexFlowSid=account.FLEX_FLOW_SID,
        Identity="legacy-desk",
        CustomerFriendlyName="Ada",
        ChatFriendlyName="Legacy",
    )["sid"]
    sandbox.say(sid, "legacy-desk", "hello", webhooks=True)
    assert sandbox.desk(sid)["api"] == "web_channels"
    sandbox.desk(sid, "complete", author="Robin")
    attributes = json.loads(sandbox.rest("GET", f"/v1/Conversations/{sid}")["attributes"])
    assert attributes["status"] == "INACTIVE"


def test_message_joins_and_typing_shows(sandbox: SandboxServer) -> None:
    sid = task(sandbox, "typed-to")
    sandbox.desk(sid, "typing", author="Robin")
    assert sandbox.desk(sid)["typing"] == ["agent_robin"]
    sandbox.desk(sid, "messages", author="Robin", body="Hello")
    assert sandbox.desk(sid)["typing"] == []
    assert [one["identity"] for one in sandbox.desk(sid)["agents"]] == ["agent_robin"]


def test_author_may_be_a_participants_identity(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("plain")
    sandbox.rest("POST", f"/v1/Conversations/{sid}/Participants", Identity="worker-7")
    sandbox.desk(sid, "typing", author="worker-7")
    assert sandbox.desk(sid)["typing"] == ["worker-7"]


@pytest.mark.parametrize(
    "body", [{}, {"author": ""}, {"author": 7}, {"author": "x" * 65}, {"author": "R", "body": " "}, {"author": "R"}, []]
)
def test_malformed_desk_requests(sandbox: SandboxServer, body: Any) -> None:
    sid = task(sandbox, "malformed")
    path = f"/desk/conversations/{sid}/messages"
    assert sandbox.request("POST", path, json=body).status_code == 400
    assert sandbox.request("POST", path, data=b"{").status_code == 400
    assert sandbox.request("POST", "/desk/conversations/CH0/accept", json={"author": "R"}).status_code == 404


def test_agent_identity() -> None:
    assert agent_identity("Robin") == "agent_robin"
    assert agent_identity("  Zoë  Quinn! ") == "agent_zoe_quinn"
    # Nothing of these names is left in Latin letters, and yet they are two agents.
    assert agent_identity("李").startswith("agent_")
    assert agent_identity("李") != agent_identity("王")


# The event stream


def test_events_of_a_chat(sandbox: SandboxServer) -> None:
    seen: list[dict[str, Any]] = []
    stream = requests.get(f"{sandbox.url}/desk/events", stream=True, timeout=60)
    assert stream.headers["Content-Type"] == "text/event-stream"

    def read() -> None:
        event = ""
        for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                seen.append({"event": event, **json.loads(line.removeprefix("data: "))})
                if event == "removed":
                    return

    reader = threading.Thread(target=read)
    reader.start()
    sid = task(sandbox, "streamed")
    sandbox.desk(sid, "accept", author="Robin")
    sandbox.desk(sid, "messages", author="Robin", body="Hello")
    sandbox.rest("DELETE", f"/v1/Conversations/{sid}")
    reader.join(60)
    stream.close()
    assert {one["sid"] for one in seen} == {sid}
    assert "messages" not in seen[0]
    assert [one["waiting"] for one in seen if one["event"] == "conversation"][:2] == [True, False]
    assert [one["message"]["body"] for one in seen if "message" in one] == ["Hello"]
    assert seen[-1] == {"event": "removed", "sid": sid}


# The page


def test_page_and_its_files_have_a_strict_policy(sandbox: SandboxServer) -> None:
    for path, content_type in [
        ("/", "text/html"),
        ("/desk/static/desk.js", "text/javascript"),
        ("/desk/static/desk.css", "text/css"),
    ]:
        answer = sandbox.request("GET", path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == f"{content_type}; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
    for path in ("/desk/static/index.html", "/desk/static/..%2Faccount.py", "/desk/static/"):
        assert sandbox.request("GET", path).status_code == 404


# The scripted agent


@pytest.fixture(scope="module")
def scripted() -> Any:
    with SandboxServer(auto_agent=True, agent_pace=0.1) as server:
        yield server


@pytest.fixture(scope="module")
def leisurely() -> Any:
    """Its agent takes a second for each step, in which a test can do something, too."""
    with SandboxServer(auto_agent=True, agent_pace=0.7) as server:
        yield server


def until_another_is_greeted(sandbox: SandboxServer, name: str) -> None:
    """From here on the agent has had the time for what it was about to do."""
    sid = task(sandbox, name)
    until(lambda: len(sandbox.messages(sid)) == 2)


def test_scripted_agent_greets_and_answers(scripted: SandboxServer) -> None:
    sid = task(scripted, "greeted")
    view = until(lambda: len(scripted.messages(sid)) == 2 and scripted.desk(sid))
    assert view["agents"][0]["friendly_name"] == NAME
    assert view["messages"][1]["body"] == GREETING.format(name=" Ada")
    assert view["unread"] == 0
    scripted.say(sid, "greeted", "Are you a robot?", webhooks=True)
    view = until(lambda: len(scripted.messages(sid)) == 4 and scripted.desk(sid))
    assert "accepts this chat at the agent desk" in view["messages"][3]["body"]


def test_scripted_agent_answers_what_came_while_it_typed(leisurely: SandboxServer) -> None:
    sid = task(leisurely, "hasty")
    until(lambda: leisurely.desk(sid)["typing"])
    leisurely.say(sid, "hasty", "thanks", webhooks=True)
    leisurely.say(sid, "hasty", "bye", webhooks=True)
    bodies = until(lambda: len(leisurely.messages(sid)) == 5 and [one["body"] for one in leisurely.messages(sid)])
    assert bodies[4].startswith("You are welcome.")
    until_another_is_greeted(leisurely, "after hasty")
    assert len(leisurely.messages(sid)) == 5


def test_scripted_agent_is_silent_once_a_person_accepts(leisurely: SandboxServer) -> None:
    sid = task(leisurely, "accepted")
    leisurely.desk(sid, "accept", author="Robin")
    leisurely.say(sid, "accepted", "Hello?", webhooks=True)
    until_another_is_greeted(leisurely, "after accepted")
    assert [one["author"] for one in leisurely.messages(sid)] == ["accepted", "accepted"]
    assert [one["friendly_name"] for one in leisurely.desk(sid)["agents"]] == ["Robin"]


def test_scripted_agent_stops_when_the_chat_ends(leisurely: SandboxServer) -> None:
    sid = task(leisurely, "ended")
    until(lambda: leisurely.desk(sid)["typing"])
    leisurely.close(sid)
    until_another_is_greeted(leisurely, "after ended")
    assert len(leisurely.messages(sid)) == 1


def test_scripted_agent_knows_no_chat_without_a_task(scripted: SandboxServer) -> None:
    sid = scripted.open_webchat("unheard")
    scripted.say(sid, "unheard", "psst")
    until_another_is_greeted(scripted, "after unheard")
    assert len(scripted.participants(sid)) == 1


def test_scripted_agent_leaves_when_a_person_accepts(scripted: SandboxServer) -> None:
    sid = task(scripted, "handed over")
    until(lambda: [one["friendly_name"] for one in scripted.desk(sid)["agents"]] == [NAME])
    scripted.desk(sid, "accept", author="Robin")
    until(lambda: [one["friendly_name"] for one in scripted.desk(sid)["agents"]] == ["Robin"])


# Files of the agent, and why a chat ended


def send_file(sandbox: SandboxServer, sid: str, content: bytes, **query: str) -> Any:
    headers = {"Content-Type": "image/png"}
    return sandbox.request("POST", f"/desk/conversations/{sid}/files", params=query, data=content, headers=headers)


def test_the_agent_sends_a_file(sandbox: SandboxServer) -> None:
    sid = task(sandbox, "wants a picture")
    sent = send_file(sandbox, sid, b"a picture", author="Robin", filename="map.png")
    assert sent.status_code == 201
    [media] = sandbox.desk(sid)["messages"][-1]["media"]
    assert (media["filename"], media["content_type"], media["size"]) == ("map.png", "image/png", 9)
    assert sandbox.request("GET", media["url"]).content == b"a picture"
    assert sandbox.messages(sid)[-1]["author"] == "agent_robin"
    assert sandbox.messages(sid)[-1]["media"][0]["filename"] == "map.png"


@pytest.mark.parametrize(("content", "query"), [(b"", {"author": "Robin"}), (b"x", {}), (b"x", {"author": "R" * 65})])
def test_a_file_without_content_or_author_is_refused(sandbox: SandboxServer, content: bytes, query: Any) -> None:
    sid = task(sandbox, f"refused {len(content)} {len(str(query))}")
    assert send_file(sandbox, sid, content, **query).status_code == 400
    assert len(sandbox.messages(sid)) == 1


def test_the_desk_knows_who_ended_a_chat(sandbox: SandboxServer) -> None:
    by_agent, by_site = task(sandbox, "ended by the agent"), task(sandbox, "ended by the site")
    assert sandbox.desk(by_site)["ended_by"] is None
    sandbox.desk(by_agent, "complete", author="Robin")
    sandbox.close(by_site)
    assert [sandbox.desk(sid)["ended_by"] for sid in (by_agent, by_site)] == ["agent", "site"]
