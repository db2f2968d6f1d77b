"""REST: Flex's two ways to open a webchat, and the account's fixed configuration around them.

v2 WebChats: https://www.twilio.com/docs/flex/developer/conversations/webchats-resource
v1 WebChannels (legacy): https://www.twilio.com/docs/flex/developer/messaging/api/chat-channel
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

from . import limits
from .account import (
    ACCOUNT_SID,
    ADDRESS_SID,
    AUTH_TOKEN,
    CHAT_SERVICE_SID,
    FLEX_FLOW_SID,
    OFFLINE_SID,
    STUDIO_FLOW_SID,
    TASK_QUEUE_SID,
    WORKFLOW_SID,
    WORKSPACE_SID,
)
from .clock import now, rfc2822, seconds
from .entities import Conversation
from .errors import TwilioError, invalid
from .rest import OWNER, Form, created, deleted, origin, page, url
from .store import Store


class FlexApi:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.started = now()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/WebChats", self.create_web_chat),
            web.post("/v1/WebChannels", self.create_web_channel),
            web.get("/v1/WebChannels", self.list_web_channels),
            web.get("/v1/WebChannels/{sid}", self.fetch_web_channel),
            web.post("/v1/WebChannels/{sid}", self.update_web_channel),
            web.delete("/v1/WebChannels/{sid}", self.delete_web_channel),
            web.get(f"/v1/FlexFlows/{FLEX_FLOW_SID}", self.fetch_flex_flow),
            web.get("/v1/Configuration/Addresses", self.list_addresses),
            web.get(f"/v1/Configuration/Addresses/{ADDRESS_SID}", self.fetch_address),
            web.get("/v1/Configuration", self.fetch_configuration),
            web.get(f"/v1/Services/{CHAT_SERVICE_SID}", self.fetch_service),
            web.get(f"/2010-04-01/Accounts/{ACCOUNT_SID}.json", self.fetch_account),
        ]

    # v2

    async def create_web_chat(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        address = form.required("AddressSid")
        if not address.startswith("IG"):
            raise TwilioError(400, 45745, f"{address} is invalid")
        if address != ADDRESS_SID:
            raise TwilioError(404, 45765, f"Address configuration {address} not found")
        identity = form.get("Identity", limits.IDENTITY) or uuid.uuid4().hex
        conversation = self.store.open_webchat(
            "conversations",
            identity=identity,
            customer_friendly_name=form.get("CustomerFriendlyName"),
            friendly_name=form.get("ChatFriendlyName"),
            attributes=_attributes(form.get("PreEngagementData")),
        )
        return created(request, conversation.sid, {"conversation_sid": conversation.sid, "identity": identity})

    # v1

    async def create_web_channel(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        flow, identity = form.required("FlexFlowSid"), form.required("Identity", limits.IDENTITY)
        customer, name = form.required("CustomerFriendlyName"), form.required("ChatFriendlyName")
        unique_name = form.get("ChatUniqueName") or None
        if flow != FLEX_FLOW_SID:
            raise TwilioError(404, 45205, f"Flex Flow {flow} not found")
        if unique_name and self.store.is_taken(unique_name):
            raise TwilioError(409, 45208, "Chat channel with provided unique name already exists")
        channel = self.store.open_webchat(
            "web_channels",
            identity=identity,
            customer_friendly_name=customer,
            friendly_name=name,
            unique_name=unique_name,
            attributes=_attributes(form.get("PreEngagementData"), status="ACTIVE"),
        )
        return created(request, channel.sid, self._web_channel_view(channel, request))

    async def list_web_channels(self, request: web.Request) -> web.Response:
        found = [one for one in self.store.conversations.values() if one.webchat and one.webchat.api == "web_channels"]
        found.reverse()
        return page(
            request, "flex_chat_channels", found, lambda one: self._web_channel_view(one, request), largest=1000
        )

    async def fetch_web_channel(self, request: web.Request) -> web.Response:
        return web.json_response(self._web_channel_view(self._web_channel(request), request))

    async def update_web_channel(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        channel = self._web_channel(request)
        status, data = form.get("ChatStatus"), form.get("PostEngagementData")
        if status not in {None, "inactive"}:
            raise invalid("Invalid ChatStatus", 45004)
        data = None if data is None else _engagement_data(data)
        if not (status and channel.closed):  # ending twice is no error
            if data is not None:
                self.store.annotate(channel, origin(request), post_engagement_data=json.loads(data))
            if status:
                self.store.end_webchat(channel, origin(request))
        return web.json_response(self._web_channel_view(channel, request))

    async def delete_web_channel(self, request: web.Request) -> web.Response:
        self.store.delete_conversation(self._web_channel(request), origin(request))
        return deleted()

    def _web_channel(self, request: web.Request) -> Conversation:
        channel = self.store.conversations.get(request.match_info["sid"])
        if channel is None or channel.webchat is None or channel.webchat.api != "web_channels":
            raise TwilioError(404, 45204, "Flex chat channel not found")
        return channel

    def _web_channel_view(self, channel: Conversation, request: web.Request) -> dict[str, Any]:
        return {
            "account_sid": ACCOUNT_SID,
            "flex_flow_sid": FLEX_FLOW_SID,
            "sid": channel.sid,
            "url": url(request, f"/v1/WebChannels/{channel.sid}"),
            "date_created": seconds(channel.created),
            "date_updated": seconds(channel.updated),
        }

    # Configuration: fixed, there to be read and checked

    async def fetch_flex_flow(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                **OWNER,
                "sid": FLEX_FLOW_SID,
                "friendly_name": "Sandbox web flow",
                "channel_type": "web",
                "contact_identity": "sandbox",
                "enabled": True,
                "integration_type": "studio",
                "integration": {"flow_sid": STUDIO_FLOW_SID},
                "long_lived": False,
                "janitor_enabled": True,
                **self._dates(),
                "url": url(request, f"/v1/FlexFlows/{FLEX_FLOW_SID}"),
            }
        )

    async def list_addresses(self, request: web.Request) -> web.Response:
        found = [self._address_view(request)] if request.query.get("Type", "chat") == "chat" else []
        return page(request, "address_configurations", found, lambda one: one, largest=50)

    async def fetch_address(self, request: web.Request) -> web.Response:
        return web.json_response(self._address_view(request))

    async def fetch_configuration(self, request: web.Request) -> web.Response:
        """Flex and Conversations have the same path, at different hosts."""
        if request.headers.get("X-Twilio-Host", "").startswith("flex-api."):
            return self._flex_configuration(request)
        return web.json_response(
            {
                "account_sid": ACCOUNT_SID,
                "default_chat_service_sid": CHAT_SERVICE_SID,
                "default_messaging_service_sid": None,
                "default_inactive_timer": None,
                "default_closed_timer": None,
                "url": url(request, "/v1/Configuration"),
                "links": {
                    "service": url(request, f"/v1/Services/{CHAT_SERVICE_SID}/Configuration"),
                    "webhooks": url(request, "/v1/Configuration/Webhooks"),
                },
            }
        )

    def _flex_configuration(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "account_sid": ACCOUNT_SID,
                "status": "ok",
                "taskrouter_workspace_sid": WORKSPACE_SID,
                "taskrouter_target_workflow_sid": WORKFLOW_SID,
                "taskrouter_target_taskqueue_sid": TASK_QUEUE_SID,
                "taskrouter_taskqueues": [{"sid": TASK_QUEUE_SID, "targettable": True}],
                "taskrouter_offline_activity_sid": OFFLINE_SID,
                "chat_service_instance_sid": CHAT_SERVICE_SID,
                **self._dates(),
                "url": url(request, "/v1/Configuration"),
            }
        )

    async def fetch_service(self, request: web.Request) -> web.Response:
        path = f"/v1/Services/{CHAT_SERVICE_SID}"
        return web.json_response(
            {
                "account_sid": ACCOUNT_SID,
                "sid": CHAT_SERVICE_SID,
                "friendly_name": "Flex Chat Service",
                **self._dates(),
                "url": url(request, path),
                "links": {
                    "conversations": url(request, f"{path}/Conversations"),
                    "users": url(request, f"{path}/Users"),
                },
            }
        )

    async def fetch_account(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "sid": ACCOUNT_SID,
                "auth_token": AUTH_TOKEN,
                "friendly_name": "Sandbox",
                "owner_account_sid": ACCOUNT_SID,
                "status": "active",
                "type": "Full",
                "date_created": rfc2822(self.started),
                "date_updated": rfc2822(self.started),
                "subresource_uris": {},
                "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}.json",
            }
        )

    def _address_view(self, request: web.Request) -> dict[str, Any]:
        return {
            "sid": ADDRESS_SID,
            "account_sid": ACCOUNT_SID,
            "type": "chat",
            "address": "sandbox",
            "friendly_name": "Sandbox webchat",
            "auto_creation": {
                "enabled": True,
                "type": "studio",
                "conversation_service_sid": CHAT_SERVICE_SID,
                "webhook_url": None,
                "webhook_method": None,
                "webhook_filters": None,
                "studio_flow_sid": STUDIO_FLOW_SID,
                "studio_retry_count": None,
            },
            **self._dates(),
            "url": url(request, f"/v1/Configuration/Addresses/{ADDRESS_SID}"),
            "address_country": None,
        }

    def _dates(self) -> dict[str, str]:
        return {"date_created": seconds(self.started), "date_updated": seconds(self.started)}


def _attributes(data: str | None, **more: str) -> str:
    """The attributes of a new webchat, the data in them letter for letter. Raises TwilioError 45731 or 45733."""
    fields = {"pre_engagement_data": _engagement_data(data or "{}")} | {
        key: json.dumps(value) for key, value in more.items()
    }
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    if limits.size(text) > limits.CONVERSATION_ATTRIBUTES:
        raise _too_large()
    return text


def _engagement_data(data: str) -> str:
    if limits.size(data) >= limits.PRE_ENGAGEMENT_DATA:
        raise _too_large()
    try:
        limits.parse_json(data)
    except ValueError as error:
        raise TwilioError(400, 45733, "Engagement data is not valid JSON") from error
    return data


def _too_large() -> TwilioError:
    return TwilioError(400, 45731, "Engagement data is larger than 16 KB")
