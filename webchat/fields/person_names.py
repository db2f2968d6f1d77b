"""What may stand in a name, a line and a text that visitors type or paste.

What word processors, PDF files and spreadsheets leave in a text is mended: odd line breaks, bullets of symbol fonts,
controls of direction. Only what nobody can see or store is refused. All of it travels as plain text.
"""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Word's symbol fonts have their bullets, arrows and ticks here.
_BULLETS = re.compile("[\uf000-\uf0ff]")
# Control characters, embeddings and overrides of direction, deprecated format characters, the byte order mark.
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u206a-\u206f\ufeff\ufff0-\ufffb]")
_SPACES = re.compile(r"[\s\u2800]+")
# NUL, surrogates, private use and noncharacters. Everything else may be a letter or an emoji of a later Unicode.
_UNSHOWABLE = re.compile(
    "[\x00\ud800-\uf8ff\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(15))
    + "\U000f0000-\U0010ffff]"
)
# Default_Ignorable_Code_Point: drawn as nothing, https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NOTHING_TO_SEE = re.compile(rf"[\s\u2800{_IGNORABLE}]*")
# Some scripts and emoji need these: the joiners and the selectors of a shape.
_NEEDED = f"{_ZWNJ}{_ZWJ}\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_INVISIBLE = re.compile(rf"^[\s\u2800{_IGNORABLE}]+|(?![{_NEEDED}])[{_IGNORABLE}]")

# What keyboards offer beside the apostrophe, and people take for one.
_APOSTROPHES = str.maketrans("`´", "''")
# Signs of markup, templates and, at the beginning, of a spreadsheet's formula: in the names of no script.
_NO_NAME = re.compile(r"[<>{}\[\]$\\=|＝]|^[-+@‐‑–－＋＠]")


def strip_invisible(value: str) -> str:
    """The text without characters that are drawn as nothing, joiners included."""
    return re.sub(f"[{_IGNORABLE}]", "", value)


def clean_text(value: str) -> str:
    """Several lines of text, mended; "" if there is nothing to see in it."""
    value = _CONTROLS.sub("", _BULLETS.sub("•", _LINE_BREAKS.sub("\n", value)))
    return "" if _NOTHING_TO_SEE.fullmatch(value) else value


def clean_line(value: str) -> str:
    """One line of text, mended: line breaks and tabs are spaces."""
    return re.sub(r"[\n\t]+", " ", clean_text(value)).strip()


def clean_person_name(value: str) -> str:
    """A name in NFC, mended, with single plain spaces, with an apostrophe where an accent stands for one."""
    value = unicodedata.normalize("NFC", _INVISIBLE.sub("", clean_line(value)))
    return _SPACES.sub(" ", value.translate(_APOSTROPHES)).strip(" ")


def validate_text(value: str) -> None:
    """Raises ValidationError, with the place, for a character that cannot be shown or stored."""
    if found := _UNSHOWABLE.search(value) or _CONTROLS.search(value):
        place = {"number": found.start() + 1, "code": f"U+{ord(found[0]):04X}"}
        raise ValidationError(_("Character %(number)d (%(code)s) cannot be shown. Please remove it.") % place)


def validate_line(value: str) -> None:
    """One line of what validate_text takes."""
    validate_text(value)
    if found := re.search("[\n\t]|" + _LINE_BREAKS.pattern, value):
        number = {"number": found.start() + 1}
        raise ValidationError(_("Character %(number)d is a line break or a tab. Please write one line.") % number)


def validate_person_name(value: str) -> None:
    """The name of a person, in any script, as clean_person_name left it: José, O’Brien, 山田太郎, Anna & Ben Müller."""
    validate_line(value)
    if found := _NO_NAME.search(value):
        raise ValidationError(_("Please write the name without “%(sign)s”.") % {"sign": found[0]})
    if not any(map(_is_letter, value)):
        raise ValidationError(_("Please write a name with at least one letter."))


def _is_letter(character: str) -> bool:
    kind = unicodedata.category(character)
    # Names in rare characters that are newer than Python's Unicode: planes 2 and 3 hold ideographs alone.
    return kind[0] == "L" or (kind == "Cn" and "\U00020000" <= character <= "\U0003fffd")
