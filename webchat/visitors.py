"""Who owns a chat session: a browser, by a signed HttpOnly cookie, and the user who was signed in when it began."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from webchat.conf import conf

logger = structlog.get_logger(__name__)

_SALT = "webchat.visitor"
_AGE = timedelta(days=1)
# Some gateways append a port, which an IPv6 address needs brackets for: 203.0.113.1:50000, [2001:db8::1]:50000.
_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Visitor:
    """`key` names the browser (128 random bits), `user` is the signed-in user or None, `network` is where the request
    came from, as limits count it: "" where nobody can tell."""

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
    network = network_of(request)
    if not network:
        _name_unreadable_address()
    return Visitor(key=browser_key_of(request) or secrets.token_hex(16), user=user, network=network)


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
    """The client's address as limits count it: IPv4 whole, IPv6 by its /64, "" when it cannot be read.

    X-Forwarded-For is read from the right, past TRUSTED_PROXY_COUNT proxies of ours: what is further left was written
    by anybody. With fewer addresses than proxies there is none to read: the server's own client is a proxy.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    if conf.TRUSTED_PROXY_COUNT:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        address = forwarded[-conf.TRUSTED_PROXY_COUNT].strip() if len(forwarded) >= conf.TRUSTED_PROXY_COUNT else ""
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
def _name_unreadable_address() -> None:
    """Once in each process: this is a mistake in the set-up, and every visitor meets it."""
    logger.error("client_address_unreadable", reason="see TRUSTED_PROXY_COUNT and what the proxy writes")
