"""One question of a pre-engagement form."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinLengthValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from phonenumber_field.formfields import PhoneNumberField

from webchat import matching
from webchat.models.webchat import Webchat
from webchat.names import validate_line, validate_person_name, validate_text

# Keys that the site itself adds to what Flex gets, or that a form post carries beside the answers.
RESERVED_NAMES = frozenset(
    {
        "friendlyName", "friendlyname", "location", "locale", "referrer", "verified", "identity",
        "csrfmiddlewaretoken", "idempotency_key",
    }
)  # fmt: skip

validate_field_name = RegexValidator(
    r"\A[a-z][a-z0-9_]{0,39}\Z", _("Use a small letter first, then small letters, digits and underscores.")
)


class PreEngagementField(models.Model):
    """A field of the form that a visitor fills before the chat: how it looks, what it accepts, and how its answer is
    matched with the site's users."""

    class Type(models.TextChoices):
        TEXT = "text", _("text")
        NAME = "name", _("name of a person")
        EMAIL = "email", _("e-mail address")
        PHONE = "phone", _("phone number")
        TEXTAREA = "textarea", _("longer text")
        SELECT = "select", _("selection list")
        RADIO = "radio", _("radio buttons")
        CHECKBOX = "checkbox", _("checkbox")
        CONSENT = "consent", _("consent (a checkbox that must be ticked)")
        HIDDEN = "hidden", _("hidden context (the default value, never shown)")

    class Role(models.TextChoices):
        NONE = "", _("none")
        CUSTOMER_NAME = "customer_name", _("the visitor's name, as agents see it")
        QUESTION = "question", _("the question, posted as the first message")

    class Match(models.TextChoices):
        NONE = "", _("not compared with the site's users")
        ACCOUNT = "account", _("from account: signed-in visitors' own value, verified")
        ANNOTATE = "annotate", _("annotate: silently compared, staff see whether it matches an account")
        REQUIRE = "require", _("require: members only, must match an account")

    class Audience(models.TextChoices):
        EVERYBODY = "", _("everybody")
        ANONYMOUS = "anonymous", _("visitors who are not signed in")
        SIGNED_IN = "signed_in", _("signed-in visitors")

    CHOICE_TYPES = (Type.SELECT, Type.RADIO)
    # Longest answer by type, in characters: together the answers must fit into Flex's 16 KB.
    LENGTHS = {Type.TEXT: 200, Type.NAME: 80, Type.EMAIL: 254, Type.PHONE: 40, Type.TEXTAREA: 2000}

    webchat = models.ForeignKey(Webchat, related_name="fields", on_delete=models.CASCADE)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    label = models.CharField(_("label"), max_length=200)
    name = models.CharField(
        _("name"),
        max_length=40,
        blank=True,
        validators=[validate_field_name],
        help_text=_("The key in Flex and Studio. Made from the label when empty, and never changed after that."),
    )
    type = models.CharField(_("type"), max_length=10, choices=Type.choices, default=Type.TEXT)
    required = models.BooleanField(_("required"), default=True)
    help_text = models.CharField(_("help"), max_length=300, blank=True)
    placeholder = models.CharField(_("placeholder"), max_length=80, blank=True)
    choices = models.TextField(
        _("choices"), blank=True, max_length=4000, help_text=_("One a line: a label, or value | label.")
    )
    initial = models.CharField(_("default"), max_length=200, blank=True)
    min_length = models.PositiveSmallIntegerField(_("shortest answer"), null=True, blank=True)
    max_length = models.PositiveSmallIntegerField(_("longest answer"), null=True, blank=True)
    autocomplete = models.CharField(
        _("autocomplete"),
        max_length=40,
        blank=True,
        help_text=_("What the browser may fill in: name, email, tel, organization …"),
    )
    audience = models.CharField(
        _("asked of"), max_length=10, choices=Audience.choices, default=Audience.EVERYBODY, blank=True
    )
    role = models.CharField(_("role"), max_length=15, choices=Role.choices, default=Role.NONE, blank=True)
    match = models.CharField(
        _("site's users"),
        max_length=10,
        choices=Match.choices,
        default=Match.NONE,
        blank=True,
    )
    user_lookup = models.CharField(
        _("user lookup"),
        max_length=100,
        blank=True,
        help_text=_("Where the value is in the user model: email, customer_number, profile__number …"),
    )

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
        return self.label

    def is_asked_of(self, *, signed_in: bool) -> bool:
        return self.audience in ("", self.Audience.SIGNED_IN if signed_in else self.Audience.ANONYMOUS)

    def clean(self) -> None:
        if not self.name:
            self.name = name_from_label(self.label)
        errors: dict[str, Any] = {}
        if self.name in RESERVED_NAMES:
            errors["name"] = _("“%(name)s” is a key of the site's own. Choose another name.") % {"name": self.name}
        if self.pk and (frozen := PreEngagementField.objects.get(pk=self.pk).name) != self.name:
            errors["name"] = _("The name stays “%(name)s”: Studio flows may read it. Add a new field instead.") % {
                "name": frozen
            }
        errors |= self._clean_choices()
        if self.min_length and self.max_length and self.min_length > self.max_length:
            errors["min_length"] = _("The shortest answer is longer than the longest one.")
        if self.type == self.Type.HIDDEN and not self.initial:
            errors["initial"] = _("Hidden context needs a value.")
        if self.match:
            try:
                matching.validate_lookup(self.user_lookup)
            except ValidationError as error:
                errors["user_lookup"] = error
        if errors:
            raise ValidationError(errors)

    def _clean_choices(self) -> dict[str, Any]:
        values = [value for value, _label in self.choice_pairs()]
        if self.type in self.CHOICE_TYPES and not values:
            return {"choices": _("Write at least one choice.")}
        if len(values) != len(set(values)):
            return {"choices": _("Two choices have the same value.")}
        if self.type in self.CHOICE_TYPES and self.initial and self.initial not in values:
            return {"initial": _("The default is none of the choices.")}
        return {}

    def choice_pairs(self) -> list[tuple[str, str]]:
        """The choices as (value, label)."""
        pairs = []
        for line in filter(None, map(str.strip, self.choices.splitlines())):
            value, bar, label = (part.strip() for part in line.partition("|"))
            pairs.append((value, label if bar and label else value))
        return pairs

    # --- The form field -----------------------------------------------------------------------------------------

    def formfield(self) -> forms.Field:
        """The Django form field of this row."""
        common: dict[str, Any] = {
            "label": self.label,
            "required": self.required,
            "help_text": self.help_text,
            "initial": self.initial or None,
        }
        Type = self.Type  # noqa: N806
        field: Any  # a forms.Field, with row_type beside
        match self.type:
            case Type.EMAIL:
                field = forms.EmailField(max_length=self._longest, **common)
            case Type.PHONE:
                field = PhoneNumberField(max_length=self._longest, **common)
            case Type.TEXTAREA:
                field = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), validators=[validate_text], **common)
            case Type.SELECT:
                blank = [("", self.placeholder or _("Please choose"))]
                field = forms.ChoiceField(choices=[*blank, *self.choice_pairs()], **common)
            case Type.RADIO:
                field = forms.ChoiceField(choices=self.choice_pairs(), widget=forms.RadioSelect, **common)
            case Type.CHECKBOX | Type.CONSENT:
                common["initial"] = self.initial.lower() in ("1", "true", "yes", "on")
                common["required"] = self.required or self.type == Type.CONSENT
                field = forms.BooleanField(**common)
            case Type.NAME:
                field = forms.CharField(validators=[validate_person_name], **common)
            case _:
                field = forms.CharField(validators=[validate_line], **common)
        self._limit(field)
        if self.placeholder and self.type not in (*self.CHOICE_TYPES, Type.CHECKBOX, Type.CONSENT):
            field.widget.attrs["placeholder"] = self.placeholder
        if self.autocomplete:
            field.widget.attrs["autocomplete"] = self.autocomplete
        field.row_type = str(self.type)  # the template chooses the markup by it
        made: forms.Field = field
        return made

    @property
    def _longest(self) -> int | None:
        standard = self.LENGTHS.get(self.Type(self.type))
        return standard and min(self.max_length or standard, standard)

    def _limit(self, field: forms.Field) -> None:
        if not isinstance(field, forms.CharField) or not self._longest:
            return
        field.max_length = self._longest
        field.widget.attrs["maxlength"] = str(self._longest)
        field.validators.append(MaxLengthValidator(self._longest))
        if self.min_length:
            field.min_length = self.min_length
            field.widget.attrs["minlength"] = str(self.min_length)
            field.validators.append(MinLengthValidator(self.min_length))


def name_from_label(label: str) -> str:
    """A field name made of a label: “Customer number” becomes customer_number."""
    name = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40].rstrip("_")
    return name if name and name[0].isalpha() else f"field_{name}".rstrip("_")
