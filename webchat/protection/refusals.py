"""The circuit breaker of one webchat: while Twilio refuses its chats for certain, they neither take turns of the site's
pace nor call Twilio.

Wrong SIDs, a legacy API that is gone, credentials that are not accepted: the next visitor would be refused as well. So
the first such refusal opens it. One start a minute tries again, and every save of the webchat closes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.flex import FlexError
from webchat.models import RefusedWebchat, Webchat
from webchat.models.copies import forget_copies

logger = structlog.get_logger(__name__)

PROBE_EACH_SECONDS = 60


@contextmanager
def passage(webchat: Webchat) -> Iterator[None]:
    """Around the opening of a channel: learns how it goes. Raises ChatRefused at once while Twilio refuses the webchat,
    but for the probe."""
    refused = _refused(webchat)
    if refused:
        require_open(webchat)
        probe_at = _become_the_probe(refused)
    try:
        yield
    except FlexError as error:
        if error.concerns_every_chat:
            _note_refusal(webchat, error, is_news=refused is None)
        raise
    except ChatRefused:
        if refused:  # Twilio was not asked: the next start is the probe
            _move_probe(refused, probe_at, database_now().timestamp())
        raise
    if refused:
        forget_refusal(webchat)
        logger.info("webchat_accepted", webchat=webchat.slug)


def require_open(webchat: Webchat) -> None:
    """Raises ChatRefused while Twilio refuses the webchat and no probe is due."""
    if refused := _refused(webchat):
        seconds = refused.probe_at - database_now().timestamp()
        if 0 < seconds <= PROBE_EACH_SECONDS:  # what is further ahead was written by a wrong clock
            raise _refusal(refused, math.ceil(seconds))


def forget_refusal(webchat: Webchat) -> None:
    if RefusedWebchat.objects.filter(webchat=webchat).delete()[0]:
        forget_copies()


def forget_refusal_of_saved(instance: Webchat, **_signal: Any) -> None:
    forget_refusal(instance)


def _refused(webchat: Webchat) -> RefusedWebchat | None:
    """What is known of it, unless that was of another configuration: of a start that began before the webchat was saved."""
    refused: RefusedWebchat | None = getattr(webchat, "refused", None)
    return refused if refused and refused.configuration == _configuration(webchat) else None


def _become_the_probe(refused: RefusedWebchat) -> float:
    """Returns when the next probe is due. Raises ChatRefused when another caller is this one."""
    probe_at = database_now().timestamp() + PROBE_EACH_SECONDS
    if not _move_probe(refused, refused.probe_at, probe_at):
        raise _refusal(refused, 1)
    return probe_at


def _move_probe(refused: RefusedWebchat, seen: float, probe_at: float) -> bool:
    """Compare-and-set: one of several callers wins, the others see another time."""
    moved = RefusedWebchat.objects.filter(pk=refused.pk, probe_at=seen).update(probe_at=probe_at)
    forget_copies()
    return bool(moved)


def _note_refusal(webchat: Webchat, error: FlexError, *, is_news: bool) -> None:
    RefusedWebchat.objects.update_or_create(
        webchat=webchat,
        defaults={
            "configuration": _configuration(webchat),
            "failure": str(error)[:200],
            "probe_at": database_now().timestamp() + PROBE_EACH_SECONDS,
        },
    )
    forget_copies()
    if is_news:
        logger.error("webchat_refused", webchat=webchat.slug, reason=str(error))


def _refusal(refused: RefusedWebchat, retry_after: int) -> ChatRefused:
    return ChatRefused(Code.CHAT_UNAVAILABLE, retry_after=retry_after, reason=refused.failure)


def _configuration(webchat: Webchat) -> str:
    return " ".join((webchat.api, webchat.chat_service_sid, webchat.address_sid, webchat.flex_flow_sid))
