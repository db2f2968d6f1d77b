"""Security events, under names that alerts may rely on. docs/security.md lists them."""

from __future__ import annotations

import structlog

from webchat.flex.gateway import FlexError
from webchat.models.session import ChatSession, SessionError

logger = structlog.get_logger("webchat.security")


def note_refusal(error: Exception, webchat: str = "") -> None:
    """Logs what a refused visitor met, if it is of interest: a limit, an unreachable Twilio, a session not theirs."""
    match error:
        case SessionError(code="too_many"):
            logger.warning("limit_hit", webchat=webchat)
        case SessionError(code="form_expired" | "proof_needed" | "too_early" as code):
            logger.warning("script_suspected", webchat=webchat, code=code)
        case FlexError():
            logger.error("chat_unavailable", webchat=webchat, reason=str(error))
        case ChatSession.DoesNotExist():
            logger.warning("session_refused")


def note_webhook(event: str, **fields: str) -> None:
    logger.warning(event, **fields)
