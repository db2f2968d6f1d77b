"""Forms in the words of Twilio's own webchats: the `preEngagementConfig` of Flex Webchat 2.x and 3.x, read and written.

https://www.twilio.com/docs/flex/developer/conversations/webchat/pre-engagement-and-context
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from webchat.fields import conditions
from webchat.fields.kinds import Role, Type
from webchat.forms import twilio_fields
from webchat.forms.javascript import DEPTH_MAX, Calculation, Script, TooDeep
from webchat.models import PreEngagementField, Webchat
from webchat.models.field import POSITION_STEP
from webchat.models.translations import CHOICES, MADE_FROM, Translated

TEXT_MAX = 32_000  # characters
ENTRIES_MAX = 100  # fields, and values of the context
# The webchat's own texts, by the config's key.
_TEXTS = {"title": "title", "description": "intro", "submitLabel": "submit_label"}
# What Twilio's webchats have no words for, and pass over: of the config and of each field, by language.
_TRANSLATIONS = "translations"
# What the context of Twilio's webchats calls the name of a visitor who told none.
_DEFAULT_NAME = "friendlyName"
# Columns of a field that is a field without them, too.
_DISPENSABLE = {
    "initial", "placeholder", "help_text", "pattern", "pattern_message", "min_length", "max_length", "minimum", "maximum",
    "shown_if",
}  # fmt: skip
_NOT_TAKEN = {"footerLabel": gettext_lazy("HTML is never taken.")}


Translations = dict[str, dict[str, Any]]


@dataclass
class Found:
    """A field that the config leads to, not saved yet, and what became of it on the way."""

    row: PreEngagementField
    notes: list[str]
    given_name: str = ""  # in the config
    condition: tuple[str, str] | None = None  # a name in the config and a value


@dataclass
class Plan:
    """The plan of an import: fields to save, what is left out and why, and texts of the webchat by column."""

    found: list[Found] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    # The translations of these texts: {"de": {"title": "…"}}.
    translations: Translations = field(default_factory=dict)

    def names(self) -> set[str]:
        return {found.row.name for found in self.found}


def read(text: str) -> dict[str, Any]:
    """The config as an object with `fields`, and with `context` if there is one, from JSON, a script or a page with one.

    Raises ValidationError, with the line and what is wrong there. Nothing is ever evaluated.
    """
    if len(text) > TEXT_MAX:
        raise ValidationError(_("This is too long: %(length)d characters at most.") % {"length": TEXT_MAX})
    script = Script(text)
    try:
        values = list(script.values())
    except TooDeep as error:
        raise ValidationError(
            _("This is nested too deeply: %(depth)d levels at most.") % {"depth": DEPTH_MAX}
        ) from error
    found = [_find(value) for value in values] + [_list_of_fields(value) for value in values]
    config = next(filter(None, found), None)
    if config is None:
        if problem := script.problem():
            text = _("Line %(line)d cannot be read, or what begins there does not end: %(text)s")
            raise ValidationError(text % {"line": problem.line, "text": problem.text})
        raise ValidationError(_("There is no list “fields” in it. Paste the whole preEngagementConfig."))
    if len(list(_items(config))) > ENTRIES_MAX:
        raise ValidationError(_("These are too many fields: %(count)d at most.") % {"count": ENTRIES_MAX})
    return config


def _find(value: Any, depth: int = 0) -> dict[str, Any] | None:
    """The object with the fields, in itself or inside the whole configuration of a webchat."""
    if not isinstance(value, dict) or depth > 3:
        return None
    if isinstance(value.get("fields"), list):
        return value
    for inner in value.values():
        if isinstance(inner, dict) and (found := _find(inner, depth + 1)):
            context = value.get("context")
            return {"context": context, **found} if isinstance(context, dict) else found
    return None


def _list_of_fields(value: Any) -> dict[str, Any] | None:
    """A list that was copied without the object around it."""
    is_one = isinstance(value, list) and any(isinstance(item, dict) and "type" in item for item in value)
    return {"fields": value} if is_one else None


def plan(config: dict[str, Any], webchat: Webchat, *, replace: bool) -> Plan:
    """Returns the plan of an import into the webchat's form. Changes no row."""
    made = Plan()
    rows = list(webchat.fields.all())
    names = set() if replace else {row.name for row in rows}
    roles = set() if replace else {row.role for row in rows if row.role}
    saved = {row.name: row for row in rows}
    for label, item in _items(config):
        try:
            row, notes = twilio_fields.read(item, names)
            told = _mapping_of(item)
            row.webchat = webchat
            _settle(row, notes, names, roles)
            if row.name in saved:
                _keep_own_rules(row, saved[row.name], notes)
            _clean(row, notes)
            notes += _take_translations(row, item.get(_TRANSLATIONS))
            if row.translations:
                notes.append(_("With its texts in %(languages)s.") % {"languages": ", ".join(row.translations)})
        except ValidationError as error:
            made.left_out.append((label, " ".join(error.messages)))
            continue
        names.add(row.name)
        roles.add(row.role)
        made.found.append(Found(row, notes, *told))
    _plan_conditions(made, [] if replace else rows)
    _plan_texts(config, webchat, made)
    return made


