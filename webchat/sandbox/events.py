"""Events: what happened, who caused it, and who is told.

The names are those of Twilio's webhooks without their `on`:
https://www.twilio.com/docs/conversations-classic/conversations-webhooks
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .entities import Conversation, Message, Participant, State


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a change. Webhooks and Studio hear of it only if it `fires`."""

    source: Literal["API", "SDK"]
    fires: bool
    identity: str | None = None


REST = Origin("API", fires=False)
REST_WITH_WEBHOOKS = Origin("API", fires=True)


def sdk(identity: str) -> Origin:
    return Origin("SDK", fires=True, identity=identity)


EventType = Literal[
    "ConversationAdded",
    "ConversationUpdated",
    "ConversationStateUpdated",
    "ConversationRemoved",
    "MessageAdded",
    "MessageUpdated",
    "MessageRemoved",
    "ParticipantAdded",
    "ParticipantUpdated",
    "ParticipantRemoved",
    # Not webhooks of Twilio's:
    "TaskCreated",
    "TaskUpdated",
    "Typing",
    "PresenceUpdated",
]


@dataclass(frozen=True, slots=True)
class Event:
    type: EventType
    conversation: Conversation
    origin: Origin
    message: Message | None = None
    participant: Participant | None = None
    identity: str | None = None
    state_from: State | None = None


Listener = Callable[[Event], None]
