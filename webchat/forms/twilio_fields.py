"""One field of a form in the words of Twilio's own webchats: InputItem, TextareaItem, SelectItem, CheckboxItem."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from webchat.fields import kinds
from webchat.fields.kinds import Role, Type
from webchat.fields.person_names import clean_line
from webchat.fields.rules import RESERVED_NAMES
from webchat.forms.javascript import Calculation
from webchat.models import PreEngagementField
from webchat.models.field import name_from_label

_INPUTS = {
    "text": Type.TEXT,
    "email": Type.EMAIL,
    "tel": Type.PHONE,
    "number": Type.NUMBER,
    "date": Type.DATE,
    "checkbox": Type.CHECKBOX,
    "hidden": Type.HIDDEN,
    "time": Type.TEXT,
    "url": Type.TEXT,
    "search": Type.TEXT,
}
_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_ITEMS = {
    "TextareaItem": Type.TEXTAREA,
    "SelectItem": Type.SELECT,
    "RadioItem": Type.RADIO,
    "CheckboxItem": Type.CHECKBOX,
    "context": Type.HIDDEN,
}
_ROLES = {"friendlyName": Role.CUSTOMER_NAME, "query": Role.QUESTION, "question": Role.QUESTION}
_READ = {
    "name", "type", "required", "placeholder", "value", "pattern", "title", "min", "max", "minlength", "maxlength",
    "readOnly", "disabled", "checked", "refLink",
}  # fmt: skip


def as_text(value: Any) -> str:
    """A plain value as text, in one form and without space around it; "" for anything else."""
    if isinstance(value, bool):
        return "yes" if value else ""
    return unicodedata.normalize("NFC", str(value)).strip() if isinstance(value, str | int | float) else ""


def is_true(value: Any) -> bool:
    return value is True or as_text(value).lower() in ("yes", "true", "required", "checked")


def calculated(value: Calculation) -> str:
    return _("It is calculated in line %(line)d, and nothing is calculated here.") % {"line": value.line}


def read(item: Any, taken: Container[str]) -> tuple[PreEngagementField, list[str]]:
    """An unsaved field without its webchat, and notes on what became different. `taken` are names of other fields.
    Raises ValidationError with the reason why there is none; `full_clean` has the last word on what is returned."""
    if isinstance(item, Calculation):
        raise ValidationError(calculated(item))
    if not isinstance(item, dict):
        raise ValidationError(_("This is no field."))
    found = item.get("attributes")
    attributes: dict[str, Any] = found if isinstance(found, dict) else {}
    if item.get("type") == "context" and isinstance(value := attributes.get("value"), Calculation):
        raise ValidationError(calculated(value))
    notes = [
        _("“%(name)s” is calculated in line %(line)d, so it is left out.") % {"name": name[:40], "line": value.line}
        for name, value in {**item, **attributes}.items()
        if isinstance(value, Calculation)
    ]
    row = PreEngagementField(type=_type(item, attributes), required=is_true(attributes.get("required")))
    row.label = as_text(item.get("label")) or as_text(attributes.get("placeholder")) or as_text(attributes.get("name"))
    _take_name(row, as_text(attributes.get("name")), taken, notes)
    _take_attributes(row, attributes, notes)
    if row.type in row.CHOICE_TYPES:
        _take_options(row, item.get("options"), notes)
    if row.type == Type.CHECKBOX and row.required:
        row.type, row.initial = Type.CONSENT, ""
        notes.append(_("It must be ticked, so it is a consent."))
    if row.type != Type.CONSENT:
        row.label = clean_line(re.sub(r"\s*\n\s*", " ", row.label))
    return row, notes


def _type(item: dict[str, Any], attributes: dict[str, Any]) -> Type:
    if isinstance(given := item.get("type"), Calculation):
        raise ValidationError(calculated(given))
    kind = as_text(given)
    if kind in _ITEMS:
        return _ITEMS[kind]
    if kind != "InputItem":
        raise ValidationError(_("Fields of the type “%(type)s” are not supported.") % {"type": kind[:40]})
    type_ = as_text(attributes.get("type")).lower() or "text"
    if type_ == "password":
        raise ValidationError(_("A chat never asks for a password."))
    if type_ not in _INPUTS:
        raise ValidationError(_("Inputs of the type “%(type)s” are not supported.") % {"type": type_[:40]})
    return _INPUTS[type_]


def _take_name(row: PreEngagementField, given: str, taken: Container[str], notes: list[str]) -> None:
    row.role = _ROLES.get(given, Role.NONE)
    if row.role and row.type not in kinds.ROLE_TYPES[row.role]:
        notes.append(_("A field of this type cannot have the role that its name stands for."))
        row.role = Role.NONE
    if row.role == Role.CUSTOMER_NAME:
        row.name = "name"
        row.type = Type.NAME if row.type == Type.TEXT else row.type
        notes.append(_("Agents see it as the visitor's name; Flex gets it as friendlyName, and as “name”."))
        return
    if row.role == Role.QUESTION:
        notes.append(_("It is posted as the first message."))
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", given)
    row.name = name_from_label(snake or row.label, taken)
    if row.name in RESERVED_NAMES:
        row.name = f"{row.name}_field"
    if given and row.name != given:
        notes.append(_("Its name was “%(name)s”: change it in Studio too.") % {"name": given[:80]})


def _take_attributes(row: PreEngagementField, attributes: dict[str, Any], notes: list[str]) -> None:
    value = as_text(attributes.get("value"))
    row.placeholder = as_text(attributes.get("placeholder"))[:80]
    if row.type == Type.CHECKBOX:
        row.initial = "yes" if is_true(attributes.get("checked", attributes.get("value"))) else ""
    else:
        row.initial = value
    if as_text(attributes.get("type")).lower() == "time":
        row.pattern, row.pattern_message = _TIME, _("A time, like 09:30.")
        notes.append(_("It is a text that looks like a time."))
    elif row.takes_pattern:
        row.pattern, row.pattern_message = as_text(attributes.get("pattern")), as_text(attributes.get("title"))
    elif attributes.get("pattern"):
        notes.append(_("A field of this type has no pattern."))
    if row.type in row.RANGE_TYPES:
        row.minimum, row.maximum = as_text(attributes.get("min")), as_text(attributes.get("max"))
    if row.type in row.LENGTH_TYPES:
        row.min_length, row.max_length = _count(attributes.get("minlength")), _count(attributes.get("maxlength"))
    if is_true(attributes.get("readOnly")) or is_true(attributes.get("disabled")):
        _take_read_only(row, notes)
    if link := as_text(attributes.get("refLink")):
        _take_link(row, link, notes)
    ignored = sorted(
        str(key)[:40] for key, value in attributes.items() if key not in _READ and not isinstance(value, Calculation)
    )
    if ignored:
        notes.append(_("Left out: %(names)s.") % {"names": ", ".join(ignored)})


def _take_read_only(row: PreEngagementField, notes: list[str]) -> None:
    if row.initial and row.type not in row.BOX_TYPES:
        row.type = Type.HIDDEN
        notes.append(_("Nobody may change it, so it is hidden context."))
    else:
        notes.append(_("It can be filled in here: a browser's “read-only” keeps nobody from it."))


def _take_link(row: PreEngagementField, link: str, notes: list[str]) -> None:
    """Addresses in the help are links. What else people write there is HTML."""
    if link.startswith(("https://", "http://")) and not set(link) & set("<>\"' "):
        row.help_text = link
        notes.append(_("Its link stands in the help."))
    else:
        notes.append(_("Its link is left out: HTML is never taken."))


def _count(value: Any) -> int | None:
    text = as_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


def _take_options(row: PreEngagementField, options: Any, notes: list[str]) -> None:
    lines = []
    for option in options if isinstance(options, list) else ():
        parts = [option, *option.values()] if isinstance(option, dict) else [option]
        if found := next((part for part in parts if isinstance(part, Calculation)), None):
            notes.append(_("A choice is left out. %(reason)s") % {"reason": calculated(found)})
            continue
        one = option if isinstance(option, dict) else {"value": option, "label": option}
        value, label = (" ".join(as_text(one.get(key)).split()) for key in ("value", "label"))
        if "|" in value + label:
            notes.append(_("“|” became “/” in a choice."))
            value, label = value.replace("|", "/"), label.replace("|", "/")
        if not value:
            row.placeholder = (label or row.placeholder)[:80]
            continue
        lines.append(value if value == label or not label else f"{value} | {label}")
        if is_true(one.get("selected")):
            row.initial = value
    row.choices = "\n".join(dict.fromkeys(lines))
    if len(set(lines)) < len(lines):
        notes.append(_("A choice that stood there twice is there once."))


def name_of(row: PreEngagementField, name: str) -> str:
    """What Twilio's webchats call the field that has this name elsewhere."""
    named = {Role.CUSTOMER_NAME.value: "friendlyName", Role.QUESTION.value: "query"}
    return named.get(row.role, name)


