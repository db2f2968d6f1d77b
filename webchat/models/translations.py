"""What visitors read of a row, in the languages of the site: docs/decisions/texts-in-every-language.md.

A row's columns hold its texts in the site's language, settings.LANGUAGE_CODE. `translations` holds them in the others of
settings.LANGUAGES: {"de": {"label": "…", "choices": {"a value": "its words"}}}. What is missing there is read in the site's
language. "made_from" among them is no text: it has a digest of each text that a translation was made from, and shows that the
text has changed since. What Twilio and agents get comes from the columns alone, and is the same in all languages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _

from webchat.fields.person_names import validate_line, validate_text

# The name of the words of a row's choices: {"a value": "its words"}.
CHOICES = "choices"
# The name of the digests of a language's texts: {"label": "a digest", "choices": {"a value": "a digest"}}, of the texts in the site's language.
MADE_FROM = "made_from"


def other_languages() -> dict[str, str]:
    """The languages of the site besides its own: code → its name in itself."""
    return {code: str(name) for code, name in settings.LANGUAGES if code != settings.LANGUAGE_CODE}


def from_catalogues(**texts: str) -> dict[str, Any]:
    """Columns of a row whose texts are in the catalogues under locale/: in the site's language, with `translations`."""
    with override(settings.LANGUAGE_CODE):
        columns: dict[str, Any] = {name: gettext(text) for name, text in texts.items()}
    columns["translations"] = {}
    for language in other_languages():
        with override(language):
            columns["translations"][language] = {name: gettext(text) for name, text in texts.items()}
    return columns


def _languages_read(language: str | None) -> Iterator[str]:
    """In which somebody who reads this one looks for a text before the site's: de-ch, then de."""
    for each in dict.fromkeys([language or settings.LANGUAGE_CODE, (language or "").partition("-")[0]]):
        if each == settings.LANGUAGE_CODE:
            return
        yield each


def digest(text: str) -> str:
    """The same for a text with other spaces or line breaks."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def _readable(texts: dict[str, Any]) -> dict[str, Any]:
    """The texts of one language that are such, and the words of choices that are."""
    words, made_from = texts.get(CHOICES), texts.get(MADE_FROM)
    found: dict[str, Any] = {
        name: text for name, text in texts.items() if isinstance(text, str) and name not in (CHOICES, MADE_FROM)
    }
    if isinstance(words, dict):
        found[CHOICES] = _texts_among(words)
    if isinstance(made_from, dict):
        found[MADE_FROM] = _texts_among(made_from)
        if isinstance(of_choices := made_from.get(CHOICES), dict):
            found[MADE_FROM][CHOICES] = _texts_among(of_choices)
    return found


def _texts_among(found: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in found.items() if isinstance(each, str)}


class TranslationsField(models.JSONField):
    """The column of Translated. Not editable: forms have an input for each text and language."""

    # An empty list is none of its values: it is looked at like any other.
    empty_values = ()

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> dict[str, dict[str, Any]]:
        """Without what has another shape: a fixture or SQL may have written it, and it must not cost visitors a page."""
        stored = super().from_db_value(value, expression, connection)
        languages = stored.items() if isinstance(stored, dict) else ()
        return {language: _readable(texts) for language, texts in languages if isinstance(texts, dict)}

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if isinstance(model_instance, Translated):
            model_instance.validate_translations(value)


class Texts(Mapping[str, str]):
    """The texts of a row in one language, by the name of their column."""

    def __init__(self, row: Translated, language: str | None) -> None:
        self.row, self.language = row, language

    def __getitem__(self, name: str) -> str:
        """A text that is empty in the site's language is in all. One that nobody edited is translated with the page."""
        if name not in self.row.TEXTS:
            raise KeyError(name)
        stored: str = getattr(self.row, name)
        if not stored:
            return ""
        translated = self.row.translated(name, self.language)
        return translated or (gettext(stored) if stored == self.row.standard(name) else stored)

    def __iter__(self) -> Iterator[str]:
        return iter(self.row.TEXTS)

    def __len__(self) -> int:
        return len(self.row.TEXTS)


