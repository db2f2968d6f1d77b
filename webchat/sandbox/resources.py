"""The Conversations resources as REST shows them. https://www.twilio.com/docs/conversations-classic/api"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .account import MESSAGING_SERVICE_SID
from .clock import seconds
from .entities import Conversation, Message, Participant, User
from .rest import OWNER, scope, url


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