def write(row: PreEngagementField, name: str) -> dict[str, Any]:
    """The field in the shape of Flex Webchat 3.x, in the active language. Rules that it does not know are left out."""
    attributes: dict[str, Any] = {"name": name_of(row, name), "required": row.required}
    item: dict[str, Any] = {"label": row.texts["label"], "type": "InputItem", "attributes": attributes}
    match row.type:
        case Type.TEXTAREA:
            item["type"] = "TextareaItem"
        case Type.SELECT | Type.RADIO:
            item["type"] = "SelectItem"
            item["options"] = [
                {"value": value, "label": label, "selected": value == row.initial}
                for value, label in row.choices_to_show()
            ]
        case Type.CHECKBOX | Type.CONSENT:
            item["type"] = "CheckboxItem"
            attributes["required"] = row.required or row.type == Type.CONSENT
        case _:
            inputs: dict[str, str] = {
                Type.EMAIL: "email",
                Type.PHONE: "tel",
                Type.NUMBER: "number",
                Type.DATE: "date",
                Type.HIDDEN: "hidden",
            }
            attributes["type"] = inputs.get(row.type, "text")
    if row.placeholder and row.type not in row.BOX_TYPES:
        attributes["placeholder"] = row.texts["placeholder"]
    if row.initial and row.type not in (*row.CHOICE_TYPES, *row.BOX_TYPES):
        attributes["value"] = row.initial
    if row.pattern and row.takes_pattern:
        attributes["pattern"] = row.pattern
    return item
