"""What may stand in a name, a line and a text that visitors type.

A name must read as itself to an agent: nothing invisible, nothing that turns the direction of the text around, nothing
that looks like markup or begins like a formula. Free text keeps everything but control characters and overrides of its
direction; it always travels as plain text.
"""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_SPACES = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
# What keyboards offer beside the apostrophe, and people take for one.
_APOSTROPHES = str.maketrans("`´", "''")
_FIRST = "'’‘‛＇"
# Hyphens, full stops and apostrophes, then Armenian, Hebrew, Tibetan, Ethiopic, Catalan, Chinese and Japanese marks that
# stand within names.
_PUNCTUATION = frozenset(f" .,-‐‑–－{_FIRST}՚֊־׳״་፡·‧・･゠")
_MARKS_AT_MOST = 4
_VIRAMA = 9  # the combining class of the mark that takes a consonant's vowel away

# Default_Ignorable_Code_Point: drawn as nothing, https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
# Joiners and variation selectors are among them, which some scripts need.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Controls, overrides and embeddings of direction, deprecated format characters, private use, surrogates, noncharacters
# and line separators. Everything else may be a letter or an emoji of a later Unicode.
_UNTYPEABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u206a-\u206f\ud800-\uf8ff\ufdd0-\ufdef\ufff0-\ufff8"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(15))
    + "\U000f0000-\U0010ffff]"
)
_UNREADABLE = _("Some of these characters cannot be shown. Please type the text again.")


def validate_text(value: str) -> None:
    """Several lines of any visible text, emoji included."""
    if _UNTYPEABLE.search(value):
        raise ValidationError(_UNREADABLE)


def validate_line(value: str) -> None:
    """One line of visible text."""
    if _UNTYPEABLE.search(value) or not {"\n", "\r", "\t"}.isdisjoint(value):
        raise ValidationError(_UNREADABLE)


def clean_person_name(value: str) -> str:
    """The name in NFC, with single plain spaces, and with an apostrophe where an accent stands for one."""
    value = unicodedata.normalize("NFC", value).translate(_APOSTROPHES)
    return _SPACES.sub(" ", value).strip(" ")


def validate_person_name(value: str) -> None:
    """The name of a person, in any script: José, Anne-Marie, O’Brien, 山田太郎."""
    validate_line(value)
    value = clean_person_name(value)
    if any(not _is_needed(value, match.start()) for match in _INVISIBLE.finditer(value)):
        raise ValidationError(_("This name has an invisible character in it. Please type it again."))
    if not all(map(_may_stand_in_name, value)):
        raise ValidationError(_("Please write the name with letters only."))
    if not any(map(_is_letter, value)):
        raise ValidationError(_("Please write a name with at least one letter."))
    if unicodedata.category(value[0])[0] not in "LN" and value[0] not in _FIRST and not _is_letter(value[0]):
        raise ValidationError(_("Please begin the name with a letter."))
    if _longest_stack(value) > _MARKS_AT_MOST:
        raise ValidationError(_("Please write the name without stacked accents."))


def _is_letter(character: str) -> bool:
    if _INVISIBLE.match(character):
        return False
    kind = unicodedata.category(character)
    # Names in rare characters that are newer than Python's Unicode: planes 2 and 3 hold ideographs alone.
    return kind[0] == "L" or (kind == "Cn" and "\U00020000" <= character <= "\U0003fffd")


def _may_stand_in_name(character: str) -> bool:
    kind = unicodedata.category(character)
    return (
        (kind[0] in "LMN" and kind != "Me")
        or _is_letter(character)
        or character in _PUNCTUATION
        or character in (_ZWNJ, _ZWJ)
    )


def _is_needed(name: str, at: int) -> bool:
    """Whether the script of its neighbours gives the invisible character at this place a meaning.

    Joiners follow or precede a virama in the scripts of India, and stand between letters of the Arabic script;
    variation selectors choose the shape of an ideograph.
    """
    character, before, after = name[at], name[at - 1] if at else " ", name[at + 1 : at + 2] or " "
    if character in (_ZWNJ, _ZWJ):
        virama = _VIRAMA in (unicodedata.combining(before), unicodedata.combining(after))
        arabic = all(unicodedata.bidirectional(neighbour) in ("AL", "NSM") for neighbour in (before, after))
        return (virama and unicodedata.category(before)[0] in "LM") or (arabic and not _INVISIBLE.match(before + after))
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return unicodedata.name(before, "").startswith("CJK") or "\U00020000" <= before <= "\U0003fffd"
    return "\u180b" <= character <= "\u180f" and unicodedata.name(before, "").startswith("MONGOLIAN LETTER")


def _longest_stack(name: str) -> int:
    longest = run = 0
    for character in name:
        kind = unicodedata.category(character)
        run = run + 1 if kind == "Mn" and not _INVISIBLE.match(character) else 0 if kind != "Mc" else run
        longest = max(longest, run)
    return longest
