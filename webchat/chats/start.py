"""The start of a chat: open → form → gates → row → channel → token, top-down.

One door for page, API and Flex Webchat UI: submit(). The row is committed with its key before Twilio is called, and no
transaction is open while Twilio is called. An unclear outcome of the create is looked up by identity before anything is
created again. So submits that repeat make one channel, and a killed process loses none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import structlog
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from webchat.audit import note_legacy_gone
from webchat.chats import end
from webchat.chats.accounts import require_same_user
from webchat.clock import database_now
from webchat.counters import counters, refusals_counted
from webchat.errors import ChatRefused, Code
from webchat.flex import Channel, Deadline, FlexError, gateway_for
from webchat.forms.form import Answers, PreEngagementForm
from webchat.forms.submit import bind_form, read_key, take_answers
from webchat.hours import closed_in_words, state_of, was_open_in_time
from webchat.models import ChatSession, Webchat
from webchat.models.counts import Event
from webchat.models.session import LEASE, account_seal, failure_columns, new_identity
from webchat.protection import form_keys, limits, refusals
from webchat.protection.outage import breaker, bulkhead
from webchat.visitors import Visitor

logger = structlog.get_logger(__name__)

Reason = FlexError.Reason
Status = ChatSession.Status

# What a start waits for its channel, all calls together, and what a create needs of it.
OPEN_SECONDS = 5
CREATE_SECONDS = 2
# A wait of so long or less is a moment; for a longer one the chat is unavailable.
WAIT_AT_MOST_SECONDS = 30

# Flex Webchat UI has no form of ours, but got its token while the chat was open.
SHOWN_WITH_TOKEN = datetime.min.replace(tzinfo=UTC)


# --- From the form to the row ----------------------------------------------------------------------------------------


def submit(
    request: HttpRequest, webchat: Webchat, visitor: Visitor, data: Mapping[str, Any], identity: str = ""
) -> tuple[ChatSession, bool]:
    """Starts the chat of a form that was sent, once per visitor and key, however often it is sent.

    `identity` is the one that the visitor has a token for already: it is the key then. Returns the active session, and
    whether this call started it. Raises ChatRefused; FormInvalid, which is one, has the form with what is wrong. Then
    the same form may be sent again, unless the refusal's code says otherwise.
    """
    with refusals_counted(webchat):
        return _submit(request, webchat, visitor, data, identity)


def _submit(
    request: HttpRequest, webchat: Webchat, visitor: Visitor, data: Mapping[str, Any], identity: str
) -> tuple[ChatSession, bool]:
    key = identity or read_key(request, data)
    try:
        require_open(webchat, SHOWN_WITH_TOKEN if identity else form_keys.shown_at(key, visitor))
    except ChatRefused:
        # A repeated submit begins nothing.
        if not ChatSession.objects.owned_by(visitor).unfinished().filter(webchat=webchat, key=key).exists():
            raise
    form = bind_form(PreEngagementForm, request, webchat, visitor, data)
    if form_keys.is_of_another_shape(key, visitor, form.shape):
        return find_begun(webchat, visitor, key), False
    return start(webchat, visitor, key, take_answers(form, visitor, key, identity), identity)


def require_open(webchat: Webchat, shown_at: datetime | None = None) -> None:
    """Raises ChatRefused where no chat can start at all: CHAT_CLOSED, unless the form was shown at a time that gives it
    a few minutes more, and CHAT_UNAVAILABLE."""
    now = database_now()
    state = state_of(webchat, now)
    if not state.is_open and not (shown_at and was_open_in_time(webchat, shown_at, now)):
        seconds = math.ceil((state.until - now).total_seconds()) if state.until else None
        raise ChatRefused(Code.CHAT_CLOSED, closed_in_words(webchat, state), retry_after=seconds, opens_at=state.until)
    if not webchat.is_configured:
        raise _unavailable(webchat, FlexError.Reason.NOT_CONFIGURED)


def find_begun(webchat: Webchat, visitor: Visitor, key: str) -> ChatSession:
    """The running chat of a form that staff changed after it was sent. Raises ChatRefused: IN_PROGRESS, and FORM_CHANGED
    when the form began none."""
    begun = ChatSession.objects.owned_by(visitor).unfinished().filter(webchat=webchat, key=key)
    session = begun.select_related("webchat").first()
    if session is None:
        raise ChatRefused(Code.FORM_CHANGED)
    if not session.is_active:
        raise ChatRefused(Code.IN_PROGRESS)
    return session


# --- From the row to the channel -------------------------------------------------------------------------------------


@dataclass
class Attempt:
    """One try to open the channel of a session. `in_doubt`: an earlier one may have opened a channel that nobody knows
    of, so it is looked for before one is created."""

    session: ChatSession
    in_doubt: bool = False


def start(
    webchat: Webchat, visitor: Visitor, key: str, answers: Answers, identity: str = ""
) -> tuple[ChatSession, bool]:
    """Opens a channel at Flex for these answers. Raises ChatRefused."""
    attempt = claim(webchat, visitor, key, answers, identity)
    if attempt.session.is_active:
        return attempt.session, False
    carry_out(attempt, webchat, visitor)
    return attempt.session, True


def start_in_turn(session: ChatSession, visitor: Visitor) -> None:
    """Another attempt at a start that found no turn, with the answers that it was sent with. Raises ChatRefused."""
    with refusals_counted(session.webchat):
        require_open(session.webchat, session.created_at)
        if not session.begin_attempt():
            raise ChatRefused(Code.IN_PROGRESS)
        carry_out(Attempt(session), session.webchat, visitor)


def carry_out(attempt: Attempt, webchat: Webchat, visitor: Visitor) -> None:
    """Opens the channel of an attempt, and keeps what became of it. Raises ChatRefused."""
    session = attempt.session
    require_same_user(session, visitor)
    try:
        breaker.require_closed()
        refusals.require_open(webchat)
        if session.attempts > 1:  # what was refused up to here cost nothing, and is not counted
            limits.take_retry(webchat, visitor)
        with refusals.passage(webchat), bulkhead.passage(), breaker.passage():
            channel = open_channel(attempt, Deadline(OPEN_SECONDS))
        activate(session, channel)
    except FlexError as error:
        note_failure(attempt, str(error), is_certain=error.outcome_is_known)
        if error.reason is Reason.BUSY and (error.retry_after or 0) <= WAIT_AT_MOST_SECONDS:
            raise ChatRefused(Code.BUSY, retry_after=error.retry_after, reason=str(error)) from error
        raise _unavailable(webchat, str(error), error.retry_after) from error
    except ChatRefused as refused:
        if refused.code not in (Code.CHAT_UNAVAILABLE, Code.TOO_MANY, Code.BUSY):
            raise
        note_failure(attempt, str(refused), is_certain=True)
        if refused.code is Code.BUSY and session.attempts > 1:  # it only waited for its turn: Twilio was not asked
            limits.give_retry_back(webchat, visitor)
        if refused.code in (Code.BUSY, Code.TOO_MANY):
            raise
        raise _unavailable(webchat, refused.reason, refused.retry_after) from refused


def claim(webchat: Webchat, visitor: Visitor, key: str, answers: Answers, identity: str) -> Attempt:
    """The committed row for this visitor's key: new and ours to start, ours to try again, or already active.

    The limits are taken with the row, so that what is refused costs nothing and a repeated submit is counted once.
    Raises ChatRefused: IN_PROGRESS, SESSION_ENDED, KEY_REUSED, and TOO_MANY for a new row past a limit.
    """
    session = ChatSession(
        webchat=webchat,
        api=webchat.api,
        identity=identity or new_identity(),
        user_id=visitor.user_id,
        account=account_seal(visitor.user),
        browser=visitor.browser,
        owner=visitor.key,
        key=key,
        answers_digest=answers.digest,
        answers=answers.data,
        account_matches=answers.account_matches,
        consents=answers.consents,
        customer_friendly_name=answers.customer_friendly_name,
        question=answers.question,
        # Else the INSERT would ask the database for its defaults, which costs more than the rest of it.
        offered_to="",
        note="",
        failure_code="",
    )
    try:
        with transaction.atomic():
            # Now that the database lets us write: the wait for that is not part of the lease.
            session.created_at = database_now()
            session.lease_until = session.created_at + LEASE
            session.save(force_insert=True)
            if not identity:  # its token was counted
                limits.take_start(webchat, visitor)
        return Attempt(session)
    except IntegrityError:
        earlier = ChatSession.objects.select_related("webchat").get(browser=visitor.browser, key=key)
    return take_over(earlier, webchat, visitor, answers)


def take_over(session: ChatSession, webchat: Webchat, visitor: Visitor, answers: Answers) -> Attempt:
    """An earlier attempt of the same submit, made this caller's own unless it is active. Raises ChatRefused."""
    told = (session.webchat_id, session.user_id, session.owner, session.answers_digest)
    if told != (webchat.pk, visitor.user_id, visitor.key, answers.digest):
        raise ChatRefused(Code.KEY_REUSED)
    if session.status == Status.ENDED:
        raise ChatRefused(Code.SESSION_ENDED)
    if session.is_active:
        return Attempt(session)
    in_doubt = session.status == Status.STARTING
    if (in_doubt and session.lease_until > database_now()) or not session.begin_attempt():
        raise ChatRefused(Code.IN_PROGRESS)
    return Attempt(session, in_doubt)


