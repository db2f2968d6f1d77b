"""Who owns a chat session: a browser, by a signed HttpOnly cookie, and the user who was signed in when it began."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from webchat.conf import conf

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
    return f"{conf.COOKIE_PREFIX}webchat"


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor of this request; a new one when the cookie is missing, forged or too old."""
    user = request.user if request.user.is_authenticated else None
    return Visitor(key=browser_key_of(request) or secrets.token_hex(16), user=user, network=network_of(request))


def browser_key_of(request: HttpRequest) -> str:
    try:
        return str(signing.loads(request.COOKIES.get(cookie_name(), ""), salt=_SALT, max_age=_AGE))
    except signing.BadSignature:
        return ""


def remember(response: HttpResponseBase, visitor: Visitor) -> None:
    """Sets the cookie: for this browser session, never for scripts, never to be cached by anybody."""
    response.set_cookie(
        cookie_name(),
        signing.dumps(visitor.key, salt=_SALT),
        secure=conf.SERVED_OVER_TLS,
        httponly=True,
        samesite="Lax",
    )
    response.headers["Cache-Control"] = "no-store"


def network_of(request: HttpRequest) -> str:
    """The client's address as limits count it: IPv4 whole, IPv6 by its /64, "unknown" when it is none.

    X-Forwarded-For is read from the right, past TRUSTED_PROXY_COUNT proxies of ours: what is further left was written
    by anybody.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    if conf.TRUSTED_PROXY_COUNT:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        if len(forwarded) >= conf.TRUSTED_PROXY_COUNT:
            address = forwarded[-conf.TRUSTED_PROXY_COUNT].strip()
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