def _mapping_of(item: dict[str, Any]) -> tuple[str, tuple[str, str] | None]:
    """The name of a field in the config, and what it depends on: `showIf` is our own, and no webchat of Twilio's has it.
    Raises ValidationError."""
    attributes, told = item.get("attributes"), item.get("showIf")
    name = twilio_fields.as_text(attributes.get("name")) if isinstance(attributes, dict) else ""
    if not isinstance(told, dict):
        return name, None
    if found := next((part for part in told.values() if isinstance(part, Calculation)), None):
        raise ValidationError(twilio_fields.calculated(found))
    return name, (twilio_fields.as_text(told.get("name")), twilio_fields.as_text(told.get("value")))


def _plan_conditions(made: Plan, kept: list[PreEngagementField]) -> None:
    """Once all fields are known: a condition may name one that comes later."""
    named = {row.name: row.name for row in kept} | {
        found.given_name: found.row.name for found in made.found if found.given_name
    }
    rows = [*kept, *(found.row for found in made.found)]
    for found in made.found:
        if found.condition is not None:
            name, value = found.condition
            found.row.shown_if, found.row.shown_if_value = named.get(name, name)[:40], value[:200]
    for found in made.found:
        if words := conditions.problem(found.row, rows):
            found.notes.append(_("It is always shown. %(reason)s") % {"reason": words})
            found.row.shown_if = found.row.shown_if_value = ""
        elif found.row.shown_if:
            other = next(row for row in rows if row.name == found.row.shown_if)
            found.notes.append(_("It is shown only if “%(label)s” has a certain answer.") % {"label": other.label})


def _clean(row: PreEngagementField, notes: list[str]) -> None:
    """Leaves out what the field can do without. Raises ValidationError with what it cannot."""
    try:
        # Translations are those of a saved row, also in languages that the site has no longer. Given ones come later.
        return row.full_clean(exclude=["translations"])
    except ValidationError as error:
        wrong = error.message_dict
        if row.type == Type.HIDDEN or not all(column in _DISPENSABLE and getattr(row, column) for column in wrong):
            raise
    for column, messages in wrong.items():
        field = PreEngagementField._meta.get_field(column)
        told = {"column": field.verbose_name, "value": getattr(row, column), "reason": " ".join(messages)}  # type: ignore[union-attr]
        notes.append(_("Left out: %(column)s “%(value)s”. %(reason)s") % told)
        setattr(row, column, field.get_default())  # type: ignore[union-attr]
    return _clean(row, notes)


