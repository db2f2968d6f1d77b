"""The real Conversations SDK in a real browser, through everything that a chat widget needs, against the sandbox.

The page has a strict CSP and Trusted Types, and every test ends with the proof that nothing violated them. The run is
also the one to look at when the SDK is upgraded: its wire format is undocumented.
"""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import ChatGrant

from tests.support.sandbox import SandboxServer
from tests.support.waiting import until
from webchat.sandbox import account

HERE = Path(__file__).parent
BUNDLE = HERE.parents[1] / "static/webchat/sdk/conversations.js"
FILES = {
    "/": (HERE / "sdk/index.html", "text/html"),
    "/harness.mjs": (HERE / "sdk/harness.mjs", "text/javascript"),
    "/conversations.js": (BUNDLE, "text/javascript"),
}


class PageHandler(http.server.BaseHTTPRequestHandler):
    """Serves the page with a policy that lets it talk to the sandbox and nothing else, but for the icon that a browser
    asks for."""

    def __init__(self, sandbox: SandboxServer, *args: Any) -> None:
        self.policy = (
            f"default-src 'none'; connect-src {sandbox.url} {sandbox.url.replace('http', 'ws')}; "
            "script-src 'self'; img-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )
        super().__init__(*args)

    def do_GET(self) -> None:
        if self.path not in FILES:
            return self.send_error(404)
        path, content_type = FILES[self.path]
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, *args: object) -> None:
        pass


def token(identity: str, ttl: int = 3600, secret: str = account.API_KEY_SECRET, now: float | None = None) -> str:
    now = time.time() if now is None else now
    grant = ChatGrant(service_sid=account.CHAT_SERVICE_SID)
    made = AccessToken(
        account.ACCOUNT_SID, account.API_KEY_SID, secret, grants=[grant], identity=identity, ttl=ttl, nbf=int(now) - 30
    )
    made.valid_until = int(now) + ttl
    return str(made.to_jwt())


class Chat:
    """One visitor's page with one conversation, and the agent's side of it over REST."""

    def __init__(self, page: Page, sandbox: SandboxServer, identity: str) -> None:
        self.page = page
        self.sandbox = sandbox
        self.identity = identity
        self.sid = sandbox.open_webchat(
            identity,
            ChatFriendlyName="Support",
            CustomerFriendlyName="Ana Müller",
            PreEngagementData='{"question": "Where is my order?"}',
        )

    def open(self, sid: str = "", ttl: int = 3600, **options: Any) -> Any:
        arguments = [token(self.identity, ttl), self.sandbox.websocket_url, sid or self.sid, options]
        return self.page.evaluate("arguments => sdk.open(...arguments)", arguments)

    def connect(self, jwt: str) -> str:
        arguments = [jwt, self.sandbox.websocket_url]
        return str(self.page.evaluate("arguments => sdk.connect(...arguments)", arguments))

    def js(self, expression: str, argument: Any = None) -> Any:
        return self.page.evaluate(f"argument => sdk.within((async () => {expression})())", argument)

    def wait(self, event: str, expected: Any = None, since: int = 0) -> Any:
        return self.page.evaluate(
            "arguments => sdk.wait(...arguments)", [event, {} if expected is None else expected, since]
        )["detail"]

    def refusal(self, expression: str) -> Any:
        return self.js(f"sdk.refusal({expression})")

    def seen(self) -> int:
        return int(self.js("sdk.events.length"))

    def wait_for_what_was_sent(self) -> None:
        """One line brings everything in its order: when another conversation has arrived, so has what came before it."""
        self.wait("conversationJoined", self.sandbox.open_webchat(self.identity))

    def say(self, author: str, body: str) -> dict[str, Any]:
        return self.sandbox.say(self.sid, author, body)

    def join(self, identity: str, friendly_name: str) -> None:
        self.sandbox.rest("POST", f"/v1/Conversations/{self.sid}/Participants", Identity=identity)
        self.sandbox.rest("POST", f"/v1/Users/{identity}", FriendlyName=friendly_name)


