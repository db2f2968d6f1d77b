"""Inputs for the texts of a row in the other languages of the site, below those of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import BooleanField, BoundField, ModelForm, Textarea
from django.http import HttpRequest
from django.utils.translation import get_language_info, override
from django.utils.translation import gettext as _

from webchat.models import Webchat
from webchat.models.translations import CHOICES, MADE_FROM, Translated, other_languages


def is_rtl(language: str) -> bool:
    return bool(get_language_info(language)["bidi"])


def direction(language: str) -> str:
    return "rtl" if is_rtl(language) else "ltr"


def input_name(text: str, language: str) -> str:
    """As merging tells two people's edits apart: by text and language."""
    return f"{text}__{language}"


def fits_name(text: str, language: str) -> str:
    """The name of the box that says that a translation still fits its text."""
    return f"{text}__{language}__fits"


def chosen_language(request: HttpRequest) -> str:
    """Which of the other languages the page's address asks for; "" for none."""
    language = request.GET.get("language", "")
    return language if language in other_languages() else ""


def to_do_by_language(webchat: Webchat | None) -> list[tuple[str, str, int, int]]:
    """Code and name of each other language, and how many texts of the webchat and its form are missing in it, and how many
    have changed since they were translated."""
    rows: list[Translated] = [webchat, *webchat.fields.all()] if webchat else []
    return [
        (
            code,
            name,
            sum(len(row.missing_texts(code)) for row in rows),
            sum(len(row.outdated_texts(code)) for row in rows),
        )
        for code, name in other_languages().items()
    ]


@dataclass(frozen=True, slots=True)
class TextInput:
    """One text in one language: its input and what stands in the site's language, as saved. Without the input it is only
    shown. `fits` is the box of a translation that is older than its text."""

    name: str
    source: str
    is_missing: bool
    is_outdated: bool
    field: BoundField | None = None
    fits: BoundField | None = None
    label: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    name: str
    inputs: list[TextInput]

    @property
    def direction(self) -> str:
        return direction(self.code)

    @property
    def missing(self) -> int:
        return sum(each.is_missing for each in self.inputs)

    @property
    def outdated(self) -> int:
        return sum(each.is_outdated for each in self.inputs)

    @property
    def has_errors(self) -> bool:
        return any(each.field is not None and each.field.errors for each in self.inputs)


