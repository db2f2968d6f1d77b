"""What a visitor told a form of the chat that was not taken, to be shown again and copied."""

from __future__ import annotations

from collections.abc import Mapping

from webchat.fields.rules import MESSAGE_TEXT, REPLY_EMAIL
from webchat.models import PreEngagementField, Webchat

# The field of a rating.
COMMENT = "comment"
_TYPES_WITHOUT_WORDS = {*PreEngagementField.BOX_TYPES, PreEngagementField.Type.HIDDEN}


def written_answers(webchat: Webchat, data: Mapping[str, str]) -> list[str]:
    """The words of a start, a message or a rating, as they were sent; of a choice those that the visitor read. A tick is
    nobody's words, and neither is what a form carries beside its fields."""
    choices = {
        row.name: dict(row.choices_to_show() if row.type in row.CHOICE_TYPES else [])
        for row in webchat.fields.all()
        if row.type not in _TYPES_WITHOUT_WORDS
    }
    names = dict.fromkeys([*choices, MESSAGE_TEXT, REPLY_EMAIL, COMMENT])
    told = {name: data.get(name, "").strip() for name in names}
    return [choices.get(name, {}).get(text, text) for name, text in told.items() if text]
