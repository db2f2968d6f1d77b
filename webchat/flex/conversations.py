"""What both generations do by the Conversations (classic) REST API: to it, a channel of either is a conversation.

https://www.twilio.com/docs/conversations-classic
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from urllib.parse import parse_qs, quote, urlsplit

from twilio.base import values
from twilio.rest import Client
from twilio.rest.conversations.v1.conversation import ConversationContext, ConversationInstance
from twilio.rest.conversations.v1.conversation.message import MessageInstance

from webchat.conf import conf
from webchat.flex.client import BoundedHttpClient, bounded_http, client_on, trusted_shape
from webchat.flex.gateway import PLACE, Channel, Destination, FlexError, Page, WrittenMessage, is_sid
from webchat.flex.http import Limits

# REST fires neither webhooks nor Studio without it.
WEBHOOKS = "true"
# Where something is looked for. Answers are at most 64 KiB, and one message may have 32: so few at a time.
MESSAGES_READ = 5
# Where the conversation is read. A message has at most 32 KB, which may be twice as many in JSON, and 4 KB of attributes.
# https://www.twilio.com/docs/conversations-classic/conversations-limits
MESSAGES_ON_A_PAGE = 50
PAGES = Limits(answer=6 * 1024 * 1024)
# Messages among which an agent's is looked for.
ANSWER_LOOKED_FOR = 50
# User, channel, conversation: not found. https://www.twilio.com/docs/api/errors
ABSENT = {50200, 50300, 50350}
# In a message's attributes: the sender's own id of it. The widget writes and reads it too (chat/conversation.js).
CLIENT_ID = "client_id"
# The author of what the site itself says, and the id of it. The widget knows it by the same (chat/conversation.js).
NOTE_AUTHOR = "Website"
NOTE, MOVED = "note", "moved"
# Twilio's own, where a message is created without one.
SYSTEM_AUTHOR = "system"


class ConversationsGateway:
    """The verbs that are the same for both generations, and what the others are made of."""

    def __init__(self, destination: Destination, http: BoundedHttpClient) -> None:
        self.destination = destination
        self.http = http

    @cached_property
    def client(self) -> Client:
        """Raises FlexError(NOT_CONFIGURED)."""
        return client_on(self.http)

    def post_message(self, channel: Channel, body: str, client_id: str) -> None:
        attributes = json.dumps({CLIENT_ID: client_id})
        with trusted_shape():
            message = self._conversation(channel.sid).messages.create(
                author=channel.identity, body=body, attributes=attributes, x_twilio_webhook_enabled=WEBHOOKS
            )
        if not is_sid(message.sid, "IM"):
            raise FlexError(FlexError.Reason.UNCLEAR)

    def post_note(self, channel_sid: str, body: str, *, is_of_move: bool = False) -> None:
        attributes = json.dumps({CLIENT_ID: MOVED if is_of_move else NOTE})
        with trusted_shape():
            # Fires no webhook, so that no flow takes it for the visitor's.
            message = self._conversation(channel_sid).messages.create(
                author=NOTE_AUTHOR, body=body, attributes=attributes
            )
        if not is_sid(message.sid, "IM"):
            raise FlexError(FlexError.Reason.UNCLEAR)

    def has_message(self, channel: Channel, client_id: str) -> bool:
        with trusted_shape():
            messages = self._conversation(channel.sid).messages.stream(order="asc", page_size=MESSAGES_READ)
            return any(
                message.author == channel.identity and client_id_in(message.attributes) == client_id
                for message in messages
            )

    def has_answer(self, channel: Channel) -> bool:
        with trusted_shape():
            messages = self._conversation(channel.sid).messages.stream(
                order="asc", limit=ANSWER_LOOKED_FOR, page_size=MESSAGES_READ
            )
            return any(is_agents(message.author or "", channel.identity) for message in messages)

    def read_messages(self, channel: Channel, place: str = "") -> Page:
        number, token = _place(place)
        with trusted_shape():
            reader = client_on(bounded_http(self.http.deadline, PAGES))
            page = self._conversation(channel.sid, reader).messages.page(
                order="asc", page_size=MESSAGES_ON_A_PAGE, page_number=number, page_token=token
            )
            following = parse_qs(urlsplit(page.next_page_url or "").query)
            next_place = "~".join(following.get(name, [""])[0] for name in ("Page", "PageToken"))
            return Page([_written(message, channel) for message in page], next_place.strip("~"))

    def close(self, channel_sid: str) -> None:
        conversation = self._conversation(channel_sid)
        try:
            with trusted_shape():
                answer = conversation.update(state="closed", x_twilio_webhook_enabled=WEBHOOKS)
        except FlexError as error:
            # Twilio publishes no code for a change to a closed conversation: its state is the only certain sign.
            if may_be_over(error) and (self._is_absent(error) or is_over(fetched(conversation))):
                return
            raise
        if not is_closed(answer.state):
            raise FlexError(FlexError.Reason.UNCLEAR)

    def has_ended(self, channel_sid: str) -> bool:
        try:
            return is_over(fetched(self._conversation(channel_sid)))
        except FlexError as error:
            if self._is_absent(error):
                return True
            raise

    def _is_absent(self, error: FlexError) -> bool:
        """Whether the refusal says that the conversation is not there, and its chat service is the account's default one.
        To the credentials of another account every conversation is absent."""
        if not error.is_not_there:
            return False
        with trusted_shape():
            configuration = self.client.conversations.v1.configuration().fetch()
        return bool(configuration.default_chat_service_sid == self.destination.chat_service_sid)

    def forget(self, channel: Channel, chat_service_sid: str) -> None:
        """https://www.twilio.com/docs/conversations-classic/api/conversation-resource#delete-a-conversation-resource"""
        conversations = self.client.conversations.v1

        def erase(delete: Callable[[], bool]) -> None:
            try:
                with trusted_shape():
                    delete()
            except FlexError as error:
                if not error.is_not_there and error.twilio_code not in ABSENT:
                    raise
                with trusted_shape():  # another account's credentials find nothing either
                    conversations.services(chat_service_sid or self.destination.chat_service_sid).fetch()

        try:
            with trusted_shape():
                found = conversations.participant_conversations.list(channel.identity, limit=1000, page_size=5)
        except FlexError as error:
            if not error.is_not_there:
                raise
            found = []
        for sid in {channel.sid, *(str(participant.conversation_sid) for participant in found)} - {""}:
            erase(self._conversation(sid).delete)
        erase(conversations.users(quote(channel.identity, safe="")).delete)

    def _conversation(self, sid: str, client: Client | None = None) -> ConversationContext:
        if not is_sid(sid, "CH"):  # it becomes a part of the path
            raise FlexError(FlexError.Reason.REFUSED)
        return (client or self.client).conversations.v1.conversations(sid)