@pytest.fixture(scope="module")
def page_url(sandbox_server: SandboxServer) -> Iterator[str]:
    assert BUNDLE.exists(), "the SDK bundle is missing: node webchat/browser/bundle.mjs"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(PageHandler, sandbox_server))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def chat(page: Page, sandbox: SandboxServer, page_url: str, request: pytest.FixtureRequest) -> Iterator[Chat]:
    page.goto(page_url)
    # One identity per test: the tests share a sandbox and may run in any order.
    yield Chat(page, sandbox, f"guest of {request.node.name}")
    assert page.evaluate("sdk.violations") == []


@pytest.fixture
def opened(chat: Chat) -> Chat:
    chat.open()
    return chat


# Connecting


def test_connects_and_opens_the_conversation(chat: Chat) -> None:
    attributes = chat.open()
    assert attributes == {"pre_engagement_data": {"question": "Where is my order?"}}
    assert chat.js("sdk.client.user.friendlyName") == "Ana Müller"
    assert chat.js("sdk.client.user.identity") == chat.identity
    assert chat.js("sdk.conversation.friendlyName") == "Support"
    assert chat.js("sdk.conversation.state.current") == "active"
    assert chat.js("sdk.client.connectionState") == "connected"
    assert chat.wait("conversationJoined") == chat.sid


@pytest.mark.thorough
def test_participants_of_a_fresh_chat(opened: Chat) -> None:
    assert opened.js("sdk.conversation.getParticipants().then(all => all.map(one => one.identity))") == [
        opened.identity
    ]


@pytest.mark.thorough
def test_shutdown_leaves_the_server(opened: Chat) -> None:
    assert opened.sandbox.desk(opened.sid)["customer"]["online"] is True
    opened.js("sdk.client.shutdown()")
    until(lambda: not opened.sandbox.desk(opened.sid)["customer"]["online"])


# Messages


def test_sent_text_comes_back_as_own_message(opened: Chat) -> None:
    assert opened.js("sdk.conversation.sendMessage('hello from guest')") == 0
    assert opened.wait("messageAdded") == {
        "index": 0,
        "author": opened.identity,
        "body": "hello from guest",
        "attributes": {},
        "type": "text",
    }
    (message,) = opened.sandbox.messages(opened.sid)
    assert (message["body"], message["author"], message["index"]) == ("hello from guest", opened.identity, 0)
    assert message["participant_sid"].startswith("MB")
    assert opened.js("sdk.conversation.lastMessage.index") == 0


@pytest.mark.thorough
def test_message_builder_with_attributes_and_other_scripts(opened: Chat) -> None:
    index = opened.js(
        "sdk.conversation.prepareMessage().setBody('Grüße 你好 👋').setAttributes({client: 'c1'}).build().send()"
    )
    assert index == 0
    message = opened.wait("messageAdded")
    assert (message["body"], message["attributes"]) == ("Grüße 你好 👋", {"client": "c1"})
    assert opened.sandbox.messages(opened.sid)[0]["body"] == "Grüße 你好 👋"


def test_agents_message_arrives_live(opened: Chat) -> None:
    opened.say("agent_robin", "Good morning")
    assert opened.wait("messageAdded", {"author": "agent_robin"})["body"] == "Good morning"


@pytest.mark.thorough
def test_own_message_can_be_edited_and_deleted(opened: Chat) -> None:
    opened.js("sdk.conversation.sendMessage('teh')")
    opened.js("sdk.conversation.getMessages(1).then(page => page.items[0].updateBody('the'))")
    assert opened.wait("messageUpdated", {"body": "the"})["reasons"] == ["body", "lastUpdatedBy", "dateUpdated"]
    opened.js("sdk.conversation.getMessages(1).then(page => page.items[0].updateAttributes({k: 1}))")
    opened.wait("messageUpdated", {"attributes": {"k": 1}})
    assert opened.sandbox.messages(opened.sid)[0]["body"] == "the"
    opened.js("sdk.conversation.getMessages(1).then(page => page.items[0].remove())")
    assert opened.wait("messageRemoved")["index"] == 0
    assert opened.sandbox.messages(opened.sid) == []


