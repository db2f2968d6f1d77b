"""The sandbox's memory, and the one place where an action becomes Sync writes.

An action is the same whatever asked for it: the SDK, the REST API or the agent desk. Each changes the entities, writes
the Sync objects (which reach the browsers) and tells the listeners (webhooks, agent desk, scripted agent, typing).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from . import limits
from .account import AGENT_ROLE_SID, CUSTOMER_ROLE_SID
from .clock import now
from .entities import TYPING_SECONDS, Api, Conversation, Media, Message, Participant, State, User, Webchat, new_sid
from .errors import (
    TwilioError,
    conversation_closed,
    conversation_not_found,
    invalid,
    message_not_found,
    participant_not_found,
)
from .events import REST, Event, Listener, Origin, sdk
from .sync import Document, Sync, SyncList, SyncMap
from .users import Users


class Store:
    """Everything the account has: users and conversations in memory, bounded, and gone with the process."""

    def __init__(self) -> None:
        self.sync = Sync()
        self.users = Users(self.sync)
        self.conversations: dict[str, Conversation] = {}  # by SID, oldest first
        self.listeners: list[Listener] = []
        self._unique_names: dict[str, str] = {}
        self._size = 0

    # Conversations

    def find(self, name: str) -> Conversation:
        """By SID or by unique name. Raises TwilioError 404."""
        conversation = self.conversations.get(self._unique_names.get(name, name))
        if conversation is None:
            raise conversation_not_found()
        return conversation

    def is_taken(self, unique_name: str) -> bool:
        """A v1 channel that has ended gives its name free, a conversation keeps it until it is deleted."""
        conversation = self.conversations.get(self._unique_names.get(unique_name, ""))
        if conversation is None:
            return False
        is_channel = conversation.webchat is not None and conversation.webchat.api == "web_channels"
        return not (is_channel and conversation.closed)

    def create_conversation(
        self,
        origin: Origin,
        *,
        friendly_name: str | None = None,
        unique_name: str | None = None,
        attributes: str | None = None,
        timers: dict[str, str] | None = None,
        webchat: Webchat | None = None,
    ) -> Conversation:
        limits.text("FriendlyName", friendly_name)
        limits.text("UniqueName", unique_name)
        attributes = limits.attributes(attributes, limits.CONVERSATION_ATTRIBUTES)
        if unique_name and self.is_taken(unique_name):
            raise TwilioError(409, 50353, "Conversation with provided unique name already exists")
        self._make_room()
        sid = new_sid("CH")

        def may_read(identity: str) -> bool:
            return identity in conversation.participants

        conversation = Conversation(
            sid=sid,
            friendly_name=friendly_name,
            unique_name=unique_name or None,
            attributes=attributes,
            timers=timers or {},
            created_by=origin.identity or "system",
            webchat=webchat,
            document=self.sync.add(Document(f"{sid}.channel", may_read, {})),
            message_list=self.sync.add(SyncList(f"{sid}.messages", may_read)),
            roster=self.sync.add(SyncMap(f"{sid}.roster", may_read)),
        )
        self.conversations[sid] = conversation
        if unique_name:
            self._unique_names[unique_name] = sid
        conversation.document.set(conversation.in_document())
        self._tell(Event("ConversationAdded", conversation, origin))
        return conversation

    def open_webchat(
        self,
        api: Api,
        *,
        identity: str,
        customer_friendly_name: str | None,
        friendly_name: str | None,
        attributes: str,
        unique_name: str | None = None,
        address_sid: str = "",
        flex_flow_sid: str = "",
    ) -> Conversation:
        """A conversation with its guest already in it."""
        limits.text("Identity", identity)
        limits.text("CustomerFriendlyName", customer_friendly_name)
        customer = self.users.get_or_create(identity, customer_friendly_name)
        conversation = self.create_conversation(
            REST,
            friendly_name=friendly_name,
            unique_name=unique_name,
            attributes=attributes,
            webchat=Webchat(
                api=api,
                customer=customer,
                customer_name=customer_friendly_name,
                address_sid=address_sid,
                flex_flow_sid=flex_flow_sid,
            ),
        )
        self.add_participant(conversation, identity, REST, role_sid=CUSTOMER_ROLE_SID)
        return conversation

    def update_conversation(
        self,
        conversation: Conversation,
        origin: Origin,
        *,
        friendly_name: str | None = None,
        attributes: str | None = None,
        timers: dict[str, str] | None = None,
    ) -> None:
        self._refuse_closed(conversation)
        limits.text("FriendlyName", friendly_name)
        if attributes is not None:
            conversation.attributes = limits.attributes(attributes, limits.CONVERSATION_ATTRIBUTES)
        if friendly_name is not None:
            conversation.friendly_name = friendly_name
        conversation.timers |= timers or {}
        self._touch(conversation)
        self._tell(Event("ConversationUpdated", conversation, origin))

    def annotate(self, conversation: Conversation, origin: Origin, **attributes: Any) -> None:
        """Sets some of the attributes and keeps the others."""
        value = conversation.attributes_value()
        merged = (value if isinstance(value, dict) else {}) | attributes
        self.update_conversation(conversation, origin, attributes=json.dumps(merged, ensure_ascii=False))

    def end_webchat(self, conversation: Conversation, origin: Origin) -> None:
        """Closes the conversation of a completed task, as Flex does. A v1 channel gets the attribute that its widgets await."""
        if conversation.webchat and conversation.webchat.api == "web_channels":
            self.annotate(conversation, origin, status="INACTIVE")
        self.set_state(conversation, "closed", origin)

    def set_state(self, conversation: Conversation, state: State, origin: Origin) -> None:
        """Closed is terminal: https://www.twilio.com/docs/conversations-classic/states-timers."""
        if state == conversation.state:
            return
        self._refuse_closed(conversation)
        state_from, conversation.state = conversation.state, state
        conversation.state_updated = now()
        conversation.typing.clear()
        # The document goes first: the other way round the page would be told to leave before it can see why.
        self._touch(conversation)
        if conversation.closed:
            conversation.closed_by = origin.identity
            for participant in conversation.participants.values():
                self._write_my_conversation(conversation, participant)
        self._tell(Event("ConversationStateUpdated", conversation, origin, state_from=state_from))

    def delete_conversation(self, conversation: Conversation, origin: Origin) -> None:
        del self.conversations[conversation.sid]
        name = conversation.unique_name
        if name and self._unique_names.get(name) == conversation.sid:
            del self._unique_names[name]
        self._size -= conversation.size
        for participant in conversation.participants.values():
            participant.user.my_conversations.remove(conversation.sid)
        for sync_object in (conversation.document, conversation.message_list, conversation.roster):
            self.sync.remove(sync_object)
        self._tell(Event("ConversationRemoved", conversation, origin))
        for participant in conversation.participants.values():
            participant.user.conversations.pop(conversation.sid, None)

    def _make_room(self) -> None:
        """Drops the oldest closed conversations, then the oldest, until there is room for one more."""
        while len(self.conversations) >= limits.CONVERSATIONS_KEPT or self._size > limits.CHARACTERS_KEPT:
            oldest_first = self.conversations.values()
            victim = next((one for one in oldest_first if one.closed), None) or next(iter(oldest_first), None)
            if victim is None:
                return
            self.delete_conversation(victim, REST)

    # Participants

    def add_participant(
        self,
        conversation: Conversation,
        identity: str,
        origin: Origin,
        *,
        friendly_name: str | None = None,
        role_sid: str = AGENT_ROLE_SID,
        attributes: str | None = None,
    ) -> Participant:
        self._refuse_closed(conversation)
        limits.text("Identity", identity)
        if identity in conversation.participants:
            raise TwilioError(409, 50433, "Participant already exists")
        if len(conversation.participants) >= limits.PARTICIPANTS:
            raise invalid("Conversation has too many participants")
        attributes = limits.attributes(attributes, limits.PARTICIPANT_ATTRIBUTES)
        user = self.users.get_or_create(identity, friendly_name)
        participant = Participant(user=user, role_sid=role_sid, attributes=attributes)
        conversation.participants[user.identity] = participant
        user.conversations[conversation.sid] = conversation
        conversation.roster.put(participant.sid, participant.in_roster())
        self._write_my_conversation(conversation, participant)
        self._tell(Event("ParticipantAdded", conversation, origin, participant=participant))
        return participant

    def remove_participant(self, conversation: Conversation, name: str, origin: Origin) -> None:
        self._refuse_closed(conversation)
        participant = self.find_participant(conversation, name)
        conversation.roster.remove(participant.sid)
        participant.user.my_conversations.remove(conversation.sid)
        # Only now: until here the participant may read, and so hears of the removal.
        del conversation.participants[participant.identity]
        del participant.user.conversations[conversation.sid]
        conversation.typing.pop(participant.identity, None)
        self._tell(Event("ParticipantRemoved", conversation, origin, participant=participant))

    def find_participant(self, conversation: Conversation, name: str) -> Participant:
        """By identity or by MB SID. Raises TwilioError 404."""
        participant = conversation.participant(name)
        if participant is None:
            raise participant_not_found()
        return participant

    def set_read_horizon(
        self, conversation: Conversation, participant: Participant, index: int | None, origin: Origin
    ) -> None:
        self._refuse_closed(conversation)
        if index is not None:
            index = min(max(index, 0), conversation.next_index - 1)
        participant.last_read_index = None if index is None or index < 0 else index
        participant.last_read_at = participant.updated = now()
        self._write_my_conversation(conversation, participant)
        conversation.roster.put(participant.sid, participant.in_roster())
        self._tell(Event("ParticipantUpdated", conversation, origin, participant=participant))

    def set_notification_level(self, conversation: Conversation, participant: Participant, level: str) -> None:
        self._refuse_closed(conversation)
        if level not in {"default", "muted"}:
            raise invalid("Invalid notification level")
        participant.notification_level = level
        self._write_my_conversation(conversation, participant)

    def update_participant(self, conversation: Conversation, participant: Participant, attributes: str) -> None:
        self._refuse_closed(conversation)
        participant.attributes = limits.attributes(attributes, limits.PARTICIPANT_ATTRIBUTES)
        participant.updated = now()
        conversation.roster.put(participant.sid, participant.in_roster())

    def typing(self, conversation: Conversation, identity: str) -> None:
        self._refuse_closed(conversation)
        conversation.typing[identity] = time.monotonic() + TYPING_SECONDS + 1
        self._tell(Event("Typing", conversation, sdk(identity), identity=identity))

    def delete_user(self, user: User) -> None:
        """The messages of the user stay in the conversations that are there."""
        for conversation in user.conversations.values():
            conversation.roster.remove(conversation.participants.pop(user.identity).sid)
            conversation.typing.pop(user.identity, None)
        self.users.delete(user)

    # Messages

    def add_message(
        self,
        conversation: Conversation,
        origin: Origin,
        *,
        author: str,
        body: str | None,
        attributes: str | None = None,
        subject: str | None = None,
        media: Iterable[Media] = (),
    ) -> Message:
        """Adds the message. The first one that fires webhooks starts Studio, which makes the task for the agents."""
        self._refuse_closed(conversation)
        participant = conversation.participants.get(author)
        message = Message(
            index=conversation.next_index,
            author=author,
            body=limits.body(body),
            attributes=limits.attributes(attributes, limits.MESSAGE_ATTRIBUTES),
            subject=limits.text("Subject", subject),
            media=list(media),
            participant_sid=participant.sid if participant else None,
        )
        for each in message.media:
            each.conversation = conversation
        if conversation.state == "inactive":
            self.set_state(conversation, "active", origin)
        conversation.next_index += 1
        conversation.messages[message.index] = message
        self._count(conversation, message.size)
        conversation.typing.pop(author, None)
        conversation.message_list.put(message.index, message.in_list())
        self._drop_oldest_message(conversation)
        self._touch(conversation)
        self._tell(Event("MessageAdded", conversation, origin, message=message))
        if origin.fires and conversation.webchat and conversation.webchat.task_created is None:
            conversation.webchat.task_created = now()
            self._tell(Event("TaskCreated", conversation, origin))
        return message

    def add_facts(self, conversation: Conversation, facts: dict[str, Any]) -> None:
        """What the site told Studio, for the agents' task. No visitor hears of it: it is in no Sync object."""
        if conversation.webchat and conversation.sid in self.conversations:
            conversation.webchat.facts = facts
            self._tell(Event("TaskUpdated", conversation, REST))

    def update_message(
        self,
        conversation: Conversation,
        message: Message,
        origin: Origin,
        *,
        body: str | None = None,
        attributes: str | None = None,
    ) -> None:
        self._refuse_closed(conversation)
        before = message.size
        changed = replace(message, body=message.body if body is None else limits.body(body))
        if attributes is not None:
            changed.attributes = limits.attributes(attributes, limits.MESSAGE_ATTRIBUTES)
        changed.updated = now()
        changed.last_updated_by = origin.identity or "system"
        conversation.messages[message.index] = changed
        self._count(conversation, changed.size - before)
        conversation.message_list.put(changed.index, changed.in_list())
        self._tell(Event("MessageUpdated", conversation, origin, message=changed))

    def delete_message(self, conversation: Conversation, message: Message, origin: Origin) -> None:
        self._refuse_closed(conversation)
        del conversation.messages[message.index]
        self._count(conversation, -message.size)
        conversation.message_list.remove(message.index)
        self._touch(conversation)
        self._tell(Event("MessageRemoved", conversation, origin, message=message))

    def find_message(self, conversation: Conversation, sid: str) -> Message:
        message = conversation.message(sid)
        if message is None:
            raise message_not_found()
        return message

    def _drop_oldest_message(self, conversation: Conversation) -> None:
        if len(conversation.messages) > limits.MESSAGES_KEPT:
            oldest = conversation.messages.pop(next(iter(conversation.messages)))
            conversation.message_list.forget(oldest.index)
            self._count(conversation, -oldest.size)

    def _count(self, conversation: Conversation, characters: int) -> None:
        conversation.size += characters
        self._size += characters

    # Presence

    def connected(self, user: User, change: Literal[1, -1]) -> None:
        """Counts the SDK connections of a user; the first and the last change whether the user is online."""
        was_online = user.online
        user.connections += change
        if user.online != was_online:
            for conversation in user.conversations.values():
                self._tell(Event("PresenceUpdated", conversation, sdk(user.identity), identity=user.identity))

    # What every action ends with

    def _refuse_closed(self, conversation: Conversation) -> None:
        if conversation.closed:
            raise conversation_closed()

    def _touch(self, conversation: Conversation) -> None:
        conversation.updated = now()
        conversation.document.set(conversation.in_document())

    def _write_my_conversation(self, conversation: Conversation, participant: Participant) -> None:
        participant.user.my_conversations.put(conversation.sid, conversation.in_my_conversations(participant))

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
