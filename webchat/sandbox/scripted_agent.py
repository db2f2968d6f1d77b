"""Sandy, who answers while no person does: joins a task, types, reads, replies. Honest about being a script."""

from __future__ import annotations

import asyncio
import re

from .entities import Conversation, Message, Participant
from .events import Event, sdk
from .store import Store

IDENTITY = "agent_sandy_scripted"
NAME = "Sandy (scripted)"

JOIN_SECONDS = 1.5
READ_SECONDS = 0.7
TYPE_SECONDS = 1.6

GREETING = (
    "Hello{name}, this is Sandy. I am the sandbox's scripted agent, not a person. Your message has arrived; "
    "to answer it yourself, accept this chat at the agent desk."
)
FILE = "Thank you, your file has arrived."
REPLIES = [
    (
        r"\b(human|person|agent|somebody|someone|robot|bot)\b",
        "Only I am here until a person accepts this chat at the agent desk. Then I leave.",
    ),
    (r"\b(bye|goodbye|thanks|thank you|thx)\b", "You are welcome. You can end the chat whenever you like."),
    (r"\b(hello|hi|hey|good (morning|afternoon|evening))\b", "Hello again. What would you like to try?"),
    (r"\?", "That takes a person to answer: I follow a script. At the agent desk you can reply in my place."),
]
OTHERWISE = "I have that, thank you. Anything else?"


class ScriptedAgent:
    """`pace` stretches or shortens every pause."""

    def __init__(self, store: Store, pace: float = 1.0) -> None:
        self.store = store
        self.pace = pace
        self._at_work: dict[str, asyncio.Task[None]] = {}
        store.listeners.append(self._hear)

    def close(self) -> None:
        for task in self._at_work.values():
            task.cancel()

    def _hear(self, event: Event) -> None:
        conversation = event.conversation
        if conversation.closed or event.type == "ConversationRemoved" or _has_person(conversation):
            if task := self._at_work.pop(conversation.sid, None):
                task.cancel()
            if _has_person(conversation) and IDENTITY in conversation.participants and not conversation.closed:
                self.store.remove_participant(conversation, IDENTITY, sdk(IDENTITY))
        elif conversation.sid not in self._at_work and (
            event.type == "TaskCreated" or (event.type == "MessageAdded" and IDENTITY in conversation.participants)
        ):
            self._at_work[conversation.sid] = asyncio.get_running_loop().create_task(self._attend(conversation))

    async def _attend(self, conversation: Conversation) -> None:
        """Answers until nothing is unread. What comes meanwhile is answered by the same run."""
        try:
            sandy = conversation.participants.get(IDENTITY) or await self._join(conversation)
            while message := _unread(conversation, sandy):
                await self._pause(READ_SECONDS)
                self._read(conversation, sandy)
                await self._say(conversation, reply_to(message))
        finally:
            if self._at_work.get(conversation.sid) is asyncio.current_task():
                del self._at_work[conversation.sid]

    async def _join(self, conversation: Conversation) -> Participant:
        await self._pause(JOIN_SECONDS)
        sandy = self.store.add_participant(conversation, IDENTITY, sdk(IDENTITY), friendly_name=NAME)
        self._read(conversation, sandy)
        name = conversation.webchat.customer_name if conversation.webchat else None
        await self._say(conversation, GREETING.format(name=f" {name}" if name else ""))
        return sandy

    async def _say(self, conversation: Conversation, body: str) -> None:
        self.store.typing(conversation, IDENTITY)
        await self._pause(TYPE_SECONDS)
        self.store.add_message(conversation, sdk(IDENTITY), author=IDENTITY, body=body)

    def _read(self, conversation: Conversation, sandy: Participant) -> None:
        self.store.set_read_horizon(conversation, sandy, conversation.next_index - 1, sdk(IDENTITY))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)


def reply_to(message: Message) -> str:
    if message.media:
        return FILE
    said = (message.body or "").casefold()
    return next((reply for pattern, reply in REPLIES if re.search(pattern, said)), OTHERWISE)


def _has_person(conversation: Conversation) -> bool:
    customer = conversation.webchat.customer.identity if conversation.webchat else None
    return bool(conversation.participants.keys() - {customer, IDENTITY})


def _unread(conversation: Conversation, sandy: Participant) -> Message | None:
    """The newest message of the customer that Sandy has not read."""
    horizon = -1 if sandy.last_read_index is None else sandy.last_read_index
    newest_first = reversed(conversation.messages.values())
    return next((one for one in newest_first if one.index > horizon and one.author != IDENTITY), None)
