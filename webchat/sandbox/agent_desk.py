"""The agent desk: what Flex is to an agent, as JSON and Server-Sent Events for one page and for tests.

As in Flex an agent gets a webchat only as a task, and there is a task only after the first message that Studio heard.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from . import limits
from .clock import timestamp
from .entities import TYPING_SECONDS, Conversation, Media, Message, Participant, Webchat
from .errors import TwilioError, conversation_not_found, invalid, not_found
from .events import Event, Origin, sdk
from .media import MediaStore, read_content
from .rest import json_body
from .store import Store
from .taskrouter_api import TaskRouter

FOLDER = Path(__file__).parent / "desk"
FILES = {"desk.js": "text/javascript", "desk.css": "text/css"}
PAGE_HEADERS = {
    hdrs.CONTENT_SECURITY_POLICY: (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-cache",
}
KEEP_ALIVE_SECONDS = 15
STREAMS = 100
EVENTS_WAITING = 1000  # of one stream; a page that does not read them is cut off and starts again
NAME = 64


class Desk:
    def __init__(self, store: Store, media: MediaStore, task_router: TaskRouter) -> None:
        self.store = store
        self.media = media
        self.task_router = task_router
        self._streams: dict[asyncio.Queue[bytes], asyncio.Task[Any]] = {}
        store.listeners.append(self._hear)
        task_router.listeners.append(lambda: self._broadcast("queue", self.queue_view()))

    def routes(self) -> list[web.RouteDef]:
        one = "/desk/conversations/{conversation}"
        return [
            web.get("/", self.page),
            web.get("/desk/static/{name}", self.static),
            web.get("/desk/events", self.events),
            web.get("/desk/queue", self.fetch_queue),
            web.post("/desk/agent", self.switch),
            web.post("/desk/tasks/{task}/complete", self.complete_task),
            web.get("/desk/conversations", self.list_conversations),
            web.get(one, self.fetch),
            web.post(f"{one}/accept", self.accept),
            web.post(f"{one}/messages", self.send),
            web.post(f"{one}/files", self.send_file),
            web.post(f"{one}/typing", self.typing),
            web.post(f"{one}/read", self.read),
            web.post(f"{one}/complete", self.complete),
        ]

    # The page

    async def page(self, request: web.Request) -> web.StreamResponse:
        return _file("index.html", "text/html")

    async def static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in FILES:
            raise not_found(request.path)
        return _file(name, FILES[name])

    # What there is

    async def list_conversations(self, request: web.Request) -> web.Response:
        found = [one for one in reversed(self.store.conversations.values()) if has_task(one)]
        return web.json_response({"conversations": [self.view(conversation) for conversation in found]})

    async def fetch(self, request: web.Request) -> web.Response:
        return self._answer(self._webchat(request))

    async def events(self, request: web.Request) -> web.StreamResponse:
        if len(self._streams) >= STREAMS:
            raise web.HTTPServiceUnavailable
        answer = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"})
        await answer.prepare(request)
        waiting: asyncio.Queue[bytes] = asyncio.Queue(EVENTS_WAITING)
        self._streams[waiting] = request.task
        try:
            await answer.write(b"retry: 1000\n\n")
            while True:
                try:
                    chunk = await asyncio.wait_for(waiting.get(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    chunk = b": keep-alive\n\n"
                await answer.write(chunk)
        except ConnectionError:
            return answer
        finally:
            self._streams.pop(waiting, None)

    def close(self) -> None:
        for task in self._streams.values():
            task.cancel()

    # The queue: whether the agent is there, and tasks without a chat

    async def fetch_queue(self, request: web.Request) -> web.Response:
        return web.json_response(self.queue_view())

    async def switch(self, request: web.Request) -> web.Response:
        available = (await json_body(request)).get("available")
        if not isinstance(available, bool):
            raise invalid("available is true or false")
        self.task_router.switch(available=available)
        return web.json_response(self.queue_view())

    async def complete_task(self, request: web.Request) -> web.Response:
        self.task_router.complete(request.match_info["task"])
        return web.json_response(self.queue_view())

    def queue_view(self) -> dict[str, Any]:
        tasks = [
            {"sid": task.sid, "attributes": task.attributes, "created_at": timestamp(task.created)}
            for task in self.task_router.pending()
        ]
        return {"available": self.task_router.available, "tasks": tasks}

    # What an agent does

    async def accept(self, request: web.Request) -> web.Response:
        conversation, _, _ = await self._agent(request)
        return self._answer(conversation)

    async def send(self, request: web.Request) -> web.Response:
        text = (await json_body(request)).get("body")
        if not isinstance(text, str) or not text.strip():
            raise invalid("body is required")
        conversation, agent, origin = await self._agent(request)
        message = self.store.add_message(conversation, origin, author=agent.identity, body=text)
        return web.json_response(self._message_view(conversation, message), status=201)

    async def send_file(self, request: web.Request) -> web.Response:
        """The body is the file, as in Twilio's media service; its name and the agent's are in the query."""
        author, filename = _name(dict(request.query)), limits.text("filename", request.query.get("filename"))
        content = await read_content(request)
        if not content:
            raise invalid("The file is empty")
        conversation, agent, origin = self._take_part(request, author)
        media = Media(
            author=agent.identity,
            content=content,
            size=len(content),
            content_type=request.content_type,
            filename=filename or None,
        )
        self.media.add(media)
        message = self.store.add_message(conversation, origin, author=agent.identity, body=None, media=[media])
        return web.json_response(self._message_view(conversation, message), status=201)

    async def typing(self, request: web.Request) -> web.Response:
        conversation, agent, _ = await self._agent(request)
        self.store.typing(conversation, agent.identity)
        return web.Response(status=204)

    async def read(self, request: web.Request) -> web.Response:
        conversation, agent, origin = await self._agent(request)
        self.store.set_read_horizon(conversation, agent, conversation.next_index - 1, origin)
        return self._answer(conversation)

    async def complete(self, request: web.Request) -> web.Response:
        conversation, _, origin = await self._agent(request)
        for one in agents(conversation):
            self.store.remove_participant(conversation, one.identity, origin)
        self.store.end_webchat(conversation, origin)
        return self._answer(conversation)

    async def _agent(self, request: web.Request) -> tuple[Conversation, Participant, Origin]:
        """The participant with that identity or name, in the request's conversation. Who is not there yet joins."""
        return self._take_part(request, _name(await json_body(request)))

    def _take_part(self, request: web.Request, author: str) -> tuple[Conversation, Participant, Origin]:
        conversation = self._webchat(request)
        identity = author if author in conversation.participants else agent_identity(author)
        participant, origin = conversation.participants.get(identity), sdk(identity)
        if participant is None:
            if not has_task(conversation):
                raise TwilioError(409, 20409, "There is no task: no message has reached Studio yet")
            participant = self.store.add_participant(conversation, identity, origin, friendly_name=author)
        return conversation, participant, origin

    def _webchat(self, request: web.Request) -> Conversation:
        conversation = self.store.find(request.match_info["conversation"])
        webchat(conversation)
        return conversation

    # Telling the page

    def _hear(self, event: Event) -> None:
        if not has_task(event.conversation):
            return
        if event.type == "ConversationRemoved":
            self._broadcast("removed", {"sid": event.conversation.sid})
        else:
            self._tell(event.conversation, event.message if event.type == "MessageAdded" else None)
        if event.type == "Typing" and self._streams:
            asyncio.get_running_loop().call_later(TYPING_SECONDS + 1.1, self._tell, event.conversation)

    def _tell(self, conversation: Conversation, message: Message | None = None) -> None:
        if self._streams and conversation.sid in self.store.conversations:
            more = {"message": self._message_view(conversation, message)} if message else {}
            self._broadcast("conversation", self.view(conversation) | more)

    def _broadcast(self, event: str, data: dict[str, Any]) -> None:
        chunk = f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()
        for waiting, task in tuple(self._streams.items()):
            if waiting.full():
                task.cancel()
            else:
                waiting.put_nowait(chunk)

    # Views

    def _answer(self, conversation: Conversation) -> web.Response:
        messages = [self._message_view(conversation, message) for message in conversation.messages.values()]
        return web.json_response(self.view(conversation) | {"messages": messages})

    def view(self, conversation: Conversation) -> dict[str, Any]:
        """A conversation without its messages."""
        customer = webchat(conversation).customer
        attributes = conversation.attributes_value()
        last = conversation.last_message
        return {
            "sid": conversation.sid,
            "api": webchat(conversation).api,
            "friendly_name": conversation.friendly_name,
            "state": conversation.state,
            "ended_by": ended_by(conversation),
            "waiting": has_task(conversation) and not conversation.closed and not agents(conversation),
            "customer": {
                "identity": customer.identity,
                "friendly_name": webchat(conversation).customer_name,
                "online": customer.online,
            },
            "agents": [
                {"identity": one.identity, "friendly_name": one.user.friendly_name} for one in agents(conversation)
            ],
            "pre_engagement_data": attributes.get("pre_engagement_data") if isinstance(attributes, dict) else None,
            "facts": webchat(conversation).facts,
            "created_at": timestamp(conversation.created),
            "updated_at": timestamp(conversation.updated),
            "unread": unread_by_agents(conversation),
            "typing": conversation.typing_now(),
            "last_message": self._message_view(conversation, last) if last else None,
        }

    def _message_view(self, conversation: Conversation, message: Message) -> dict[str, Any]:
        author, visit = self.store.users.get(message.author), webchat(conversation)
        from_customer = message.author == visit.customer.identity
        name = visit.customer_name if from_customer else author and author.friendly_name
        return {
            "sid": message.sid,
            "index": message.index,
            "author": message.author,
            "author_name": name or message.author,
            "from_customer": from_customer,
            "body": message.body,
            "created_at": timestamp(message.created),
            "media": [
                {
                    "sid": media.sid,
                    "filename": media.filename,
                    "content_type": media.content_type,
                    "size": media.size,
                    "url": self.media.temporary_path(media),
                }
                for media in message.media
            ],
        }


