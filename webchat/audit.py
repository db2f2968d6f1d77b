"""Security events, under names that alerts may rely on. docs/security.md lists them."""

from __future__ import annotations

import structlog

from webchat.flex import FlexError
from webchat.models.session import ChatSession, SessionError
from webchat.models.webchat import Webchat
from webchat.protection.limits import Limit

logger = structlog.get_logger("webchat.security")

# An error is for staff to look at now. Each start meets it anew, and one alert in ten minutes is enough.
_ALERT = Limit("alert", 1, 600)


def note_refusal(error: Exception, webchat: str = "") -> None:
    """Logs what a refused visitor met, if it is of interest: a limit, an unreachable Twilio, a session not theirs."""
    match error:
        case SessionError(code="too_many"):
            logger.warning("limit_hit", webchat=webchat)
        case SessionError(code="form_expired" | "proof_needed" | "too_early" as code):
            logger.warning("script_suspected", webchat=webchat, code=code)
        case FlexError(reason=FlexError.Reason.GONE):
            logger.info("chat_unavailable", webchat=webchat, reason=str(error))  # note_legacy_gone has alerted
        case FlexError():
            log = logger.error if _is_news(webchat, error) else logger.info
            log("chat_unavailable", webchat=webchat, reason=str(error))
        case ChatSession.DoesNotExist():
            logger.warning("session_refused")


def note_legacy_gone(webchat: Webchat, error: FlexError) -> None:
    """Alerts staff, once in ten minutes for each webchat, that Twilio no longer serves its API. `sid` is the address
    that chats go to instead, if there is one."""
    if _is_news(webchat.slug, error):
        logger.error("legacy_api_gone", webchat=webchat.slug, reason=str(error), sid=webchat.address_sid)


def _is_news(webchat: str, error: FlexError) -> bool:
    return _ALERT.take(f"{webchat} {error.reason}") is None


def note_webhook(event: str, **fields: str) -> None:
    logger.warning(event, **fields)