def _place(place: str) -> tuple[int | object, str | object]:
    """The number and the token of a page, as twilio-python takes them. Raises FlexError(REFUSED)."""
    if not re.fullmatch(PLACE, place):
        raise FlexError(FlexError.Reason.REFUSED)
    number, _tilde, token = place.partition("~")
    return int(number) if number else values.unset, token or values.unset


def is_agents(author: str, identity: str) -> bool:
    """Whether neither the visitor of this identity, nor this site, nor Twilio for a flow without a name of its own."""
    return author not in ("", identity, NOTE_AUTHOR, SYSTEM_AUTHOR)


def _written(message: MessageInstance, channel: Channel) -> WrittenMessage:
    is_visitors = message.author == channel.identity
    client_id = client_id_in(message.attributes) if is_visitors else None
    return WrittenMessage(
        index=int(message.index or 0),
        author=_sound(message.author),
        client_id=_sound(client_id) if isinstance(client_id, str) else "",
        is_visitors=is_visitors,
        is_sites=message.author == NOTE_AUTHOR,
        at=message.date_created,
        text=_sound(message.body),
        files=[_sound(file.get("filename")) for file in message.media or []],
    )


def _sound(text: object) -> str:
    """Without halves of UTF-16 pairs, which JSON may hold and no page and no mail."""
    return str(text or "").encode(errors="replace").decode()


def fetched(conversation: ConversationContext) -> ConversationInstance:
    with trusted_shape():
        return conversation.fetch()


def may_be_over(error: FlexError) -> bool:
    """Whether a refusal can be about the state of what was to be changed, and not about who asked or when."""
    return error.reason is FlexError.Reason.REFUSED and error.status not in {None, 401}


def client_id_in(attributes: str | None) -> object:
    """The sender's own id of a message; None for a message without one, as with what a visitor's browser wrote in its place."""
    try:
        found = json.loads(attributes or "{}")
    except (ValueError, RecursionError):
        return None
    return found.get(CLIENT_ID) if isinstance(found, dict) else None


def is_closed(state: object) -> bool:
    if not isinstance(state, str):
        raise FlexError(FlexError.Reason.UNCLEAR)
    return state == "closed"


def is_over(conversation: ConversationInstance) -> bool:
    """Whether a conversation is closed; or, of the legacy kind, has `INACTIVE` as its attribute `status`."""
    if is_closed(conversation.state):
        return True
    with trusted_shape():
        attributes = json.loads(conversation.attributes or "{}")
    return isinstance(attributes, dict) and attributes.get("status") == "INACTIVE"


def opened(sid: object, identity: object) -> Channel:
    """The channel that an answer names. Raises FlexError(UNCLEAR) for one that names none."""
    if is_sid(sid, "CH") and isinstance(identity, str) and 0 < len(identity) <= 256 and identity.isprintable():
        return Channel(sid, identity)
    raise FlexError(FlexError.Reason.UNCLEAR)


def require_our_account(account_sid: object) -> None:
    """Raises FlexError(UNCLEAR) for an answer about another account: no token is made for its channel."""
    if account_sid != conf.TWILIO_ACCOUNT_SID:
        raise FlexError(FlexError.Reason.UNCLEAR)
