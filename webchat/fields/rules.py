"""Which fields staff can save: each can be shown, and can be answered."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext as _

from webchat.fields import autofill, conditions, formfields, lookups, patterns
from webchat.fields.kinds import (
    BOX_TYPES,
    CHOICE_TYPES,
    CONSENT_LONGEST,
    LABEL_LONGEST,
    LENGTH_TYPES,
    RANGE_TYPES,
    ROLE_TYPES,
    Row,
    Type,
)
from webchat.fields.person_names import validate_line

Errors = dict[str, Any]

# What a message needs to be answered, where the form does not ask for it: its text, and an e-mail address.
MESSAGE_TEXT, REPLY_EMAIL = "message_text", "reply_email"
# Keys that the site itself adds to what Flex gets, or that a form post carries beside the answers.
RESERVED_NAMES = frozenset(
    {
        "friendlyName", "friendlyname", "location", "locale", "referrer", "verified", "identity", "context",
        "csrfmiddlewaretoken", "idempotency_key", "proof_of_work", MESSAGE_TEXT, REPLY_EMAIL,
    }
)  # fmt: skip
_CHOICE_MAX = 200  # characters


def problems(row: Row) -> Errors:
    """Returns what is wrong with a field of a known type, by column name."""
    errors = _of_name(row) | _of_label(row) | _of_role(row) | _of_match(row) | range_problems(row)
    if words := conditions.problem_alone(row):
        errors["shown_if"] = words
    if row.type in CHOICE_TYPES:
        errors |= _of_choices(row)
    if row.type in LENGTH_TYPES:
        errors |= _of_lengths(row)
    if not autofill.fits(row.autocomplete, row.type):
        errors["autocomplete"] = _("A browser cannot fill that into a field of this type.")
    # The field itself judges its default, so it must be sound.
    return errors or _of_initial(row)


def _of_name(row: Row) -> Errors:
    if row.name in RESERVED_NAMES:
        return {"name": _("“%(name)s” is a key of the site's own. Choose another name.") % {"name": row.name}}
    return {}


def validate_label(type_: str, label: str) -> None:
    """A consent may have paragraphs; a question is one line. Raises ValidationError."""
    is_consent = type_ == Type.CONSENT
    if not is_consent:
        validate_line(label)
    MaxLengthValidator(CONSENT_LONGEST if is_consent else LABEL_LONGEST)(label)


def _of_label(row: Row) -> Errors:
    try:
        validate_label(row.type, row.label)
    except ValidationError as error:
        return {"label": error}
    return {}


def _of_role(row: Row) -> Errors:
    fitting = ROLE_TYPES.get(row.role)
    if not fitting or row.type in fitting:
        return {}
    types = ", ".join(str(type_.label) for type_ in fitting)
    return {"role": _("A field with this role is of one of the types: %(types)s.") % {"types": types}}


def _of_match(row: Row) -> Errors:
    if not row.match:
        return {}
    if row.type in (*BOX_TYPES, Type.HIDDEN):
        return {"match": _("A field of this type cannot be compared with the site's users.")}
    try:
        lookups.validate_lookup(row.user_lookup)
    except ValidationError as error:
        return {"user_lookup": error}
    return {}


def _of_choices(row: Row) -> Errors:
    values = [value for value, _label in row.choice_pairs()]
    if not values:
        return {"choices": _("Write at least one choice.")}
    if "" in values:
        return {"choices": _("A choice has no value: write value | label.")}
    if len(values) != len(set(values)):
        return {"choices": _("Two choices have the same value.")}
    if max(map(len, values)) > _CHOICE_MAX:
        return {"choices": _("The value of a choice has %(length)d characters at most.") % {"length": _CHOICE_MAX}}
    if row.initial and row.initial not in values:
        return {"initial": _("The default is none of the choices.")}
    return {}


def _of_lengths(row: Row) -> Errors:
    longest, shortest = row.longest or 0, row.min_length or 0
    if shortest > longest:
        text = _("The shortest answer is longer than the longest one, %(longest)d characters.")
        return {"min_length": text % {"longest": longest}}
    if not (row.pattern and row.takes_pattern):
        return {}
    try:
        patterns.compile_pattern(row.pattern)
    except ValidationError as error:
        return {"pattern": error}
    return {}


def range_problems(row: Row) -> Errors:
    """What is wrong with a number's or a date's range. A range with a fixed day and one that counts from today can end some day."""
    if row.type not in RANGE_TYPES:
        return {}
    errors: Errors = {}
    limits: dict[str, Any] = {}
    for name in ("minimum", "maximum"):
        if text := getattr(row, name):
            try:
                limits[name] = _limit(row, text)
            except ValidationError as error:
                errors[name] = error
    if len(limits) == 2 and limits["minimum"] > limits["maximum"]:
        errors["minimum"] = _("This is more than the end of the range.")
    return errors


def _limit(row: Row, text: str) -> Any:
    if row.type == Type.DATE:
        return formfields.as_date(text)
    # A limit must be an answer itself, or there may be none between the two.
    formfields.NumberField(max_digits=formfields.DIGITS_MAX, decimal_places=row.decimal_places).clean(text)
    return formfields.as_number(text)


def _of_initial(row: Row) -> Errors:
    if row.type == Type.HIDDEN and not row.initial:
        return {"initial": _("Hidden context needs a value.")}
    if row.type == Type.CONSENT and row.initial:
        return {"initial": _("A consent is never given in advance.")}
    if row.type == Type.CHECKBOX and row.initial.lower() not in (*formfields.YES, *formfields.NO):
        return {"initial": _("Write yes or no.")}
    if row.initial and row.type not in BOX_TYPES:
        try:
            field = row.formfield()
            field.clean(field.initial)
        except ValidationError as error:
            return {"initial": error}
    return {}