@pytest.mark.thorough
def test_foreign_message_cannot_be_edited(opened: Chat) -> None:
    opened.say("agent_robin", "Mine")
    opened.wait("messageAdded")
    refusal = opened.refusal("sdk.conversation.getMessages(1).then(page => page.items[0].updateBody('yours'))")
    assert (refusal["status"], refusal["code"]) == (403, 50400)


@pytest.mark.thorough
def test_history_in_pages(chat: Chat) -> None:
    for number in range(45):
        chat.say("agent_robin", f"line {number}")
    chat.open()
    pages = chat.js("""(async () => {
        const pages = [];
        let page = await sdk.conversation.getMessages(20);
        for (;;) {
            pages.push(page.items.map(({index}) => index));
            if (!page.hasPrevPage) break;
            page = await page.prevPage();
        }
        return pages;
    })()""")
    # The pages need not be full, but are ascending, and each ends where the one before began.
    assert [index for page in reversed(pages) for index in page] == list(range(45))
    anchored = chat.js("sdk.conversation.getMessages(10, 10).then(page => page.items.map(({index}) => index))")
    assert anchored == list(range(1, 11))
    forward = chat.js(
        "sdk.conversation.getMessages(10, 30, 'forward').then(page => page.items.map(({index}) => index))"
    )
    assert forward == list(range(30, 40))


@pytest.mark.thorough
def test_too_long_a_message_is_refused(opened: Chat) -> None:
    refusal = opened.refusal("sdk.conversation.sendMessage('x'.repeat(40000))")
    assert refusal["status"] == 400
    assert opened.sandbox.messages(opened.sid) == []


# People


def test_agent_joins_with_a_name_and_leaves(opened: Chat) -> None:
    opened.join("agent_robin", "Robin")
    assert opened.wait("participantJoined") == "agent_robin"
    name = "sdk.conversation.getParticipantByIdentity('agent_robin').then(one => one.getUser())"
    assert opened.js(f"{name}.then(user => user.friendlyName)") == "Robin"
    opened.sandbox.rest("DELETE", f"/v1/Conversations/{opened.sid}/Participants/agent_robin")
    assert opened.wait("participantLeft") == "agent_robin"


@pytest.mark.thorough
def test_agent_types_until_the_message(opened: Chat) -> None:
    opened.join("agent_robin", "Robin")
    opened.wait("participantJoined")
    opened.sandbox.desk(opened.sid, "typing", author="agent_robin")
    assert opened.wait("typingStarted") == "agent_robin"
    opened.say("agent_robin", "Done")
    assert opened.wait("typingEnded") == "agent_robin"
    opened.wait("messageAdded", {"body": "Done"})


@pytest.mark.thorough
def test_agents_typing_times_out(opened: Chat) -> None:
    opened.join("agent_robin", "Robin")
    opened.wait("participantJoined")
    opened.sandbox.desk(opened.sid, "typing", author="agent_robin")
    lasted = opened.js("""(async () => {
        const started = await sdk.wait("typingStarted");
        return (await sdk.wait("typingEnded")).at - started.at;
    })()""")
    assert 5500 < lasted < 7500


@pytest.mark.thorough
def test_guests_typing_reaches_the_desk(opened: Chat) -> None:
    opened.js("sdk.conversation.typing()")
    assert opened.sandbox.desk(opened.sid)["typing"] == [opened.identity]