class Translated(models.Model):
    """A row with texts that visitors read."""

    # The columns with such texts.
    TEXTS: ClassVar[tuple[str, ...]] = ()

    translations = TranslationsField(_("translations"), default=dict, db_default={}, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def texts(self) -> Texts:
        """In the active language, else in the site's."""
        return Texts(self, get_language())

    @classmethod
    def standard(cls, name: str) -> str:
        """The text of a row that nobody edited: it is in the catalogues under locale/. "" for none."""
        return str(cls._meta.get_field(name).get_default() or "")  # type: ignore[union-attr]

    def translated(self, name: str, language: str | None) -> Any:
        """The text, or the words of the choices by value, as staff wrote it for whoever reads this language. None for
        nothing."""
        found = (self.translations.get(each, {}).get(name) for each in _languages_read(language))
        return next(filter(None, found), None)

    def wordings(self, name: str) -> list[str]:
        """A text in all languages, the active one first."""
        others = (texts.get(name) for texts in self.translations.values())
        return list(dict.fromkeys(filter(None, [self.texts[name], getattr(self, name), *others])))

    def translate(self, name: str, language: str, text: Any, made_from: Any) -> None:
        """Keeps the translation of one text, in place of what was there; without a text there is none. `made_from` is as
        `source_digest` gives it, None for unknown."""
        texts = {each: words for each, words in self.translations.get(language, {}).items() if each != name}
        digests = {each: of for each, of in texts.pop(MADE_FROM, {}).items() if each != name}
        if text:
            texts[name] = text
            digests |= {name: made_from} if made_from else {}
        if digests:
            texts[MADE_FROM] = digests
        others = {each: texts for each, texts in self.translations.items() if each != language}
        self.translations = {**others, language: texts} if texts else others

    def add_translations(self, given: dict[str, dict[str, Any]]) -> None:
        """Keeps these translations. Those of other texts and languages stay."""
        for language, texts in given.items():
            digests = texts.get(MADE_FROM, {})
            for name, text in texts.items():
                if name != MADE_FROM:
                    self.translate(name, language, text, digests.get(name))

    def forget_translations(self, name: str) -> None:
        """Drops the translations of a text that is another one now."""
        for language in self.translations:
            self.translate(name, language, None, None)

    @property
    def translated_texts(self) -> dict[str, dict[str, Any]]:
        """The translations alone."""
        return {
            language: {name: text for name, text in texts.items() if name != MADE_FROM}
            for language, texts in self.translations.items()
        }

    # --- What is missing, or out of date ------------------------------------------------------------------------

    def texts_in_use(self) -> list[str]:
        """The columns whose text visitors read."""
        return [name for name in self.TEXTS if getattr(self, name)]

    def texts_to_translate(self) -> list[str]:
        """The texts that staff wrote: what is as it came needs no translation."""
        return [name for name in self.texts_in_use() if name == CHOICES or getattr(self, name) != self.standard(name)]

    def missing_texts(self, language: str) -> list[str]:
        """The columns whose text visitors of this language read in the site's."""
        return [name for name in self.texts_to_translate() if not self.is_translated(name, language)]

    def is_translated(self, name: str, language: str) -> bool:
        return bool(self.translated(name, language))

    def outdated_texts(self, language: str) -> list[str]:
        """The columns whose text has changed since it was translated, as far as that is known."""
        return [name for name in self.texts_in_use() if self._is_outdated(name, language)]

    def _is_outdated(self, name: str, language: str) -> bool:
        read = (self.translations.get(each, {}) for each in _languages_read(language))
        texts: dict[str, Any] = next((texts for texts in read if texts.get(name)), {})
        then, now = texts.get(MADE_FROM, {}).get(name), self.source_digest(name)
        if isinstance(then, dict) and isinstance(now, dict):  # of each choice
            return any(then.get(value, now[value]) != now[value] for value in texts[name].keys() & now.keys())
        return then is not None and then != now

    def source_digest(self, name: str) -> str | dict[str, str]:
        """The digest of the text in the site's language; for choices one for each value, of its words."""
        return digest(getattr(self, name))

    # --- What may stand there -----------------------------------------------------------------------------------

    def validate_translations(self, value: Any) -> None:
        """Raises ValidationError with all that is wrong: another shape or language, a name that has no text, or a text
        that could not stand in its column."""
        problems: list[str] = []
        if not isinstance(value, dict):
            raise ValidationError(_("Translations are an object like {“de”: {“label”: “…”}}."))
        for language, texts in value.items():
            if language not in other_languages():
                known = ", ".join(other_languages())
                text = _("“%(language)s” is none of the languages that texts are translated to: %(known)s.")
                problems.append(text % {"language": str(language)[:40], "known": known})
            elif not isinstance(texts, dict):
                problems.append(_("%(language)s: it is no object of texts.") % {"language": language})
            else:
                problems += [f"{language}, {name[:40]}: {why}" for name, why in self._problems_of(texts)]
        if problems:
            raise ValidationError(problems)

    def _problems_of(self, texts: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name, text in texts.items():
            try:
                if name == MADE_FROM:
                    self._validate_made_from(text)
                else:
                    self.validate_translation(name, text)
            except ValidationError as error:
                yield name, " ".join(error.messages)

    def _validate_made_from(self, digests: Any) -> None:
        if not isinstance(digests, dict) or _readable({MADE_FROM: digests}) != {MADE_FROM: digests}:
            raise ValidationError(_("It is no object of digests."))
        of_choices = digests.get(CHOICES, {})
        parts = [*digests.values(), *of_choices, *of_choices.values()] if isinstance(of_choices, dict) else [of_choices]
        for each in parts:
            if isinstance(each, str):
                validate_line(each)

    def validate_translation(self, name: str, text: Any) -> None:
        """Raises ValidationError unless the text may stand in the column."""
        if name not in self.TEXTS:
            raise ValidationError(_("There is no text of this name."))
        if not isinstance(text, str):
            raise ValidationError(_("It is no text."))
        column: Any = self._meta.get_field(name)
        validate_text(text)
        MaxLengthValidator(column.max_length)(text)
        column.run_validators(text)
