"""The text of a chat that is over, by mail to its user, at the address that the account has when the worker sends it.

webchat/mail.py sends it at least once: see there. Nobody types an address.
"""

from __future__ import annotations

import uuid
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from webchat.chats.history import read_past_chat
from webchat.clock import database_now
from webchat.conf import conf
from webchat.errors import ChatRefused, Code
from webchat.flex import Deadline, FlexError
from webchat.flex.gateway import WrittenMessage
from webchat.hours import zone_of
from webchat.mail import NotYet, queue_mail
from webchat.models import ChatSession, OutgoingMail
from webchat.protection import limits

logger = structlog.get_logger(__name__)

KIND = "transcript"
A_USERS_DAY = 5
# Pages of 50 messages each.
PAGES_MOST = 20
# For all of them: a worker that is asked to end does so within half a minute.
READ_SECONDS = 20


def may_mail(user: AbstractBaseUser | None) -> bool:
    """Whether the account has an address, and the function that WEBCHAT_MAY_MAIL names says yes to the user. Nobody gets
    mail where it names none. Raises nothing: without it there is the download."""
    try:
        return _is_allowed(user)
    except Exception:
        logger.exception("may_mail_failed")
        return False


def _is_allowed(user: AbstractBaseUser | None) -> bool:
    """Raises what the site's function raises."""
    if user is None or not conf.WEBCHAT_MAY_MAIL or not _address_of(user):
        return False
    return import_string(conf.WEBCHAT_MAY_MAIL)(user=user) is True


def ask_for_transcript(user: AbstractBaseUser | None, session_id: uuid.UUID) -> ChatSession:
    """Leaves the mail of the user's own chat for the worker, once for each chat, however often it is asked for.

    Raises DoesNotExist for a chat that is not theirs and for a user who may not be mailed, and ChatRefused, of the code
    TOO_EARLY while the chat goes on, and TOO_MANY past the limits of a day.
    """
    if user is None or not may_mail(user):
        raise ChatSession.DoesNotExist
    mine = ChatSession.objects.filter(user_id=user.pk, started_at__isnull=False).select_related("webchat")
    session = mine.get(pk=session_id)
    if session.status != ChatSession.Status.ENDED:
        raise ChatRefused(Code.TOO_EARLY)
    with transaction.atomic():
        if session.change({"transcript_asked_at": None}, transcript_asked_at=database_now()):
            _take_from_the_day(user, session)
            queue_mail(KIND, key=f"{KIND}:{session.pk}", session=str(session.pk), language=translation.get_language())
    return session


def _take_from_the_day(user: AbstractBaseUser, session: ChatSession) -> None:
    if not limits.are_on():
        return
    days = {
        f"{KIND}:user": (f"{KIND}:{user.pk}", A_USERS_DAY),
        f"{KIND}:site": (KIND, conf.WEBCHAT_TRANSCRIPTS_A_DAY),
    }
    for limit, (counter, size) in days.items():
        if wait := limits.take_day(counter, size):
            words = _("No more conversations are mailed today. Please download this one, or ask again tomorrow.")
            slug = session.webchat.slug
            raise ChatRefused(Code.TOO_MANY, words, retry_after=wait, limit=limit, webchat=slug)


def write_transcript(row: OutgoingMail) -> EmailMessage | None:
    """The mail, with what Twilio has now. None where the user is gone, or may no longer be mailed. Raises NotYet where
    Twilio or the site's function does not answer."""
    over = ChatSession.objects.filter(pk=row.about["session"], status=ChatSession.Status.ENDED)
    session = over.select_related("webchat__hours", "user").first()
    user = session.user if session else None
    try:
        if session is None or user is None or not user.is_active or not _is_allowed(user):
            return None
    except Exception as error:
        logger.exception("may_mail_failed")
        raise NotYet("the site's function failed") from error
    with translation.override(row.about["language"]):
        title = " ".join(session.webchat.texts["title"].split())
        return EmailMessage(
            subject=_("Your conversation: %(title)s") % {"title": title},
            body=_body(session, title),
            to=[_address_of(user)],
        )


def _body(session: ChatSession, title: str) -> str:
    zone = zone_of(session.webchat)
    lines, place, pages, deadline = [], "", 0, Deadline(READ_SECONDS)
    try:
        while pages == 0 or (place and pages < PAGES_MOST):
            page = read_past_chat(session, place, deadline)
            lines += [_line(message, zone) for message in page.messages if not message.is_sites]
            place, pages = page.next_place, pages + 1
    except FlexError as error:
        if not error.is_not_there:
            raise NotYet(str(error)) from error
        lines = [_("This conversation is no longer kept.")]
    except ChatRefused as refused:
        raise NotYet(str(refused)) from refused
    if place:
        lines.append(_("Later messages are not included."))
    times = _("Times are those of %(place)s.") % {"place": zone.key.rpartition("/")[2].replace("_", " ")}
    return "\n\n".join([title, times, *lines]) + "\n"


def _line(message: WrittenMessage, zone: ZoneInfo) -> str:
    name = _("You") if message.is_visitors else _("Our team")
    when = f"[{message.at.astimezone(zone):%Y-%m-%d %H:%M}] " if message.at else ""
    files = [_("Attached file: %(name)s") % {"name": file} for file in message.files]
    return f"{when}{name}: " + "\n".join(part for part in [message.text, *files] if part)


def _address_of(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "")
