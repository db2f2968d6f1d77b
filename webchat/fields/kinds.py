"""The kinds of fields, and what of a field's row the other modules of this room read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from django.db import models
from django.forms import Field
from django.utils.translation import gettext_lazy as _


class Type(models.TextChoices):
    TEXT = "text", _("text")
    NAME = "name", _("name of a person")
    EMAIL = "email", _("e-mail address")
    PHONE = "phone", _("phone number")
    NUMBER = "number", _("number")
    DATE = "date", _("date")
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
BOX_TYPES = (Type.CHECKBOX, Type.CONSENT)
RANGE_TYPES = (Type.NUMBER, Type.DATE)
LENGTH_TYPES = (Type.TEXT, Type.NAME, Type.EMAIL, Type.TEXTAREA)
PATTERN_TYPES = (Type.TEXT, Type.EMAIL)
# Longest answer by type, in characters: together the answers must fit into Flex's 16 KB.
LENGTHS = {Type.TEXT: 200, Type.NAME: 80, Type.EMAIL: 254, Type.PHONE: 40, Type.TEXTAREA: 2000}
# The longest question, and the longest text of a consent.
LABEL_LONGEST, CONSENT_LONGEST = 500, 4000
# The longest text of all choices of a field, as staff write them.
CHOICES_LONGEST = 4000
ROLE_TYPES: dict[str, tuple[Type, ...]] = {
    Role.CUSTOMER_NAME: (Type.NAME, Type.TEXT, Type.EMAIL),
    Role.QUESTION: (Type.TEXTAREA, Type.TEXT, Type.SELECT, Type.RADIO, Type.HIDDEN),
}


class Row(Protocol):
    """A field as staff composed it: what models.PreEngagementField has to offer to the rules and the form fields."""

    type: str
    label: str
    name: str
    required: bool
    help_text: str
    placeholder: str
    choices: str
    initial: str
    min_length: int | None
    max_length: int | None
    minimum: str
    maximum: str
    decimal_places: int
    pattern: str
    pattern_message: str
    autocomplete: str
    role: str
    match: str
    user_lookup: str
    shown_if: str
    shown_if_value: str

    @property
    def phone_region(self) -> str: ...

    @property
    def longest(self) -> int | None: ...

    @property
    def takes_pattern(self) -> bool: ...

    @property
    def takes_placeholder(self) -> bool: ...

    @property
    def texts(self) -> Mapping[str, str]:
        """Its label, help_text, placeholder and pattern_message in the active language."""

    def wordings(self, name: str) -> list[str]:
        """One of these in all languages, the active one first."""

    def choice_pairs(self) -> list[tuple[str, str]]: ...

    def choices_to_show(self) -> list[tuple[str, str]]:
        """The same in the active language."""

    def formfield(self) -> Field: ...
