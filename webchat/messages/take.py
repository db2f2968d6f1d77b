"""How a message is taken: webchat → form → gates → row. Nobody waits for a mail server or for Twilio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from webchat.clock import database_now
from webchat.counters import counters, refusals_counted
from webchat.errors import ChatRefused, Code
from webchat.forms.message_form import MessageForm
from webchat.forms.submit import bind_form, read_key, take_answers
from webchat.messages import mail
from webchat.models import Message, Webchat
from webchat.models.counts import Event
from webchat.protection import form_keys, limits
from webchat.visitors import Visitor

logger = structlog.get_logger(__name__)


def leave_message(
    request: HttpRequest, webchat: Webchat, visitor: Visitor, data: Mapping[str, Any]
) -> tuple[Message, bool]:
    """Keeps the message of a form that was sent, once per visitor and key, however often it is sent.

    A form that was shown while the chat was closed may be sent after it has opened. Returns the message, and whether
    this call made it. Raises ChatRefused; FormInvalid, which is one, has the form with what is wrong.
    """
    with refusals_counted(webchat):
        return _leave_message(request, webchat, visitor, data)


def _leave_message(
    request: HttpRequest, webchat: Webchat, visitor: Visitor, data: Mapping[str, Any]
) -> tuple[Message, bool]:
    if not webchat.takes_messages:
        raise ChatRefused(Code.CHAT_UNAVAILABLE, webchat.texts["closed_text"])
    form = bind_form(MessageForm, request, webchat, visitor, data)
    key = read_key(request, data)
    if form_keys.is_of_another_shape(key, visitor, form.shape):
        return _find_left(webchat, visitor, key), False
    answers = take_answers(form, visitor, key)
    message = Message(
        webchat=webchat,
        user_id=visitor.user_id,
        owner=visitor.browser,
        key=key,
        answers_digest=answers.digest,
        customer_friendly_name=answers.customer_friendly_name,
        email=form.reply_address(answers),
        text=form.text(answers),
        answers=answers.data,
        account_matches=answers.account_matches,
        consents=answers.consents,
        task_due_at=database_now() if webchat.task_workflow_sid else None,
    )
    try:
        with transaction.atomic():
            message.save(force_insert=True)
            limits.take_message(webchat, visitor)
            mail.queue_for_staff(message)
    except IntegrityError:
        return _earlier(message), False
    counters.count(webchat.pk, Event.MESSAGE)
    logger.info("message_left", message_id=str(message.pk), webchat=webchat.slug)
    return message, True


def _find_left(webchat: Webchat, visitor: Visitor, key: str) -> Message:
    """The message of a form that staff changed after it was sent. Raises ChatRefused(FORM_CHANGED) when it left none."""
    left = Message.objects.owned_by(visitor).filter(webchat=webchat, key=key).first()
    if left is None:
        raise ChatRefused(Code.FORM_CHANGED)
    return left


def _earlier(message: Message) -> Message:
    """The message that was left with the same key. Raises ChatRefused(KEY_REUSED) if it says something else."""
    earlier = Message.objects.get(owner=message.owner, key=message.key)
    for name in ("webchat_id", "user_id", "answers_digest"):
        if getattr(earlier, name) != getattr(message, name):
            raise ChatRefused(Code.KEY_REUSED)
    return earlier
