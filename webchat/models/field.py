"""One question of a pre-engagement form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from itertools import count
from typing import Any

from anyascii import anyascii
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MaxValueValidator, RegexValidator
from django.db import models
from django.utils.text import Truncator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from webchat.fields import autofill, formfields, kinds, patterns, rules
from webchat.fields.person_names import validate_line, validate_text
from webchat.models.translations import CHOICES, Translated, digest
from webchat.models.webchat import Webchat

validate_field_name = RegexValidator(
    r"\A[a-z][a-z0-9_]{0,39}\Z", _("Use a small letter first, then small letters, digits and underscores.")
)


# Scripts whose letters have the same sound in Latin ones in most languages; a Han or an Arabic letter has not.
_TRANSLITERATED = ("LATIN", "GREEK", "CYRILLIC")


# Between two positions, so that a field can be moved between two others.
POSITION_STEP = 10


class PreEngagementFieldQuerySet(models.QuerySet["PreEngagementField"]):
    def get_by_natural_key(self, slug: str, name: str) -> PreEngagementField:
        return self.get(webchat__slug=slug, name=name)


class PreEngagementField(Translated):
    """A field of the form that a visitor fills before the chat: how it looks, what it accepts, and how its answer is
    matched with the site's users. Rules that do not belong to its type are kept and have no effect."""

    # By their short names, for templates and for whoever has a row in hand.
    Type, Role, Match, Audience = kinds.Type, kinds.Role, kinds.Match, kinds.Audience
    CHOICE_TYPES, BOX_TYPES = kinds.CHOICE_TYPES, kinds.BOX_TYPES
    RANGE_TYPES, LENGTH_TYPES = kinds.RANGE_TYPES, kinds.LENGTH_TYPES
    TEXTS = ("label", "help_text", "placeholder", "pattern_message")

    webchat = models.ForeignKey(Webchat, related_name="fields", on_delete=models.CASCADE)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    label = models.TextField(
        _("label"),
        max_length=kinds.CONSENT_LONGEST,
        validators=[validate_text],
        help_text=_(
            "What the visitor reads. For a consent: the whole text that is agreed to. Addresses become links, also as "
            "[privacy notice](https://www.example.com/privacy)."
        ),
    )
    name = models.CharField(
        _("key in Studio"),
        max_length=40,
        blank=True,
        validators=[validate_field_name],
        help_text=_("Made from the label when empty. Changing it would break flows that use it, so it stays."),
    )
    type = models.CharField(_("type"), max_length=10, choices=kinds.Type.choices, default=kinds.Type.TEXT)
    required = models.BooleanField(_("required"), default=True)
    help_text = models.CharField(_("help"), max_length=300, blank=True, validators=[validate_line])
    placeholder = models.CharField(_("placeholder"), max_length=80, blank=True, validators=[validate_line])
    choices = models.TextField(
        _("choices"),
        blank=True,
        max_length=kinds.CHOICES_LONGEST,
        validators=[validate_text],
        help_text=_("One a line: a label, or value | label."),
    )
    initial = models.CharField(
        _("pre-filled answer"),
        max_length=200,
        blank=True,
        validators=[validate_line],
        help_text=_("What stands there at first. A checkbox: yes or no."),
    )
    min_length = models.PositiveSmallIntegerField(_("shortest answer"), null=True, blank=True)
    max_length = models.PositiveSmallIntegerField(
        _("longest answer"), null=True, blank=True, help_text=_("In characters.")
    )
    minimum = models.CharField(_("from"), max_length=20, blank=True)
    maximum = models.CharField(
        _("to"),
        max_length=20,
        blank=True,
        help_text=_("A number; or a date like 2030-12-31, today, today+30d, today-6m, today-18y."),
    )
    decimal_places = models.PositiveSmallIntegerField(
        _("decimal places"), default=0, validators=[MaxValueValidator(6)], help_text=_("0: whole numbers.")
    )
    pattern = models.CharField(
        _("pattern"),
        max_length=200,
        blank=True,
        help_text=_(
            "What the whole answer looks like, as a regular expression: [A-Z]-\\d{4,6} is a letter, a hyphen and four to "
            "six digits. Such an answer has 100 characters at most."
        ),
    )
    pattern_message = models.CharField(
        _("when it does not fit"),
        max_length=200,
        blank=True,
        validators=[validate_line],
        help_text=_("Say what is expected: “A letter, a hyphen and four to six digits.”"),
    )
    autocomplete = models.CharField(
        _("autofill"),
        max_length=40,
        blank=True,
        choices=autofill.CHOICES,
        help_text=_("What a browser offers from what it knows about its user."),
    )
    audience = models.CharField(
        _("show to"), max_length=10, choices=kinds.Audience.choices, default=kinds.Audience.EVERYBODY, blank=True
    )
    role = models.CharField(_("role"), max_length=15, choices=kinds.Role.choices, default=kinds.Role.NONE, blank=True)
    match = models.CharField(
        _("compare with customer accounts"),
        max_length=10,
        choices=kinds.Match.choices,
        default=kinds.Match.NONE,
        blank=True,
    )
    user_lookup = models.CharField(
        _("with what of the account"),
        max_length=100,
        blank=True,
        help_text=_("The part of an account that holds the same thing."),
    )
    shown_if = models.CharField(
        _("show only if"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text=_("Another field on which this one depends. It is asked, checked and sent only then."),
    )
    # The answer to that field: "" is any, and of a checkbox that it is ticked.
    shown_if_value = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    show_account_value = models.BooleanField(
        _("show the account's value"),
        default=True,
        help_text=_("Signed-in visitors read the value that is taken from their account. Off: it is sent unseen."),
    )

    objects = PreEngagementFieldQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("pre-engagement field")
        verbose_name_plural = _("pre-engagement fields")
        constraints = [
            models.UniqueConstraint(
                fields=["webchat", "name"],
                name="webchat_field_name_unique",
                violation_error_message=_("Another field of this form has that name."),
            )
        ]

    def __str__(self) -> str:
        return Truncator(self.label).chars(80)

    def natural_key(self) -> tuple[str, str]:
        return (self.webchat.slug, self.name)

    natural_key.dependencies = ["webchat.webchat"]  # type: ignore[attr-defined]

    @classmethod
    def of_form(cls, webchat: Webchat, *, signed_in: bool) -> list[PreEngagementField]:
        """What the webchat asks this visitor, in its order."""
        return [row for row in webchat.fields.all() if row.is_asked_of(signed_in=signed_in)]

    def is_asked_of(self, *, signed_in: bool) -> bool:
        return self.audience in ("", self.Audience.SIGNED_IN if signed_in else self.Audience.ANONYMOUS)

    def choice_pairs(self) -> list[tuple[str, str]]:
        """The choices as (value, label)."""
        pairs = []
        for line in filter(None, map(str.strip, self.choices.splitlines())):
            value, bar, label = (part.strip() for part in line.partition("|"))
            pairs.append((value, label if bar and label else value))
        return pairs

    def choices_to_show(self) -> list[tuple[str, str]]:
        """The same, with the label in the active language."""
        words = self.translated(CHOICES, get_language()) or {}
        return [(value, words.get(value) or label) for value, label in self.choice_pairs()]

    # --- Its translations ---------------------------------------------------------------------------------------

    def texts_in_use(self) -> list[str]:
        """The texts that have an effect in a field of this type, the choices among them."""
        if self.type == self.Type.HIDDEN:
            return []
        unused = set() if self.takes_placeholder or self.type == self.Type.SELECT else {"placeholder"}
        unused |= set() if self.pattern and self.takes_pattern else {"pattern_message"}
        texts = [name for name in super().texts_in_use() if name not in unused]
        return [*texts, CHOICES] if self.type in self.CHOICE_TYPES else texts

    def is_translated(self, name: str, language: str) -> bool:
        if name != CHOICES:
            return super().is_translated(name, language)
        words = self.translated(CHOICES, language) or {}
        return all(words.get(value) for value, _label in self.choice_pairs())

    def source_digest(self, name: str) -> str | dict[str, str]:
        if name == CHOICES:
            return {value: digest(label) for value, label in self.choice_pairs()}
        return super().source_digest(name)

    def validate_translation(self, name: str, text: Any) -> None:
        if name == CHOICES:
            self._validate_choices(text)
        else:
            super().validate_translation(name, text)
            if name == "label":
                rules.validate_label(self.type, text)

    def _validate_choices(self, words: Any) -> None:
        if not isinstance(words, dict) or not all(isinstance(each, str) for each in words.values()):
            raise ValidationError(_("Words of choices are an object like {“value”: “words”}."))
        values = {value for value, _label in self.choice_pairs()}
        if unknown := sorted(words.keys() - values):
            text = _("“%(value)s” is the value of no choice.")
            raise ValidationError([text % {"value": value[:40]} for value in unknown])
        for each in words.values():
            validate_line(each)
        MaxLengthValidator(kinds.CHOICES_LONGEST)("\n".join(words.values()))

    # --- The form field -----------------------------------------------------------------------------------------

    def formfield(self) -> forms.Field:
        """The Django form field of this row."""
        return formfields.formfield(self)

    @property
    def phone_region(self) -> str:
        webchat: Webchat | None = getattr(self, "webchat", None)
        return webchat.phone_region if webchat else ""

    @property
    def takes_pattern(self) -> bool:
        return self.type in kinds.PATTERN_TYPES

    @property
    def takes_placeholder(self) -> bool:
        return self.type not in (*self.CHOICE_TYPES, *self.BOX_TYPES, self.Type.DATE)

    @property
    def longest(self) -> int | None:
        """How long an answer may be, in characters; None where the type itself says."""
        standard = kinds.LENGTHS.get(self.Type(self.type))
        if standard and self.pattern and self.takes_pattern:
            standard = min(standard, patterns.ANSWER_MAX)
        own = self.max_length if self.type in self.LENGTH_TYPES else None
        return standard and min(own or standard, standard)

    def clean(self) -> None:
        """Refuses what could not be shown or never be answered."""
        if not self.name:
            others = PreEngagementField.objects.filter(webchat=self.webchat_id).values_list("name", flat=True)
            self.name = name_from_label(self.label, set(others) if self.webchat_id else ())
        self._keep_the_name()
        if not self.shown_if:
            self.shown_if_value = ""
        if self.type in self.Type.values and (errors := rules.problems(self)):
            raise ValidationError(errors)

    def validate_constraints(self, *args: Any, **kwargs: Any) -> None:
        """The one constraint is on the name, so its error belongs there: Django would give it to no field."""
        try:
            super().validate_constraints(*args, **kwargs)
        except ValidationError as error:
            raise ValidationError({"name": error.messages}) from error

    def _keep_the_name(self) -> None:
        saved = type(self).objects.filter(pk=self.pk).first() if self.pk else None
        if saved and saved.name != self.name:
            text = _("The name stays “%(name)s”: Studio flows may read it. Add a new field instead.")
            raise ValidationError({"name": text % {"name": saved.name}})


def name_from_label(label: str, taken: Container[str]) -> str:
    """A field name made of a label: “Customer number” becomes customer_number, “Größe” grosse. Where a script cannot be
    transliterated for certain, it is field_1 or the next number that is not taken."""
    words = "".join(sign if sign.isalnum() else " " for sign in unicodedata.normalize("NFKC", label))
    if any(sign.isalpha() and not unicodedata.name(sign, "").startswith(_TRANSLITERATED) for sign in words):
        words = ""
    name = re.sub(r"[^a-z0-9]+", "_", anyascii(words).lower()).strip("_")
    if not name:
        return next(name for number in count(1) if (name := f"field_{number}") not in taken)
    return (name if name[0].isalpha() else f"field_{name}")[:40].rstrip("_")
