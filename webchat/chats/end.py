"""The end of a chat: here at once, then at Twilio; and what is learned of an end there."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import structlog

from webchat.chats.note import post_note
from webchat.clock import database_now
from webchat.counters import count_end
from webchat.errors import ChatRefused
from webchat.flex import Channel, Deadline, FlexError, gateway_for
from webchat.models import ChatSession
from webchat.protection.outage import passage_to_twilio

logger = structlog.get_logger(__name__)

EndedBy = ChatSession.EndedBy
Status = ChatSession.Status

# A chat that is running for us is looked up this often, as its end may have been told to nobody.
LOOK = timedelta(minutes=15)
# So long a channel that these credentials do not find is tried again: they may be another account's by mistake.
OTHER_ACCOUNT = timedelta(days=1)
_OF_AN_END = [
    "status", "identity", "channel_sid", "lease_until", "started_at", "answered_at", "messages_told", "ended_at", "ended_by",
    "close_pending", "note", "note_of_move",
]  # fmt: skip
CLOSE_SECONDS = 1  # that a visitor waits for the close at Twilio; what takes longer is left to the worker


def end_chat(session: ChatSession, by: EndedBy) -> None:
    """Ends the session here at once, then closes the channel at Twilio. Ending twice is no error, and calls nobody: what
    the first end could not close, the worker does."""
    if end_here(session, by):
        close_all([session])


def end_here(session: ChatSession, by: EndedBy, *, is_over_there: bool = False) -> bool:
    """Whether there is a channel to close now: not where it had ended already, and not while an attempt to start it runs,
    which closes what it opens. `is_over_there`: the channel is closed at Twilio, by the agent or by Flex, which only that of
    a running chat is."""
    going_on = ChatSession.objects.running() if is_over_there else ChatSession.objects.unfinished()
    ends_now = going_on.filter(pk=session.pk).update(
        status=Status.ENDED, ended_at=database_now(), ended_by=by, close_pending=not is_over_there
    )
    session.refresh_from_db(fields=_OF_AN_END)
    if ends_now:
        logger.info("chat_ended", session=str(session.pk), by=by)
        count_end(session)
    is_being_started = not session.channel_sid and session.lease_until > database_now()
    return bool(ends_now) and not (is_over_there or is_being_started)


def close_all(sessions: list[ChatSession]) -> None:
    """Closes the channels now as far as Twilio takes them in time. The worker closes the others: they stay pending."""
    deadline = Deadline(CLOSE_SECONDS)  # of them all
    for session in sessions:
        try:
            with passage_to_twilio():
                close_channel(session, deadline)
        except (FlexError, ChatRefused) as error:
            logger.warning("channel_not_closed", session=str(session.pk), reason=str(error))


def close_channel(session: ChatSession, deadline: Deadline | None = None) -> None:
    """Closes the channel of an ended session at Twilio, after the agent was told what is left to tell, if that succeeds.
    Raises FlexError, after which it is still pending."""
    gateway = gateway_for(session.destination, deadline)
    channel_sid = session.channel_sid
    if not channel_sid and (channel := gateway.find(session.identity)):
        channel_sid = channel.sid
    if channel_sid:
        with suppress(FlexError):
            post_note(session, deadline)
        try:
            gateway.close(channel_sid)
        except FlexError as error:
            ended_at = session.ended_at or session.created_at
            if not error.is_not_there or database_now() < ended_at + OTHER_ACCOUNT:
                raise
            logger.error("channel_not_closed", session=str(session.pk), reason=str(error))
    if session.change(close_pending=False):
        logger.info("channel_closed", session=str(session.pk))


def close_extra(session: ChatSession, channel: Channel) -> None:
    """Closes a channel that was opened beside the session's own."""
    try:
        with passage_to_twilio(even_if_full=True):  # no row remembers it
            gateway_for(session.destination, Deadline(CLOSE_SECONDS)).close(channel.sid)
    except (FlexError, ChatRefused) as error:
        logger.error("extra_channel_not_closed", session=str(session.pk), reason=str(error))


# --- An end at Twilio ------------------------------------------------------------------------------------------------


def end_if_over(session: ChatSession) -> None:
    """Learns what no webhook has told. Raises FlexError."""
    if gateway_for(session.destination).has_ended(session.channel_sid):
        end_here(session, EndedBy.AGENT, is_over_there=True)


def look_again(session: ChatSession) -> None:
    """Has the worker ask Twilio with its next pass whether the chat is over."""
    session.change({"status": Status.ACTIVE}, lease_until=database_now() - LOOK)
