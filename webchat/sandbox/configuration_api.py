"""REST: the account, what Flex and Conversations are set up with, chat addresses and API keys.

https://www.twilio.com/docs/conversations-classic/api/address-configuration-resource
https://www.twilio.com/docs/flex/developer/config/flex-configuration-rest-api
https://www.twilio.com/docs/iam/api-keys/key-resource-v2010
"""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from .account import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    OFFLINE_SID,
    TASK_QUEUE_SID,
    WORKFLOW_SID,
    WORKSPACE_SID,
)
from .clock import now, rfc2822, seconds
from .configuration import Address, Configuration, Key
from .errors import TwilioError, invalid, not_found
from .rest import Form, created, deleted, page, url

ADDRESSES = "/v1/Configuration/Addresses"
ACCOUNT = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
TYPES = {"sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat"}
MOST_ADDRESSES = MOST_KEYS = 1000
MOST_RETRIES = 3
KEY_NAME = 64


class ConfigurationApi:
    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.started = now()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/Configuration", self.fetch_configuration),
            web.post("/v1/Configuration", self.update_configuration),
            web.get("/v1/Services", self.list_services),
            web.get("/v1/Services/{sid}", self.fetch_service),
            web.get(ADDRESSES, self.list_addresses),
            web.post(ADDRESSES, self.create_address),
            web.get(f"{ADDRESSES}/{{name}}", self.fetch_address),
            web.post(f"{ADDRESSES}/{{name}}", self.update_address),
            web.delete(f"{ADDRESSES}/{{name}}", self.delete_address),
            web.get(f"{ACCOUNT}.json", self.fetch_account),
            web.get(f"{ACCOUNT}/Keys.json", self.list_keys),
            web.post(f"{ACCOUNT}/Keys.json", self.create_key),
        ]

    # Flex and Conversations: they have the same path, at different hosts

    async def fetch_configuration(self, request: web.Request) -> web.Response:
        return web.json_response(self._flex_view(request) if _is_of_flex(request) else self._view(request))

    async def update_configuration(self, request: web.Request) -> web.Response:
        if _is_of_flex(request):  # which takes JSON
            raise TwilioError(415, 20415, "Unsupported media type")
        service = (await Form.of(request)).get("DefaultChatServiceSid")
        if service is not None:
            if service not in self.configuration.services:
                raise invalid(f"Service {service} not found")
            self.configuration.default_service = service
        return web.json_response(self._view(request))

    def _view(self, request: web.Request) -> dict[str, Any]:
        return {
            "account_sid": ACCOUNT_SID,
            "default_chat_service_sid": self.configuration.default_service,
            "default_messaging_service_sid": None,
            "default_inactive_timer": None,
            "default_closed_timer": None,
            "url": url(request, "/v1/Configuration"),
            "links": {
                "service": url(request, f"/v1/Services/{self.configuration.default_service}/Configuration"),
                "webhooks": url(request, "/v1/Configuration/Webhooks"),
            },
        }

    def _flex_view(self, request: web.Request) -> dict[str, Any]:
        if not self.configuration.has_flex:
            raise TwilioError(404, 45101, "Configuration not found")  # the status is the sandbox's choice
        service = next(iter(self.configuration.services))
        return {
            "account_sid": ACCOUNT_SID,
            "status": "ok",
            "taskrouter_workspace_sid": WORKSPACE_SID,
            "taskrouter_target_workflow_sid": WORKFLOW_SID,
            "taskrouter_target_taskqueue_sid": TASK_QUEUE_SID,
            "taskrouter_taskqueues": [{"sid": TASK_QUEUE_SID, "targettable": True}],
            "taskrouter_offline_activity_sid": OFFLINE_SID,
            "chat_service_instance_sid": service,
            "flex_service_instance_sid": service,
            "ui_version": "2.x",
            **self._dates(),
            "url": url(request, "/v1/Configuration"),
        }

    async def list_services(self, request: web.Request) -> web.Response:
        return page(request, "services", list(self.configuration.services), lambda sid: self._service(request, sid))

    async def fetch_service(self, request: web.Request) -> web.Response:
        sid = request.match_info["sid"]
        if sid not in self.configuration.services:
            raise not_found(request.path)
        return web.json_response(self._service(request, sid))

    def _service(self, request: web.Request, sid: str) -> dict[str, Any]:
        path = f"/v1/Services/{sid}"
        return {
            "account_sid": ACCOUNT_SID,
            "sid": sid,
            "friendly_name": self.configuration.services[sid],
            **self._dates(),
            "url": url(request, path),
            "links": {
                "conversations": url(request, f"{path}/Conversations"),
                "users": url(request, f"{path}/Users"),
            },
        }

    # Addresses

    async def list_addresses(self, request: web.Request) -> web.Response:
        wanted = request.query.get("Type")
        found = [one for one in self.configuration.addresses.values() if wanted in (None, one.type)]
        return page(request, "address_configurations", found, lambda one: _address_view(request, one), largest=50)

    async def create_address(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        kind, text = form.required("Type").lower(), form.required("Address")
        if kind not in TYPES:
            raise invalid(f"Type {kind} is invalid")
        if any(one.address == text for one in self.configuration.addresses.values()):
            raise TwilioError(409, 20409, "The address is configured already")  # both are the sandbox's choice
        if len(self.configuration.addresses) >= MOST_ADDRESSES:
            raise invalid("Too many addresses")
        address = Address(
            type=kind,
            address=text,
            friendly_name=form.get("FriendlyName", 256),
            auto_creation=self._auto_creation(form, {"enabled": False, "type": "default"}),
        )
        self.configuration.addresses[address.sid] = address
        return created(request, address.sid, _address_view(request, address))

    async def fetch_address(self, request: web.Request) -> web.Response:
        return web.json_response(_address_view(request, self._address(request)))

    async def update_address(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        address = self._address(request)
        address.auto_creation = self._auto_creation(form, address.auto_creation)
        name = form.get("FriendlyName", 256)
        address.friendly_name = address.friendly_name if name is None else name
        address.updated = now()
        return web.json_response(_address_view(request, address))

    async def delete_address(self, request: web.Request) -> web.Response:
        del self.configuration.addresses[self._address(request).sid]
        return deleted()

    def _address(self, request: web.Request) -> Address:
        """By its SID or its text."""
        name = request.match_info["name"]
        for one in self.configuration.addresses.values():
            if name in (one.sid, one.address):
                return one
        raise not_found(request.path)

    def _auto_creation(self, form: Form, before: dict[str, Any]) -> dict[str, Any]:
        """What new conversations of an address get, after the form. The keys of another type are absent."""

        def value(name: str, old: str) -> str | None:
            sent = form.get(f"AutoCreation.{name}")
            return before.get(old) if sent is None else sent

        enabled = (value("Enabled", "enabled") or "") in (True, "true", "True")
        kind = (value("Type", "type") or "default").lower()
        service = value("ConversationServiceSid", "conversation_service_sid")
        if service and service not in self.configuration.services:
            raise invalid(f"Service {service} not found")
        answer = {"enabled": enabled, "type": kind, "conversation_service_sid": service or None}
        match kind:
            case "studio":
                flow, retries = (
                    value("StudioFlowSid", "studio_flow_sid"),
                    value("StudioRetryCount", "studio_retry_count"),
                )
                if flow not in self.configuration.flows:
                    raise invalid(f"Studio flow {flow} not found")
                if str(retries or 0) not in {str(number) for number in range(MOST_RETRIES + 1)}:
                    raise invalid(f"AutoCreation.StudioRetryCount is 0 to {MOST_RETRIES}")
                return answer | {"studio_flow_sid": flow, "studio_retry_count": int(retries or 0)}
            case "webhook":
                address, method = value("WebhookUrl", "webhook_url"), value("WebhookMethod", "webhook_method")
                if not address:
                    raise invalid("Missing required parameter AutoCreation.WebhookUrl in the post body")
                filters = form.all("AutoCreation.WebhookFilters") or before.get("webhook_filters") or []
                more = {"webhook_url": address, "webhook_method": (method or "POST").upper()}
                return answer | more | {"webhook_filters": filters}
            case "default":
                return answer
            case _:
                raise invalid("AutoCreation.Type is invalid")

    # The account and its keys

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
                "uri": f"{ACCOUNT}.json",
            }
        )

    async def list_keys(self, request: web.Request) -> web.Response:
        path = f"{ACCOUNT}/Keys.json"
        keys = [_key_view(one) for one in self.configuration.keys.values()]
        paging = {"page": 0, "page_size": max(50, len(keys)), "start": 0, "end": max(0, len(keys) - 1)}
        links = {"uri": path, "first_page_uri": path, "next_page_uri": None, "previous_page_uri": None}
        return web.json_response({"keys": keys} | paging | links)

    async def create_key(self, request: web.Request) -> web.Response:
        """The one answer that has the secret. It opens nothing here: the sandbox knows its own two keys alone."""
        name = (await Form.of(request)).get("FriendlyName") or ""
        if len(name) > KEY_NAME:
            raise TwilioError(400, 70001, f"FriendlyName is longer than {KEY_NAME} characters")
        if len(self.configuration.keys) >= MOST_KEYS:
            raise invalid("Too many keys")
        key = Key(friendly_name=name)
        self.configuration.keys[key.sid] = key
        return created(request, key.sid, _key_view(key) | {"secret": secrets.token_hex(16)})

    def _dates(self) -> dict[str, str]:
        return {"date_created": seconds(self.started), "date_updated": seconds(self.started)}


def _is_of_flex(request: web.Request) -> bool:
    return request.headers.get("X-Twilio-Host", "").startswith("flex-api.")


def _address_view(request: web.Request, address: Address) -> dict[str, Any]:
    return {
        "sid": address.sid,
        "account_sid": ACCOUNT_SID,
        "type": address.type,
        "address": address.address,
        "friendly_name": address.friendly_name,
        "auto_creation": address.auto_creation,
        "date_created": seconds(address.created),
        "date_updated": seconds(address.updated),
        "url": url(request, f"{ADDRESSES}/{address.sid}"),
        "address_country": None,
    }


def _key_view(key: Key) -> dict[str, Any]:
    made = rfc2822(key.created)
    return {"sid": key.sid, "friendly_name": key.friendly_name, "date_created": made, "date_updated": made}
