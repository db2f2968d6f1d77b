"""REST: Flex's two ways to open a webchat.

v2 WebChats: https://www.twilio.com/docs/flex/developer/conversations/webchats-resource
v1 WebChannels (legacy): https://www.twilio.com/docs/flex/developer/messaging/api/chat-channel
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

from . import limits
from .account import ACCOUNT_SID, STUDIO_FLOW_SID
from .clock import seconds
from .configuration import Configuration, FlexFlow
from .entities import Conversation
from .errors import TwilioError, invalid, not_found
from .rest import Form, created, deleted, origin, page, url
from .store import Store

# https://www.twilio.com/docs/flex/developer/messaging/api/flow
FLEX_FLOW_TYPES = {"web", "sms", "facebook", "whatsapp", "line", "custom"}
MOST_FLEX_FLOWS = 1000


class FlexApi:
    def __init__(self, store: Store, configuration: Configuration) -> None:
        self.store = store
        self.configuration = configuration

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/WebChats", self.create_web_chat),
            web.post("/v1/WebChannels", self.create_web_channel),
            web.get("/v1/WebChannels", self.list_web_channels),
            web.get("/v1/WebChannels/{sid}", self.fetch_web_channel),
            web.post("/v1/WebChannels/{sid}", self.update_web_channel),
            web.delete("/v1/WebChannels/{sid}", self.delete_web_channel),
            web.get("/v1/FlexFlows", self.list_flex_flows),
            web.post("/v1/FlexFlows", self.create_flex_flow),
            web.get("/v1/FlexFlows/{sid}", self.fetch_flex_flow),
        ]

    # v2

    async def create_web_chat(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        address = form.required("AddressSid")
        if not address.startswith("IG"):
            raise TwilioError(400, 45745, f"{address} is invalid")
        self._require_open_address(address)
        identity = form.get("Identity", limits.IDENTITY) or uuid.uuid4().hex
        conversation = self.store.open_webchat(
            "conversations",
            identity=identity,
            customer_friendly_name=form.get("CustomerFriendlyName"),
            friendly_name=form.get("ChatFriendlyName"),
            attributes=_attributes(form.get("PreEngagementData")),
            address_sid=address,
        )
        return created(request, conversation.sid, {"conversation_sid": conversation.sid, "identity": identity})

    def _require_open_address(self, sid: str) -> None:
        """Raises TwilioError, with Twilio's codes, for an address that no webchat can come by."""
        address = self.configuration.addresses.get(sid)
        if address is None or not self.configuration.has_flex:
            raise TwilioError(404, 45765, f"Address configuration {sid} not found")
        if address.type != "chat":
            raise TwilioError(400, 45760, f"Address configuration {sid} is not of the type chat")
        if not address.auto_creation.get("enabled"):
            raise TwilioError(400, 45761, f"Address configuration {sid} does not create conversations")

    # v1

    async def create_web_channel(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        flow, identity = form.required("FlexFlowSid"), form.required("Identity", limits.IDENTITY)
        customer, name = form.required("CustomerFriendlyName"), form.required("ChatFriendlyName")
        unique_name = form.get("ChatUniqueName") or None
        if flow not in self.configuration.flex_flows:
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
            flex_flow_sid=flow,
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
            "flex_flow_sid": channel.webchat.flex_flow_sid if channel.webchat else "",
            "sid": channel.sid,
            "url": url(request, f"/v1/WebChannels/{channel.sid}"),
            "date_created": seconds(channel.created),
            "date_updated": seconds(channel.updated),
        }

    # Flex Flows

    async def list_flex_flows(self, request: web.Request) -> web.Response:
        wanted = request.query.get("FriendlyName")
        found = [one for one in self.configuration.flex_flows.values() if wanted in (None, one.friendly_name)]
        return page(request, "flex_flows", found, lambda one: _flex_flow_view(request, one), largest=1000)

    async def create_flex_flow(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        name, service, kind = (form.required(each) for each in ("FriendlyName", "ChatServiceSid", "ChannelType"))
        if service not in self.configuration.services:
            raise invalid(f"Service {service} not found")
        if kind not in FLEX_FLOW_TYPES:
            raise invalid(f"ChannelType {kind} is invalid")
        if len(self.configuration.flex_flows) >= MOST_FLEX_FLOWS:
            raise invalid("Too many Flex Flows")
        flow = FlexFlow(friendly_name=name, chat_service_sid=service, channel_type=kind)
        self.configuration.flex_flows[flow.sid] = flow
        return created(request, flow.sid, _flex_flow_view(request, flow))

    async def fetch_flex_flow(self, request: web.Request) -> web.Response:
        flow = self.configuration.flex_flows.get(request.match_info["sid"])
        if flow is None:
            raise not_found(request.path)
        return web.json_response(_flex_flow_view(request, flow))


def _flex_flow_view(request: web.Request, flow: FlexFlow) -> dict[str, Any]:
    return {
        "account_sid": ACCOUNT_SID,
        "chat_service_sid": flow.chat_service_sid,
        "sid": flow.sid,
        "friendly_name": flow.friendly_name,
        "channel_type": flow.channel_type,
        "contact_identity": "sandbox",
        "enabled": True,
        "integration_type": "studio",
        "integration": {"flow_sid": STUDIO_FLOW_SID},
        "long_lived": False,
        "janitor_enabled": True,
        "date_created": seconds(flow.created),
        "date_updated": seconds(flow.created),
        "url": url(request, f"/v1/FlexFlows/{flow.sid}"),
    }


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
