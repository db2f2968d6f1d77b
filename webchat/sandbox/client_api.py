"""The Conversations API of the SDK: configuration, conversations, messages, users, typing.

The paths in the links are the sandbox's choice: the SDK follows whatever the configuration names.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from . import limits
from .account import CHAT_SERVICE_SID
from .clock import timestamp
from .entities import TYPING_SECONDS, Conversation, Message, Participant, User
from .errors import TwilioError, invalid, not_a_participant, not_found
from .media import MediaStore
from .store import Store
from .tunnel import Call, Route
from .twilsock import Answer

AIM = "https://aim.us1.twilio.com/Client/v2"


class ClientApi:
    def __init__(self, store: Store, media: MediaStore) -> None:
        self.store = store
        self.media = media

    def routes(self) -> list[Route]:
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
        ]

    # Start-up

    def configuration(self, call: Call) -> Answer:
        user = self.store.users.get_or_create(call.identity)
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
        user = self.store.users.get_or_create(call.identity)
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
        user = self.store.users.get_or_create(identity)
        self.store.users.update(user, friendly_name=call.text("friendly_name"), attributes=call.text("attributes"))
        return 200, _user_view(user)

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
