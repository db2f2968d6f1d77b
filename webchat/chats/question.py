"""The visitor's question as the first message: without a message no agent is ever reached.

The visitor does not wait for it: it is posted by the same request after the answer has left. The row is its outbox: it
remembers the question until Twilio has it, and the worker posts what a request could not.
"""

from __future__ import annotations

import structlog
from django.http.response import HttpResponseBase

from webchat.chats.afterwards import do_after
from webchat.clock import database_now
from webchat.errors import ChatRefused
from webchat.flex import Deadline, FlexError, gateway_for
from webchat.models import ChatSession
from webchat.models.session import LEASE, failure_columns
from webchat.protection.outage import breaker, passage_to_twilio

logger = structlog.get_logger(__name__)

# The question's own among the visitor's messages. The widget knows it by the same, and so does the visitor's "Try again"
# there (chat/chat.js).
CLIENT_ID = "question"
QUESTION_SECONDS = 3  # that a request may take for it; what takes longer is left to the worker


def post_question(session: ChatSession, *, look_first: bool = False, even_if_full: bool = False) -> None:
    """Posts the question, once. A failure is kept in the row, for another try."""
    if not session.question or session.question_sent_at:
        return
    try:
        gateway = gateway_for(session.destination, Deadline(QUESTION_SECONDS))
        with passage_to_twilio(even_if_full=even_if_full):
            if not (look_first and gateway.has_message(session.channel, CLIENT_ID)):
                gateway.post_message(session.channel, session.question, CLIENT_ID)
    except (FlexError, ChatRefused) as error:
        session.change(**failure_columns(str(error)))
        logger.warning("question_not_sent", session=str(session.pk), reason=str(error))
        return
    sent = session.change(question_sent_at=database_now(), **failure_columns(""))
    if sent and look_first:  # the first try is no news
        logger.info("question_sent", session=str(session.pk))


def post_question_after(response: HttpResponseBase, session: ChatSession, *, is_new: bool) -> None:
    """Posts the question of a running chat after its answer. `is_new`: no earlier request has tried it."""

    def post() -> None:
        if is_new:
            post_question(session, even_if_full=True)
        else:
            post_lost_question(session)

    do_after(response, session, post, "question_left_to_worker")


def post_lost_question(session: ChatSession) -> None:
    """Posts the question whose first sending failed or was cut short. One caller at a time, and it looks first whether
    the message arrived after all."""
    if not session.is_active or not session.question or session.question_sent_at:
        return
    if session.lease_until <= database_now() and not breaker.is_open and session.take_lease(LEASE):
        post_question(session, look_first=True)
