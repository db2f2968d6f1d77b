"""What was written in chats that are over: a signed-in user's own, and the last one of a browser. It is read from Twilio when
it is asked for, and kept nowhere here."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.flex import Deadline, FlexError, gateway_for
from webchat.flex.gateway import Page
from webchat.models import ChatSession
from webchat.protection import limits
from webchat.protection.outage import passage_to_twilio
from webchat.visitors import Visitor

READ_SECONDS = 5  # that the visitor waits for Twilio
# After its end. A tab remembers half an hour (panel.js).
MAY_READ = timedelta(hours=1)


def past_chats(user: AbstractBaseUser) -> QuerySet[ChatSession]:
    """The latest first."""
    mine = ChatSession.objects.filter(user_id=user.pk, status=ChatSession.Status.ENDED, started_at__isnull=False)
    return mine.select_related("webchat__hours", "rating", "user").order_by("-created_at")


def read_past_chat(session: ChatSession, place: str, deadline: Deadline | None = None) -> Page:
    """A page of its messages, from the beginning or from a `place` that a page before named. Raises FlexError, of the
    status 404 where Twilio keeps them no more, and ChatRefused."""
    deadline = deadline or Deadline(READ_SECONDS)
    with passage_to_twilio():
        return gateway_for(session.destination, deadline).read_messages(session.channel, place)


def read_ended_chat(visitor: Visitor, session_id: uuid.UUID, place: str) -> Page:
    """The same for the visitor whose last chat it was, for an hour after its end; empty where Twilio keeps it no more.

    Raises DoesNotExist for any other, and ChatRefused, of the code TOO_MANY past the limits, and CHAT_UNAVAILABLE where
    Twilio does not answer.
    """
    over = ChatSession.objects.had_by(visitor).filter(
        status=ChatSession.Status.ENDED, started_at__isnull=False, ended_at__gt=database_now() - MAY_READ
    )
    # The browser's name opens nothing: whoever sat here before may have kept a copy of the cookie.
    mine = over.filter(owner__in=(visitor.key, visitor.last_key))
    session = mine.select_related("webchat").get(pk=session_id)
    limits.take_reading(visitor)
    try:
        return read_past_chat(session, place)
    except FlexError as error:
        if error.is_not_there:
            return Page([], "")
        raise _unread(session, str(error)) from error
    except ChatRefused as refused:
        raise _unread(session, str(refused)) from refused


def _unread(session: ChatSession, reason: str) -> ChatRefused:
    words = _("The conversation cannot be read at the moment. Please try again in a minute.")
    return ChatRefused(Code.CHAT_UNAVAILABLE, words, reason=reason, webchat=session.webchat.slug)
