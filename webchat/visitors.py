"""Who owns a chat session: a browser, by a signed HttpOnly cookie, and the user who was signed in when it began.

The cookie is good for the user it was made for: at a sign-in or sign-out the browser gets another key for chats, and with
each form that it is shown while it has no chat. So a copied cookie opens no chat that somebody else begins later.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.middleware.csrf import get_token
from django.utils.crypto import salted_hmac

from webchat.clock import database_now
from webchat.conf import conf

logger = structlog.get_logger(__name__)

_SALT = "webchat.visitor"
# A chat may be rated for a day after its end (models/rating.py), and a running one renews the cookie each hour.
_AGE_SECONDS = 26 * 3600
# Some gateways append a port, which an IPv6 address needs brackets for: 203.0.113.1:50000, [2001:db8::1]:50000.
_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Visitor:
    """`browser` names the browser: limits and forms go by it, and it opens nothing. `key` owns chats. Both are 128 random
    bits. `user` is the signed-in user or None, `network` is where the request came from, as limits count it: "" where
    nobody can tell. `last_key` owned the last chat of this browser and user, "" for none. `has_new_key` where this request
    made the key: no chat of an earlier request is its own. `is_new` where it named the browser, too: it had no chat."""

    browser: str
    key: str
    user: AbstractBaseUser | None
    network: str
    last_key: str = ""
    has_new_key: bool = False
    is_new: bool = False

    @property
    def user_id(self) -> Any:
        return self.user.pk if self.user else None

    def with_new_key(self) -> Visitor:
        return replace(self, key=_random_key(), has_new_key=True)

    def with_chat(self) -> Visitor:
        """The same visitor, whose key owns a chat by now."""
        return replace(self, last_key=self.key)


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a browser brings: its name, its key for chats, the user the key was made for, "" for nobody, and the key of that
    user's last chat."""

    browser: str
    key: str
    user: str
    last_key: str


def cookie_name() -> str:
    return f"{conf.COOKIE_PREFIX}webchat"


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor of this request; a new one when the cookie is missing, forged or too old. With a new key when it is of
    another user."""
    user = request.user if request.user.is_authenticated else None
    cookie = cookie_of(request)
    browser = cookie.browser if cookie else _random_key()
    kept, last = (cookie.key, cookie.last_key) if cookie and cookie.user == _name_of(user) else ("", "")
    network = network_of(request)
    if not network:
        name_unreadable_address()
    return Visitor(browser, kept or _random_key(), user, network, last, has_new_key=not kept, is_new=cookie is None)


def cookie_of(request: HttpRequest) -> Cookie | None:
    try:
        told = signing.loads(request.COOKIES.get(cookie_name(), ""), salt=_SALT)
    except signing.BadSignature:
        return None
    match told:
        # By the database's clock: else a machine whose own clock is wrong would take the chats of all others away.
        case [str(browser), str(key), str(user), str(last), int(made_at)] if abs(_now() - made_at) <= _AGE_SECONDS:
            return Cookie(browser, key, user, last)
    return None  # too old, or of an earlier version of the site


def remember(response: HttpResponseBase, visitor: Visitor) -> None:
    """Sets the cookie: for this browser session, never for scripts, never to be cached by anybody."""
    response.set_cookie(
        cookie_name(),
        signing.dumps([visitor.browser, visitor.key, _name_of(visitor.user), visitor.last_key, _now()], salt=_SALT),
        secure=conf.SERVED_OVER_TLS,
        httponly=True,
        samesite="Lax",
    )
    response.headers["Cache-Control"] = "no-store"


def mark_of(user: AbstractBaseUser | None) -> str:
    """The mark of a user, for a page to compare and for nothing else. "" for nobody."""
    return salted_hmac("webchat.user", str(user.pk)).hexdigest()[:16] if user else ""


def page_secret(request: HttpRequest) -> str:
    """A secret of this browser and the site, and another one after a sign-in: that of the CSRF check. A browser without
    one is given it with the answer, which then is of this browser alone."""
    return csrf_of(request)[1]


def csrf_of(request: HttpRequest) -> tuple[str, str]:
    """The token for the forms of a page, which is another one each time it is made, and the secret that it hides."""
    return get_token(request), str(request.META["CSRF_COOKIE"])


def _now() -> int:
    return int(database_now().timestamp())


def _random_key() -> str:
    return secrets.token_hex(16)


def _name_of(user: AbstractBaseUser | None) -> str:
    return str(user.pk) if user else ""


def network_of(request: HttpRequest) -> str:
    """The client's address as limits count it: IPv4 whole, IPv6 by its /64, "" when it cannot be read.

    X-Forwarded-For is read from the right, past TRUSTED_PROXY_COUNT proxies of ours: what is further left was written
    by anybody. With fewer addresses than proxies there is none to read: the server's own client is a proxy.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    if conf.TRUSTED_PROXY_COUNT:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        address = forwarded[-conf.TRUSTED_PROXY_COUNT].strip() if len(forwarded) >= conf.TRUSTED_PROXY_COUNT else ""
    return _network_of_address(address)


@lru_cache(maxsize=1024)
def _network_of_address(address: str) -> str:
    if found := _WITH_PORT.fullmatch(address):
        address = found[1] or found[2] or ""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), 64), strict=False))
    return str(ip)


@cache
def name_unreadable_address() -> None:
    """Once in each process: this is a mistake in the set-up, and every visitor meets it."""
    logger.error("client_address_unreadable", reason="see TRUSTED_PROXY_COUNT and what the proxy writes")