@pytest.mark.thorough
def test_own_user_can_be_renamed(opened: Chat) -> None:
    opened.js("sdk.client.user.updateFriendlyName('Ana M.')")
    opened.wait("userUpdated", {"identity": opened.identity, "reasons": ["friendlyName"]})
    assert opened.sandbox.rest("GET", f"/v1/Users/{opened.identity}")["friendly_name"] == "Ana M."
    assert opened.sandbox.rest("GET", f"/v1/Users/{opened.identity}")["is_online"] is True


# Reading


@pytest.mark.thorough
def test_read_horizon_of_the_guest_and_counts(opened: Chat) -> None:
    for body in ("one", "two", "three"):
        opened.say("agent_robin", body)
    opened.wait("messageAdded", {"body": "three"})
    assert opened.js("sdk.conversation.getUnreadMessagesCount()") is None
    assert opened.js("sdk.conversation.setAllMessagesRead()") == 0
    assert opened.wait("participantUpdated", {"identity": opened.identity})["read"] == 2
    # The SDK keeps the answer to a request for a count for half a second.
    until(lambda: opened.js("sdk.conversation.getUnreadMessagesCount()") == 0)
    opened.say("agent_robin", "four")
    opened.wait("messageAdded", {"body": "four"})
    until(lambda: opened.js("sdk.conversation.getUnreadMessagesCount()") == 1)
    assert opened.js("sdk.conversation.getMessagesCount()") == 4
    assert opened.js("sdk.conversation.getParticipantsCount()") == 1


@pytest.mark.thorough
def test_read_horizon_of_the_agent(opened: Chat) -> None:
    opened.join("agent_robin", "Robin")
    opened.wait("participantJoined")
    opened.js("sdk.conversation.sendMessage('Read me')")
    opened.sandbox.rest("POST", f"/v1/Conversations/{opened.sid}/Participants/agent_robin", LastReadMessageIndex="0")
    assert opened.wait("participantUpdated", {"identity": "agent_robin"})["read"] == 0


# Media


@pytest.mark.thorough
def test_blob_goes_up_and_comes_back(opened: Chat) -> None:
    opened.js("""sdk.conversation.prepareMessage().setBody("see file").addMedia(
        {contentType: "text/plain", filename: "a b ü.txt", media: new Blob(["file content"], {type: "text/plain"})}
    ).build().send()""")
    assert opened.wait("messageAdded")["type"] == "media"
    media = opened.js("""sdk.conversation.getMessages(1).then(({items: [{attachedMedia: [media]}]}) => (
        {sid: media.sid, filename: media.filename, type: media.contentType, size: media.size}))""")
    assert media == {"sid": media["sid"], "filename": "a b ü.txt", "type": "text/plain", "size": 12}
    content = opened.js("""(async () => {
        const {items: [{attachedMedia: [media]}]} = await sdk.conversation.getMessages(1);
        return (await fetch(await media.getContentTemporaryUrl())).text();
    })()""")
    assert content == "file content"
    urls = opened.js("sdk.client.getTemporaryContentUrlsForMediaSids([argument]).then(urls => [...urls])", media["sid"])
    assert urls[0][0] == media["sid"]
    (message,) = opened.sandbox.messages(opened.sid)
    assert message["media"] == [
        {"sid": media["sid"], "content_type": "text/plain", "filename": "a b ü.txt", "size": 12}
    ]


@pytest.mark.thorough
def test_form_data_goes_up(opened: Chat) -> None:
    opened.js("""(async () => {
        const form = new FormData();
        form.append("file", new File([new Uint8Array([137, 80, 78, 71])], "dot.png", {type: "image/png"}));
        await sdk.conversation.prepareMessage().addMedia(form).build().send();
    })()""")
    opened.wait("messageAdded")
    (message,) = opened.sandbox.messages(opened.sid)
    (media,) = message["media"]
    assert (media["filename"], media["content_type"], media["size"]) == ("dot.png", "image/png", 4)


# Tokens


