"""What visitors read of a row, in the languages of the site: docs/decisions/texts-in-every-language.md.

A row's columns hold its texts in the site's language, settings.LANGUAGE_CODE. `translations` holds them in the others of
settings.LANGUAGES: {"de": {"label": "…", "choices": {"a value": "its words"}}}. What is missing there is read in the site's
language. What Twilio and agents get comes from the columns alone, and is the same in all languages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _

from webchat.fields.person_names import validate_text

# Of the words of a row's choices: {"a value": "its words"}.
CHOICES = "choices"


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


def _readable(texts: dict[str, Any]) -> dict[str, Any]:
    """The texts of one language that are such, and the words of choices that are."""
    words = texts.get(CHOICES)
    found: dict[str, Any] = {name: text for name, text in texts.items() if isinstance(text, str) and name != CHOICES}
    if isinstance(words, dict):
        found[CHOICES] = {value: each for value, each in words.items() if isinstance(each, str)}
    return found


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

    def add_translations(self, given: dict[str, dict[str, Any]]) -> None:
        """Those of other texts and languages stay."""
        for language, texts in given.items():
            self.translations = {**self.translations, language: {**self.translations.get(language, {}), **texts}}

    def forget_translations(self, name: str) -> None:
        """Of a text that is another one now."""
        kept = {
            language: {each: text for each, text in texts.items() if each != name}
            for language, texts in self.translations.items()
        }
        self.translations = {language: texts for language, texts in kept.items() if texts}

    # --- What is missing ----------------------------------------------------------------------------------------

    def texts_to_translate(self) -> list[str]:
        """The columns whose text visitors read and staff wrote: what is empty, or as it came, needs no translation."""
        return [name for name in self.TEXTS if getattr(self, name) not in ("", self.standard(name))]

    def missing_texts(self, language: str) -> list[str]:
        """The columns whose text visitors of this language read in the site's."""
        return [name for name in self.texts_to_translate() if not self.is_translated(name, language)]

    def is_translated(self, name: str, language: str) -> bool:
        return bool(self.translated(name, language))

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
                self.validate_translation(name, text)
            except ValidationError as error:
                yield name, " ".join(error.messages)

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
