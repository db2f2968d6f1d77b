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

# What the input sends, and its words.
Choices = list[tuple[str, str]]


class ConditionField(forms.CharField):
    """Takes the name of another field, or name=value. The formset judges it, which knows the rows as they are sent.

    The page has one list of `choices`, `list_id`, for all rows: a list in each would grow with the square of the rows. A
    browser suggests from it, and where scripts run, static/webchat/admin/conditions.js makes it a select.
    """

    list_id = "fields-conditions"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, max_length=300)
        self.choices: Choices = []

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "class": "vTextField", "list": self.list_id, "autocomplete": "off"}


def sent(row: PreEngagementField) -> str:
    """The condition of a row as the input sends it."""
    return f"{row.shown_if}{SEPARATOR}{row.shown_if_value}" if row.shown_if_value else row.shown_if


def received(text: str) -> tuple[str, str]:
    """The columns `shown_if` and `shown_if_value` of what the input sends."""
    name, _separator, value = text.partition(SEPARATOR)
    return name, value


def choices(rows: Iterable[PreEngagementField]) -> Choices:
    """Everything that a field can depend on. The first is for none."""
    offered = [("", str(_("always")))]
    for row in rows:
        if not row.shown_if and row.type != Type.HIDDEN:
            offered += _answers(row)
    return offered


def _answers(row: PreEngagementField) -> Choices:
    label = Truncator(row.label).chars(60)
    words = _("{label}: ticked") if row.type in BOX_TYPES else _("{label}: any answer")
    pairs = row.choice_pairs() if row.type in CHOICE_TYPES else []
    return [
        (row.name, words.replace("{label}", label)),
        *((f"{row.name}{SEPARATOR}{value}", f"{label}: {Truncator(answer).chars(60)}") for value, answer in pairs),
    ]


def refuse_unsound(forms: Iterable[forms.ModelForm]) -> None:
    """Says at each field of a form what is wrong with its condition."""
    rows = [form.instance for form in forms]
    for form in forms:
        words = conditions.problem(form.instance, rows)
        if words and "shown_if" not in form.errors:
            form.add_error("shown_if", words)
