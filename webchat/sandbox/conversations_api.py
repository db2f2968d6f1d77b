"""REST: Conversations, their messages and participants, users. https://www.twilio.com/docs/conversations-classic/api"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from . import limits
from .account import AGENT_ROLE_SID, MESSAGING_SERVICE_SID
from .clock import seconds
from .entities import Conversation, Message, Participant, User
from .errors import TwilioError, invalid, not_found
from .media import MediaStore
from .rest import OWNER, Form, created, deleted, in_account_and_service, origin, page, scope, url
from .store import Store

TIMERS = {"Timers.Inactive": "inactive", "Timers.Closed": "closed"}


class ConversationsApi:
    def __init__(self, store: Store, media: MediaStore) -> None:
        self.store = store
        self.media = media

    def routes(self) -> list[web.RouteDef]:
        one = "Conversations/{conversation}"
        table = [
            ("GET", "Conversations", self.list_conversations),
            ("POST", "Conversations", self.create_conversation),
            ("GET", one, self.fetch_conversation),
            ("POST", one, self.update_conversation),
            ("DELETE", one, self.delete_conversation),
            ("GET", f"{one}/Messages", self.list_messages),
            ("POST", f"{one}/Messages", self.create_message),
            ("GET", f"{one}/Messages/{{message}}", self.fetch_message),
            ("POST", f"{one}/Messages/{{message}}", self.update_message),
            ("DELETE", f"{one}/Messages/{{message}}", self.delete_message),
            ("GET", f"{one}/Participants", self.list_participants),
            ("POST", f"{one}/Participants", self.create_participant),
            ("GET", f"{one}/Participants/{{participant}}", self.fetch_participant),
            ("POST", f"{one}/Participants/{{participant}}", self.update_participant),
            ("DELETE", f"{one}/Participants/{{participant}}", self.delete_participant),
            ("GET", "ParticipantConversations", self.list_participant_conversations),
            ("GET", "Users/{identity}", self.fetch_user),
            ("POST", "Users/{identity}", self.update_user),
        ]
        return [route for method, path, handler in table for route in in_account_and_service(method, path, handler)]

    # Conversations

    async def list_conversations(self, request: web.Request) -> web.Response:
        state, start, end = (request.query.get(name) for name in ("State", "StartDate", "EndDate"))
        if state not in {None, "active", "inactive", "closed"}:
            raise invalid("Invalid State")
        found = [
            conversation
            for conversation in reversed(self.store.conversations.values())
            if (state is None or conversation.state == state)
            and (start is None or seconds(conversation.created)[:10] >= start[:10])
            and (end is None or seconds(conversation.created)[:10] <= end[:10])
        ]
        return page(request, "conversations", found, lambda one: conversation_view(one, request))

    async def create_conversation(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        if _timers(form) and not form.get("State"):
            raise invalid("Timers cannot be set without State", 50382)
        conversation = self.store.create_conversation(
            origin(request),
            friendly_name=form.get("FriendlyName"),
            unique_name=form.get("UniqueName"),
            attributes=form.get("Attributes"),
        )
        self._apply(conversation, form, request)
        return created(request, conversation.sid, conversation_view(conversation, request))

    async def fetch_conversation(self, request: web.Request) -> web.Response:
        return web.json_response(conversation_view(self._conversation(request), request))

    async def update_conversation(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        conversation = self._conversation(request)
        name, attributes, timers = form.get("FriendlyName"), form.get("Attributes"), _timers(form)
        if name is not None or attributes is not None or timers:
            self.store.update_conversation(
                conversation, origin(request), friendly_name=name, attributes=attributes, timers=timers
            )
        self._apply(conversation, form, request)
        return web.json_response(conversation_view(conversation, request))

    async def delete_conversation(self, request: web.Request) -> web.Response:
        self.store.delete_conversation(self._conversation(request), origin(request))
        return deleted()

    def _apply(self, conversation: Conversation, form: Form, request: web.Request) -> None:
        match form.get("State"):
            case None:
                pass
            case "active" | "inactive" | "closed" as state:
                self.store.set_state(conversation, state, origin(request))
            case _:
                raise invalid("Invalid State")

    # Messages

    async def list_messages(self, request: web.Request) -> web.Response:
        found = list(self._conversation(request).messages.values())
        match request.query.get("Order", "asc"):
            case "asc":
                pass
            case "desc":
                found.reverse()
            case _:
                raise invalid("Invalid Order")
        conversation = self._conversation(request)
        return page(request, "messages", found, lambda one: message_view(conversation, one, request))

    async def create_message(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        conversation = self._conversation(request)
        media_sid = form.get("MediaSid")
        message = self.store.add_message(
            conversation,
            origin(request),
            author=form.get("Author", limits.IDENTITY) or "system",
            body=form.get("Body"),
            attributes=form.get("Attributes"),
            subject=form.get("Subject"),
            media=[self.media.unsent(media_sid, None)] if media_sid else [],
        )
        return created(request, message.sid, message_view(conversation, message, request))

    async def fetch_message(self, request: web.Request) -> web.Response:
        conversation, message = self._message(request)
        return web.json_response(message_view(conversation, message, request))

    async def update_message(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        conversation, message = self._message(request)
        self.store.update_message(
            conversation, message, origin(request), body=form.get("Body"), attributes=form.get("Attributes")
        )
        return web.json_response(message_view(*self._message(request), request))

    async def delete_message(self, request: web.Request) -> web.Response:
        self.store.delete_message(*self._message(request), origin(request))
        return deleted()

    # Participants

    async def list_participants(self, request: web.Request) -> web.Response:
        conversation = self._conversation(request)
        found = list(conversation.participants.values())
        return page(request, "participants", found, lambda one: participant_view(conversation, one, request))

    async def create_participant(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        conversation = self._conversation(request)
        participant = self.store.add_participant(
            conversation,
            form.required("Identity", limits.IDENTITY),
            origin(request),
            role_sid=form.get("RoleSid") or AGENT_ROLE_SID,
            attributes=form.get("Attributes"),
        )
        return created(request, participant.sid, participant_view(conversation, participant, request))

    async def fetch_participant(self, request: web.Request) -> web.Response:
        conversation, participant = self._participant(request)
        return web.json_response(participant_view(conversation, participant, request))

    async def update_participant(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        conversation, participant = self._participant(request)
        attributes, index = form.get("Attributes"), form.get("LastReadMessageIndex")
        if attributes is not None:
            self.store.update_participant(conversation, participant, attributes)
        if index is not None:
            try:
                self.store.set_read_horizon(conversation, participant, int(index), origin(request))
            except ValueError as error:
                raise invalid("LastReadMessageIndex must be a number") from error
        return web.json_response(participant_view(conversation, participant, request))

    async def delete_participant(self, request: web.Request) -> web.Response:
        conversation, participant = self._participant(request)
        self.store.remove_participant(conversation, participant.identity, origin(request))
        return deleted()

    async def list_participant_conversations(self, request: web.Request) -> web.Response:
        identity = request.query.get("Identity")
        if not identity:
            raise invalid("Identity or Address is required")
        user = self.store.users.get(identity)
        found = list(reversed(user.conversations.values())) if user else []
        return page(request, "conversations", found, lambda one: participant_conversation_view(one, identity, request))

    # Users

    async def fetch_user(self, request: web.Request) -> web.Response:
        return web.json_response(user_view(self._user(request), request))

    async def update_user(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        user = self._user(request)
        self.store.update_user(user, friendly_name=form.get("FriendlyName"), attributes=form.get("Attributes"))
        return web.json_response(user_view(user, request))

    # What the path names

    def _conversation(self, request: web.Request) -> Conversation:
        return self.store.find(request.match_info["conversation"])

    def _message(self, request: web.Request) -> tuple[Conversation, Message]:
        conversation = self._conversation(request)
        return conversation, self.store.find_message(conversation, request.match_info["message"])

    def _participant(self, request: web.Request) -> tuple[Conversation, Participant]:
        conversation = self._conversation(request)
        return conversation, self.store.find_participant(conversation, request.match_info["participant"])

    def _user(self, request: web.Request) -> User:
        name = request.match_info["identity"]
        user = self.store.users.get(name) or next((one for one in self.store.users.values() if one.sid == name), None)
        if user is None:
            raise not_found(request.path)
        return user


def _timers(form: Form) -> dict[str, str]:
    timers = {name: value for field, name in TIMERS.items() if (value := form.get(field, 32))}
    if any(not value.startswith("P") for value in timers.values()):
        raise TwilioError(400, 50381, "Timers must be ISO 8601 durations")
    return timers


def conversation_view(conversation: Conversation, request: web.Request) -> dict[str, Any]:
    path = f"{scope(request)}/Conversations/{conversation.sid}"
    return {
        **OWNER,
        "messaging_service_sid": MESSAGING_SERVICE_SID,
        "sid": conversation.sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": conversation.attributes,
        "state": conversation.state,
        "date_created": seconds(conversation.created),
        "date_updated": seconds(conversation.updated),
        "timers": conversation.timers,
        "bindings": {},
        "url": url(request, path),
        "links": {name: url(request, f"{path}/{name.title()}") for name in ("participants", "messages", "webhooks")},
    }


def message_view(conversation: Conversation, message: Message, request: web.Request) -> dict[str, Any]:
    path = f"{scope(request)}/Conversations/{conversation.sid}/Messages/{message.sid}"
    media = [
        {"sid": one.sid, "content_type": one.content_type, "filename": one.filename, "size": one.size}
        for one in message.media
    ]
    return {
        **OWNER,
        "conversation_sid": conversation.sid,
        "sid": message.sid,
        "index": message.index,
        "author": message.author,
        "body": message.body,
        "media": media or None,
        "attributes": message.attributes,
        "participant_sid": message.participant_sid,
        "date_created": seconds(message.created),
        "date_updated": seconds(message.updated),
        "delivery": None,
        "content_sid": None,
        "url": url(request, path),
        "links": {"delivery_receipts": url(request, f"{path}/Receipts"), "channel_metadata": None},
    }


def participant_view(conversation: Conversation, participant: Participant, request: web.Request) -> dict[str, Any]:
    read_at = participant.last_read_at
    return {
        **OWNER,
        "conversation_sid": conversation.sid,
        "sid": participant.sid,
        "identity": participant.identity,
        "attributes": participant.attributes,
        "messaging_binding": None,
        "role_sid": participant.role_sid,
        "last_read_message_index": participant.last_read_index,
        "last_read_timestamp": seconds(read_at) if read_at else None,
        "date_created": seconds(participant.created),
        "date_updated": seconds(participant.updated),
        "url": url(request, f"{scope(request)}/Conversations/{conversation.sid}/Participants/{participant.sid}"),
    }


def participant_conversation_view(conversation: Conversation, identity: str, request: web.Request) -> dict[str, Any]:
    participant = conversation.participants[identity]
    path = f"{scope(request)}/Conversations/{conversation.sid}"
    return {
        **OWNER,
        "participant_sid": participant.sid,
        "participant_user_sid": participant.user.sid,
        "participant_identity": identity,
        "participant_messaging_binding": None,
        "conversation_sid": conversation.sid,
        "conversation_unique_name": conversation.unique_name,
        "conversation_friendly_name": conversation.friendly_name,
        "conversation_attributes": conversation.attributes,
        "conversation_date_created": seconds(conversation.created),
        "conversation_date_updated": seconds(conversation.updated),
        "conversation_created_by": conversation.created_by,
        "conversation_state": conversation.state,
        "conversation_timers": conversation.timers,
        "links": {
            "participant": url(request, f"{path}/Participants/{participant.sid}"),
            "conversation": url(request, path),
        },
    }


def user_view(user: User, request: web.Request) -> dict[str, Any]:
    path = f"{scope(request)}/Users/{user.sid}"
    return {
        **OWNER,
        "sid": user.sid,
        "role_sid": user.role_sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        "is_online": user.online,
        "is_notifiable": False,
        "date_created": seconds(user.created),
        "date_updated": seconds(user.updated),
        "url": url(request, path),
        "links": {"user_conversations": url(request, f"{path}/Conversations")},
    }
