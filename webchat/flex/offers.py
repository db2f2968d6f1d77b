"""What an account has, for staff to choose from."""

from __future__ import annotations

from typing import Any

from webchat.flex.client import bounded_http, client_on, trusted_shape
from webchat.flex.gateway import FlexError
from webchat.flex.http import Deadline
from webchat.flex.taskrouter import PAGE_SIZE, Named

MOST_LISTED = 1000


class Offers:
    """What staff choose a webchat's SIDs from. Each verb raises FlexError; taken together, they end by the deadline."""

    def __init__(self, deadline: Deadline | None = None) -> None:
        client = client_on(bounded_http(deadline))
        self._conversations, self._flex = client.conversations.v1, client.flex_api.v1

    def addresses(self) -> list[Named]:
        """The addresses of the type chat. Twilio names no other filter of types than two of phones, so all are read."""
        with trusted_shape():
            found = list_all(self._conversations.address_configurations)
            return [
                Named(str(address.sid), str(address.friendly_name or address.address))
                for address in found
                if address.type == "chat"
            ]

    def chat_services(self) -> list[Named]:
        with trusted_shape():
            found = list_all(self._conversations.services)
            return [Named(str(service.sid), str(service.friendly_name or service.sid)) for service in found]

    def flex_flows(self) -> list[Named]:
        """The Flex Flows of webchats, for the legacy API. None where Twilio serves them no more."""
        try:
            with trusted_shape():
                found = list_all(self._flex.flex_flow)
        except FlexError as error:
            if error.reason is FlexError.Reason.REFUSED:
                return []
            raise
        return [
            Named(str(flow.sid), str(flow.friendly_name or flow.sid)) for flow in found if flow.channel_type == "web"
        ]


def list_all(resources: Any) -> list[Any]:
    """All pages of a list of Twilio's."""
    found: list[Any] = resources.list(limit=MOST_LISTED, page_size=PAGE_SIZE)
    return found
