"""The way from the site to Twilio Flex: gateway_for() a destination."""

from __future__ import annotations

from webchat.flex.base import Channel, Destination, Engagement, FlexError, Gateway
from webchat.flex.deadline import deadline, time_left
from webchat.flex.web_channels import WebChannels
from webchat.flex.web_chats import WebChats

__all__ = ["Channel", "Destination", "Engagement", "FlexError", "Gateway", "deadline", "gateway_for", "time_left"]


def gateway_for(destination: Destination) -> Gateway:
    match destination.api:
        case "conversations":
            return WebChats(destination)
        case "web_channels":
            return WebChannels(destination)
        case unknown:
            raise ValueError(f"no such API: {unknown}")
