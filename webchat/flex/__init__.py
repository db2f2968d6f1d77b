"""Twilio Flex, behind a small interface: gateway_for() a destination. The only code that imports twilio; knows no model."""

from __future__ import annotations

from collections.abc import Callable

from webchat.flex.client import BoundedHttpClient, bounded_http
from webchat.flex.conversations import is_agents
from webchat.flex.failures import Failure, failure_in_words, failure_of
from webchat.flex.gateway import (
    Channel,
    Destination,
    Engagement,
    FlexError,
    Gateway,
    Part,
    Problem,
)
from webchat.flex.http import Deadline
from webchat.flex.web_chats import WebChats

__all__ = [
    "GATEWAYS",
    "Channel",
    "Deadline",
    "Destination",
    "Engagement",
    "Failure",
    "FlexError",
    "Gateway",
    "Part",
    "Problem",
    "failure_in_words",
    "failure_of",
    "gateway_for",
    "is_agents",
]

# The gateway of each API by its name in Destination. An app that is switched on may add its own.
GATEWAYS: dict[str, Callable[[Destination, BoundedHttpClient], Gateway]] = {"conversations": WebChats}


def gateway_for(destination: Destination, deadline: Deadline | None = None) -> Gateway:
    """The gateway whose calls, taken together, end by the deadline. Each one ends within the client's own limits too.

    Raises FlexError(NOT_CONFIGURED) for an API that is switched off.
    """
    if gateway := GATEWAYS.get(destination.api):
        return gateway(destination, bounded_http(deadline))
    raise FlexError(FlexError.Reason.NOT_CONFIGURED)
