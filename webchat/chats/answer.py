"""When an agent first wrote something: for the statistics, from Twilio's word of each message, of which no text is read."""

from __future__ import annotations

from webchat.clock import database_now
from webchat.counters import count_answer
from webchat.flex import is_agents
from webchat.models import ChatSession


def note_message(session: ChatSession, author: str) -> None:
    """Keeps when an agent first wrote in a running chat. After that it writes nothing; before, the visitor's messages
    write once that Twilio tells of them at all."""
    if session.answered_at:
        return
    running = {"status": ChatSession.Status.ACTIVE}  # else its end has counted it already
    if is_agents(author, session.identity):
        if session.change(
            running | {"answered_at": None}, answered=True, answered_at=database_now(), messages_told=True
        ):
            count_answer(session)
    elif not session.messages_told:
        session.change(messages_told=True)
