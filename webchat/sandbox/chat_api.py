"""The Programmable Chat API of the older SDK, as Flex Webchat UI 2.x carries it (twilio-chat 3.4): channels by another way.

That SDK opens a session, which is a Sync list. The server answers with the list's context, which says where everything
is; the SDK adds its commands to the list, and the server adds its response to the item. All else it reads from the same
Sync objects as the Conversations SDK. Only what that UI uses is here. The paths in the links are the sandbox's choice.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from . import limits
from .account import CHAT_SERVICE_SID
from .clock import timestamp
from .entities import Conversation, User
from .errors import TwilioError, invalid, not_a_participant, not_found, sync_object_not_found
from .store import Store
from .sync import SyncEvent, SyncList
from .tunnel import Call, Route
from .twilsock import Answer

PURPOSE = "com.twilio.rtd.ipmsg"
COMMANDS_KEPT = 20

Command = Callable[[Call, dict[str, Any]], dict[str, Any]]


class Session(SyncList):
    """The list of one connection's commands, with its context: first what the SDK says of itself, then `answer`. That
    comes when the SDK follows the list, as an event, since it takes the context from nothing else."""

    def __init__(self, identity: str, context: Any, answer: dict[str, Any]) -> None:
        super().__init__(f"session.{uuid.uuid4().hex}", lambda reader: reader == identity)
        self.context, self.context_id = context, self.last_event_id
        self._answer: dict[str, Any] | None = answer

    def root(self) -> dict[str, Any]:
        root = super().root()
        root["links"] |= {"context": f"{self.url}/Context"}
        return root

    def replay(self, since: int) -> Iterator[SyncEvent]:
        if self._answer is not None:
            self.context, self.context_id, self._answer = self._answer, self._next_event(), None
        if self.context_id > since:
            yield "list_context_updated", self._event(self.context_id, self.updated) | {"context_data": self.context}
        yield from super().replay(since)


class ChatApi:
    def __init__(self, store: Store) -> None:
        self.store = store
        self._sessions: dict[str, Session] = {}  # by SID, oldest first
        self._commands: dict[str, Command] = {
            "sendMessage": self.send_message,
            "consumptionReportV2": self.report_read,
            "editUserFriendlyName": self.edit_user,
            "editUserAttributes": self.edit_user,
        }

    def routes(self) -> list[Route]:
        return [
            ("POST", "/v3/Lists", self.open_session),
            ("GET", "/v3/Lists/{sid}/Context", self.context),
            ("POST", "/v3/Lists/{sid}/Items", self.add_command),
            ("GET", "/Client/v1/Users/me/Channels", self.my_channels),
            ("GET", "/Client/v1/Users", self.users_of_channel),
            ("GET", "/Client/v1/Users/{identity}", self.user),
            ("POST", "/v1/typing", self.typing),
        ]

    # The session

    def open_session(self, call: Call) -> Answer:
        if call.body.get("purpose") != PURPOSE:
            raise TwilioError(403, 54007, "Only sessions of Programmable Chat are made here")
        answer = self._context(self.store.users.get_or_create(call.identity), call.connection.origin)
        session = self.store.sync.add(Session(call.identity, call.body.get("context"), answer))
        self._sessions[session.sid] = session
        if len(self._sessions) > limits.CONNECTIONS:
            self.store.sync.forget(self._sessions.pop(next(iter(self._sessions))))
        return 201, session.root()

    def context(self, call: Call, sid: str) -> Answer:
        session = self._session(call, sid)
        return 200, {"data": session.context, "last_event_id": session.context_id}

    def add_command(self, call: Call, sid: str) -> Answer:
        session = self._session(call, sid)
        command = call.body.get("data")
        if not isinstance(command, dict):
            raise invalid("data must be an object")
        index = session.last_event_id
        session.put(index, command)
        if len(session.items) > COMMANDS_KEPT:
            session.forget(next(iter(session.items)))
        asyncio.get_running_loop().call_soon(self._respond, call, session, index, command)
        item = session.items[index]
        return 201, {
            "index": index,
            "url": f"{session.url}/Items/{index}",
            "revision": f"{item.revision:x}",
            "last_event_id": item.event_id,
            "date_created": timestamp(item.created),
            "date_updated": timestamp(item.updated),
            "date_expires": None,
        }

    def _respond(self, call: Call, session: Session, index: int, command: dict[str, Any]) -> None:
        request = command.get("request")
        request = request if isinstance(request, dict) else {}
        try:
            act = self._commands.get(str(request.get("action")))
            if act is None:
                raise TwilioError(501, 20501, "The sandbox does not know this command")
            response = {"status": 200, "statusText": "OK", **act(call, request)}
        except TwilioError as error:
            response = {"status": error.status, "statusText": error.message, "code": error.code}
        session.put(index, {**command, "response": response})

    def _context(self, user: User, origin: str) -> dict[str, Any]:
        return {
            "identity": user.identity,
            "userInfo": user.info.sid,
            "myChannels": user.my_conversations.sid,
            "channels": user.my_conversations.sid,
            "reachabilityEnabled": False,
            "userInfosToSubscribe": 100,
            "httpCacheInterval": "PT5S",
            "consumptionReportInterval": "PT5S",
            "links": {
                "publicChannelsUrl": "/Client/v1/Channels",
                "myChannelsUrl": "/Client/v1/Users/me/Channels",
                "syncListUrl": "/Client/v1/Users/me/Channels",
                "usersUrl": "/Client/v1/Users",
                "typingUrl": "/v1/typing",
                "mediaServiceUrl": f"{origin}/mcs/v1/Services/{CHAT_SERVICE_SID}/Media",
            },
        }

    def _session(self, call: Call, sid: str) -> Session:
        found = self.store.sync.find(sid, call.identity)
        if not isinstance(found, Session):
            raise sync_object_not_found()
        return found

    # Commands

    def send_message(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        conversation = self._mine(call, request.get("channelSid"))
        message = self.store.add_message(
            conversation,
            call.origin,
            author=call.identity,
            body=_text(request, "text"),
            attributes=_text(request, "attributes"),
        )
        return {"messageSid": message.sid, "messageId": message.index}

    def report_read(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        report = request.get("report")
        done = []
        for entry in report if isinstance(report, list) else ():
            sid, index = (
                (entry.get(name) for name in ("channelSid", "messageIdx")) if isinstance(entry, dict) else ("", 0)
            )
            conversation = self._mine(call, sid)
            if type(index) is not int:
                raise invalid("messageIdx must be a number")
            participant = conversation.participants[call.identity]
            self.store.set_read_horizon(conversation, participant, index, call.origin)
            done.append({"channelSid": sid, "unreadMessagesCount": conversation.unread_by(participant)})
        return {"report": done}

    def edit_user(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("username") != call.identity:
            raise TwilioError(403, 50400, "A guest may change nobody else")
        user = self.store.users.get_or_create(call.identity)
        name, attributes = _text(request, "friendlyName"), _text(request, "attributes")
        self.store.users.update(user, friendly_name=name, attributes=attributes)
        return {}

    # What it reads

    def my_channels(self, call: Call) -> Answer:
        user = self.store.users.get_or_create(call.identity)
        found = []
        for conversation in user.conversations.values():
            participant = conversation.participants[user.identity]
            found.append(
                {
                    "channel_sid": conversation.sid,
                    "status": "notParticipating" if conversation.closed else "joined",
                    "channel": conversation.document.sid,
                    "messages": conversation.message_list.sid,
                    "roster": conversation.roster.sid,
                    "last_consumed_message_index": participant.last_read_index,
                    "notification_level": participant.notification_level,
                }
            )
        return 200, {"channels": found, "meta": {"previous_token": None, "next_token": None}}

    def users_of_channel(self, call: Call) -> Answer:
        conversation = self._mine(call, call.params.get("ChannelSid"))
        users = [_user_view(participant.user) for participant in conversation.participants.values()]
        return 200, {"users": users, "meta": {"prev_token": None, "next_token": None}}

    def user(self, call: Call, identity: str) -> Answer:
        user = self.store.users.get(identity)
        if user is None or not user.info.may_read(call.identity):
            raise not_found(call.path)
        return 200, _user_view(user)

    def typing(self, call: Call) -> Answer:
        conversation = self._mine(call, call.body.get("ChannelSid"))
        self.store.typing(conversation, call.identity)
        return 200, {"typing_timeout": 5}

    def _mine(self, call: Call, sid: object) -> Conversation:
        conversation = self.store.find(str(sid))
        if call.identity not in conversation.participants:
            raise not_a_participant()
        return conversation


def _text(request: dict[str, Any], name: str) -> str | None:
    value = request.get(name)
    if value is None or isinstance(value, str):
        return value
    raise invalid(f"{name} must be a string")


def _user_view(user: User) -> dict[str, Any]:
    return {
        "sid": user.sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        "is_online": None,
        "is_notifiable": None,
        "sync_unique_name": user.info.sid,
    }
