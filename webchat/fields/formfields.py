"""The Django form field of a row that staff composed: what it accepts, and which input it shows."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from phonenumber_field.formfields import PhoneNumberField

from webchat.fields import autofill, patterns
from webchat.fields.emails import clean_email, validate_email
from webchat.fields.kinds import Row, Type
from webchat.fields.person_names import (
    clean_line,
    clean_person_name,
    clean_text,
    strip_invisible,
    validate_line,
    validate_person_name,
    validate_text,
)

# As many digits as a double keeps: numbers travel as JSON.
DIGITS_MAX = 15
YES, NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_RELATIVE_DATE = re.compile(r"today(?:([+-])(\d{1,5})([dmy]))?")


def as_date(text: str) -> date:
    """The day that is meant by an ISO date, or by today, today+30d, today-6m or today-18y. Raises ValidationError."""
    if not (found := _RELATIVE_DATE.fullmatch(text)):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise ValidationError(_("Write a date like 2030-12-31, or today, today+30d, today-18y.")) from error
    today = timezone.localdate()
    if not found[1]:
        return today
    count = int(f"{found[1]}{found[2]}")
    try:
        if found[3] == "d":
            return today + timedelta(days=count)
        months = today.year * 12 + today.month - 1 + (count if found[3] == "m" else 12 * count)
        first = date(months // 12, months % 12 + 1, 1)
    except (OverflowError, ValueError) as error:
        raise ValidationError(_("That day is too far away.")) from error
    # The 31st of a short month is its last day.
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(today.day, last.day))


def as_number(text: str) -> Decimal:
    """Raises ValidationError."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValidationError(_("Write a number, like 1 or 2.5.")) from error
    if not number.is_finite() or abs(number) >= 10**DIGITS_MAX:
        raise ValidationError(_("That number is too large."))
    return number


def is_yes(text: str) -> bool:
    return text.lower() in YES


class PersonNameField(forms.CharField):
    default_validators = [validate_person_name]

    def to_python(self, value: Any) -> str:
        return clean_person_name(super().to_python(value) or "")


class LineField(forms.CharField):
    default_validators = [validate_line]

    def to_python(self, value: Any) -> str:
        return clean_line(super().to_python(value) or "")


class TextField(forms.CharField):
    widget = forms.Textarea(attrs={"rows": 3})
    default_validators = [validate_text]

    def to_python(self, value: Any) -> str:
        # A line break is one character, as a browser counts it, though it sends two.
        return clean_text(super().to_python(value) or "")


class EmailField(forms.CharField):
    """Not `type=email`: browsers refuse letters like ö before the @, and rewrite the domain."""

    widget = forms.TextInput(attrs={"inputmode": "email", "autocapitalize": "none", "spellcheck": "false"})
    default_validators = [validate_email]

    def to_python(self, value: Any) -> str:
        return clean_email(super().to_python(value) or "")


class PhoneField(PhoneNumberField):
    """Takes what is on business cards: 0041 is +41, and what nobody sees does not count. With a region, a number without
    a country's code is one of that region."""

    def to_python(self, value: Any) -> Any:
        text = unicodedata.normalize("NFKC", strip_invisible(str(value or ""))).strip()
        text = re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit[0])), text)
        return super().to_python(re.sub(r"^(\D*)00", r"\1+", text))  # type: ignore[no-untyped-call]