def has_task(conversation: Conversation) -> bool:
    return conversation.webchat is not None and conversation.webchat.task_created is not None


def webchat(conversation: Conversation) -> Webchat:
    """Raises TwilioError 404 for a conversation that no visitor opened: it is no business of the desk's."""
    if conversation.webchat is None:
        raise conversation_not_found()
    return conversation.webchat


def agents(conversation: Conversation) -> list[Participant]:
    """Everybody but the customer."""
    customer = webchat(conversation).customer
    return [one for one in conversation.participants.values() if one.user is not customer]


def ended_by(conversation: Conversation) -> str | None:
    """Who ended the chat: "agent", "visitor", or "site" for the REST API, by which the site ends those that visitors end
    there. None for one that goes on."""
    if not conversation.closed:
        return None
    if conversation.closed_by is None:
        return "site"
    return "visitor" if conversation.closed_by == webchat(conversation).customer.identity else "agent"


def unread_by_agents(conversation: Conversation) -> int:
    """The number of messages of the customer that no agent has read."""
    customer = webchat(conversation).customer.identity
    read = [one.last_read_index for one in agents(conversation) if one.last_read_index is not None]
    horizon = max(read, default=-1)
    return sum(1 for one in conversation.messages.values() if one.author == customer and one.index > horizon)


def agent_identity(name: str) -> str:
    """`Zoë Quinn` -> `agent_zoe_quinn`; a name without Latin letters gets a digest of itself."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", latin).strip("_")
    return "agent_" + (slug or hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12])


def _name(body: dict[str, Any]) -> str:
    author = body.get("author")
    if not isinstance(author, str) or not author.strip() or len(author) > NAME:
        raise invalid(f"author is required, at most {NAME} characters")
    return author.strip()


def _file(name: str, content_type: str) -> web.StreamResponse:
    try:
        content = (FOLDER / name).read_bytes()
    except FileNotFoundError as error:
        raise not_found(name) from error
    return web.Response(body=content, content_type=content_type, charset="utf-8", headers=PAGE_HEADERS)
