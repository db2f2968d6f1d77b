"""Studio, as far as the sandbox runs a flow: the first message has the widget Make HTTP Request ask the site about the chat.

A flow is followed from its trigger to that widget alone. The task is there at once, as it always is in the sandbox, and has
the answer when that comes; a site that does not answer leaves it without. What agents are shown of it is the answer itself:
no template is rendered.

https://www.twilio.com/docs/studio/widget-library/http-request
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from .account import ACCOUNT_SID, CHAT_SERVICE_SID
from .configuration import Configuration, Flow
from .entities import Conversation
from .events import Event
from .store import Store
from .webhooks import is_local, one_worker, signature

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
LARGEST_ANSWER = 64 * 1024
WAITING = 100
FORM = "application/x-www-form-urlencoded"
_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class Studio:
    def __init__(self, store: Store, configuration: Configuration) -> None:
        self.store = store
        self.configuration = configuration
        self._waiting: asyncio.Queue[tuple[Conversation, Flow, dict[str, Any]]] = asyncio.Queue(WAITING)
        store.listeners.append(self._hear)

    def _hear(self, event: Event) -> None:
        if event.type != "TaskCreated":
            return
        flow = self._flow_of(event.conversation)
        asked = _asked_first(flow.definition) if flow else None
        if flow is None or asked is None:
            return
        try:
            self._waiting.put_nowait((event.conversation, flow, asked))
        except asyncio.QueueFull:
            logger.warning("The site is not asked about a chat: too many wait")

    def _flow_of(self, conversation: Conversation) -> Flow | None:
        address = self.configuration.addresses.get(conversation.webchat.address_sid if conversation.webchat else "")
        return self.configuration.flows.get(address.auto_creation.get("studio_flow_sid", "")) if address else None

    def run(self, _: web.Application) -> AsyncIterator[None]:
        """The application's clean-up context: one worker, which asks about one chat after the other."""
        return one_worker(self._work, TIMEOUT_SECONDS)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            conversation, flow, asked = await self._waiting.get()
            try:
                facts = await _ask(session, conversation, flow, asked)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                logger.warning("The site was not asked about a chat: %s", type(error).__name__)
            else:
                self.store.add_facts(conversation, facts)


def _asked_first(definition: dict[str, Any]) -> dict[str, Any] | None:
    """The properties of the Make HTTP Request widget that a visitor's first message leads to; None for another widget."""
    states = {state["name"]: state for state in definition["states"]}
    after = states[definition["initial_state"]].get("transitions") or []
    first = states.get(next((one.get("next") for one in after if one["event"] == "incomingConversationMessage"), None))
    return first["properties"] if first and first["type"] == "make-http-request" else None


async def _ask(
    session: aiohttp.ClientSession, conversation: Conversation, flow: Flow, asked: dict[str, Any]
) -> dict[str, Any]:
    """The JSON object that the site answers. Raises ValueError for any other answer, and for an address elsewhere."""
    url = str(asked["url"])
    if asked["method"] != "POST" or not str(asked["content_type"]).startswith(FORM) or not is_local(url):
        raise ValueError("the sandbox posts forms to loopback addresses only")
    values = {
        "trigger.conversation.AccountSid": ACCOUNT_SID,
        "trigger.conversation.ChannelSid": conversation.sid,
        "trigger.conversation.ConversationSid": conversation.sid,
        "trigger.conversation.InstanceSid": CHAT_SERVICE_SID,
        "flow.flow_sid": flow.sid,
    }
    form = {
        str(one["key"]): _VARIABLE.sub(lambda found: values.get(found[1], ""), str(one["value"]))
        for one in asked.get("parameters") or []
    }
    headers = {"X-Twilio-Signature": signature(url, form), "Content-Type": f"{FORM}; charset=UTF-8"}
    # As it is signed, letter for letter.
    async with session.post(
        URL(url, encoded=True), data=urlencode(form).encode(), headers=headers, allow_redirects=False
    ) as answer:
        if answer.status >= 300 or answer.content_type != "application/json":
            raise ValueError("no JSON")
        facts = json.loads(await answer.content.read(LARGEST_ANSWER))
    if not isinstance(facts, dict):
        raise ValueError("no object")
    return facts
