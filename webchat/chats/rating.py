"""How a visitor rates a chat that is over: once, to be changed for some minutes."""

from __future__ import annotations

import uuid

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from webchat.chats.end import CLOSE_SECONDS
from webchat.clock import database_now
from webchat.counters import counters
from webchat.errors import ChatRefused, Code
from webchat.flex import Deadline, FlexError, gateway_for
from webchat.models import ChatSession, Rating
from webchat.models.counts import Event
from webchat.models.rating import MAY_CHANGE, MAY_RATE
from webchat.protection.outage import passage_to_twilio
from webchat.visitors import Visitor

logger = structlog.get_logger(__name__)


def rated_session(visitor: Visitor, session_id: uuid.UUID, slug: str = "") -> ChatSession:
    """The visitor's own chat, if its webchat asks for ratings. Raises DoesNotExist where it is another's, or of another
    webchat than the one that is named."""
    session = ChatSession.past_of(visitor, session_id)
    if not session.webchat.ask_rating or slug not in ("", session.webchat.slug):
        raise ChatSession.DoesNotExist
    return session


def may_rate(session: ChatSession) -> bool:
    """Whether it is over, for less than a day, and was a chat: not one that is known to be without an answer."""
    return bool(
        session.status == ChatSession.Status.ENDED
        and session.answered is not False
        and session.started_at
        and session.ended_at
        and session.ended_at > database_now() - MAY_RATE
    )


def rate_chat(session: ChatSession, score: int, comment: str) -> Rating:
    """Keeps the rating, or changes it. Raises ChatRefused, of the code TOO_EARLY while the chat goes on, RATING_OVER a day
    after it, some minutes after it was rated, and where no agent wrote anything, and CHAT_UNAVAILABLE where Twilio does
    not say."""
    if session.is_unfinished:
        raise ChatRefused(Code.TOO_EARLY)
    if not (may_rate(session) and was_answered(session)):
        raise ChatRefused(Code.RATING_OVER)
    told = {"score": score, "comment": comment}
    with transaction.atomic():
        rating, is_new = Rating.objects.select_for_update().get_or_create(session=session, defaults=told)
        before = rating.score
        if not is_new:
            changed = Rating.objects.filter(pk=session.pk, rated_at__gt=database_now() - MAY_CHANGE).update(**told)
            if not changed:
                raise ChatRefused(Code.RATING_OVER)
            rating.score, rating.comment = score, comment
    if not is_new:
        counters.count(session.webchat_id, Event(f"rated_{before}"), -1, rating.rated_at)
    counters.count(session.webchat_id, Event(f"rated_{score}"), 1, rating.rated_at)
    logger.info("chat_rated", session=str(session.pk))
    return rating


def is_unrated(session: ChatSession) -> bool:
    """Whether it can be rated and is not, unless it is known that no agent wrote something. `session` is read with its
    rating."""
    return session.webchat.ask_rating and not hasattr(session, "rating") and may_rate(session)


def should_ask_for_rating(session: ChatSession) -> bool:
    """Whether the webchat asks for ratings, and an agent wrote something. False where Twilio does not say so in time."""
    try:
        return session.webchat.ask_rating and may_rate(session) and was_answered(session)
    except ChatRefused:
        return False


def was_answered(session: ChatSession) -> bool:
    """Whether an agent wrote something in a chat that is over: Twilio knows, and is asked once for each chat. Raises
    ChatRefused of the code CHAT_UNAVAILABLE where it does not say so in time."""
    if session.answered is None and session.channel_sid:
        try:
            with passage_to_twilio():
                answered = gateway_for(session.destination, Deadline(CLOSE_SECONDS)).has_answer(session.channel)
        except (FlexError, ChatRefused) as error:
            logger.warning("answer_not_looked_for", session=str(session.pk), reason=str(error))
            words = _("Something went wrong on our side. Please try again in a moment; what you wrote is kept.")
            slug = session.webchat.slug
            raise ChatRefused(Code.CHAT_UNAVAILABLE, words, reason=str(error), webchat=slug) from error
        session.change(answered=answered)
    return bool(session.answered)