class DateField(forms.DateField):
    """Takes and shows ISO dates alone: what `type=date` speaks, in every language."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ["%Y-%m-%d"]

    def to_python(self, value: Any) -> date | None:
        if not isinstance(value, str | date | None):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class NumberField(forms.DecimalField):
    """Gives an int, or a float when it has decimal places."""

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        return number if number is None else float(number) if self.decimal_places else int(number)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return super().widget_attrs(widget) | {"inputmode": "decimal" if self.decimal_places else "numeric"}


class ConsentInput(forms.CheckboxInput):
    """A box whose value names the text beside it: a tick does not stand for another text than the visitor read.

    `wordings` are that text in all languages, first the one that is shown: the visitor may have read another one.
    """

    PREFIX = "text:"

    def __init__(self, wordings: list[str]) -> None:
        self.shown = wordings[0]
        self.by_name = {self._name_of(text): text for text in wordings}
        super().__init__(attrs={"value": self._name_of(self.shown)})

    @classmethod
    def _name_of(cls, text: str) -> str:
        return f"{cls.PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def text_read(self, given: Any) -> str:
        """The text that a tick with this value stands for."""
        return self.by_name.get(given, self.shown) if isinstance(given, str) else self.shown

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        given = data.get(name)
        if isinstance(given, str) and given.startswith(self.PREFIX) and given not in self.by_name:
            return False
        return bool(super().value_from_datadict(data, files, name))


class PatternValidator:
    def __init__(self, pattern: str, message: str) -> None:
        self.pattern, self.message = pattern, message or _("Please write this in the form that is asked for.")

    def __call__(self, value: str) -> None:
        # A longer answer has the error of its length, and is not looked at.
        if len(value) <= patterns.ANSWER_MAX and not patterns.matches(self.pattern, value):
            raise ValidationError(self.message, code="pattern")


_MISSING: dict[str, Any] = {
    Type.NAME: gettext_lazy("Please enter your name."),
    Type.EMAIL: gettext_lazy("Please enter your e-mail address."),
    Type.PHONE: gettext_lazy("Please enter your phone number."),
    Type.NUMBER: gettext_lazy("Please enter a number."),
    Type.DATE: gettext_lazy("Please enter a date."),
    Type.SELECT: gettext_lazy("Please choose."),
    Type.RADIO: gettext_lazy("Please choose."),
    Type.CHECKBOX: gettext_lazy("Please tick this box."),
    Type.CONSENT: gettext_lazy("Please tick this box."),
}
_LINES: dict[str, type[forms.CharField]] = {"name": PersonNameField, "email": EmailField, "textarea": TextField}


def formfield(row: Row) -> forms.Field:
    """The form field of a row that was cleaned. Days that count from today are those of the site's time zone."""
    field = _of_type(row)
    attributes = field.widget.attrs
    if row.pattern and row.takes_pattern:
        field.validators.append(PatternValidator(row.pattern, row.texts["pattern_message"]))
    if row.placeholder and row.takes_placeholder:
        attributes["placeholder"] = row.texts["placeholder"]
    if token := autofill.token_for(row.autocomplete, row.type):
        attributes["autocomplete"] = token
    field.error_messages["required"] = _MISSING.get(row.type, gettext_lazy("Please fill this in."))
    return field


def _of_type(row: Row) -> forms.Field:
    texts = row.texts
    common: dict[str, Any] = {
        "label": texts["label"],
        "required": row.required,
        "help_text": texts["help_text"],
        "initial": row.initial or None,
    }
    match row.type:
        case Type.PHONE:
            return PhoneField(max_length=row.longest, region=row.phone_region or None, **common)  # type: ignore[no-untyped-call]
        case Type.NUMBER:
            return _number_field(row, common)
        case Type.DATE:
            return _date_field(row, common)
        case Type.SELECT:
            blank = ("", texts["placeholder"] or gettext_lazy("Please choose"))
            return forms.ChoiceField(choices=[blank, *row.choices_to_show()], **common)
        case Type.RADIO:
            return forms.ChoiceField(choices=row.choices_to_show(), widget=forms.RadioSelect, **common)
        case Type.CHECKBOX:
            return forms.BooleanField(**common | {"initial": is_yes(row.initial)})
        case Type.CONSENT:
            widget = ConsentInput(row.wordings("label"))
            return forms.BooleanField(**common | {"initial": False, "required": True, "widget": widget})
        case _:
            line = _LINES.get(row.type, LineField)
            return line(max_length=row.longest, min_length=row.min_length, **common)


def _number_field(row: Row, common: dict[str, Any]) -> NumberField:
    return NumberField(
        min_value=as_number(row.minimum) if row.minimum else None,
        max_value=as_number(row.maximum) if row.maximum else None,
        max_digits=DIGITS_MAX,
        decimal_places=row.decimal_places,
        **common,
    )


def _date_field(row: Row, common: dict[str, Any]) -> DateField:
    common["initial"] = as_date(row.initial) if row.initial else None
    field = DateField(**common)
    if row.minimum:
        first = as_date(row.minimum)
        message = _("Choose %(date)s or a later day.") % {"date": date_format(first)}
        field.validators.append(MinValueValidator(first, message))
        field.widget.attrs["min"] = first.isoformat()
    if row.maximum:
        last = as_date(row.maximum)
        message = _("Choose %(date)s or an earlier day.") % {"date": date_format(last)}
        field.validators.append(MaxValueValidator(last, message))
        field.widget.attrs["max"] = last.isoformat()
    return field
