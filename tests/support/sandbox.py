"""A real sandbox for tests: the whole server on a free loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import threading
from types import TracebackType
from typing import Any, Self

import requests

from webchat.sandbox import account
from webchat.sandbox.server import start

TIMEOUT = 60  # seconds, for the start and for each request


class SandboxServer:
    """`with SandboxServer() as sandbox:` gives `sandbox.url`; everything that it knows is gone at the end.

    The scripted agent is off unless asked for. The methods speak plain HTTP and raise on an error answer.
    """

    def __init__(self, *, auto_agent: bool = False, agent_pace: float = 1.0, port: int = 0) -> None:
        self._options: Any = {"auto_agent": auto_agent, "agent_pace": agent_pace}
        self._port = port
        self.url = ""

    # Life

    def start(self) -> Self:
        self._http = requests.Session()
        self._http.trust_env = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._thread.start()
        starting = start("127.0.0.1", self._port, **self._options)
        self._runner, self._port = asyncio.run_coroutine_threadsafe(starting, self._loop).result(TIMEOUT)
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    def stop(self) -> None:
        self._http.close()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()

    def restart(self) -> None:
        """At the same address, and with nothing that it knew."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def websocket_url(self) -> str:
        """The SDK's constructor option `Twilsock.uri`."""
        return f"ws://127.0.0.1:{self._port}/v3/wsconnect"

    # Plain HTTP

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request, whatever the answer."""
        return self._http.request(method, self.url + path, timeout=TIMEOUT, **options)

    def rest(self, method: str, path: str, *, webhooks: bool = False, **form: Any) -> Any:
        """A call of Twilio's REST API with the account's credentials; the JSON answer, or None if there is no body."""
        headers = {"X-Twilio-Webhook-Enabled": "true"} if webhooks else {}
        credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
        return self._json(self.request(method, path, data=form or None, auth=credentials, headers=headers))

    def _json(self, answer: requests.Response) -> Any:
        answer.raise_for_status()
        return answer.json() if answer.content else None

    # Shortcuts

    def open_webchat(self, identity: str = "guest", **form: Any) -> str:
        """A v2 webchat; its conversation SID."""
        answer = self.rest("POST", "/v2/WebChats", AddressSid=account.ADDRESS_SID, Identity=identity, **form)
        return str(answer["conversation_sid"])

    def conversations(self, **query: Any) -> list[dict[str, Any]]:
        return list(self._list("/v1/Conversations", "conversations", query))

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        return list(self._list(f"/v1/Conversations/{conversation}/Messages", "messages", {}))

    def participants(self, conversation: str) -> list[dict[str, Any]]:
        return list(self._list(f"/v1/Conversations/{conversation}/Participants", "participants", {}))

    def say(self, conversation: str, author: str, body: str, *, webhooks: bool = False) -> dict[str, Any]:
        """A message over REST: as anybody, and unheard by Studio unless `webhooks`."""
        path = f"/v1/Conversations/{conversation}/Messages"
        return dict(self.rest("POST", path, webhooks=webhooks, Author=author, Body=body))

    def close(self, conversation: str) -> None:
        self.rest("POST", f"/v1/Conversations/{conversation}", State="closed")

    def _list(self, path: str, key: str, query: dict[str, Any]) -> Any:
        credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
        answer = self.request("GET", path, params={"PageSize": 100, **query}, auth=credentials)
        return self._json(answer)[key]

    # The account, faults, log, desk

    def become(self, kind: str) -> None:
        """Makes the account `new`, `empty`, `taken` by another application, or one with `no_flex`."""
        self._json(self.request("POST", "/account", json={"kind": kind}))

    def fault(self, method: str, path: str, **fault: Any) -> None:
        """Scripts the answer to the next call, or to the next `times` calls, of that path (`…*`: of that prefix)."""
        self._json(self.request("POST", "/faults", json={"method": method, "path": path, **fault}))

    def clear_faults(self) -> None:
        self._json(self.request("DELETE", "/faults"))

    def connections(self, action: str, identity: str | None = None) -> int:
        """`about_to_expire`, `expire`, `offload`, `abort` or `drop` Twilsock connections; how many there were."""
        answer = self.request("POST", "/faults/connections", json={"action": action, "identity": identity})
        return int(self._json(answer)["connections"])

    def log(self) -> list[dict[str, Any]]:
        """The REST calls, oldest first: method, path, parameters (their names), status (None: not answered), created, at."""
        return list(self._json(self.request("GET", "/log"))["calls"])

    def clear_log(self) -> None:
        self._json(self.request("DELETE", "/log"))

    def desk(self, conversation: str | None = None, action: str | None = None, **body: Any) -> Any:
        """`desk()` lists; `desk(CH)` shows one; `desk(CH, "accept", author="Robin")` acts."""
        path = "/".join(["/desk/conversations", *filter(None, (conversation, action))])
        return self._json(self.request("POST" if action else "GET", path, json=body if action else None))


def basic_auth(user: str = account.ACCOUNT_SID, password: str = account.AUTH_TOKEN) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
