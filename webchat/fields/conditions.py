"""Fields that are shown only if another field of the form has a value: one level, one rule for form, admin and import."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from django.utils.translation import gettext as _

from webchat.fields.kinds import CHOICE_TYPES, Match, Row, Type

# What stands between the name of the other field and the value, where both are one text. No name has it.
SEPARATOR = "="


def is_met(wanted: str, answer: object) -> bool:
    """Whether a cleaned answer is the wanted one. "" stands for any answer; of a checkbox it is that it is ticked."""
    if answer is None or answer is False or answer == "":
        return False
    return not wanted or _composed(str(answer)) == _composed(wanted)


def choice_of(other: Row, value: str) -> str | None:
    """The value of a condition as the other field's choices spell it: "é" may be one sign there, and two here."""
    return next((choice for choice, _label in other.choice_pairs() if _composed(choice) == _composed(value)), None)


def _composed(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def problem(row: Row, rows: Iterable[Row]) -> str:
    """What is wrong with the condition of a field, among all `rows` of its form; "" for nothing."""
    if not row.shown_if:
        return ""
    if words := problem_alone(row):
        return words
    other = next((each for each in rows if each.name == row.shown_if), None)
    if other is None:
        return _("This form has no field “%(name)s”: choose another one, or show this field always.") % {
            "name": row.shown_if
        }
    if other.type == Type.HIDDEN:
        return _("“%(label)s” is hidden context: it has always the same value.") % {"label": other.label}
    if other.shown_if:
        return _("“%(label)s” is itself shown only if another field has a value: choose one that is always shown.") % {
            "label": other.label
        }
    if not row.shown_if_value:
        return ""
    if other.type not in CHOICE_TYPES:
        return _("“%(label)s” has no choices: choose that it has any answer.") % {"label": other.label}
    if choice_of(other, row.shown_if_value) is None:
        told = {"value": row.shown_if_value, "label": other.label}
        return _("“%(value)s” is none of the choices of “%(label)s”.") % told
    return ""


def problem_alone(row: Row) -> str:
    """As problem(), as far as the field itself tells."""
    if not row.shown_if:
        return ""
    if row.shown_if == row.name:
        return _("A field cannot depend on itself.")
    if row.role:
        return _("A field with a role is always shown.")
    if row.match == Match.REQUIRE:
        # A guest would leave it out, and be let in.
        return _("A field that only members can answer is always shown.")
    return ""