def _items(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for number, item in enumerate(config["fields"], 1):
        label = twilio_fields.as_text(item.get("label")) if isinstance(item, dict) else ""
        yield label[:80] or _("Field %(number)d") % {"number": number}, item
    for name, value in _context(config).items():
        if name != _DEFAULT_NAME:
            yield str(name)[:80], {"type": "context", "attributes": {"name": name, "value": value}}


def _context(config: dict[str, Any]) -> dict[str, Any]:
    context = config.get("context")
    return context if isinstance(context, dict) else {}


def _settle(row: PreEngagementField, notes: list[str], names: set[str], roles: set[str]) -> None:
    if row.name in names:
        raise ValidationError(_("There is a field “%(name)s” already.") % {"name": row.name})
    if row.role and row.role in roles:
        notes.append(_("Another field has its role, so it has none."))
        row.role = Role.NONE


def _keep_own_rules(row: PreEngagementField, saved: PreEngagementField, notes: list[str]) -> None:
    """It takes the place of a field whose rules Twilio has no words for."""
    row.pk, row.audience, row.help_text = saved.pk, saved.audience, saved.help_text
    row.shown_if, row.shown_if_value = saved.shown_if, saved.shown_if_value
    row._state.adding = False  # it is that row, saved anew
    _keep_translations(row, saved)
    if saved.match and row.type not in (*row.BOX_TYPES, Type.HIDDEN):
        row.match, row.user_lookup, row.show_account_value = saved.match, saved.user_lookup, saved.show_account_value
        notes.append(_("It keeps its rule for the site's users."))


def _keep_translations(row: PreEngagementField, saved: PreEngagementField) -> None:
    """Keeps the translations of those texts of a saved field that are the same in the new one."""
    same = [name for name in row.TEXTS if getattr(row, name) == getattr(saved, name)]
    choices = {value for value, _label in set(row.choice_pairs()) & set(saved.choice_pairs())}
    for language, texts in saved.translations.items():
        words = {value: each for value, each in texts.get(CHOICES, {}).items() if value in choices}
        for name, text in [*((name, texts.get(name)) for name in same), (CHOICES, words)]:
            row.translate(name, language, text, texts.get(MADE_FROM, {}).get(name))


def _take_translations(row: Translated, given: Any) -> list[str]:
    """Returns what cannot be taken, and why. Texts and languages that are not given stay."""
    problems = []
    for language, texts in given.items() if isinstance(given, dict) else ():
        for part in _parts_of(texts):
            try:
                row.validate_translations({language: part})
                row.add_translations({language: part})
            except ValidationError as error:
                problems.append(_("A translation is left out. %(reason)s") % {"reason": " ".join(error.messages)})
    return problems


def _parts_of(texts: Any) -> list[Any]:
    """Each text of a language by itself, with what it was made from: one that cannot be taken costs no other."""
    if not isinstance(texts, dict):
        return [texts]
    given = texts.get(MADE_FROM)
    digests = {name: {MADE_FROM: {name: each}} for name, each in given.items()} if isinstance(given, dict) else {}
    return [{name: text, **digests.get(name, {})} for name, text in texts.items() if name != MADE_FROM]


def _plan_texts(config: dict[str, Any], webchat: Webchat, made: Plan) -> None:
    texts = [(key, column, config.get(key)) for key, column in _TEXTS.items()]
    for key, column, value in [*texts, (_DEFAULT_NAME, "customer_friendly_name", _context(config).get(_DEFAULT_NAME))]:
        text = unicodedata.normalize("NFC", twilio_fields.as_text(value))
        try:
            if isinstance(value, Calculation):
                raise ValidationError(twilio_fields.calculated(value))
            if text:
                made.texts[column] = str(Webchat._meta.get_field(column).clean(text, webchat))  # type: ignore[union-attr]
        except ValidationError as error:
            made.left_out.append((key, " ".join(error.messages)))
    _plan_translations(config, made)
    for key in config.keys() - _TEXTS.keys() - {"fields", "context", _TRANSLATIONS}:
        made.left_out.append((str(key)[:80], str(_NOT_TAKEN.get(key) or _("There is nothing like it here."))))


def _plan_translations(config: dict[str, Any], made: Plan) -> None:
    """Plans the translations of the texts that are taken, by the config's keys."""
    given = config.get(_TRANSLATIONS)
    columns: dict[str, Any] = {}
    for language, texts in given.items() if isinstance(given, dict) else ():
        columns[language] = texts
        if isinstance(texts, dict):
            named = _by_column(texts)
            if isinstance(digests := texts.get(MADE_FROM), dict):
                named[MADE_FROM] = _by_column(digests)
            columns[language] = {
                name: text for name, text in named.items() if name in made.texts or name not in _TEXTS.values()
            }
    taken = Webchat()
    problems = _take_translations(taken, columns)
    made.left_out += [(_TRANSLATIONS, problem) for problem in problems]
    made.translations = taken.translations


@transaction.atomic
def save(made: Plan, webchat: Webchat, *, replace: bool, texts: bool) -> None:
    """Saves the fields behind those that are there, or in their place; and the webchat's texts if asked for."""
    if replace:
        webchat.fields.exclude(name__in=made.names()).delete()
    last = 0 if replace else max(webchat.fields.values_list("position", flat=True), default=0)
    for number, found in enumerate(made.found, 1):
        found.row.position = min(last + POSITION_STEP * number, 32_767)
        found.row.save()
    if texts and made.texts:
        for column, text in made.texts.items():
            if text != getattr(webchat, column):
                webchat.forget_translations(column)
            setattr(webchat, column, text)
        webchat.add_translations(made.translations)
        webchat.save(update_fields=[*made.texts, "translations"])


def config_of(webchat: Webchat) -> dict[str, Any]:
    """The webchat's form as configuration of Flex Webchat 3.x, in the site's language; hidden fields become its context.

    The other languages are in `translations`, which Twilio's webchats pass over.
    """
    with override(settings.LANGUAGE_CODE):
        return _config_of(webchat)


def _config_of(webchat: Webchat) -> dict[str, Any]:
    fields, context = [], {}
    rows = list(webchat.fields.all())
    asks = any(row.role == Role.QUESTION and row.type != Type.HIDDEN for row in rows)
    # 3.x looks for the question under “query” alone.
    names = {
        row.name: f"{row.name}_field" if asks and row.name == "query" and row.role != Role.QUESTION else row.name
        for row in rows
    }
    named = {row.name: twilio_fields.name_of(row, names[row.name]) for row in rows}
    for row in rows:
        if row.type == Type.HIDDEN and not row.shown_if:
            context[row.name] = row.initial
            continue
        item = twilio_fields.write(row, names[row.name])
        if row.shown_if:
            item["showIf"] = {"name": named.get(row.shown_if, row.shown_if), "value": row.shown_if_value}
        if row.translations:
            item[_TRANSLATIONS] = row.translations
        fields.append(item)
    config: dict[str, Any] = {
        "title": webchat.title,
        "description": webchat.intro,
        "submitLabel": webchat.submit_label,
        "fields": fields,
    }
    if translations := _translations_of(webchat):
        config[_TRANSLATIONS] = translations
    return {"preEngagementConfig": config} | ({"context": context} if context else {})


def _translations_of(webchat: Webchat) -> Translations:
    """The translations of the texts that the config has, by its keys."""
    found: Translations = {}
    for language, texts in webchat.translations.items():
        if named := _by_key(texts):
            digests = _by_key(texts.get(MADE_FROM, {}))
            found[language] = {**named, **({MADE_FROM: digests} if digests else {})}
    return found


def _by_key(texts: dict[str, Any]) -> dict[str, Any]:
    return {key: texts[column] for key, column in _TEXTS.items() if texts.get(column)}


def _by_column(texts: dict[str, Any]) -> dict[str, Any]:
    return {_TEXTS.get(key, key): text for key, text in texts.items()}
