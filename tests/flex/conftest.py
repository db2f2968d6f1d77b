"""Twilio's stand-ins, and gateways that talk to them within limits short enough for a test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.support.faulty_server import FaultyServer
from tests.support.sandbox import SandboxServer
from webchat.flex.client import BoundedHttpClient
from webchat.flex.gateway import Destination, Engagement
from webchat.flex.http import Connections, Deadline, Limits
from webchat.flex.web_chats import WebChats
from webchat.legacy.gateway import WebChannels
from webchat.sandbox import account

APIS: dict[str, type[WebChats] | type[WebChannels]] = {"conversations": WebChats, "web_channels": WebChannels}
SHORT = Limits(total=0.7, connect=0.3, read=0.4)

AnyGateway = WebChats | WebChannels
GatewayTo = Callable[..., AnyGateway]


def destination(api: str = "conversations") -> Destination:
    return Destination(api, account.CHAT_SERVICE_SID, account.ADDRESS_SID, account.FLEX_FLOW_SID)


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with FaultyServer() as server:
        yield server


@pytest.fixture(params=["faulty", "sandbox"])
def twilio(request: pytest.FixtureRequest) -> FaultyServer | SandboxServer:
    """Either stand-in: the first is all ours, the second was written by the protocol."""
    server: FaultyServer | SandboxServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def gateway_to() -> GatewayTo:
    def gateway(
        url: str,
        api: str = "conversations",
        *,
        limits: Limits = SHORT,
        certificates: str | None = None,
        deadline: Deadline | None = None,
    ) -> AnyGateway:
        connections = Connections(limits, certificates=certificates)
        return APIS[api](destination(api), BoundedHttpClient(connections, deadline, sandbox_url=url))

    return gateway


@pytest.fixture
def engagement() -> Engagement:
    return Engagement(
        identity=f"w_{secrets.token_hex(16)}",
        chat_friendly_name="Northwind",
        customer_friendly_name="Ada Løvelace",
        pre_engagement_data={
            "friendlyName": "Ada Løvelace",
            "question": "Where is my “parcel”? 📦",
            "verified": ["email"],
        },
    )