def test_token_about_to_expire_is_renewed_in_place(opened: Chat) -> None:
    opened.sandbox.connections("about_to_expire", opened.identity)
    opened.wait("tokenAboutToExpire")
    before = opened.js("sdk.count('connectionStateChanged')")
    opened.js("sdk.client.updateToken(argument)", token(opened.identity, 7200))
    opened.say("agent_robin", "Still there?")
    opened.wait("messageAdded", {"body": "Still there?"})
    assert opened.js("sdk.count('connectionStateChanged')") == before


@pytest.mark.thorough
def test_short_token_warns_by_itself(chat: Chat) -> None:
    chat.open(ttl=60)
    chat.wait("tokenAboutToExpire")


@pytest.mark.thorough
def test_expired_token_and_recovery(chat: Chat) -> None:
    chat.open(ttl=2)
    chat.wait("tokenExpired")
    # Before this, while the SDK waits for its socket to close, updateToken() would never settle.
    chat.wait("connectionStateChanged", "disconnected")
    chat.say("agent_robin", "While you were away")
    chat.js("sdk.client.updateToken(argument)", token(chat.identity, 7200))
    chat.wait("messageAdded", {"body": "While you were away"})
    assert chat.js("sdk.client.connectionState") == "connected"


@pytest.mark.thorough
def test_expired_at_connect(chat: Chat) -> None:
    jwt = token(chat.identity, now=time.time() - 7200)
    assert chat.connect(jwt) == "initFailed"
    error = chat.wait("connectionError")
    assert error == {"terminal": True, "httpStatusCode": 401, "errorCode": 20104}
    chat.wait("tokenExpired")
    chat.wait("connectionStateChanged", "denied")


@pytest.mark.parametrize("jwt", ["garbage", token("guest", secret="w" * 32), token("")])
def test_wrong_token(chat: Chat, jwt: str) -> None:
    assert chat.connect(jwt) == "initFailed"
    assert chat.wait("connectionError")["errorCode"] == 20101
    chat.wait("connectionStateChanged", "denied")


@pytest.mark.thorough
def test_token_of_somebody_else_is_refused_then_own_accepted(opened: Chat) -> None:
    refusal = opened.refusal(f"sdk.client.updateToken('{token('somebody else')}')")
    assert refusal is not None
    opened.wait("connectionStateChanged", "denied")
    opened.js("sdk.client.updateToken(argument)", token(opened.identity, 7200))
    opened.say("agent_robin", "Welcome back")
    opened.wait("messageAdded", {"body": "Welcome back"})


# Connection loss


@pytest.mark.thorough
@pytest.mark.parametrize("action", ["offload", "abort", "drop"])
def test_missed_events_are_replayed_after_reconnect(opened: Chat, action: str) -> None:
    opened.js("sdk.conversation.sendMessage('before')")
    opened.wait("messageAdded", {"body": "before"})
    seen = opened.seen()
    opened.sandbox.connections(action, opened.identity)
    opened.say("agent_robin", "missed one")
    opened.say("agent_robin", "missed two")
    opened.join("agent_robin", "Robin")
    opened.wait("connectionStateChanged", "connected", seen)
    opened.wait("messageAdded", {"body": "missed two", "index": 2}, seen)
    opened.wait("participantJoined", "agent_robin", seen)
    assert opened.js("sdk.count('messageAdded')") == 3


def test_sent_while_disconnected_goes_out_later(opened: Chat) -> None:
    opened.sandbox.connections("abort", opened.identity)
    opened.wait("connectionStateChanged", "connecting", 1)
    assert opened.js("sdk.conversation.sendMessage('from the tunnel')") == 0
    opened.wait("messageAdded", {"body": "from the tunnel"})
    assert [message["body"] for message in opened.sandbox.messages(opened.sid)] == ["from the tunnel"]


