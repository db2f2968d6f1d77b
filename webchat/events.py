"""Security events, under names that alerts may rely on. docs/security.md lists them."""

from __future__ import annotations

import structlog

from webchat.flex.gateway import FlexError
from webchat.limits import Limit
from webchat.models.session import ChatSession, SessionError
from webchat.models.webchat import Webchat

logger = structlog.get_logger("webchat.security")

# Each start meets it anew, and one alert is enough.
_GONE_ALERT = Limit("alert:legacy-gone", 1, 600)


def note_refusal(error: Exception, webchat: str = "") -> None:
    """Logs what a refused visitor met, if it is of interest: a limit, an unreachable Twilio, a session not theirs."""
    match error:
        case SessionError(code="too_many"):
            logger.warning("limit_hit", webchat=webchat)
        case FlexError(reason=FlexError.Reason.GONE):
            logger.info("chat_unavailable", webchat=webchat, reason=str(error))  # note_legacy_gone has alerted
        case FlexError():
            logger.error("chat_unavailable", webchat=webchat, reason=str(error))
        case ChatSession.DoesNotExist():
            logger.warning("session_refused")


def note_legacy_gone(webchat: Webchat, error: FlexError) -> None:
    """Alerts staff, once in ten minutes for each webchat, that Twilio no longer serves its API. `sid` is the address
    that chats go to instead, if there is one."""
    if _GONE_ALERT.take(str(webchat.pk)) is None:
        logger.error("legacy_api_gone", webchat=webchat.slug, reason=str(error), sid=webchat.address_sid)


def note_webhook(event: str, **fields: str) -> None:
    logger.warning(event, **fields)
