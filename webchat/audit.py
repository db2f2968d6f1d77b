"""Security events, under names that alerts may rely on. docs/security.md lists them."""

from __future__ import annotations

import structlog

from webchat.errors import ChatRefused, Code
from webchat.flex import Failure, FlexError, failure_of
from webchat.models import ChatSession, Webchat
from webchat.protection.limits import Limit

logger = structlog.get_logger("webchat.security")

# An error is for staff to look at now. Each start meets it anew, and one alert in ten minutes is enough.
_ALERT = Limit("alert", 1, 600)


def note_refusal(error: Exception, webchat: str = "") -> None:
    """Logs what a refused visitor met, if it is of interest: a limit, an unreachable Twilio, a session not theirs."""
    if isinstance(error, ChatRefused):
        webchat = webchat or error.webchat
    match error:
        case ChatRefused(code=Code.TOO_MANY, limit=limit):
            logger.warning("limit_hit", webchat=webchat, limit=limit)
        case ChatRefused(code=Code.FORM_EXPIRED | Code.PROOF_NEEDED | Code.TOO_EARLY as code):
            logger.warning("script_suspected", webchat=webchat, code=code.value.code)
        case ChatRefused(code=Code.BUSY, reason=reason):
            logger.info("chat_waits", webchat=webchat, reason=reason)
        case ChatRefused(code=Code.CHAT_UNAVAILABLE, reason=reason) if reason:
            gone = failure_of(reason) is Failure.GONE  # note_legacy_gone has alerted
            log = logger.error if not gone and _is_news(webchat, reason) else logger.info
            log("chat_unavailable", webchat=webchat, reason=reason)
        case ChatSession.DoesNotExist():
            logger.warning("session_refused")


def note_legacy_gone(webchat: Webchat, error: FlexError) -> None:
    """Alerts staff, once in ten minutes for each webchat, that Twilio no longer serves its API. `sid` is the address
    that chats go to instead, if there is one."""
    if _is_news(webchat.slug, str(error)):
        logger.error("legacy_api_gone", webchat=webchat.slug, reason=str(error), sid=webchat.address_sid)


def note_implausible_work(what: str, due: int, of: int) -> None:
    """Alerts staff, once in ten minutes for each kind, that the worker did not end or delete most of the chats."""
    log = logger.error if _ALERT.take(what) is None else logger.info
    log("worker_stopped", reason=what, counts=f"{due} of {of}")


def _is_news(webchat: str, reason: str) -> bool:
    """Whether no alert of this kind was raised in the last ten minutes. `reason` is the text of a FlexError."""
    return _ALERT.take(f"{webchat} {failure_of(reason)}") is None


def note_webhook(event: str, **fields: str) -> None:
    logger.warning(event, **fields)
