"""Who owns a chat session: a browser, by a signed HttpOnly cookie, and the user who was signed in when it began."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from webchat.protection.limits import network_of

if TYPE_CHECKING:
    from webchat.models import ChatSession

_SALT = "webchat.visitor"
_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Visitor:
    """`key` names the browser (128 random bits), `user` is the signed-in user or None, `network` is where the request
    came from, as limits count it."""

    key: str
    user: AbstractBaseUser | None
    network: str

    @property
    def user_id(self) -> Any:
        return self.user.pk if self.user else None


def cookie_name() -> str:
    return f"{settings.COOKIE_PREFIX}webchat"


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor of this request; a new one when the cookie is missing, forged or too old."""
    user = request.user if request.user.is_authenticated else None
    return Visitor(key=_key_of(request) or secrets.token_hex(16), user=user, network=network_of(request))


def _key_of(request: HttpRequest) -> str:
    try:
        return str(signing.loads(request.COOKIES.get(cookie_name(), ""), salt=_SALT, max_age=_AGE))
    except signing.BadSignature:
        return ""


def remember(response: HttpResponseBase, visitor: Visitor) -> None:
    """Sets the cookie: for this browser session, never for scripts, never to be cached by anybody."""
    response.set_cookie(
        cookie_name(),
        signing.dumps(visitor.key, salt=_SALT),
        secure=settings.SERVED_OVER_TLS,
        httponly=True,
        samesite="Lax",
    )
    response.headers["Cache-Control"] = "no-store"


def end_chats_at_sign_in(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Who signs in does not inherit what somebody began in this browser before, nor finds it after signing out."""
    from webchat.models import ChatSession

    _end_chats(request, None, ChatSession.EndedBy.SIGN_IN)


def end_chats_at_logout(sender: object, request: HttpRequest, user: AbstractBaseUser | None, **kwargs: Any) -> None:
    """The next user of this browser finds no chat of this one.

    Signs the user out before Twilio closes the chat: other tabs hear of that at once, and ask whose form to show.
    """
    from webchat.models import ChatSession

    if user is not None:
        request.session.pop(SESSION_KEY, None)
        request.session.save()
        _end_chats(request, user, ChatSession.EndedBy.LOGOUT)


def _end_chats(request: HttpRequest, user: AbstractBaseUser | None, by: ChatSession.EndedBy) -> None:
    from webchat.models import ChatSession

    if key := _key_of(request):
        # Not visitor_of(): the request's user is about to change, or has.
        for session in ChatSession.objects.of(Visitor(key=key, user=user, network="")).unfinished():
            session.end(by)
