"""What ends an account's chats: a sign-in or sign-out in the browser, and whatever keeps its user from signing in.

Django's signals tell it: of a sign-in, a sign-out, a user that is saved or deleted. What no signal tells, an update of
many rows or one by SQL, the worker notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _

from webchat.chats.afterwards import do_after_request
from webchat.chats.end import close_all, end_chat, end_here
from webchat.clock import database_now
from webchat.counters import count_end
from webchat.errors import ChatRefused, Code
from webchat.forms.form import PreEngagementForm
from webchat.models import ChatSession, Message, Rating, RetiredKey, Webchat
from webchat.models.session import ChatSessionQuerySet, account_seal
from webchat.visitors import Visitor, cookie_of, visitor_of

logger = structlog.get_logger(__name__)

EndedBy = ChatSession.EndedBy

# How long after a sign-in the user may still go on with the chat that this browser began before.
OFFER = timedelta(minutes=5)


# --- In one browser --------------------------------------------------------------------------------------------------


def end_chats_at_sign_in(sender: object, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> None:
    """Ends every chat of this browser that is not this user's. The running ones that it began while nobody was signed in
    are offered to the user: nothing of them is theirs, or anybody's, before they say so.

    Twilio closes them after the answer: other tabs hear of that at once. Before this browser has its new session cookie
    they would ask the site with the old one, and Django's answer to that deletes the cookie, and the sign-in with it.
    """
    cookie = cookie_of(request)
    if cookie is None:
        return
    others = ChatSession.objects.filter(browser=cookie.browser)
    if cookie.user == str(user.pk):
        others = others.exclude(owner=cookie.key)
        RetiredKey.objects.filter(key=cookie.key).delete()
    else:
        RetiredKey.objects.get_or_create(key=cookie.key)
        if not cookie.user:
            own = others.running().filter(owner=cookie.key, user=None, account="", offered_until=None)
            # Flex Webchat UI cannot ask.
            asked = own.filter(webchat__widget=Webchat.Widget.OWN)
            asked.update(offered_to=str(user.pk), offered_until=database_now() + OFFER)
    lost = others.exclude(pk__in=others.offered(user).values("pk")).unfinished()
    if to_close := [session for session in lost if end_here(session, EndedBy.SIGN_IN)]:
        do_after_request(lambda: close_all(to_close))


def end_chats_at_sign_out(sender: object, request: HttpRequest, user: AbstractBaseUser | None, **kwargs: Any) -> None:
    """Ends the user's chats in this browser, and those that were offered to them.

    Signs the user out before Twilio closes the chat: other tabs hear of that at once, and ask whose form to show.
    """
    cookie = cookie_of(request)
    if user is None or cookie is None:
        return
    request.session.pop(SESSION_KEY, None)
    request.session.save()
    RetiredKey.objects.get_or_create(key=cookie.key)
    theirs = ChatSession.objects.filter(Q(user_id=user.pk) | Q(offered_to=str(user.pk)), browser=cookie.browser)
    close_all([session for session in theirs.unfinished() if end_here(session, EndedBy.LOGOUT)])


def has_chat_to_end(request: HttpRequest) -> bool:
    """Whether a chat runs that a sign-out in this browser would end."""
    visitor = visitor_of(request)
    mine = ChatSession.objects.owned_by(visitor).unfinished()
    return visitor.user is not None and (
        mine.exists() or ChatSession.objects.offered(visitor.user).filter(browser=visitor.browser).exists()
    )


def has_running_chat(user: AbstractBaseUser) -> bool:
    """Whether a chat runs, in any browser, that a new password of this user would end."""
    return ChatSession.objects.filter(user_id=user.pk).unfinished().exists()


def take_offered_chat(session: ChatSession, visitor: Visitor) -> bool:
    """Makes an offered chat the user's, and leaves word for the agent of what is verified now; whether it was still to be
    had. Compare-and-set. Raises ChatRefused(SESSION_ENDED) when somebody signed in or out meanwhile."""
    user = visitor.user
    if user is None:
        return False
    form = PreEngagementForm(session.webchat, user=user)
    taken = ChatSession.objects.offered(user).filter(pk=session.pk, browser=visitor.browser)
    answers = ChatSession.objects.values_list("answers", flat=True).get(pk=session.pk)
    verified = form.verified_with(answers)
    changes = {
        "user_id": user.pk,
        "account": account_seal(user),
        "owner": visitor.key,
        "offered_to": "",
        "offered_until": None,
        "answers": {**answers, **verified, "verified": sorted(verified)},
        "note": _note_of_sign_in(form, verified),
        "words_known": False,
    }
    if not taken.update(**changes):
        return False
    session.refresh_from_db()
    require_same_user(session, visitor)
    logger.info("chat_taken_along", session=str(session.pk))
    return True


def decline_offered_chat(session: ChatSession) -> None:
    """Ends an offered chat. The agent is told why before Twilio closes it."""
    session.change(note=_note_of_refusal())
    end_chat(session, EndedBy.SIGN_IN)


def _note_of_refusal() -> str:
    """For the agent, in the site's language."""
    with translation.override(settings.LANGUAGE_CODE):
        return _("The visitor has signed in and does not go on with this chat. It has ended.")


def _note_of_sign_in(form: PreEngagementForm, verified: Mapping[str, str]) -> str:
    """For the agent, in the site's language."""
    labels = {row.name: row.label for row in form.rows}
    with translation.override(settings.LANGUAGE_CODE):
        lines = [_("The visitor has signed in and goes on with this chat. Verified by the account:")]
        name = getattr(form.user, "get_full_name", str)().strip() or str(form.user)
        facts = {_("Name"): name} | {labels[key]: value for key, value in verified.items()}
    return "\n".join(lines + [f"{label}: {value}" for label, value in facts.items()])


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
    _note_ended(theirs.end(EndedBy.ACCOUNT))
    theirs.forget_answers()
    Rating.objects.filter(session__user_id=instance.pk).update(comment="")
    Message.objects.filter(user_id=instance.pk).delete()


def end_chats_without_account(sessions: ChatSessionQuerySet) -> int:
    """Ends those whose account is deleted, deactivated, or has another password than when they began. Returns how many."""
    begun = sessions.unfinished().exclude(account="").select_related("user").defer("answers", "consents")
    lost = [session.pk for session in begun if not session.has_its_account]
    return _note_ended(ChatSession.objects.filter(pk__in=lost).end(EndedBy.ACCOUNT)) if lost else 0


def end_chats_of_retired_keys() -> int:
    """Ends what a start began when a sign-in or sign-out could not see it, nor the start that; and what was offered after
    a sign-in and not taken in time."""
    not_taken = ChatSession.objects.unfinished().filter(offered_until__lte=database_now())
    not_taken.update(note=_note_of_refusal())
    retired = ChatSession.objects.filter(owner__in=RetiredKey.objects.values("key"), offered_until=None)
    return _note_ended(not_taken.end(EndedBy.SIGN_IN) + retired.end(EndedBy.LOGOUT))


def _note_ended(ended: list[ChatSession]) -> int:
    """Counts and logs the chats that were ended. Returns how many they are."""
    for session in ended:
        count_end(session)
    if ended:
        logger.info("chats_of_account_ended", counts=str(len(ended)))
    return len(ended)
