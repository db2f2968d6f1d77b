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
    """Raises FlexError(NOT_CONFIGURED) for an API that is switched off."""
    if gateway := GATEWAYS.get(destination.api):
        return gateway(destination)
    raise FlexError(FlexError.Reason.NOT_CONFIGURED)
