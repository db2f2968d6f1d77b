"""What may stand in a name, a line and a text that visitors type.

A name must read as itself to an agent: nothing invisible, nothing that turns the direction of the text around, nothing
that looks like markup. Free text keeps everything but control characters; it always travels as plain text.
"""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Persian and several Indic scripts need the joiners; they may stand inside a name.
_JOINERS = "\u200c\u200d"
_NAME_PUNCTUATION = " '’‘ʼ`´.,-‐‑–·・"
# Letters by category, but blank to the eye.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800"
_MARKUP = "<>{}[]$\\"
_COMBINING_AT_MOST = 4


def _is_forbidden(character: str, *, line_breaks: bool) -> bool:
    """Control, bidi override and isolate, tag, private use, surrogate, and unassigned code points."""
    if line_breaks and character in "\n\r\t":
        return False
    if character in _JOINERS or "\ufe00" <= character <= "\ufe0f":
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")


def validate_text(value: str) -> None:
    """Several lines of any visible text, emoji included."""
    if any(_is_forbidden(character, line_breaks=True) and not _is_emoji_tag(character) for character in value):
        raise ValidationError(_("Some of these characters cannot be shown. Please type the text again."))


def _is_emoji_tag(character: str) -> bool:
    # The flags of England, Scotland and Wales are spelled with tag characters.
    return "\U000e0020" <= character <= "\U000e007f"


def validate_line(value: str) -> None:
    """One line of visible text."""
    if any(_is_forbidden(character, line_breaks=False) for character in value):
        raise ValidationError(_("Some of these characters cannot be shown. Please type the text again."))


def validate_person_name(value: str) -> None:
    """The name of a person, in any script: José, Anne-Marie, O’Brien, 山田太郎."""
    validate_line(value)
    value = unicodedata.normalize("NFC", value)
    if any(character in _MARKUP or character in _BLANK for character in value):
        raise ValidationError(_("Please write the name with letters only."))
    kinds = [unicodedata.category(character) for character in value]
    for character, kind in zip(value, kinds, strict=True):
        if kind[0] not in "LMN" and character not in _NAME_PUNCTUATION and character not in _JOINERS:
            raise ValidationError(_("Please write the name with letters only."))
    if not any(kind[0] == "L" for kind in kinds):
        raise ValidationError(_("Please write a name with at least one letter."))
    run = 0
    for kind in kinds:
        run = run + 1 if kind[0] == "M" else 0
        if run > _COMBINING_AT_MOST:
            raise ValidationError(_("Please write the name without stacked accents."))
