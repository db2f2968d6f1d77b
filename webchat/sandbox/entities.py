"""What lives in the sandbox: users, conversations, participants, messages, media; and what each looks like in Sync.

Attributes are kept as the JSON text that was sent, as Twilio does.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from .account import USER_ROLE_SID
from .clock import now, timestamp
from .sync import Document, SyncList, SyncMap

State = Literal["active", "inactive", "closed"]
Api = Literal["conversations", "web_channels"]

TYPING_SECONDS = 5  # how long one typing signal stands; an SDK sends no second one before that


def new_sid(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


@dataclass(eq=False, slots=True, kw_only=True)
class User:
    identity: str
    friendly_name: str | None
    info: SyncMap
    my_conversations: SyncMap
    attributes: str = "{}"
    role_sid: str = USER_ROLE_SID
    sid: str = field(default_factory=lambda: new_sid("US"))
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    connections: int = 0

    @property
    def online(self) -> bool:
        return self.connections > 0

    def write_info(self) -> None:
        self.info.put("friendlyName", {"value": self.friendly_name})
        self.info.put("attributes", {"value": self.attributes})


@dataclass(eq=False, slots=True, kw_only=True)
class Participant:
    user: User
    role_sid: str
    attributes: str = "{}"
    sid: str = field(default_factory=lambda: new_sid("MB"))
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    last_read_index: int | None = None
    last_read_at: datetime | None = None
    notification_level: str = "default"

    @property
    def identity(self) -> str:
        return self.user.identity

    def in_roster(self) -> dict[str, Any]:
        return {
            "identity": self.identity,
            "type": "chat",
            "roleSid": self.role_sid,
            "attributes": self.attributes,
            "dateCreated": timestamp(self.created),
            "dateUpdated": timestamp(self.updated),
            "lastConsumedMessageIndex": self.last_read_index,
            "lastConsumptionTimestamp": timestamp(self.last_read_at) if self.last_read_at else None,
            "userInfo": self.user.info.sid,
        }


@dataclass(eq=False, slots=True, kw_only=True)
class Media:
    author: str
    content: bytes
    size: int
    content_type: str
    filename: str | None
    category: str = "media"
    sid: str = field(default_factory=lambda: new_sid("ME"))
    created: datetime = field(default_factory=now)
    conversation: Conversation | None = None  # once a message carries it

    def may_read(self, identity: str) -> bool:
        if self.conversation is None:
            return identity == self.author
        return identity in self.conversation.participants

    def in_message(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "category": self.category,
            "filename": self.filename,
            "contentType": self.content_type,
            "size": self.size,
        }


@dataclass(eq=False, slots=True, kw_only=True)
class Message:
    index: int
    author: str
    body: str | None
    attributes: str = "{}"
    subject: str | None = None
    media: list[Media] = field(default_factory=list)
    participant_sid: str | None = None
    last_updated_by: str | None = None
    sid: str = field(default_factory=lambda: new_sid("IM"))
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)

    @property
    def size(self) -> int:
        return len(self.body or "") + len(self.attributes)

    def in_list(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "author": self.author,
            "text": self.body,
            "subject": self.subject,
            "type": "media" if self.media else "text",
            "timestamp": timestamp(self.created),
            "dateUpdated": timestamp(self.updated),
            "lastUpdatedBy": self.last_updated_by,
            "attributes": self.attributes,
            "memberSid": self.participant_sid,
            "contentSid": None,
            "medias": [media.in_message() for media in self.media] or None,
        }


@dataclass(eq=False, slots=True, kw_only=True)
class Webchat:
    """The webchat part of a conversation: the guest who came by an address (v2) or a Flex Flow (v1), and the task.

    A webchat reaches agents only as a task, and Studio makes the task on the first message that fires webhooks.
    `customer_name` is what the site said when it opened the webchat: the guest's SDK can rename the guest's user.
    """

    api: Api
    customer: User
    customer_name: str | None
    address_sid: str = ""
    flex_flow_sid: str = ""
    task_created: datetime | None = None
    facts: dict[str, Any] | None = None  # what the site told Studio for the agents


@dataclass(eq=False, slots=True, kw_only=True)
class Conversation:
    document: Document
    message_list: SyncList
    roster: SyncMap
    sid: str
    friendly_name: str | None = None
    unique_name: str | None = None
    attributes: str = "{}"
    state: State = "active"
    state_updated: datetime = field(default_factory=now)
    created_by: str = "system"
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    timers: dict[str, str] = field(default_factory=dict)
    webchat: Webchat | None = None
    participants: dict[str, Participant] = field(default_factory=dict)  # by identity
    messages: dict[int, Message] = field(default_factory=dict)  # by index, ascending
    next_index: int = 0
    size: int = 0  # characters of its messages
    typing: dict[str, float] = field(default_factory=dict)  # identity -> time.monotonic() at which it ends
    closed_by: str | None = None  # the identity of who closed it by an SDK or at the desk; None for the REST API

    @property
    def closed(self) -> bool:
        return self.state == "closed"

    @property
    def last_message(self) -> Message | None:
        return next(reversed(self.messages.values()), None)

    def attributes_value(self) -> Any:
        return json.loads(self.attributes)

    def participant(self, name: str) -> Participant | None:
        """By identity or by MB SID."""
        if name in self.participants:
            return self.participants[name]
        return next((one for one in self.participants.values() if one.sid == name), None)

    def message(self, sid: str) -> Message | None:
        return next((message for message in self.messages.values() if message.sid == sid), None)

    def unread_by(self, participant: Participant) -> int | None:
        """The number of messages behind the read horizon; None while there is no horizon."""
        horizon = participant.last_read_index
        return None if horizon is None else sum(1 for index in self.messages if index > horizon)

    def typing_now(self) -> list[str]:
        return [identity for identity, end in self.typing.items() if end > time.monotonic()]

    def in_document(self) -> dict[str, Any]:
        last = self.last_message
        return {
            "sid": self.sid,
            "friendlyName": self.friendly_name,
            "uniqueName": self.unique_name,
            "attributes": self.attributes_value(),
            "createdBy": self.created_by,
            "dateCreated": timestamp(self.created),
            "dateUpdated": timestamp(self.updated),
            "messages": self.message_list.sid,
            "roster": self.roster.sid,
            "state": {"current": self.state, "dateUpdated": timestamp(self.state_updated)},
            "bindings": {},
            "notificationLevel": "default",
            "lastMessage": {"index": last.index, "timestamp": timestamp(last.created)} if last else None,
        }

    def in_my_conversations(self, participant: Participant) -> dict[str, Any]:
        return {
            "status": "notParticipating" if self.closed else "joined",
            "channel": self.document.sid,
            "messages": self.message_list.sid,
            "roster": self.roster.sid,
            "notificationLevel": participant.notification_level,
            "lastConsumedMessageIndex": participant.last_read_index,
        }
