"""The HTTP requests that the SDK tunnels through Twilsock: Conversations client API, Sync, Sync subscriptions.

The hosts in the links are strings inside frames, which nothing ever resolves; requests are routed on the path alone.
The link paths are the sandbox's choice, the SDK follows whatever the configuration names.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from . import limits
from .account import CHAT_SERVICE_SID
from .clock import timestamp
from .entities import TYPING_SECONDS, Conversation, Message, Participant, User
from .errors import TwilioError, invalid, not_a_participant, not_found, sync_object_not_found
from .faults import Fault, Faults
from .frames import Frame, FrameError
from .media import MediaStore
from .store import Origin, Store, sdk
from .sync import Collection, Document, Query, SyncList, SyncMap, SyncObject
from .twilsock import Answer, Connection

AIM = "https://aim.us1.twilio.com/Client/v2"
SYNC_TYPES = {"Documents": Document, "Lists": SyncList, "Maps": SyncMap}


@dataclass(frozen=True, slots=True)
class Call:
    """One tunnelled request."""

    connection: Connection
    method: str
    path: str
    params: dict[str, str]
    body: dict[str, Any]

    @property
    def identity(self) -> str:
        return self.connection.identity

    @property
    def origin(self) -> Origin:
        return sdk(self.identity)

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is None or isinstance(value, str):
            return value
        raise invalid(f"{name} must be a string")


Handler = Callable[..., Answer]


class ClientApi:
    def __init__(self, store: Store, media: MediaStore, faults: Faults) -> None:
        self.store = store
        self.media = media
        self.faults = faults
        self._routes = [
            (method, re.compile("^" + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path) + "$"), handler)
            for method, path, handler in self._table()
        ]

    def _table(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/Client/v2/Configuration", self.configuration),
            ("GET", "/Client/v2/Users/me/Conversations", self.my_conversations),
            ("GET", "/Client/v2/Users/me/Conversations/{name}", self.my_conversation),
            ("POST", "/Client/v2/Users/me/Conversations/{name}", self.update_my_conversation),
            ("GET", "/Client/v2/Users/{identity}", self.user),
            ("POST", "/Client/v2/Users/{identity}", self.update_user),
            ("GET", "/Client/v2/Conversations/{name}", self.conversation),
            ("POST", "/Client/v2/Conversations/{name}/Messages", self.create_message),
            ("POST", "/Client/v2/Conversations/{name}/Messages/{message}", self.update_message),
            ("DELETE", "/Client/v2/Conversations/{name}/Messages/{message}", self.delete_message),
            ("DELETE", "/Client/v2/Conversations/{name}/Participants/{participant}", self.leave),
            ("POST", "/Client/v2/typing", self.typing),
            ("GET", "/v3/{kind}/{name}", self.sync_object),
            ("GET", "/v3/{kind}/{name}/Items", self.sync_items),
            ("POST", "/v4/Subscriptions", self.subscriptions),
        ]

    async def answer(self, connection: Connection, frame: Frame) -> Answer | None:
        """HTTP status and JSON body; None if a fault swallows the answer."""
        try:
            call = _call(connection, frame)
        except TwilioError as error:
            return error.status, error.to_json()
        fault = self.faults.take(call.method, call.path)
        return await self._faulty(fault, call) if fault else self._dispatch(call)

    def _dispatch(self, call: Call) -> Answer:
        try:
            for method, pattern, handler in self._routes:
                match = pattern.match(call.path)
                if match and method == call.method:
                    return handler(call, **{name: unquote(value) for name, value in match.groupdict().items()})
            raise not_found(call.path)
        except TwilioError as error:
            return error.status, error.to_json()

    async def _faulty(self, fault: Fault, call: Call) -> Answer | None:
        answer = None if fault.before else self._dispatch(call)
        await asyncio.sleep(fault.delay_ms / 1000)
        if fault.only_delays:
            return answer or self._dispatch(call)
        if fault.fault == "hang":
            return None
        if fault.fault == "reset":
            call.connection.abort()
            return None
        return fault.answer_status, fault.json()

    # Start-up

    def configuration(self, call: Call) -> Answer:
        user = self.store.user(call.identity)
        media = f"{call.connection.origin}/mcs/v1/Services/{CHAT_SERVICE_SID}"
        return 200, {
            "identity": call.identity,
            "links": {
                "my_conversations": f"{AIM}/Users/me/Conversations",
                "conversations": f"{AIM}/Conversations",
                "users": f"{AIM}/Users",
                "current_user": f"{AIM}/Users/{quote(call.identity, safe='')}",
                "typing": f"{AIM}/typing",
                "media_service": f"{media}/Media",
                "media_set_service": f"{media}/MediaSet",
                "messages_receipts": f"{AIM}/Conversations/%s/Messages/%s/Receipts",
            },
            "sync_objects": {"my_user_info": user.info.sid, "my_conversations": user.my_conversations.sid},
            "options": {
                "reachability_enabled": False,
                "user_infos_to_subscribe": 100,
                "http_cache_interval": "PT5S",
                "consumption_report_interval": "PT5S",
                "media_attachments_count_limit": limits.MEDIA_PER_MESSAGE,
                "media_attachment_size_limit_in_mb": limits.MEDIA_SIZE // 1024**2,
                "media_attachments_total_size_limit_in_mb": limits.MEDIA_SIZE // 1024**2,
                "email_histories_allowed_mime_types": ["text/plain", "text/html"],
                "email_bodies_allowed_mime_types": ["text/plain", "text/html"],
            },
        }

    # Conversations

    def my_conversations(self, call: Call) -> Answer:
        user = self.store.user(call.identity)
        found = [_my_view(conversation, user) for conversation in user.conversations.values()]
        return 200, {"conversations": found, "meta": {"next_token": None}}

    def my_conversation(self, call: Call, name: str) -> Answer:
        conversation, participant = self._mine(call, name)
        return 200, _my_view(conversation, participant.user)

    def update_my_conversation(self, call: Call, name: str) -> Answer:
        conversation, participant = self._mine(call, name)
        if "last_read_message_index" in call.body:
            index = call.body["last_read_message_index"]
            if index is not None and type(index) is not int:
                raise invalid("last_read_message_index must be a number")
            self.store.set_read_horizon(conversation, participant, index, call.origin)
        if level := call.text("notification_level"):
            self.store.set_notification_level(conversation, participant, level)
        return 200, _my_view(conversation, participant.user)

    def conversation(self, call: Call, name: str) -> Answer:
        conversation, _ = self._mine(call, name)
        return 200, _view(conversation)

    def leave(self, call: Call, name: str, participant: str) -> Answer:
        conversation, mine = self._mine(call, name)
        if self.store.find_participant(conversation, participant) is not mine:
            raise TwilioError(403, 50400, "A guest may remove nobody else")
        self.store.remove_participant(conversation, participant, call.origin)
        return 200, {}

    def typing(self, call: Call) -> Answer:
        conversation, _ = self._mine(call, str(call.body.get("ChannelSid")))
        self.store.typing(conversation, call.identity)
        return 200, {"typing_timeout": TYPING_SECONDS}

    # Messages

    def create_message(self, call: Call, name: str) -> Answer:
        conversation, participant = self._mine(call, name)
        sids = call.body.get("media_sids") or []
        if not isinstance(sids, list) or len(sids) > limits.MEDIA_PER_MESSAGE:
            raise invalid("media_sids must be a short list")
        message = self.store.add_message(
            conversation,
            call.origin,
            author=call.identity,
            body=call.text("body"),
            attributes=call.text("attributes"),
            subject=call.text("subject"),
            media=[self.media.unsent(str(sid), call.identity) for sid in sids],
        )
        return 201, {
            "sid": message.sid,
            "index": message.index,
            "author": message.author,
            "body": message.body,
            "attributes": message.attributes,
            "date_created": timestamp(message.created),
            "date_updated": timestamp(message.updated),
            "participant_sid": participant.sid,
            "conversation_sid": conversation.sid,
            "media": [media.in_message() for media in message.media] or None,
            "url": f"{AIM}/Conversations/{conversation.sid}/Messages/{message.sid}",
        }

    def update_message(self, call: Call, name: str, message: str) -> Answer:
        conversation, own = self._own_message(call, name, message)
        self.store.update_message(
            conversation, own, call.origin, body=call.text("body"), attributes=call.text("attributes")
        )
        return 200, {"sid": own.sid, "index": own.index}

    def delete_message(self, call: Call, name: str, message: str) -> Answer:
        conversation, own = self._own_message(call, name, message)
        self.store.delete_message(conversation, own, call.origin)
        return 200, {}

    # Users

    def user(self, call: Call, identity: str) -> Answer:
        user = self.store.users.get(identity)
        if user is None or not user.info.may_read(call.identity):
            raise not_found(call.path)
        return 200, _user_view(user)

    def update_user(self, call: Call, identity: str) -> Answer:
        if identity != call.identity:
            raise TwilioError(403, 50400, "A guest may change nobody else")
        user = self.store.user(identity)
        self.store.update_user(user, friendly_name=call.text("friendly_name"), attributes=call.text("attributes"))
        return 200, _user_view(user)

    # Sync

    def sync_object(self, call: Call, kind: str, name: str) -> Answer:
        found = self._sync_object(call, kind, name)
        root = found.root()
        if call.params.get("Include") == "items" and isinstance(found, Collection):
            root["items"] = found.all_items()
        return 200, root

    def sync_items(self, call: Call, kind: str, name: str) -> Answer:
        found = self._sync_object(call, kind, name)
        if not isinstance(found, Collection):
            raise not_found(call.path)
        key: Callable[[str], str | int] = int if isinstance(found, SyncList) else str
        try:
            only, start = (
                key(call.params[name]) if name in call.params else None
                for name in ("Index" if isinstance(found, SyncList) else "Key", "From")
            )
            size = int(call.params.get("PageSize", 50))
        except ValueError as error:
            raise invalid("Invalid query") from error
        descending = call.params.get("Order") == "desc"
        page = found.page(Query(only, start, descending, size=min(max(size, 1), 100)))
        return 200, {
            "items": page.items,
            "meta": {
                "previous_token": "previous" if page.has_previous else None,
                "next_token": "next" if page.has_next else None,
            },
        }

    def subscriptions(self, call: Call) -> Answer:
        requests = call.body.get("requests")
        if not isinstance(requests, list) or len(requests) > 1000:
            raise invalid("requests must be a list")
        follow = self._subscribe if call.body.get("action") == "establish" else self._cancel
        for wanted in requests:
            if isinstance(wanted, dict):
                # After the reply, which the SDK expects first.
                asyncio.get_running_loop().call_soon(follow, call, wanted)
        return 202, {"estimated_delivery_in_ms": 10000, "max_batch_size": 1000, "ttl_in_s": 86400}

    def _subscribe(self, call: Call, wanted: dict[str, Any]) -> None:
        """Replays what was missed, confirms, and from then on delivers live events."""
        name, kind, since = str(wanted.get("object_sid")), wanted.get("object_type"), wanted.get("last_event_id")
        found = self.store.sync.find(name, call.identity)
        if found is None or found.kind != kind:
            error = {"status": 404, "code": 54300, "message": "Sync object not found"}
            return self._sync_event(call, "subscription_failed", wanted, error=error)
        for event_type, event in found.replay(since) if type(since) is int else ():
            payload = {"event_type": event_type, "event_protocol_version": 4, "events": [event]}
            call.connection.notify("twilio.sync.event", payload | {"correlation_id": call.body.get("correlation_id")})
        self._sync_event(
            call, "subscription_established", wanted, replay_status="completed", last_event_id=found.last_event_id
        )
        found.subscribers.add(call.connection)
        call.connection.subscriptions.add(found)
        return None

    def _cancel(self, call: Call, wanted: dict[str, Any]) -> None:
        found = self.store.sync.find(str(wanted.get("object_sid")), call.identity)
        if found:
            found.subscribers.discard(call.connection)
            call.connection.subscriptions.discard(found)
        self._sync_event(call, "subscription_canceled", wanted)

    def _sync_event(self, call: Call, event_type: str, wanted: dict[str, Any], **fields: Any) -> None:
        event = {"object_sid": wanted.get("object_sid"), "object_type": wanted.get("object_type"), **fields}
        call.connection.notify(
            "twilio.sync.event",
            {
                "event_type": event_type,
                "correlation_id": call.body.get("correlation_id"),
                "event_protocol_version": 4,
                "events": [event],
            },
        )

    # Who may

    def _mine(self, call: Call, name: str) -> tuple[Conversation, Participant]:
        conversation = self.store.find(name)
        participant = conversation.participants.get(call.identity)
        if participant is None:
            raise not_a_participant()
        return conversation, participant

    def _own_message(self, call: Call, name: str, sid: str) -> tuple[Conversation, Message]:
        conversation, _ = self._mine(call, name)
        message = self.store.find_message(conversation, sid)
        if message.author != call.identity:
            raise TwilioError(403, 50400, "A guest may change only own messages")
        return conversation, message

    def _sync_object(self, call: Call, kind: str, name: str) -> SyncObject:
        found = self.store.sync.find(name, call.identity)
        if found is None or not isinstance(found, SYNC_TYPES.get(kind, ())):
            raise sync_object_not_found()
        return found


def _call(connection: Connection, frame: Frame) -> Call:
    match frame.header.get("http_request"):
        case {"method": str(method), "path": str(path), **rest}:
            pass
        case _:
            raise invalid("http_request is missing")
    params = rest.get("params")
    try:
        body = frame.body()
    except FrameError as error:
        raise invalid(str(error)) from error
    return Call(
        connection,
        method.upper(),
        path,
        {name: unquote(str(value)) for name, value in params.items()} if isinstance(params, dict) else {},
        body,
    )


def _view(conversation: Conversation) -> dict[str, Any]:
    return {
        "sid": conversation.sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": conversation.attributes_value(),
        "created_by": conversation.created_by,
        "date_created": timestamp(conversation.created),
        "date_updated": timestamp(conversation.updated),
        "state": conversation.state,
        "status": "notParticipating" if conversation.closed else "joined",
        "participants_count": len(conversation.participants),
        "messages_count": len(conversation.messages),
        "sync_objects": {
            "conversation": conversation.document.sid,
            "messages": conversation.message_list.sid,
            "participants": conversation.roster.sid,
        },
        "url": f"{AIM}/Conversations/{conversation.sid}",
    }


def _my_view(conversation: Conversation, user: User) -> dict[str, Any]:
    participant = conversation.participants[user.identity]
    return _view(conversation) | {
        "conversation_sid": conversation.sid,
        "unread_messages_count": conversation.unread_by(participant),
        "last_read_message_index": participant.last_read_index,
        "notification_level": participant.notification_level,
    }


def _user_view(user: User) -> dict[str, Any]:
    return {
        "sid": user.sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        "sync_objects": {"user_info_map": user.info.sid},
    }