def open_channel(attempt: Attempt, deadline: Deadline) -> Channel:
    """Creates at most once: after an unclear outcome it only looks, now and in whichever attempt comes next."""
    session = attempt.session
    gateway = gateway_for(session.destination, deadline)
    if attempt.in_doubt:
        if channel := gateway.find(session.identity):
            return channel
        attempt.in_doubt = False
    if limits.are_on() and not limits.wait_for_turn():
        raise ChatRefused(Code.BUSY, retry_after=math.ceil(limits.PACE.seconds), reason=Reason.BUSY)
    if deadline.left < CREATE_SECONDS:
        raise ChatRefused(Code.BUSY, retry_after=1, reason=Reason.BUSY)
    try:
        return gateway.open(session.engagement)
    except FlexError as error:
        if error.reason is Reason.GONE:
            return open_at_successor(attempt, error, deadline)
        if error.reason not in (Reason.EXISTS, Reason.UNCLEAR):
            raise
        attempt.in_doubt = True
        with suppress(FlexError):
            if channel := gateway.find(session.identity):
                return channel
            # Nothing is on its way after EXISTS: the name belongs to a chat that is over.
            attempt.in_doubt = error.reason is Reason.UNCLEAR
        raise


def open_at_successor(attempt: Attempt, gone: FlexError, deadline: Deadline) -> Channel:
    """The legacy API is no longer there: the chat goes to the webchat's address, if it has one. Else raises FlexError."""
    session = attempt.session
    note_legacy_gone(session.webchat, gone)
    if not session.webchat.address_sid:
        raise gone
    if not session.change_attempt(api=Webchat.Api.CONVERSATIONS):
        raise ChatRefused(Code.IN_PROGRESS)
    logger.warning("chat_moved_to_address", session=str(session.pk))
    return open_channel(attempt, deadline)


