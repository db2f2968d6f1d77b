"""REST: Conversations, their messages and participants, users. https://www.twilio.com/docs/conversations-classic/api"""

from __future__ import annotations

from aiohttp import web

from . import limits
from .account import AGENT_ROLE_SID
from .clock import seconds
from .entities import Conversation, Message, Participant, State, User
from .errors import TwilioError, invalid, not_found
from .media import MediaStore
from .resources import conversation_view, message_view, participant_conversation_view, participant_view, user_view
from .rest import Form, created, deleted, in_account_and_service, origin, page
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
            ("DELETE", "Users/{identity}", self.delete_user),
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
        state, timers = _state(form), _timers(form)
        if timers and not state:
            raise invalid("Timers cannot be set without State", 50382)
        conversation = self.store.create_conversation(
            origin(request),
            friendly_name=form.get("FriendlyName"),
            unique_name=form.get("UniqueName"),
            attributes=form.get("Attributes"),
            timers=timers,
        )
        self.store.set_state(conversation, state or "active", origin(request))
        return created(request, conversation.sid, conversation_view(conversation, request))

    async def fetch_conversation(self, request: web.Request) -> web.Response:
        return web.json_response(conversation_view(self._conversation(request), request))

    async def update_conversation(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        conversation = self._conversation(request)
        name, attributes = form.get("FriendlyName"), form.get("Attributes")
        state, timers = _state(form), _timers(form)
        if name is not None or attributes is not None or timers:
            self.store.update_conversation(
                conversation, origin(request), friendly_name=name, attributes=attributes, timers=timers
            )
        self.store.set_state(conversation, state or conversation.state, origin(request))
        return web.json_response(conversation_view(conversation, request))

    async def delete_conversation(self, request: web.Request) -> web.Response:
        self.store.delete_conversation(self._conversation(request), origin(request))
        return deleted()

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
        self.store.users.update(user, friendly_name=form.get("FriendlyName"), attributes=form.get("Attributes"))
        return web.json_response(user_view(user, request))

    async def delete_user(self, request: web.Request) -> web.Response:
        self.store.delete_user(self._user(request))
        return deleted()

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
        user = self.store.users.get(name) or next((one for one in self.store.users if one.sid == name), None)
        if user is None:
            raise not_found(request.path)
        return user


def _state(form: Form) -> State | None:
    match form.get("State"):
        case None | "active" | "inactive" | "closed" as state:
            return state
        case _:
            raise invalid("Invalid State")


def _timers(form: Form) -> dict[str, str]:
    timers = {name: value for field, name in TIMERS.items() if (value := form.get(field, 32))}
    if any(not value.startswith("P") for value in timers.values()):
        raise TwilioError(400, 50381, "Timers must be ISO 8601 durations")
    return timers
