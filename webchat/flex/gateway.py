"""What the site and Twilio Flex have to say to each other: what goes in, what comes out, what can go wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol, Self, TypeGuard


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the chats of one webchat go. The SIDs that its API does not need may be blank."""

    api: str  # "conversations" (POST /v2/WebChats) or "web_channels" (POST /v1/WebChannels)
    chat_service_sid: str  # IS…
    address_sid: str  # IG…, for conversations
    flex_flow_sid: str  # FO…, for web_channels


@dataclass(frozen=True, slots=True)
class Engagement:
    """What we send to open a channel.

    `identity` is made by us, one for each chat, and is what a channel whose answer got lost is found by.
    `pre_engagement_data` is plain JSON; Twilio takes less than 16 KB of it (error 45731).
    """

    identity: str
    chat_friendly_name: str
    customer_friendly_name: str
    pre_engagement_data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Channel:
    """An open channel: its CH… SID, and the identity that the visitor has in it and needs a token for."""

    sid: str
    identity: str


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """What somebody wrote in a chat, and the names of the files with it. `index` is Twilio's count, from 0; `author` the
    identity of who wrote it; `client_id` what the visitor's browser or this site named it by, "" for nothing; `at` is
    aware."""

    index: int
    author: str
    client_id: str
    is_visitors: bool
    is_sites: bool
    at: datetime | None
    text: str
    files: list[str]


# What names the place of a page: its number and Twilio's token.
PLACE = r"(?a:[0-9]{0,6}(~[\w.:=+/-]{0,500})?)"


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages, the earliest first, and the place of the next ones: "" after the last."""

    messages: list[WrittenMessage]
    next_place: str


NOT_THERE_STATUS = {404, 410}
# Not authenticated, not allowed, not there.
CONFIGURATION_STATUS = {401, 403, 404, 410}
# Not authorized; the address, the Flex Flow or the chat service is not there or not set up. Whether a wrong parameter
# (45715, 45745) is the webchat's or the visitor's, Twilio does not say. https://www.twilio.com/docs/api/errors
CONFIGURATION_CODES = {45201, 45205, 45711, 45741, 45744, 45760, 45761, 45762, 45763, 45764, 45765}


class FlexError(Exception):
    """What Twilio refuses, or how it cannot be reached: the one exception by which a call to it fails.

    Its text is ours and short, fit for logs; what Twilio said about the error is not kept. `status` is the HTTP
    status, `twilio_code` is from https://www.twilio.com/docs/api/errors, `retry_after` is in seconds.
    """

    class Reason(StrEnum):
        NOT_CONFIGURED = "not configured"
        UNREACHABLE = "unreachable"  # never sent: refused, unknown host, no connection in time, no valid TLS
        BUSY = "busy"  # 429: Twilio never processed it
        REFUSED = "refused"  # certain, and not done
        GONE = "gone"  # the legacy API, or what it needs, is no longer there
        EXISTS = "exists"  # the unique name is taken: find() it
        UNCLEAR = "unclear"  # it may have happened: look before doing it again

    def __init__(
        self,
        reason: Reason,
        *,
        status: int | None = None,
        twilio_code: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(reason, status, twilio_code)
        self.reason = reason
        self.status = status
        self.twilio_code = twilio_code
        self.retry_after = retry_after

    @property
    def concerns_every_chat(self) -> bool:
        """Whether Twilio refuses the credentials, the API or one of the SIDs: what any other visitor would meet too."""
        if self.reason is not FlexError.Reason.REFUSED:
            return self.reason is FlexError.Reason.GONE
        return self.status in CONFIGURATION_STATUS or self.twilio_code in CONFIGURATION_CODES

    @property
    def is_not_there(self) -> bool:
        """Whether Twilio says that what was asked for is absent: from the account of these credentials."""
        return self.status in NOT_THERE_STATUS

    @property
    def outcome_is_known(self) -> bool:
        return self.reason is not FlexError.Reason.UNCLEAR

    def __str__(self) -> str:
        facts = [f"HTTP {self.status}"] if self.status else []
        facts += [f"Twilio code {self.twilio_code}"] if self.twilio_code else []
        return f"{self.reason} ({', '.join(facts)})" if facts else str(self.reason)


class Part(Enum):
    """What a chat needs at Twilio."""

    ACCOUNT = "account"
    SERVICE = "service"
    ADDRESS = "address"
    FLOW = "flow"


class Problem(str):
    """A sentence for staff that says what to do. `about`: what is wrong; of the account, all else is in doubt."""

    about: Part

    def __new__(cls, sentence: str, about: Part = Part.ACCOUNT) -> Self:
        problem = super().__new__(cls, sentence)
        problem.about = about
        return problem


class Gateway(Protocol):
    """One generation of Twilio's API. Each verb raises FlexError and nothing else, each call to Twilio ends within the
    client's deadline."""

    def open(self, engagement: Engagement) -> Channel:
        """Creates a channel. Not idempotent: after an UNCLEAR error, find() it before it is opened again."""

    def find(self, identity: str) -> Channel | None:
        """The channel that was opened for this identity, unless it is absent or over."""

    def post_message(self, channel: Channel, body: str, client_id: str) -> None:
        """Says something as the visitor, so that Studio starts and an agent is found. Not idempotent: `client_id` is what
        the message can be found by."""

    def post_note(self, channel_sid: str, body: str, *, is_of_move: bool = False) -> None:
        """Says something to the agent as the website, which no visitor can. Starts nothing at Twilio. Not idempotent.
        `is_of_move`: the chat goes on in another browser, and the widget in the first one asks whether it is still its."""

    def has_message(self, channel: Channel, client_id: str) -> bool:
        """Whether the visitor's message of that id is there."""

    def has_answer(self, channel: Channel) -> bool:
        """Whether anybody but the visitor and the website wrote something, among the first messages."""

    def read_messages(self, channel: Channel, place: str = "") -> Page:
        """A page of what was written, also after the end. Raises FlexError of the status 404 where nothing is kept, and of
        the reason REFUSED for a place that no page named."""

    def close(self, channel_sid: str) -> None:
        """Ends the chat. A channel that is over or absent is closed: no error, but as of has_ended()."""

    def has_ended(self, channel_sid: str) -> bool:
        """Whether the chat is over, or its channel is absent from the account that it was opened in. Raises FlexError of
        the status 404 for one that is absent as the credentials are of another account."""

    def forget(self, channel: Channel, chat_service_sid: str) -> None:
        """Erases the visitor's conversations, with their messages and files, and the visitor. What is absent is erased,
        if the chat service, where it was, is of this account. The channel's SID may be blank."""

    def diagnose(self) -> list[Problem]:
        """What is wrong with the configuration. Empty: nothing."""


# What follows the prefix of Twilio's SIDs.
SID_DIGITS = "[0-9a-fA-F]{32}"


def is_sid(value: object, prefix: str) -> TypeGuard[str]:
    """Whether a value has the shape of Twilio's SIDs: the prefix and 32 hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(prefix + SID_DIGITS, value) is not None


def compact_json(data: Mapping[str, object]) -> str:
    """What Flex, TaskRouter and Studio get as a text: as compact as JSON gets, since Twilio counts its size."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
