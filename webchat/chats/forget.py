"""A person's request to be forgotten: what the site holds, exported if asked, then erased, at Twilio first.

A chat's row goes after its conversation and its user at Twilio: while it is there, it says what is left to do. So a run that
breaks off is simply repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import serializers
from django.db.models import QuerySet

from webchat.chats.end import end_chat
from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.fields.emails import same_address
from webchat.flex import Deadline, FlexError, gateway_for
from webchat.flex.taskrouter import TaskRouter
from webchat.models import ChatSession, Message, Rating
from webchat.protection.outage import passage_to_twilio

logger = structlog.get_logger(__name__)

FORGET_SECONDS = 20  # for one chat at Twilio
# What concerns nobody but the site: keys of browsers and of requests.
NOT_EXPORTED = {"account", "browser", "owner", "key", "answers_digest", "lease_until", "attempts", "words_known"}


@dataclass(frozen=True, slots=True)
class Traces:
    """The rows that are about one person."""

    sessions: list[ChatSession]
    messages: list[Message]

    def __bool__(self) -> bool:
        return bool(self.sessions or self.messages)


def traces_of_user(user: AbstractBaseUser) -> Traces:
    """What was written while signed in as that user, and what was written with the account's e-mail address."""
    by_email = traces_of_email(str(getattr(user, user.get_email_field_name(), "") or ""))
    mine = traces_of_account(user)
    return Traces(_together(mine.sessions, by_email.sessions), _together(mine.messages, by_email.messages))


def traces_of_account(user: AbstractBaseUser) -> Traces:
    """What was written while signed in as that user: found by an index, and all that the deletion of the account blanks."""
    mine = {"user_id": user.pk}
    return Traces(list(ChatSession.objects.filter(**mine)), list(Message.objects.filter(**mine)))


def traces_of_email(email: str) -> Traces:
    """Where the address is an answer to any question, or the account's. All answers are read: a field may have any name."""
    if not same_address(email):
        return Traces([], [])
    return Traces(_with_email(ChatSession.objects.all(), email), _with_email(Message.objects.all(), email))


def traces_of_channel(channel_sid: str) -> Traces:
    """The one chat."""
    return Traces(list(ChatSession.objects.filter(channel_sid=channel_sid)), [])


def _with_email(rows: QuerySet[Any], email: str) -> list[Any]:
    wanted = same_address(email)
    account = f"user__{_email_field()}"
    found = [
        pk
        for pk, answers, of_account in rows.order_by().values_list("pk", "answers", account).iterator()
        if wanted in _texts([answers, of_account])
    ]
    return list(rows.filter(pk__in=found))


def _email_field() -> str:
    return str(get_user_model().get_email_field_name())


def _texts(value: object) -> Iterator[str]:
    """All texts in JSON, at any depth, in the form in which two spellings of one address are the same."""
    match value:
        case str():
            yield same_address(value)
        case dict():
            yield from _texts([*value.values()])
        case list():
            for item in value:
                yield from _texts(item)


def _together(rows: Iterable[Any], more: Iterable[Any]) -> list[Any]:
    return list({row.pk: row for row in [*rows, *more]}.values())


def export(traces: Traces) -> dict[str, Any]:
    """All that the site holds of that person's chats and messages, as plain JSON."""
    ratings = {row["id"]: row for row in _plain(Rating.objects.filter(session__in=traces.sessions))}
    chats = _plain(traces.sessions)
    for chat in chats:
        if rating := ratings.get(chat["id"]):
            chat["rating"] = {name: value for name, value in rating.items() if name != "id"}
    return {"chats": chats, "messages": _plain(traces.messages)}


def _plain(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {"id": row["pk"], **{name: value for name, value in row["fields"].items() if name not in NOT_EXPORTED}}
        for row in serializers.serialize("python", rows)
    ]


def forget(traces: Traces) -> int:
    """Erases at Twilio and here. Returns the number of rows that are left, to be tried again. Raises nothing."""
    left = 0
    for message in traces.messages:
        try:
            forget_message(message)
        except (FlexError, ChatRefused) as error:
            left += 1
            logger.warning("message_not_forgotten", message_id=str(message.pk), reason=str(error))
    for session in traces.sessions:
        try:
            forget_chat(session)
        except (FlexError, ChatRefused) as error:
            left += 1
            logger.warning("chat_not_forgotten", session=str(session.pk), reason=str(error))
    return left


def forget_message(message: Message) -> None:
    """Deletes the task that was made of it, also where the webchat makes none any more, then the row. Raises FlexError and
    ChatRefused."""
    pk = str(message.pk)
    if message.task_attempts:
        with passage_to_twilio():
            TaskRouter(Deadline(FORGET_SECONDS)).delete_tasks("message_id", pk)
    message.delete()
    logger.info("message_forgotten", message_id=pk)


def forget_chat(session: ChatSession) -> None:
    """Ends the chat, erases the conversation and the user at Twilio, then the row. Raises FlexError and ChatRefused, after
    which the row is there and says what is left to do."""
    end_chat(session, ChatSession.EndedBy.ACCOUNT)
    if session.lease_until > database_now() and not session.channel_sid and session.close_pending:
        raise ChatRefused(Code.IN_PROGRESS)  # and the start closes what it opens
    with passage_to_twilio():
        erase_chat(session)


def erase_chat(session: ChatSession) -> None:
    """Erases the conversation and the user of an ended chat at Twilio, then the row. Raises FlexError, after which the row
    is there."""
    gateway_for(session.destination, Deadline(FORGET_SECONDS)).forget(session.channel, session.chat_service_sid)
    session.change(close_pending=False)
    pk = str(session.pk)
    session.delete()
    logger.info("chat_forgotten", session=pk)
