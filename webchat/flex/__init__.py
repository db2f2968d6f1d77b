"""Twilio Flex, behind a small interface: gateway_for() a destination. The only code that imports twilio; knows no model."""

from __future__ import annotations

from collections.abc import Callable

from webchat.flex.deadline import deadline, time_left
from webchat.flex.gateway import Channel, Destination, Engagement, FlexError, Gateway
from webchat.flex.web_chats import WebChats

__all__ = [
    "GATEWAYS",
    "Channel",
    "Destination",
    "Engagement",
    "FlexError",
    "Gateway",
    "deadline",
    "gateway_for",
    "time_left",
]

# The gateway of each API by its name in Destination. The legacy wing adds its own when it is switched on.
GATEWAYS: dict[str, Callable[[Destination], Gateway]] = {"conversations": WebChats}


def gateway_for(destination: Destination) -> Gateway:
    """Raises ValueError for an API that has no gateway here."""
    if gateway := GATEWAYS.get(destination.api):
        return gateway(destination)
    raise ValueError(f"no such API: {destination.api}")
