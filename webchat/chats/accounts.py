"""What ends an account's chats: a sign-in or sign-out in the browser, and whatever keeps its user from signing in.

Django's signals tell it: of a sign-in, a sign-out, a user that is saved or deleted. What no signal tells, an update of
many rows or one by SQL, the worker notices.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from webchat.chats.end import CLOSE_SECONDS, end_chat
from webchat.errors import ChatRefused, Code
from webchat.flex import Deadline
from webchat.models import ChatSession, Message, RetiredKey
from webchat.models.session import ChatSessionQuerySet
from webchat.visitors import Visitor, cookie_of

logger = structlog.get_logger(__name__)

EndedBy = ChatSession.EndedBy


# --- In one browser --------------------------------------------------------------------------------------------------


def end_chats_at_sign_in(sender: object, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> None:
    """Ends every chat of this browser that is not this user's: an anonymous visitor's, and another user's."""
    cookie = cookie_of(request)
    if cookie is None:
        return
    others = ChatSession.objects.filter(browser=cookie.browser)
    if cookie.user == str(user.pk):
        others = others.exclude(owner=cookie.key)
        RetiredKey.objects.filter(key=cookie.key).delete()
    else:
        RetiredKey.objects.get_or_create(key=cookie.key)
    _end_now(others, EndedBy.SIGN_IN)


def end_chats_at_sign_out(sender: object, request: HttpRequest, user: AbstractBaseUser | None, **kwargs: Any) -> None:
    """Ends the user's chats in this browser.

    Signs the user out before Twilio closes the chat: other tabs hear of that at once, and ask whose form to show.
    """
    cookie = cookie_of(request)
    if user is None or cookie is None:
        return
    request.session.pop(SESSION_KEY, None)
    request.session.save()
    RetiredKey.objects.get_or_create(key=cookie.key)
    _end_now(ChatSession.objects.filter(browser=cookie.browser, user_id=user.pk), EndedBy.LOGOUT)


def _end_now(sessions: ChatSessionQuerySet, by: EndedBy) -> None:
    deadline = Deadline(CLOSE_SECONDS)  # of them all
    for session in sessions.unfinished():
        end_chat(session, by, deadline)


def require_same_user(session: ChatSession, visitor: Visitor) -> None:
    """Raises ChatRefused(SESSION_ENDED) when somebody signed in or out in this browser while the start was on its way.

    The sign-in retires the key before it looks for chats, and the start keeps its row before it looks for the key: one of
    the two sees the other.
    """
    if RetiredKey.objects.filter(key=visitor.key).exists():
        end_chat(session, EndedBy.LOGOUT if visitor.user else EndedBy.SIGN_IN)
        raise ChatRefused(Code.SESSION_ENDED)


# --- In all browsers -------------------------------------------------------------------------------------------------


def end_chats_of_saved_user(sender: object, instance: AbstractBaseUser, **kwargs: Any) -> None:
    """After a deactivation or a new password. In the caller's transaction: the worker closes them at Twilio."""
    end_chats_without_account(ChatSession.objects.filter(user_id=instance.pk))


def let_go_of_deleted_user(sender: object, instance: AbstractBaseUser, **kwargs: Any) -> None:
    """Ends the chats and forgets what they were told; deletes the messages. The rows of chats stay, without their user,
    until Twilio has closed them."""
    theirs = ChatSession.objects.filter(user_id=instance.pk)
    _log(theirs.end(EndedBy.ACCOUNT))
    theirs.forget_answers()
    Message.objects.filter(user_id=instance.pk).delete()


def end_chats_without_account(sessions: ChatSessionQuerySet) -> int:
    """Ends those whose account is deleted, deactivated, or has another password than when they began. Returns how many."""
    begun = sessions.unfinished().exclude(account="").select_related("user").defer("answers", "consents")
    lost = [session.pk for session in begun if not session.has_its_account]
    return _log(ChatSession.objects.filter(pk__in=lost).end(EndedBy.ACCOUNT)) if lost else 0


def end_chats_of_retired_keys() -> int:
    """Ends what a start began when a sign-in or sign-out could not see it, nor the start that."""
    retired = ChatSession.objects.filter(owner__in=RetiredKey.objects.values("key"))
    return _log(retired.end(EndedBy.LOGOUT))


def _log(ended: int) -> int:
    if ended:
        logger.info("chats_of_account_ended", counts=str(ended))
    return ended
