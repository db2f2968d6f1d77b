"""The end of a chat: here at once, then at Twilio; and what is learned of an end there."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from webchat.errors import ChatRefused
from webchat.flex import Channel, Deadline, FlexError, gateway_for
from webchat.models import ChatSession
from webchat.models.clock import database_now
from webchat.protection.outage import passage
from webchat.visitors import Visitor, browser_key_of

logger = structlog.get_logger(__name__)

EndedBy = ChatSession.EndedBy
Status = ChatSession.Status

CLOSE_SECONDS = 1  # that a visitor waits for the close at Twilio; what takes longer is left to the worker


def end_chat(session: ChatSession, by: EndedBy, deadline: Deadline | None = None) -> None:
    """Ends the session here at once, then closes the channel at Twilio. Ending twice is no error, and calls nobody: what
    the first end could not close, the worker does."""
    unfinished = ChatSession.objects.unfinished().filter(pk=session.pk)
    ends_now = unfinished.update(status=Status.ENDED, ended_at=database_now(), ended_by=by, close_pending=True)
    if ends_now:
        logger.info("chat_ended", session=str(session.pk), by=by)
    session.refresh_from_db(
        fields=["status", "identity", "channel_sid", "lease_until", "ended_at", "ended_by", "close_pending"]
    )
    is_being_started = not session.channel_sid and session.lease_until > database_now()
    if ends_now and not is_being_started:  # that attempt closes what it opens
        try_to_close(session, deadline or Deadline(CLOSE_SECONDS))


def try_to_close(session: ChatSession, deadline: Deadline) -> None:
    """Closes the channel now if Twilio takes it in time. The worker closes it otherwise: it stays pending."""
    try:
        with passage():
            close_channel(session, deadline)
    except (FlexError, ChatRefused) as error:
        logger.warning("channel_not_closed", session=str(session.pk), reason=str(error))


def close_channel(session: ChatSession, deadline: Deadline | None = None) -> None:
    """Closes the channel of an ended session at Twilio. Raises FlexError, after which it is still pending."""
    gateway = gateway_for(session.destination, deadline)
    channel_sid = session.channel_sid
    if not channel_sid and (channel := gateway.find(session.identity)):
        channel_sid = channel.sid
    if channel_sid:
        gateway.close(channel_sid)
    if session.change(close_pending=False):
        logger.info("channel_closed", session=str(session.pk))


def close_extra(session: ChatSession, channel: Channel) -> None:
    """Closes a channel that was opened beside the session's own."""
    try:
        with passage(even_if_full=True):  # no row remembers it
            gateway_for(session.destination, Deadline(CLOSE_SECONDS)).close(channel.sid)
    except (FlexError, ChatRefused) as error:
        logger.error("extra_channel_not_closed", session=str(session.pk), reason=str(error))


# --- An end at Twilio ------------------------------------------------------------------------------------------------


def end_if_over(session: ChatSession) -> None:
    """Learns what no webhook has told. Raises FlexError."""
    if gateway_for(session.destination).has_ended(session.channel_sid):
        note_end(session)


def note_end(session: ChatSession) -> None:
    """The channel was closed there, by the agent or by Flex."""
    running = ChatSession.objects.running().filter(pk=session.pk)
    if running.update(status=Status.ENDED, ended_at=database_now(), ended_by=EndedBy.AGENT):
        logger.info("chat_ended", session=str(session.pk), by=EndedBy.AGENT)


# --- Sign-in and sign-out --------------------------------------------------------------------------------------------


def end_chats_at_sign_in(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """A user who signs in neither inherits what somebody began in this browser before, nor leaves it to be found."""
    _end_chats(request, None, EndedBy.SIGN_IN)


def end_chats_at_sign_out(sender: object, request: HttpRequest, user: AbstractBaseUser | None, **kwargs: Any) -> None:
    """The next user of this browser finds no chat of this one.

    Signs the user out before Twilio closes the chat: other tabs hear of that at once, and ask whose form to show.
    """
    if user is not None:
        request.session.pop(SESSION_KEY, None)
        request.session.save()
        _end_chats(request, user, EndedBy.LOGOUT)


def _end_chats(request: HttpRequest, user: AbstractBaseUser | None, by: EndedBy) -> None:
    if key := browser_key_of(request):
        # Not visitor_of(): the request's user is about to change, or has.
        visitor = Visitor(key=key, user=user, network="")
        deadline = Deadline(CLOSE_SECONDS)  # of them all
        for session in ChatSession.objects.owned_by(visitor).unfinished():
            end_chat(session, by, deadline)
