"""Why no channel was opened: the one list of kinds, how a kind is read from a text, and its words for staff."""

from __future__ import annotations

import re
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from webchat.flex.gateway import FlexError


class Failure(StrEnum):
    """As short as a column and a statistic want it. Texts of FlexErrors say more."""

    NOT_CONFIGURED = "not_configured"
    CREDENTIALS = "credentials"
    NOT_ALLOWED = "not_allowed"
    NOT_THERE = "not_there"
    REFUSED = "refused"
    GONE = "gone"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    UNCLEAR = "unclear"
    ABANDONED = "abandoned"  # by a process that was killed, or a visitor who left
    OTHER = "other"


_FAILURE_TEXT = re.compile(r"([a-z ]+?)(?:, channel closed)?(?: \((?:HTTP (\d+))?.*\))?")
_BY_REASON = {
    FlexError.Reason.NOT_CONFIGURED: Failure.NOT_CONFIGURED,
    FlexError.Reason.UNREACHABLE: Failure.UNREACHABLE,
    FlexError.Reason.BUSY: Failure.BUSY,
    FlexError.Reason.REFUSED: Failure.REFUSED,
    FlexError.Reason.GONE: Failure.GONE,
    FlexError.Reason.EXISTS: Failure.UNCLEAR,
    FlexError.Reason.UNCLEAR: Failure.UNCLEAR,
    "abandoned": Failure.ABANDONED,
}
_BY_STATUS = {
    "401": Failure.CREDENTIALS,
    "403": Failure.NOT_ALLOWED,
    "404": Failure.NOT_THERE,
    "410": Failure.NOT_THERE,
}


def failure_of(text: str) -> Failure:
    """The kind of a failure whose text is that of a FlexError, or says that the start was abandoned."""
    found = _FAILURE_TEXT.fullmatch(text)
    failure = _BY_REASON.get(found[1], Failure.OTHER) if found else Failure.OTHER
    return _BY_STATUS.get(found[2], failure) if found and failure is Failure.REFUSED else failure


# What staff read of failed starts.
FAILURES: dict[Failure, Promise] = {
    Failure.NOT_CONFIGURED: _("The webchat has no credentials or no SIDs yet."),
    Failure.CREDENTIALS: _("Twilio does not accept the credentials."),
    Failure.NOT_ALLOWED: _("Twilio does not let these credentials start chats."),
    Failure.NOT_THERE: _("Twilio does not find one of the webchat's SIDs."),
    Failure.REFUSED: _("Twilio refuses the chat."),
    Failure.GONE: _("Twilio no longer serves the webchat's API."),
    Failure.BUSY: _("Too many chats began at that moment."),
    Failure.UNREACHABLE: _("Twilio cannot be reached from this server. Check its network, its firewall and its clock."),
    Failure.UNCLEAR: _("Twilio gave no proper answer."),
    Failure.ABANDONED: _("The start was cut short here."),
    Failure.OTHER: _("Something else: the log says what."),
}


def failure_in_words(text: str) -> str:
    """What Twilio told by number stays behind the words, to look it up."""
    kind = failure_of(text)
    if kind is Failure.OTHER:
        return text or gettext("unknown")
    _said, bracket, facts = text.partition(" (")
    return f"{FAILURES[kind]}{bracket}{facts}"
