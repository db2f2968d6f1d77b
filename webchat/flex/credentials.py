"""Which credentials the environment has, and which of them are for what."""

from __future__ import annotations

from webchat.conf import conf
from webchat.flex.gateway import FlexError


def missing() -> list[str]:
    """The environment variables that no chat can start without.

    The auth token is not among them: REST then uses the API key. Without it no webhook is accepted, though.
    """
    names = ["TWILIO_ACCOUNT_SID", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"]
    return [name for name in names if not getattr(conf, name)]


def is_configured() -> bool:
    return not missing()


def for_rest() -> tuple[str, str]:
    """User name and password of REST calls: the account SID with its auth token, else the API key with its secret.

    Twilio's description of the flex-api names the auth token only, so it goes first. Raises FlexError(NOT_CONFIGURED):
    twilio-python would send the request without credentials.
    """
    if conf.TWILIO_ACCOUNT_SID and conf.TWILIO_AUTH_TOKEN:
        return conf.TWILIO_ACCOUNT_SID, conf.TWILIO_AUTH_TOKEN
    return for_tokens()


def for_tokens() -> tuple[str, str]:
    """SID and secret of the API key, which signs access tokens. Raises FlexError(NOT_CONFIGURED)."""
    if missing():
        raise FlexError(FlexError.Reason.NOT_CONFIGURED)
    return conf.TWILIO_API_KEY_SID, conf.TWILIO_API_KEY_SECRET
