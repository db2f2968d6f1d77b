"""The visitor's access token: for an active chat only, asked for anew as long as it runs."""

from __future__ import annotations

from datetime import timedelta

from webchat.chats.end import end_chat
from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.flex import FlexError
from webchat.flex.tokens import LONGEST, Token, mint
from webchat.models import ChatSession

# A token is renewed for this long after the start, then the visitor starts a new chat.
AGE_CAP = timedelta(hours=12)


def issue_token(session: ChatSession) -> Token:
    """A token for the session as it was just read. Raises ChatRefused(SESSION_ENDED) unless it is active."""
    if session.is_active and session.started_at and database_now() - session.started_at > AGE_CAP:
        end_chat(session, ChatSession.EndedBy.AGE)
    if not session.is_active:
        raise ChatRefused(Code.SESSION_ENDED)
    return make_token(session.identity, session.chat_service_sid)


def make_token(identity: str, chat_service_sid: str, seconds: int = LONGEST) -> Token:
    """Raises ChatRefused(CHAT_UNAVAILABLE) without credentials."""
    try:
        return mint(identity, chat_service_sid, seconds)
    except FlexError as error:
        raise ChatRefused(Code.CHAT_UNAVAILABLE, reason=str(error)) from error
