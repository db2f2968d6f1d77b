"""Patterns that staff write for an answer: regular expressions for RE2, which reads an answer once, whatever the pattern.

A browser does not get them: its matcher tries again and again, and with some patterns for hours.
The syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# An answer with a pattern is no longer than this, in characters.
ANSWER_MAX = 100
# With ANSWER_MAX, this bounds the time for one answer: about 0.1 s for the largest program on a slow machine.
PROGRAM_MAX_BYTES = 256 * 1024

# What staff read for what RE2 says: https://github.com/google/re2/blob/main/re2/parse.cc
_REASONS = {
    "missing )": gettext_lazy("A “)” is missing."),
    "unexpected )": gettext_lazy("There is a “)” without a “(”."),
    "missing ]": gettext_lazy("A “]” is missing."),
    "invalid character class range": gettext_lazy("This is no range of characters, like A-Z."),
    "bad repetition operator": gettext_lazy("A repetition cannot be repeated. Put it into ( )."),
    "no argument for repetition operator": gettext_lazy(
        "There is nothing before it to repeat. Write \\ before the sign."
    ),
    "invalid repetition size": gettext_lazy("The smaller number stands first, and 1000 is the most."),
    "trailing \\": gettext_lazy("A sign is missing after the last “\\”."),
    "pattern too large - compile failed": gettext_lazy("It is too large. Repeat fewer parts, or less often."),
}


@lru_cache(maxsize=512)
def compile_pattern(text: str) -> Any:
    """The program of RE2. Raises ValidationError, with what is wrong in words, for a text that is no pattern."""
    options = re2.Options()
    options.log_errors, options.never_capture, options.max_mem = False, True, PROGRAM_MAX_BYTES
    try:
        return re2.compile(text.encode(errors="replace"), options)
    except re2.error as error:
        kind, _separator, part = error.args[0].decode(errors="replace").partition(": ")
        reason = _REASONS.get(kind) or _("This is not supported.")
        words = _("“%(part)s” in the pattern: %(reason)s") % {"part": part or text, "reason": reason}
        raise ValidationError(words) from error


def matches(text: str, answer: str) -> bool:
    """Whether the pattern matches the whole answer. One that is longer than ANSWER_MAX, or no Unicode, has no match."""
    try:
        return len(answer) <= ANSWER_MAX and compile_pattern(text).fullmatch(answer.encode()) is not None
    except UnicodeEncodeError:
        return False
