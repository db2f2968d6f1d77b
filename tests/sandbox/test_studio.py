"""What the sandbox runs of a Studio flow: it asks the site about a chat, signed, and the desk shows agents the answer."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from tests.support.sandbox import SandboxServer
from tests.support.waiting import until
from webchat.flex.gateway import compact_json
from webchat.flex.studio_flow import build_definition
from webchat.sandbox import account

FACTS = {"session_url": "http://127.0.0.1/admin/", "earlier_chats": 2, "matches_account": ["email"], "verified": []}


class Site:
    """A real server that keeps what it is asked, and gives one answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.status, self.content_type, self.body = 200, "application/json", json.dumps(FACTS).encode()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, content_type, body = site.status, site.content_type, site.body
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                is_signed = RequestValidator(account.AUTH_TOKEN).validate(
                    site.url, form, self.headers["X-Twilio-Signature"]
                )
                site.asked.append(form)
                self.send_response(status if is_signed else 403)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/twilio/studio/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(sandbox: SandboxServer) -> Iterator[Site]:
    """The sandbox's address starts the flow that the project ships, which asks this site."""
    site = Site()
    publish(sandbox, site.url)
    yield site
    sandbox.become("new")
    site.close()


def publish(sandbox: SandboxServer, url: str) -> None:
    definition = build_definition(account.WORKFLOW_SID, account.TASK_CHANNELS["chat"], "x", url)
    path = f"/v2/Flows/{account.STUDIO_FLOW_SID}"
    sandbox.rest("POST", path, Status="published", Definition=compact_json(definition))


def start(sandbox: SandboxServer, identity: str) -> str:
    sid = sandbox.open_webchat(identity)
    sandbox.say(sid, identity, "Hello", webhooks=True)
    return sid


def facts_of(sandbox: SandboxServer, sid: str) -> Any:
    return sandbox.desk(sid)["facts"]


def test_the_site_is_asked_at_the_first_message_and_agents_see_the_answer(sandbox: SandboxServer, site: Site) -> None:
    sid = sandbox.open_webchat("asked")
    sandbox.say(sid, "asked", "not heard by Studio")
    assert facts_of(sandbox, sid) is None
    for _ in range(2):
        sandbox.say(sid, "asked", "heard", webhooks=True)
    until(lambda: facts_of(sandbox, sid) == FACTS)
    flow = account.STUDIO_FLOW_SID
    assert site.asked == [{"AccountSid": account.ACCOUNT_SID, "ConversationSid": sid, "FlowSid": flow}]
    # Not what a visitor's browser reads.
    seen = json.dumps([sandbox.rest("GET", f"/v1/Conversations/{sid}"), sandbox.rest("GET", "/v1/Users/asked")])
    assert "matches_account" not in seen + json.dumps([sandbox.messages(sid), sandbox.participants(sid)])


@pytest.mark.parametrize(
    "answer",
    [{"status": 403}, {"status": 500}, {"content_type": "text/html"}, {"body": b"["}, {"body": b"[]"}],
    ids=str,
)
def test_a_site_that_does_not_answer_loses_no_chat(sandbox: SandboxServer, site: Site, answer: dict[str, Any]) -> None:
    good = site.body
    for name, value in answer.items():
        setattr(site, name, value)
    failed = start(sandbox, "failed")
    until(lambda: len(site.asked) == 1)
    site.status, site.content_type, site.body = 200, "application/json", good
    later = start(sandbox, "later")  # its turn comes after the first one's
    until(lambda: facts_of(sandbox, later) == FACTS)
    assert sandbox.desk(failed)["waiting"] is True
    assert facts_of(sandbox, failed) is None


def test_nobody_elsewhere_is_asked_and_no_flow_without_that_widget_asks(sandbox: SandboxServer, site: Site) -> None:
    for url in ("https://example.org/", ""):
        publish(sandbox, url)
        sid = start(sandbox, f"nobody-{len(url)}")
        assert sandbox.desk(sid)["waiting"] is True
    publish(sandbox, site.url)
    later = start(sandbox, "asked-at-last")
    until(lambda: facts_of(sandbox, later) == FACTS)
    assert [one["ConversationSid"] for one in site.asked] == [later]
