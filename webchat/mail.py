"""Mail by the worker: a request leaves a row, the worker makes the message and sends it.

So no request waits for the mail server, and none is lost while that is down. A message is sent again until the server
has taken it, and never after that. Where a worker was killed in between, or the line broke after the text, nobody knows:
it is sent once more under the same Message-ID.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.core.mail import BadHeaderError, EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError

from webchat.clock import database_now
from webchat.conf import conf
from webchat.models import OutgoingMail
from webchat.models.due import Stop, never, pause_after, take_due

logger = structlog.get_logger(__name__)

# Makes the message of a row, or does without one: None. A row that is left for the worker may leave further rows. Raises
# NotYet where it needs somebody who does not answer.
Composer = Callable[[OutgoingMail], EmailMessage | None]

# How long a worker reserves a row: longer than the mail server may take, all its time-outs together.
HOLD = timedelta(minutes=5)
# After the first failure, then four times as long each time, up to the longest: a day and a half in all.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
MOST_ATTEMPTS = 10


class NotYet(Exception):  # noqa: N818  (nothing is wrong with the message)
    """A composer cannot make its message now. The text says why, for the log."""


_composers: dict[str, Composer] = {}


def register_mail(kind: str, composer: Composer) -> None:
    """Says who makes the messages of a kind. An app does it in ready()."""
    _composers[kind] = composer


def queue_mail(kind: str, key: str, **about: Any) -> None:
    """Leaves a message for the worker, in the transaction of the caller. The same key again changes nothing. `about` is
    what the composer needs, as JSON: numbers of rows rather than texts."""
    row = OutgoingMail(kind=kind, key=key, about=about)
    OutgoingMail.objects.bulk_create([row], ignore_conflicts=True)


def send_due(stop: Stop = never) -> int:
    """Sends what is due, until the mail server fails: the rest waits for the next pass. Returns the number of rows that
    were looked after."""
    connection = get_connection()
    done = 0
    try:
        for row in take_due(OutgoingMail.objects.all(), HOLD, stop, counter="attempts"):
            done += 1
            if not _deliver(row, connection):
                break
    finally:
        with suppress(OSError):
            connection.close()
    return done


def _deliver(row: OutgoingMail, connection: BaseEmailBackend) -> bool:
    """Whether to go on: False where the mail server itself does not do its part."""
    try:
        message = _composers[row.kind](row)
        if message is not None:
            connection.open()
            _send(row, message, connection)
    except smtplib.SMTPRecipientsRefused as error:
        is_final = all(status >= 500 for status, _text in error.recipients.values())
        _note_failure(row, f"recipients refused ({_codes(error)})", is_final=is_final)
        return True
    except OSError as error:  # smtplib's errors are among these
        _note_failure(row, f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip())
        return False
    except BadHeaderError as error:
        _note_failure(row, type(error).__name__, is_final=True)
        return True
    except NotYet as why:
        _note_failure(row, str(why)[:200])
        return True
    except DatabaseError:
        raise
    except Exception as error:
        # A bug of a composer: the other messages go on.
        _note_failure(row, type(error).__name__)
        logger.exception("mail_not_made", kind=row.kind)
        return True
    _finish(row, failure="" if message else "nothing to send", sent_at=database_now() if message else None)
    if message is not None:
        logger.info("mail_sent", kind=row.kind)
    return True


def _send(row: OutgoingMail, message: EmailMessage, connection: BaseEmailBackend) -> None:
    # RFC 3834: nobody's absence note answers it.
    message.extra_headers.setdefault("Auto-Submitted", "auto-generated")
    message.extra_headers["Message-ID"] = f"<{row.pk.hex}@{urlsplit(conf.PUBLIC_BASE_URL).hostname}>"
    message.connection = connection
    message.send()


def _note_failure(row: OutgoingMail, failure: str, *, is_final: bool = False) -> None:
    if is_final or row.attempts >= MOST_ATTEMPTS:
        _finish(row, failure=failure)
        logger.error("mail_given_up", kind=row.kind, reason=failure, failures=row.attempts)
        return
    pause = pause_after(row.attempts, FIRST_PAUSE, LONGEST_PAUSE, factor=4)
    ours = OutgoingMail.objects.filter(pk=row.pk, attempts=row.attempts)
    ours.update(due_at=database_now() + pause, failure=failure)
    logger.warning("mail_not_sent", kind=row.kind, reason=failure, failures=row.attempts)


def _finish(row: OutgoingMail, **said: Any) -> None:
    OutgoingMail.objects.filter(pk=row.pk).update(due_at=None, about={}, **said)


def _codes(error: smtplib.SMTPRecipientsRefused) -> str:
    return ", ".join(sorted({str(status) for status, _text in error.recipients.values()}))
