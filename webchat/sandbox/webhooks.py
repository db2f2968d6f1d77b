"""Conversations webhooks: what Twilio posts to the site, signed, when something happened.

https://www.twilio.com/docs/conversations-classic/conversations-webhooks
https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from .account import ACCOUNT_SID, AUTH_TOKEN, CHAT_SERVICE_SID, MESSAGING_SERVICE_SID
from .clock import timestamp
from .configuration import Configuration, Target
from .entities import Conversation, Message, Participant
from .errors import invalid
from .events import Event
from .loopback import is_loopback
from .rest import Form, url
from .store import Store

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5
TRIES = 2  # a second one only if there was no connection
WAITING = 1000
EVENTS = frozenset(
    {
        "onConversationAdded",
        "onConversationUpdated",
        "onConversationStateUpdated",
        "onConversationRemoved",
        "onMessageAdded",
        "onMessageUpdated",
        "onMessageRemoved",
        "onParticipantAdded",
        "onParticipantUpdated",
        "onParticipantRemoved",
    }
)


class Webhooks:
    def __init__(self, store: Store, configuration: Configuration) -> None:
        self.configuration = configuration
        self._waiting: asyncio.Queue[tuple[Target, dict[str, str]]] = asyncio.Queue(WAITING)
        store.listeners.append(self._hear)

    def routes(self) -> list[web.RouteDef]:
        service = f"/v1/Services/{CHAT_SERVICE_SID}/Configuration/Webhooks"
        return [
            web.get("/v1/Configuration/Webhooks", self.fetch),
            web.post("/v1/Configuration/Webhooks", self.update),
            web.get(service, self.fetch),
            web.post(service, self.update),
        ]

    async def fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._view(request))

    async def update(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        post_url, method, filters = form.get("PostWebhookUrl"), form.get("Method"), form.all("Filters")
        if form.get("PreWebhookUrl"):
            raise invalid("The sandbox has no pre-event webhooks")
        if post_url and not is_local(post_url):
            raise invalid("The sandbox posts to loopback addresses only")
        if method not in {None, "GET", "POST"}:
            raise invalid("Invalid Method")
        if unknown := set(filters) - EVENTS:
            raise invalid(f"The sandbox has no webhook {min(unknown)}")
        target = self._target(request)
        if post_url is not None:
            target.post_url = post_url
        if filters:
            target.filters = filters
        target.method = method or target.method
        return web.json_response(self._view(request))

    def _target(self, request: web.Request) -> Target:
        is_of_service = request.path.startswith("/v1/Services/")
        return self.configuration.service_webhook if is_of_service else self.configuration.account_webhook

    def _view(self, request: web.Request) -> dict[str, Any]:
        target = self._target(request)
        more = (
            {"chat_service_sid": CHAT_SERVICE_SID}
            if target is self.configuration.service_webhook
            else {"target": "webhook"}
        )
        return {
            "account_sid": ACCOUNT_SID,
            **more,
            "pre_webhook_url": None,
            "post_webhook_url": target.post_url or None,
            # Null while nothing was ever set, as in Twilio's specification.
            "method": target.method if target.filters else None,
            "filters": target.filters or None,
            "url": url(request, request.path),
        }

    # Delivery

    def _hear(self, event: Event) -> None:
        name = f"on{event.type}"
        service = self.configuration.service_webhook
        target = service if service.post_url else self.configuration.account_webhook
        if not event.origin.fires or name not in EVENTS.intersection(target.filters) or not target.post_url:
            return
        try:
            self._waiting.put_nowait((target, _fields(name, event)))
        except asyncio.QueueFull:
            logger.warning("%s is dropped: too many webhooks wait", name)

    def deliver(self, _: web.Application) -> AsyncIterator[None]:
        """The application's clean-up context: one worker, so that the webhooks go out in order."""
        return one_worker(self._work, TIMEOUT_SECONDS)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            target, fields = await self._waiting.get()
            for _ in range(TRIES):
                try:
                    await _send(session, target, fields)
                except aiohttp.ClientConnectionError as error:
                    logger.warning("%s could not be delivered: %s", fields["EventType"], type(error).__name__)
                except TimeoutError:
                    logger.warning("%s was not answered within %d s", fields["EventType"], TIMEOUT_SECONDS)
                    break
                else:
                    break


