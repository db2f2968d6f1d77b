"""A signed-in user's own past chats. Their text is read from Twilio when one is opened, and kept nowhere here."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from webchat.flex import Deadline, gateway_for
from webchat.flex.gateway import Page
from webchat.models import ChatSession
from webchat.protection.outage import passage

READ_SECONDS = 5  # that the user waits for Twilio


def past_chats(user: AbstractBaseUser) -> QuerySet[ChatSession]:
    """The latest first."""
    mine = ChatSession.objects.filter(user_id=user.pk, status=ChatSession.Status.ENDED, started_at__isnull=False)
    return mine.select_related("webchat__hours", "rating", "user").order_by("-created_at")


def read_past_chat(session: ChatSession, place: str, deadline: Deadline | None = None) -> Page:
    """A page of its messages, from the beginning or from a `place` that a page before named. Raises FlexError, of the
    status 404 where Twilio keeps them no more, and ChatRefused."""
    deadline = deadline or Deadline(READ_SECONDS)
    with passage():
        return gateway_for(session.destination, deadline).read_messages(session.channel, place)
