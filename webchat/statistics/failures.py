"""Why chats did not start, in words for staff."""

from __future__ import annotations

from django.utils.translation import gettext as _

from webchat.flex import FlexError

Reason = FlexError.Reason


def failure_in_words(failure: str) -> str:
    """`failure`: the text of a FlexError, of a refusal, or of the worker, as a session keeps it. What Twilio told by number
    stays behind the words, to look it up."""
    said, _bracket, facts = failure.partition(" (")
    words = {
        Reason.NOT_CONFIGURED: _("credentials or SIDs are missing on this site"),
        Reason.UNREACHABLE: _("Twilio could not be reached"),
        Reason.BUSY: _("too many chats at once"),
        Reason.REFUSED: _("Twilio refused the chat: test the connection"),
        Reason.GONE: _("Twilio no longer serves the legacy API"),
        Reason.EXISTS: _("Twilio had this chat already"),
        Reason.UNCLEAR: _("Twilio gave no proper answer in time"),
        "abandoned": _("the start was broken off"),
        "abandoned, channel closed": _("the start was broken off"),
    }.get(said)
    if words is None:
        return failure or _("unknown")
    return f"{words} ({facts}" if facts else words
