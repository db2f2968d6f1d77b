"""Verification of the access tokens that the site mints. https://www.twilio.com/docs/iam/access-tokens"""

from __future__ import annotations

import time
from dataclasses import dataclass

import jwt

from .account import ACCOUNT_SID, API_KEY_SECRET, API_KEY_SID, CHAT_SERVICE_SID
from .limits import IDENTITY

LONGEST_LIFE = 24 * 3600  # seconds

INVALID = 20101
EXPIRED = 20104
OTHER_IDENTITY = 51215


class TokenError(Exception):
    """A refused token. `code` is Twilio's."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Token:
    identity: str
    expires_at: float  # Unix time


def verify(text: object) -> Token:
    """The token's content. Raises TokenError."""
    if not isinstance(text, str):
        raise TokenError(INVALID, "Invalid Access Token")
    try:
        header = jwt.get_unverified_header(text)
        claims = jwt.decode(
            text,
            API_KEY_SECRET,
            algorithms=["HS256"],
            issuer=API_KEY_SID,
            subject=ACCOUNT_SID,
            options={"require": ["exp", "iss", "sub"]},
        )
        expires_at = float(claims["exp"])
    except jwt.ExpiredSignatureError as error:
        raise TokenError(EXPIRED, "Access Token expired or expiration date invalid") from error
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenError(INVALID, "Invalid Access Token") from error
    if header.get("cty") != "twilio-fpa;v=1":
        raise TokenError(INVALID, "Invalid Access Token header")
    if expires_at - time.time() > LONGEST_LIFE:
        raise TokenError(EXPIRED, "Access Token expired or expiration date invalid")
    match claims.get("grants"):
        case {"identity": str(identity), "chat": {"service_sid": str(service)}} if service == CHAT_SERVICE_SID:
            if 0 < len(identity) <= IDENTITY:
                return Token(identity, expires_at)
    raise TokenError(INVALID, "Invalid Access Token grants")
