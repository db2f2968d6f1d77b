"""What the site itself tells the agent of a running chat: the visitor cannot say it, nor keep it back.

The row is the outbox: it remembers the note until Twilio has it, and the worker posts what a request could not. An outcome
that is unclear is repeated: an agent who reads it twice knows no more.
"""

from __future__ import annotations

import structlog
from django.http.response import HttpResponseBase

from webchat.chats.afterwards import do_after
from webchat.errors import ChatRefused
from webchat.flex import Deadline, FlexError, gateway_for
from webchat.models import ChatSession
from webchat.protection.outage import passage_to_twilio

logger = structlog.get_logger(__name__)

NOTE_SECONDS = 3  # that a request may take for it; what takes longer is left to the worker


def post_note(session: ChatSession, deadline: Deadline | None = None) -> None:
    """Raises FlexError, after which it remains to be done."""
    note = session.note
    if not note:
        return
    gateway_for(session.destination, deadline).post_note(session.channel_sid, note, is_of_move=session.note_of_move)
    if session.change({"note": note}, note="", note_of_move=False):
        logger.info("note_sent", session=str(session.pk))


def post_note_after(response: HttpResponseBase, session: ChatSession) -> None:
    """Posts the note after the answer, so that the visitor does not wait for it."""

    def post() -> None:
        try:
            with passage_to_twilio():
                post_note(session, Deadline(NOTE_SECONDS))
        except (FlexError, ChatRefused) as error:
            logger.warning("note_not_sent", session=str(session.pk), reason=str(error))

    do_after(response, session, post, "note_left_to_worker")