def activate(session: ChatSession, channel: Channel) -> None:
    """Keeps the channel. Raises ChatRefused when the session was ended or started by another attempt meanwhile."""
    now = database_now()
    if not session.change_attempt(
        status=Status.ACTIVE,
        channel_sid=channel.sid,
        identity=channel.identity,
        chat_service_sid=session.webchat.chat_service_sid,
        started_at=now,
        lease_until=now + LEASE,  # for the question
        **failure_columns(""),
    ):
        give_up(session, channel)
    counters.count(session.webchat_id, Event.STARTED)
    logger.info("chat_started", session=str(session.pk))


def give_up(session: ChatSession, channel: Channel) -> NoReturn:
    """The channel comes too late. It is closed, unless the attempt that overtook this one has found it."""
    session.refresh_from_db()
    logger.warning("chat_overtaken", session=str(session.pk), state=session.status)
    if session.status == Status.ENDED and not session.channel_sid:
        session.change(channel_sid=channel.sid, close_pending=True)
        end.close_all([session])
    elif session.status != Status.STARTING and session.channel_sid != channel.sid:
        end.close_extra(session, channel)
    raise ChatRefused(Code.SESSION_ENDED if session.status == Status.ENDED else Code.IN_PROGRESS)


def note_failure(attempt: Attempt, failure: str, *, is_certain: bool) -> None:
    """Where no channel can be there, the same submit may be tried again at once; where Twilio may still be making one,
    only when the lease is over."""
    session = attempt.session
    changes: dict[str, Any] = {**failure_columns(failure)}
    if is_certain:
        changes["lease_until"] = database_now()
        if not attempt.in_doubt:
            changes["status"] = Status.FAILED
    session.change_attempt(**changes)
    logger.warning("chat_not_started", session=str(session.pk), reason=failure)


def _unavailable(webchat: Webchat, reason: str, retry_after: int | None = None) -> ChatRefused:
    text = webchat.texts["unavailable_text"]
    return ChatRefused(Code.CHAT_UNAVAILABLE, text, retry_after=retry_after, reason=reason)
