"""The input of a field's condition in the admin: one list of what the other fields may be answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from webchat.fields import conditions
from webchat.fields.conditions import SEPARATOR
from webchat.fields.kinds import BOX_TYPES, CHOICE_TYPES, Type
from webchat.models import PreEngagementField

Choices = list[tuple[str, Any]]


class ConditionField(forms.ChoiceField):
    """Takes the name of another field, or name=value. The formset judges it, which knows the rows as they are sent."""

    def valid_value(self, value: Any) -> bool:
        return True


def sent(row: PreEngagementField) -> str:
    """The condition of a row as the input sends it."""
    return f"{row.shown_if}{SEPARATOR}{row.shown_if_value}" if row.shown_if_value else row.shown_if


def received(text: str) -> tuple[str, str]:
    """The columns `shown_if` and `shown_if_value` of what the input sends."""
    name, _separator, value = text.partition(SEPARATOR)
    return name, value


def choices(rows: Iterable[PreEngagementField], chosen: str = "", own: str = "") -> Choices:
    """Everything that a field can depend on, but itself (`own` is its name), and what is `chosen` already."""
    offered: Choices = [("", _("always"))]
    for row in rows:
        if row.name != own and not row.shown_if and row.type != Type.HIDDEN:
            offered.append((Truncator(row.label).chars(60), _answers(row)))
    known = {value for _label, group in offered[1:] for value, _words in group}
    return offered if chosen in ("", *known) else [*offered, (chosen, chosen)]


def _answers(row: PreEngagementField) -> Choices:
    label = Truncator(row.label).chars(60)
    words = _("%(label)s: ticked") if row.type in BOX_TYPES else _("%(label)s: any answer")
    pairs = row.choice_pairs() if row.type in CHOICE_TYPES else []
    return [
        (row.name, words % {"label": label}),
        *((f"{row.name}{SEPARATOR}{value}", f"{label}: {Truncator(answer).chars(60)}") for value, answer in pairs),
    ]


def refuse_unsound(forms: Iterable[forms.ModelForm]) -> None:
    """Says at each field of a form what is wrong with its condition."""
    rows = [form.instance for form in forms]
    for form in forms:
        words = conditions.problem(form.instance, rows)
        if words and "shown_if" not in form.errors:
            form.add_error("shown_if", words)