@pytest.mark.thorough
def test_failed_send_can_be_sent_again(opened: Chat) -> None:
    opened.sandbox.fault("POST", f"/Client/v2/Conversations/{opened.sid}/Messages", status=503)
    refusal = opened.refusal("sdk.conversation.sendMessage('again')")
    assert refusal["status"] == 503
    assert opened.js("sdk.conversation.sendMessage('again')") == 0


# Closing and leaving


def test_closed_live(opened: Chat) -> None:
    opened.say("agent_robin", "Bye")
    opened.wait("messageAdded")
    opened.sandbox.close(opened.sid)
    assert opened.wait("conversationUpdated", {"reasons": ["dateUpdated", "state"]})["state"] == "closed"
    assert opened.wait("conversationLeft") == opened.sid
    refusal = opened.refusal("sdk.conversation.sendMessage('too late')")
    assert refusal["status"] == 403
    again = "sdk.client.getConversationBySid(argument).then(one => one.state.current)"
    assert opened.js(again, opened.sid) == "closed"


@pytest.mark.thorough
def test_fresh_client_on_a_closed_conversation(chat: Chat) -> None:
    chat.say("agent_robin", "Bye")
    chat.sandbox.close(chat.sid)
    chat.open()
    assert chat.js("sdk.conversation.state.current") == "closed"
    refusal = chat.refusal("sdk.conversation.sendMessage('too late')")
    assert (refusal["status"], refusal["code"]) == (403, 50438)


@pytest.mark.thorough
def test_removed_before_it_is_closed(opened: Chat) -> None:
    """The order in which no `state` event comes: who waits only for that never learns of the end."""
    opened.sandbox.rest("DELETE", f"/v1/Conversations/{opened.sid}/Participants/{opened.identity}")
    opened.sandbox.close(opened.sid)
    assert opened.wait("conversationLeft") == opened.sid
    assert opened.wait("conversationRemoved") == opened.sid
    opened.wait_for_what_was_sent()
    assert opened.js("sdk.conversation.state.current") == "active"
    refusal = opened.refusal("sdk.conversation.sendMessage('too late')")
    assert (refusal["status"], refusal["code"]) == (403, 50400)


@pytest.mark.thorough
def test_guest_leaves(opened: Chat) -> None:
    opened.js("sdk.conversation.leave()")
    assert opened.wait("conversationLeft") == opened.sid
    assert opened.sandbox.participants(opened.sid) == []
    opened.say("agent_robin", "Not for you")
    opened.wait_for_what_was_sent()
    assert opened.js("sdk.count('messageAdded')") == 0


@pytest.mark.thorough
def test_deleted_conversation_is_announced(opened: Chat) -> None:
    opened.sandbox.rest("DELETE", f"/v1/Conversations/{opened.sid}")
    assert opened.wait("conversationRemoved") == opened.sid


def test_foreign_conversation_is_refused(opened: Chat) -> None:
    foreign = opened.sandbox.open_webchat("another guest")
    refusal = opened.refusal(f"sdk.client.getConversationBySid('{foreign}')")
    assert (refusal["status"], refusal["code"]) == (403, 50400)
    assert opened.refusal("sdk.client.getUser('another guest')") is not None


def test_legacy_web_channel_opens_as_a_conversation(chat: Chat) -> None:
    channel = chat.sandbox.rest(
        "POST",
        "/v1/WebChannels",
        FlexFlowSid=account.FLEX_FLOW_SID,
        Identity=chat.identity,
        CustomerFriendlyName="Ana",
        ChatFriendlyName="Legacy",
        PreEngagementData='{"question": "v1?"}',
    )["sid"]
    attributes = chat.open(channel)
    assert attributes == {"pre_engagement_data": {"question": "v1?"}, "status": "ACTIVE"}
    chat.sandbox.rest("POST", f"/v1/WebChannels/{channel}", ChatStatus="inactive")
    chat.wait("conversationUpdated", {"state": "closed"})
    assert chat.js("sdk.conversation.attributes.status") == "INACTIVE"
