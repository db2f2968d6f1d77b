"""A running chat of a signed-in user, taken up in another browser by the user's own click.

It has one owner: the browser that it was begun in asks the site when Twilio tells it of the move, and lets it go. What that
browser was given, a token for an hour at most, it may keep: it is the same user's.
"""

from __future__ import annotations

import structlog
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from webchat.chats.accounts import require_same_user
from webchat.conf import conf
from webchat.models import ChatSession, Webchat
from webchat.protection import limits
from webchat.protection.limits import Limit
from webchat.visitors import Visitor

logger = structlog.get_logger(__name__)

# Each one is told to the agent.
MOVES_BY_USER = Limit("moved:user", 10, 600)


def chat_elsewhere(visitor: Visitor, webchat: Webchat) -> ChatSession | None:
    """The user's chat that this browser may take up, where the site shows users their chats. None of Flex Webchat UI: it
    would not let it go."""
    if not conf.WEBCHAT_HISTORY or webchat.widget != Webchat.Widget.OWN:
        return None
    return ChatSession.elsewhere_of(visitor, webchat)


def take_up(session: ChatSession, visitor: Visitor) -> bool:
    """Makes the chat this browser's, and leaves word for the agent and the other browser; whether it was still to be had.
    Compare-and-set. Raises ChatRefused(SESSION_ENDED) when somebody signed in or out meanwhile."""
    if limits.are_on() and MOVES_BY_USER.take(str(visitor.user_id)):
        return False
    with translation.override(settings.LANGUAGE_CODE):
        words = _("The visitor goes on with this chat in another browser.")
    seen = {
        "status": ChatSession.Status.ACTIVE,
        "user_id": visitor.user_id,
        "owner": session.owner,
        "note": session.note,
        "offered_until": None,
    }
    note = "\n".join(text for text in (session.note, words) if text)
    if not session.change(seen, owner=visitor.key, browser=visitor.browser, note=note, note_of_move=True):
        return False
    require_same_user(session, visitor)
    logger.info("chat_taken_up", session=str(session.pk))
    return True
