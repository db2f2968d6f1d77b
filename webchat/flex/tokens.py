"""Access tokens for the visitor's browser. Made here, without a call: only the API key's secret is needed.

https://www.twilio.com/docs/conversations-classic/create-tokens
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import jwt
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import ChatGrant

from webchat.conf import conf
from webchat.flex import credentials
from webchat.flex.gateway import FlexError, is_sid

# Twilio's clock may be behind ours by this much before a new token is "not yet valid" (error 20105).
CLOCK_TOLERANCE = 30
# Below, the SDK would ask for the next token at once; above, a stolen token would be of use for too long.
SHORTEST, LONGEST = 180, 3600


@dataclass(frozen=True, slots=True)
class Token:
    jwt: str = field(repr=False)
    expires_at: datetime  # aware
    expires_in: int  # seconds


def mint(identity: str, chat_service_sid: str, ttl: int = LONGEST) -> Token:
    """A token for one identity in one chat service, with nothing but a chat grant.

    Tokens cannot be revoked one by one, so whoever asks must have been checked before. Raises
    FlexError(NOT_CONFIGURED) without an API key or a chat service, ValueError for a `ttl` that is not 180 to 3600
    seconds or an identity that Twilio would drop or refuse.
    """
    if not SHORTEST <= ttl <= LONGEST:
        raise ValueError(f"a token lives {SHORTEST} to {LONGEST} seconds, not {ttl}")
    if not 0 < len(identity) <= 256:
        raise ValueError("an identity has 1 to 256 characters")
    if not is_sid(chat_service_sid, "IS"):
        raise FlexError(FlexError.Reason.NOT_CONFIGURED)
    key_sid, secret = credentials.for_tokens()
    now = int(time.time())
    token = AccessToken(
        conf.TWILIO_ACCOUNT_SID,
        key_sid,
        secret,
        grants=[ChatGrant(service_sid=chat_service_sid)],
        identity=identity,
        nbf=now - CLOCK_TOLERANCE,
        valid_until=now + ttl,
        region=conf.TWILIO_REGION if conf.TWILIO_REGION != "us1" else None,
    )
    return Token(token.to_jwt(), datetime.fromtimestamp(now + ttl, UTC), ttl)


def identity_in(text: str) -> str:
    """The identity of a token that mint() made and that is still valid.

    Raises ValueError for any other text, FlexError(NOT_CONFIGURED) without an API key.
    """
    key_sid, secret = credentials.for_tokens()
    try:
        claims = jwt.decode(
            text,
            secret,
            algorithms=["HS256"],
            issuer=key_sid,
            subject=conf.TWILIO_ACCOUNT_SID,
            options={"require": ["exp", "iss", "sub"]},
        )
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError("no valid token of ours") from error
    match claims.get("grants"):
        case {"identity": str(identity)}:
            return identity
    raise ValueError("a token without an identity")


def sdk_options() -> dict[str, object]:
    """Options of the SDK's constructor, for the browser. They decide who receives the visitor's token: none, unless
    the sandbox is in use."""
    if not conf.TWILIO_SANDBOX_URL:
        return {}
    sandbox = urlsplit(conf.TWILIO_SANDBOX_URL)
    scheme = "wss" if sandbox.scheme == "https" else "ws"
    return {"Twilsock": {"uri": f"{scheme}://{sandbox.netloc}/v3/wsconnect"}}
