"""Patterns that staff write for an answer: one small dialect of regular expressions that means the same to Python and to
a browser's `pattern` attribute, and that no answer can make slow.

Letters and signs stand for themselves, `.` for any character, `\\d` for a digit, `\\w` for a letter of a to z, a digit
or _, `\\s` for a space, `[A-Z0-9]` and `[^…]` for one of a set, `(…|…)` for alternatives; `?`, `*`, `+`, `{2}`, `{2,}` and
`{2,4}` repeat what stands before; `\\` takes a sign's meaning away. The whole answer must match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# An answer with a pattern is no longer than this, in characters.
INPUT_MAX = 100
# In how many ways may the parts of a pattern share out such an answer? A matcher that backtracks tries them all, so this
# bounds its time. Three open repetitions in a row stay below it, one inside another does not.
WAYS_MAX = 1_100_000
_GROUPS_MAX = 8
_SIGNS = frozenset("^$\\.*+?()[]{}|/")
# What a set must escape under a browser's `v` flag: syntax characters, and punctuators that are reserved when doubled.
_SET_SIGNS = _SIGNS | frozenset("-&!#%,:;<=>@`~")
_CLASSES = {"d": r"\d", "w": r"\w", "s": " ", "D": r"\D", "W": r"\W", "S": "[^ ]"}
_REPEAT = re.compile(r"\?|\*|\+|\{(\d{1,3})(?:(,)(\d{1,3})?)?\}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`source` is valid for Python's `re` (with ASCII) and for browsers. `shortest` and `longest` are the lengths of what
    matches, `longest` no more than INPUT_MAX; `ways` is how often a matcher may have to try, at worst."""

    source: str
    shortest: int = 0
    longest: int = 0
    ways: int = 1

    def then(self, other: Pattern) -> Pattern:
        return Pattern(
            self.source + other.source,
            self.shortest + other.shortest,
            min(self.longest + other.longest, INPUT_MAX),
            min(self.ways * other.ways, WAYS_MAX + 1),
        )

    def otherwise(self, other: Pattern) -> Pattern:
        return Pattern(
            f"{self.source}|{other.source}",
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
            min(self.ways + other.ways, WAYS_MAX + 1),
        )

    def repeated(self, sign: str, least: int, most: int) -> Pattern:
        ways = 0
        for times in range(least, min(most, INPUT_MAX // max(self.shortest, 1)) + 1):
            ways += self.ways**times
            if ways > WAYS_MAX:
                break
        return Pattern(
            self.source + sign,
            self.shortest * least,
            min(self.longest * most, INPUT_MAX),
            min(max(ways, 1), WAYS_MAX + 1),
        )

    def matches(self, answer: str) -> bool:
        """Whether the whole answer matches. One that is longer than INPUT_MAX does not."""
        return len(answer) <= INPUT_MAX and re.fullmatch(self.source, answer, re.ASCII) is not None


@lru_cache(maxsize=512)
def parse(text: str) -> Pattern:
    """Raises ValidationError, with what is wrong in words, for a pattern that is not in the dialect or may be slow."""
    pattern = _Parser(text).parse()
    if pattern.ways > WAYS_MAX:
        raise ValidationError(
            _("This pattern could take too long. Say how often a part may repeat, like {1,10}, instead of * and +.")
        )
    if pattern.shortest > INPUT_MAX:
        raise ValidationError(
            _("This pattern asks for more than %(length)d characters.") % {"length": INPUT_MAX}, code="too_long"
        )
    return pattern


class _Parser:
    """Recursive descent over the text, left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def parse(self) -> Pattern:
        pattern = self._alternatives()
        if self.at < len(self.text):
            raise self._wrong(_("There is a “)” without a “(”."))
        return pattern

    def _wrong(self, reason: str) -> ValidationError:
        return ValidationError(
            _("Character %(number)d of the pattern: %(reason)s") % {"number": self.at + 1, "reason": reason}
        )

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, expected: str) -> bool:
        found = self.text.startswith(expected, self.at)
        self.at += len(expected) if found else 0
        return found

    def _alternatives(self) -> Pattern:
        pattern = self._sequence()
        while self._take("|"):
            pattern = pattern.otherwise(self._sequence())
        return pattern

    def _sequence(self) -> Pattern:
        if not self.depth:
            self._take("^")  # the whole answer must match anyway
        pattern = Pattern("")
        while (sign := self._peek()) and sign not in "|)":
            if sign == "$" and not self.depth and self.text[self.at + 1 : self.at + 2] in ("", "|"):
                self.at += 1
                break
            pattern = pattern.then(self._repetition(self._atom()))
        return pattern

    def _repetition(self, atom: Pattern) -> Pattern:
        found = _REPEAT.match(self.text, self.at)
        if not found:
            return atom
        least = {"?": 0, "*": 0, "+": 1}.get(found[0], int(found[1] or 0))
        endless = found[0] in "*+" or (found[2] and not found[3])
        most = INPUT_MAX if endless else {"?": 1}.get(found[0], int(found[3] or found[1] or 0))
        if not endless and least > most:
            raise self._wrong(_("The smaller number stands first."))
        self.at = found.end()
        self._take("?")  # as few as possible: the same, when the whole answer must match
        if _REPEAT.match(self.text, self.at) or self._peek() == "+":
            raise self._wrong(_("A repetition cannot be repeated. Put it into ( )."))
        return atom.repeated(found[0], least, max(least, most))

    def _atom(self) -> Pattern:
        sign = self._peek()
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._set()
        if sign == "\\":
            return self._escape()
        if sign in "*+?{}]^$":
            raise self._wrong(
                _("“%(sign)s” means something here. Write \\%(sign)s for the sign itself.") % {"sign": sign}
            )
        self.at += 1
        return Pattern("." if sign == "." else _quoted(sign, _SIGNS), 1, 1)

    def _group(self) -> Pattern:
        self.at += 1
        if self._peek() == "?" and not self._take("?:"):
            raise self._wrong(_("Groups with “?” are not supported, but for “(?:”."))
        self.depth += 1
        if self.depth > _GROUPS_MAX:
            raise self._wrong(_("The groups are nested too deeply."))
        inner = self._alternatives()
        self.depth -= 1
        if not self._take(")"):
            raise self._wrong(_("A “)” is missing."))
        return Pattern(f"(?:{inner.source})", inner.shortest, inner.longest, inner.ways)

    def _escape(self) -> Pattern:
        sign = self.text[self.at + 1 : self.at + 2]
        if not sign or (sign.isalnum() and sign not in _CLASSES):
            raise self._wrong(_("“\\%(sign)s” is not supported.") % {"sign": sign})
        self.at += 2
        return Pattern(_CLASSES.get(sign) or _quoted(sign, _SIGNS), 1, 1)

    def _set(self) -> Pattern:
        self.at += 1
        source = "[^" if self._take("^") else "["
        start = self.at
        while self.at == start or self._peek() != "]":
            source += self._range()
        self.at += 1
        return Pattern(source + "]", 1, 1)

    def _range(self) -> str:
        first = self._member()
        if self._peek() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return first if first in _CLASSES.values() else _quoted(first, _SET_SIGNS)
        self.at += 1
        last = self._member()
        if len(first) > 1 or len(last) > 1 or first > last:
            raise self._wrong(_("This is no range of characters, like A-Z."))
        return f"{_quoted(first, _SET_SIGNS)}-{_quoted(last, _SET_SIGNS)}"

    def _member(self) -> str:
        sign = self._peek()
        if not sign:
            raise self._wrong(_("A “]” is missing."))
        self.at += 1
        if sign != "\\":
            return sign
        sign = self._peek()
        if not sign or (sign.isalnum() and sign not in "dwsDW"):
            raise self._wrong(_("“\\%(sign)s” is not supported in a set.") % {"sign": sign})
        self.at += 1
        return _CLASSES.get(sign, sign)


def _quoted(character: str, signs: frozenset[str]) -> str:
    return f"\\{character}" if character in signs else character