async def _send(session: aiohttp.ClientSession, target: Target, fields: dict[str, str]) -> None:
    address, body = target.post_url, fields
    if target.method == "GET":
        address, body = f"{address}{'&' if '?' in address else '?'}{urlencode(fields)}", {}
    headers = {"X-Twilio-Signature": signature(address, body)}
    data = urlencode(body, errors="replace").encode() if body else None
    if data:
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    # As it is signed, letter for letter.
    async with session.request(
        target.method, URL(address, encoded=True), data=data, headers=headers, allow_redirects=False
    ) as answer:
        if answer.status >= 300:
            logger.warning("%s was answered with %d", fields["EventType"], answer.status)


async def one_worker(
    work: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, None]], timeout_seconds: float
) -> AsyncIterator[None]:
    """Works, with an HTTP client of its own, while the application runs."""
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(work(session))
        yield
        worker.cancel()


def signature(address: str, fields: Mapping[str, str]) -> str:
    """The value of `X-Twilio-Signature`: HMAC-SHA1 by the auth token of the URL and the sorted fields, in base64."""
    text = address + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(
        hmac.new(AUTH_TOKEN.encode(), text.encode(errors="replace"), hashlib.sha1).digest()
    ).decode()


def is_local(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and is_loopback(parts.hostname) and parts.username is None
    except ValueError:
        return False


def _fields(name: str, event: Event) -> dict[str, str]:
    conversation = event.conversation
    fields: dict[str, str | int | None] = {
        "AccountSid": ACCOUNT_SID,
        "ChatServiceSid": CHAT_SERVICE_SID,
        "MessagingServiceSid": MESSAGING_SERVICE_SID,
        "ConversationSid": conversation.sid,
        "EventType": name,
        "Source": event.origin.source,
        "ClientIdentity": event.origin.identity,
    }
    if event.type == "ConversationStateUpdated":
        fields |= {
            "StateFrom": event.state_from,
            "StateTo": conversation.state,
            "StateUpdated": timestamp(conversation.state_updated),
            "Reason": "API" if event.origin.source == "API" else "EVENT",
        }
    elif event.message:
        fields |= _of_message(event.message)
    elif event.participant:
        fields |= _of_participant(event.participant)
    else:
        fields |= _of_conversation(conversation)
    return {key: str(value) for key, value in fields.items() if value is not None}


def _of_conversation(conversation: Conversation) -> dict[str, str | int | None]:
    return {
        "FriendlyName": conversation.friendly_name,
        "UniqueName": conversation.unique_name,
        "Attributes": conversation.attributes,
        "State": conversation.state,
        "DateCreated": timestamp(conversation.created),
        "DateUpdated": timestamp(conversation.updated),
    }


def _of_message(message: Message) -> dict[str, str | int | None]:
    media = [
        {"Sid": one.sid, "ContentType": one.content_type, "Filename": one.filename, "Size": one.size}
        for one in message.media
    ]
    return {
        "MessageSid": message.sid,
        "Index": message.index,
        "Author": message.author,
        "Body": message.body,
        "Attributes": message.attributes,
        "ParticipantSid": message.participant_sid,
        "Media": json.dumps(media) if media else None,
        "DateCreated": timestamp(message.created),
        "DateUpdated": timestamp(message.updated),
    }


def _of_participant(participant: Participant) -> dict[str, str | int | None]:
    return {
        "ParticipantSid": participant.sid,
        "Identity": participant.identity,
        "RoleSid": participant.role_sid,
        "Attributes": participant.attributes,
        "LastReadMessageIndex": participant.last_read_index,
        "DateCreated": timestamp(participant.created),
        "DateUpdated": timestamp(participant.updated),
    }
