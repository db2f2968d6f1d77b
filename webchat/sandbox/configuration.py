"""What the sandbox's account is set up with: services, workflows, chat addresses, Studio flows, webhooks, API keys.

The account is of one of a few kinds, so that what sets an account up can be tried on each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from .account import (
    ADDRESS_SID,
    CHAT_SERVICE_SID,
    FLEX_FLOW_SID,
    OTHER_CHAT_SERVICE_SID,
    OTHER_WORKFLOW_SID,
    STUDIO_FLOW_SID,
    TASK_CHANNELS,
    WORKFLOW_SID,
)
from .clock import now
from .entities import new_sid
from .errors import invalid

# new: as Twilio makes an account with Flex, with one chat address and its flow. empty: with Flex, and neither.
# taken: another application has joined a flow of its own to the address, listens to the events, and has a workflow more.
# no_flex: without Flex.
Kind = Literal["new", "empty", "taken", "no_flex"]
KINDS: tuple[Kind, ...] = get_args(Kind)

CHAT_FLOW = "Chat Flow"
FOREIGN_URL = "http://127.0.0.1:9/billing-bot/"


@dataclass(slots=True)
class Target:
    """One of the two configurations of webhooks. Without filters it hears nothing, as on Twilio."""

    post_url: str = ""
    method: str = "POST"
    filters: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Address:
    type: str
    address: str
    friendly_name: str | None
    auto_creation: dict[str, Any]
    sid: str = field(default_factory=lambda: new_sid("IG"))
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)


@dataclass(slots=True, kw_only=True)
class Flow:
    friendly_name: str
    status: str
    definition: dict[str, Any]
    commit_message: str | None
    revision: int = 1
    sid: str = field(default_factory=lambda: new_sid("FW"))
    created: datetime = field(default_factory=now)
    updated: datetime | None = None


@dataclass(slots=True, kw_only=True)
class FlexFlow:
    """What WebChannels, the legacy API, opens a chat by."""

    friendly_name: str
    chat_service_sid: str
    channel_type: str
    sid: str = field(default_factory=lambda: new_sid("FO"))
    created: datetime = field(default_factory=now)


@dataclass(slots=True, kw_only=True)
class Key:
    friendly_name: str
    sid: str = field(default_factory=lambda: new_sid("SK"))
    created: datetime = field(default_factory=now)


class Configuration:
    """Each kind starts with what Twilio, or somebody else, has set up."""

    def __init__(self, kind: Kind = "new") -> None:
        self.become(kind)

    def become(self, kind: object) -> None:
        """Makes the account one of that kind, with nothing of what was set up before. Raises TwilioError 400."""
        if kind not in KINDS:
            raise invalid(f"kind is one of {', '.join(KINDS)}")
        self.kind = kind
        self.has_flex = kind != "no_flex"
        self.services = {CHAT_SERVICE_SID: "Flex Chat Service", OTHER_CHAT_SERVICE_SID: "Default Conversations Service"}
        self.default_service = CHAT_SERVICE_SID if self.has_flex else OTHER_CHAT_SERVICE_SID
        self.workflows = {WORKFLOW_SID: "Assign to Anyone"}
        self.account_webhook, self.service_webhook = Target(), Target()
        self.addresses: dict[str, Address] = {}
        self.flows: dict[str, Flow] = {}
        self.keys: dict[str, Key] = {}
        self.flex_flows: dict[str, FlexFlow] = {}
        if kind in {"new", "taken"}:
            name = CHAT_FLOW if kind == "new" else "Billing bot"
            flow = Flow(
                sid=STUDIO_FLOW_SID,
                friendly_name=name,
                status="published",
                definition=default_definition(),
                commit_message=None,
            )
            self.flows[flow.sid] = flow
            self.flex_flows[FLEX_FLOW_SID] = FlexFlow(
                sid=FLEX_FLOW_SID,
                friendly_name="Sandbox web flow",
                chat_service_sid=CHAT_SERVICE_SID,
                channel_type="web",
            )
            address = Address(
                sid=ADDRESS_SID,
                type="chat",
                address="sandbox",
                friendly_name="Sandbox webchat",
                auto_creation={
                    "enabled": True,
                    "type": "studio",
                    "conversation_service_sid": CHAT_SERVICE_SID,
                    "studio_flow_sid": flow.sid,
                    "studio_retry_count": 3,
                },
            )
            self.addresses[address.sid] = address
        if kind == "taken":
            self.workflows[OTHER_WORKFLOW_SID] = "Billing"
            self.service_webhook = Target(FOREIGN_URL, "POST", ["onMessageAdded"])


def default_definition() -> dict[str, Any]:
    """The flow that Twilio makes with a new account, in short."""
    return {
        "description": "Chat flow",
        "initial_state": "Trigger",
        "states": [
            {
                "name": "Trigger",
                "type": "trigger",
                "properties": {"offset": {"x": 0, "y": 0}},
                "transitions": [{"event": "incomingConversationMessage", "next": "SendToAgent"}],
            },
            {
                "name": "SendToAgent",
                "type": "send-to-flex",
                "properties": {"workflow": WORKFLOW_SID, "channel": TASK_CHANNELS["chat"], "attributes": "{}"},
                "transitions": [{"event": "callComplete"}],
            },
        ],
    }
