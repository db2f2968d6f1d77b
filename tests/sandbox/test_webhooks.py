"""Webhooks as the site gets them: signed as twilio-python checks it, filtered, in order, and only if asked for."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.support.sandbox import SandboxServer
from tests.support.stopwatch import at_most
from tests.support.twilio_clients import Browser, access_token, run
from tests.support.waiting import until
from webchat.sandbox import account

EVENTS = ["onConversationAdded", "onConversationUpdated", "onConversationStateUpdated", "onConversationRemoved"]
EVENTS += ["onMessageAdded", "onMessageUpdated", "onMessageRemoved"]
EVENTS += ["onParticipantAdded", "onParticipantUpdated", "onParticipantRemoved"]


class Receiver:
    """The site's end: a real server that keeps what it gets and checks each signature."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(body, keep_blank_values=True))
                signature = self.headers["X-Twilio-Signature"]
                assert RequestValidator(account.AUTH_TOKEN).validate(receiver.url, fields, signature)
                receiver.got.append(fields)
                self.send_response(200)
                self.end_headers()

            def do_GET(self) -> None:
                url = receiver.url.removesuffix("/hook?site=1") + self.path
                assert RequestValidator(account.AUTH_TOKEN).validate(url, {}, self.headers["X-Twilio-Signature"])
                receiver.got.append(dict(parse_qsl(self.path.partition("?")[2])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?site=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> list[dict[str, str]]:
        until(lambda: len(self.got) >= count)
        assert len(self.got) == count, [one["EventType"] for one in self.got]
        return self.got

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def hooked(sandbox: SandboxServer, twilio: Client, receiver: Receiver) -> Iterator[Receiver]:
    path = f"/v1/Services/{account.CHAT_SERVICE_SID}/Configuration/Webhooks"
    sandbox.rest("POST", path, PostWebhookUrl=receiver.url, Method="POST", Filters=EVENTS)
    yield receiver
    sandbox.rest("POST", path, PostWebhookUrl="")


def test_configuration_by_twilio_python(sandbox: SandboxServer, twilio: Client) -> None:
    webhooks = twilio.conversations.v1.configuration.webhooks()
    set_up = {"post_webhook_url": "http://127.0.0.1:9/x", "method": "POST", "filters": ["onMessageAdded"]}
    assert webhooks.update(**set_up).filters == ["onMessageAdded"]
    assert webhooks.fetch().post_webhook_url == "http://127.0.0.1:9/x"
    assert webhooks.update(post_webhook_url="").post_webhook_url is None
    service = twilio.conversations.v1.services(account.CHAT_SERVICE_SID).configuration.webhooks()
    assert service.fetch().post_webhook_url is None


@pytest.mark.parametrize(
    "form",
    [
        {"PostWebhookUrl": "https://example.org/hook"},
        {"PostWebhookUrl": "http://127.0.0.1@example.org/"},
        {"PostWebhookUrl": "http://user@127.0.0.1/"},
        {"PostWebhookUrl": "file:///etc/passwd"},
        {"PostWebhookUrl": "http://["},
        {"PreWebhookUrl": "http://127.0.0.1/"},
        {"Method": "PUT"},
        {"Filters": "onNothing"},
    ],
)
def test_refused_configuration(sandbox: SandboxServer, form: dict[str, str]) -> None:
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    answer = sandbox.request("POST", "/v1/Configuration/Webhooks", data=form, auth=credentials)
    assert answer.status_code == 400


def test_rest_changes_are_silent_unless_asked(sandbox: SandboxServer, hooked: Receiver) -> None:
    sid = sandbox.open_webchat("silent")
    sandbox.say(sid, "silent", "unheard")
    sandbox.say(sid, "silent", "heard ✓", webhooks=True)
    sandbox.rest("POST", f"/v1/Conversations/{sid}", State="closed", webhooks=True)
    message, state = hooked.wait(2)
    assert message["EventType"] == "onMessageAdded"
    assert (message["Body"], message["Author"], message["Index"]) == ("heard ✓", "silent", "1")
    assert (message["Source"], message["ConversationSid"]) == ("API", sid)
    assert message["ParticipantSid"].startswith("MB")
    assert (message["AccountSid"], message["ChatServiceSid"]) == (account.ACCOUNT_SID, account.CHAT_SERVICE_SID)
    assert "ClientIdentity" not in message
    assert state["EventType"] == "onConversationStateUpdated"
    assert (state["StateFrom"], state["StateTo"], state["Reason"]) == ("active", "closed", "API")
    assert state["StateUpdated"].endswith("Z")


def test_sdk_and_desk_fire_by_themselves_and_in_order(sandbox: SandboxServer, hooked: Receiver) -> None:
    sid = sandbox.open_webchat("speaker")

    async def scenario() -> None:
        async with Browser.to(sandbox) as browser:
            await browser.init(access_token("speaker"))
            await browser.request("POST", f"/Client/v2/Conversations/{sid}/Messages", {"body": "hello"})

    run(scenario())
    sandbox.desk(sid, "accept", author="Robin")
    sandbox.desk(sid, "complete", author="Robin")
    got = hooked.wait(4)
    assert [one["EventType"] for one in got] == [
        "onMessageAdded",
        "onParticipantAdded",
        "onParticipantRemoved",
        "onConversationStateUpdated",
    ]
    assert (got[0]["Source"], got[0]["ClientIdentity"]) == ("SDK", "speaker")
    assert got[1]["Identity"] == "agent_robin"
    assert got[3]["StateTo"] == "closed"


def test_filters(sandbox: SandboxServer, receiver: Receiver) -> None:
    path = "/v1/Configuration/Webhooks"
    sandbox.rest("POST", path, PostWebhookUrl=receiver.url, Method="GET", Filters=["onConversationAdded"])
    sid = sandbox.rest("POST", "/v1/Conversations", FriendlyName="Größe", webhooks=True)["sid"]
    sandbox.say(sid, "x", "filtered out", webhooks=True)
    (added,) = receiver.wait(1)
    sandbox.rest("POST", path, PostWebhookUrl="", Method="POST")
    assert (added["FriendlyName"], added["State"], added["site"]) == ("Größe", "active", "1")


def test_dead_receiver_holds_nothing_up(sandbox: SandboxServer, hooked: Receiver) -> None:
    path = f"/v1/Services/{account.CHAT_SERVICE_SID}/Configuration/Webhooks"
    sandbox.rest("POST", path, PostWebhookUrl="http://127.0.0.1:9/")
    sid = sandbox.open_webchat("dead")
    with at_most(1):
        sandbox.say(sid, "dead", "lost", webhooks=True)
    time.sleep(0.2)
    sandbox.rest("POST", path, PostWebhookUrl=hooked.url)
    sandbox.say(sid, "dead", "arrives", webhooks=True)
    assert hooked.wait(1)[0]["Body"] == "arrives"


def test_second_try_after_a_cut_connection(sandbox: SandboxServer, hooked: Receiver) -> None:
    """The receiver takes the connection and cuts it, then is back: as a site that is being restarted."""
    tries: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
                connection, _ = listener.accept()
                with connection:
                    tries.append(connection.recv(65_536))
                    connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        path = f"/v1/Services/{account.CHAT_SERVICE_SID}/Configuration/Webhooks"
        sandbox.rest("POST", path, PostWebhookUrl=f"http://127.0.0.1:{listener.getsockname()[1]}/")
        sandbox.say(sandbox.open_webchat("retried"), "retried", "once more", webhooks=True)
        server.join(10)
    assert [b"X-Twilio-Signature" in one for one in tries] == [True, True]


def test_deliveries_hold_all_fields(sandbox: SandboxServer, hooked: Receiver) -> None:
    sid: str = sandbox.rest("POST", "/v1/Conversations", UniqueName="hooked-1", webhooks=True)["sid"]
    path = f"/v1/Conversations/{sid}"
    sandbox.rest("POST", path, FriendlyName="New", Attributes='{"a": 1}', webhooks=True)
    sandbox.rest("POST", f"{path}/Participants", Identity="p", webhooks=True)
    message: dict[str, Any] = sandbox.say(sid, "p", "x", webhooks=True)
    sandbox.rest("POST", f"{path}/Messages/{message['sid']}", Body="y", webhooks=True)
    sandbox.rest("POST", f"{path}/Participants/p", LastReadMessageIndex="0", webhooks=True)
    sandbox.rest("DELETE", f"{path}/Messages/{message['sid']}", webhooks=True)
    sandbox.rest("DELETE", f"{path}/Participants/p", webhooks=True)
    sandbox.rest("DELETE", path, webhooks=True)
    got = {one["EventType"]: one for one in hooked.wait(9)}
    assert set(got) == set(EVENTS) - {"onConversationStateUpdated"}
    assert (got["onConversationUpdated"]["FriendlyName"], got["onConversationUpdated"]["Attributes"]) == (
        "New",
        '{"a": 1}',
    )
    assert got["onMessageUpdated"]["Body"] == "y"
    assert got["onParticipantUpdated"]["LastReadMessageIndex"] == "0"
    assert got["onConversationRemoved"]["UniqueName"] == "hooked-1"