class TranslatedForm(ModelForm):
    """A form with an input for each text and language, if it has one for the text in the site's language, and something
    is written there."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A field that a new webchat begins with is only in the initial data.
        self.stored: Any = self.initial.get("translations") or self.instance.translations
        self.texts = [name for name in (*self.instance.TEXTS, CHOICES) if name in self.fields]
        is_stored = self.instance.pk is not None
        self.missing = {each: self.instance.missing_texts(each) if is_stored else [] for each in other_languages()}
        self.outdated = {each: self.instance.outdated_texts(each) if is_stored else [] for each in other_languages()}
        for text in self.texts:
            for language, language_name in other_languages().items():
                if self._has_input(text, language):
                    self._add_input(text, language, language_name)

    def _has_input(self, text: str, language: str) -> bool:
        """A page has none for texts that are empty: five for each field and language would make a long form slow. What a
        page did not send stays as it is. A new row is not written yet."""
        if self.is_bound:
            return self.add_prefix(input_name(text, language)) in self.data
        return not self.instance.pk or bool(self._source(text) or self._stored_text(text, language))

    def _add_input(self, text: str, language: str, language_name: str) -> None:
        field = copy.deepcopy(self.fields[text])
        name = input_name(text, language)
        words = {"text": field.label, "language": language_name}
        field.required, field.help_text, field.label = False, "", _("%(text)s (%(language)s)") % words
        field.widget.is_required = False
        attributes = {"lang": language, "dir": direction(language), "placeholder": self._shown_now(text, language)}
        field.widget.attrs |= attributes | ({"rows": 2} if isinstance(field.widget, Textarea) else {})
        field.initial = None
        self.fields[name] = field
        self.initial[name] = self._stored_text(text, language)
        if text in self.outdated[language]:
            label = _("“%(field)s” still fits") % {"field": field.label}
            self.fields[fits_name(text, language)] = BooleanField(label=label, required=False)

    def _stored_text(self, text: str, language: str) -> str:
        found: Any = self.stored.get(language, {}).get(text) or ""
        if text != CHOICES:
            return str(found)
        order = [value for value, _label in _pairs_of(self.instance)]
        return "\n".join(f"{value} | {found[value]}" for value in order if found and found.get(value))

    def _shown_now(self, text: str, language: str) -> str:
        """What visitors read without a translation."""
        if text == CHOICES:
            return "\n".join(f"{value} | {label}" for value, label in _pairs_of(self.instance))
        source = self.initial.get(text) or getattr(self.instance, text)
        if source != self.instance.standard(text):
            return str(source)
        with override(language):
            return str(type(self.instance)().texts[text])

    def languages(self) -> Iterator[Language]:
        """What the page shows below the texts in the site's language."""
        asked = [*self.instance.TEXTS, *([CHOICES] if hasattr(self.instance, CHOICES) else [])]
        for code, name in other_languages().items():
            shown = [text for text in asked if self._is_shown(text, code)]
            yield Language(code, name, [self._shown(text, code) for text in shown])

    def _is_shown(self, text: str, language: str) -> bool:
        if text in self.texts:
            return input_name(text, language) in self.fields
        return bool(self._source(text) or self._stored_text(text, language))

    def _source(self, text: str) -> str:
        return str(self.initial.get(text) or getattr(self.instance, text))

    def _shown(self, text: str, language: str) -> TextInput:
        state = self._source(text), text in self.missing[language], text in self.outdated[language]
        if text in self.texts:
            fits = fits_name(text, language)
            box = self[fits] if fits in self.fields else None
            return TextInput(text, *state, field=self[input_name(text, language)], fits=box)
        label = self.instance._meta.get_field(text).verbose_name
        return TextInput(text, *state, label=str(label), text=self._stored_text(text, language))

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        sent = self.cleaned_data
        # As it will be, as far as a translation has to fit it.
        texts = {name: sent[name] for name in ("type", *self.texts) if sent.get(name)}
        row = type(self.instance)(**texts)
        for text in self.texts:
            for language in other_languages():
                if (name := input_name(text, language)) in sent:
                    made_from = self.made_from(row, text, language)
                    self.instance.translate(text, language, self._words(row, text, name), made_from)
        return cleaned

    def made_from(self, row: Translated, text: str, language: str) -> Any:
        """A translation that is written, or said to fit, is of the text that is saved with it. Another is of the text that it
        was of: if nobody knows, of the one that stood there."""
        is_written = {input_name(text, language), fits_name(text, language)} & set(self.changed_data)
        if is_written or self.instance.pk is None:
            return row.source_digest(text)
        known = self.instance.translations.get(language, {}).get(MADE_FROM, {}).get(text)
        return known or self.instance.source_digest(text)

    def _words(self, row: Translated, text: str, name: str) -> Any:
        """What was written in an input; None where it could not be read."""
        words: Any = self.cleaned_data[name]
        try:
            if text == CHOICES:
                words = self._words_of_choices(row, words)
            if words:
                row.validate_translation(text, words)
        except ValidationError as error:
            self.add_error(name, error)
            return None
        return words

    def _words_of_choices(self, row: Translated, written: str) -> dict[str, str]:
        """A choice that is removed in the same save takes its words along. Raises ValidationError."""
        lines = [line.partition("|") for line in filter(None, map(str.strip, written.splitlines()))]
        if bad := next((value for value, bar, words in lines if not (bar and words.strip())), None):
            raise ValidationError(_("Write value | words: “%(line)s” has no words.") % {"line": bad.strip()[:40]})
        removed = {value for value, _label in _pairs_of(self.instance)} - {value for value, _label in _pairs_of(row)}
        words = {value.strip(): each.strip() for value, _bar, each in lines}
        return {value: each for value, each in words.items() if value not in removed}


def _pairs_of(row: Any) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = row.choice_pairs()
    return pairs
