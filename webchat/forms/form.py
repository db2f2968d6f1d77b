"""The pre-engagement form: filled from the rows that staff composed, the only validator for page and API alike.

Validation has no effects: it takes no limit and calls nobody. forms/submit.py takes a valid form through the gates of a
start.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from webchat.clock import database_now
from webchat.errors import ChatRefused, Code
from webchat.fields import conditions, lookups
from webchat.fields.formfields import ConsentInput
from webchat.fields.kinds import Match, Role, Type
from webchat.flex.gateway import compact_json
from webchat.forms.page_context import Reader, context_data
from webchat.links import has_links
from webchat.models import PreEngagementField, Webchat

# Names that a form post may carry beside the answers.
ENVELOPE = frozenset({"csrfmiddlewaretoken", "idempotency_key", "location", "referrer", "context", "proof_of_work"})
# Twilio takes less than 16 KB of PreEngagementData (error 45731) and does not say how it counts; this leaves room.
# https://www.twilio.com/docs/flex/developer/conversations/webchats-resource
DATA_MAX_BYTES = 12 * 1024
_ADDRESS_MAX = 500
# So many wrong answers are listed above the form; fewer are told at their fields alone, which the visitor sees at once.
LISTED_FROM = 3


@dataclass(frozen=True, slots=True)
class Answers:
    """The outcome of a valid form.

    `data` is what Flex gets: plain JSON, field name → value, with `friendlyName`, `location`, `referrer`, `locale` and
    `verified`, the names that come from the signed-in account, and `context`, what the page and the site's hook add.
    `consents` are the texts that the visitor agreed to. Two submits with the same answers have the same `digest`.
    `account_matches` stays with us: the visitor can read what Flex gets.
    """

    data: dict[str, Any]
    customer_friendly_name: str
    question: str
    digest: str
    account_matches: list[str]
    consents: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Dependence:
    """What a field depends on: the `name` and `label` of another one that this visitor is asked, and its `value`, "" for
    any. `answer` is the value in words: the label of a choice."""

    name: str
    label: str
    value: str
    answer: str
    is_box: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The page that the form is sent from. `origin` is this site's as the visitor reached it. `url` is the page's
    address, unless the form names it. `secret` is known to this browser and the site: see page_secret()."""

    origin: str = ""
    url: str = ""
    secret: str = ""


class FormInvalid(ChatRefused):
    """The answers cannot be taken. `form` has them, and what is wrong with each."""

    def __init__(self, form: PreEngagementForm) -> None:
        fields = {name: [str(error) for error in errors] for name, errors in form.errors.items()}
        whole = fields.pop("__all__", [])
        super().__init__(Code.INVALID, " ".join(whole) or None, fields=fields)
        self.form = form


class AskedField(forms.BoundField):
    """A field in the page. The browser requires none that may not be shown: the server knows when it is."""

    form: PreEngagementForm

    @property
    def depends_on(self) -> Dependence | None:
        return self.form.dependence_of(self.name)

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        attributes = super().build_widget_attrs(attrs, widget)
        if self.depends_on:
            attributes.pop("required", None)
        widget = widget or self.field.widget
        if getattr(widget, "input_type", "") == "tel":
            attributes["dir"] = "ltr"  # as HTML has it, and not all browsers
        elif getattr(widget, "input_type", "text") == "text" and self.value():
            attributes["dir"] = "auto"
        return attributes


class PreEngagementForm(forms.Form):
    bound_field_class = AskedField

    def __init__(
        self,
        webchat: Webchat,
        *,
        user: AbstractBaseUser | None,
        data: Mapping[str, Any] | None = None,
        page: Page = Page(),
        context: str = "",
    ) -> None:
        """`context` is what the page template signed, unless the form itself carries it."""
        super().__init__(data, auto_id=f"webchat-{webchat.slug}-%s")
        self.webchat, self.user, self.page = webchat, user, page
        self.context = str((data or {}).get("context") or "") or context
        self.page_context: dict[str, Any] = {}
        self.rows = self.choose_rows()
        self.row_named = {row.name: row for row in self.rows}
        self.account_answers = self._read_account()
        self.not_asked: set[str] = set()  # of a submit: fields whose condition its answers do not meet
        for row in self.rows:
            if self._takes_answer_of(row) and (self._depends_on_answer(row) or self._is_asked(row, {})):
                self.fields[row.name] = self._formfield(row)

    def choose_rows(self) -> list[PreEngagementField]:
        """What this visitor is asked, in its order."""
        return PreEngagementField.of_form(self.webchat, signed_in=self.user is not None)

    def _takes_answer_of(self, row: PreEngagementField) -> bool:
        return row.name not in self.account_answers and row.type != Type.HIDDEN

    def _depends_on_answer(self, row: PreEngagementField) -> bool:
        """Whether it is asked only if this visitor answers another field in a certain way."""
        other = self._decides_on(row)
        return other is not None and self._takes_answer_of(other)

    def _decides_on(self, row: PreEngagementField) -> PreEngagementField | None:
        """The field that it depends on, if this visitor is asked that one in any case."""
        other = self.row_named.get(row.shown_if)
        return None if other is None or other.shown_if else other

    def _is_asked(self, row: PreEngagementField, cleaned: Mapping[str, Any]) -> bool:
        """Whether its condition is met by these answers. It is not where the visitor is not asked the other field."""
        if not row.shown_if:
            return True
        other = self._decides_on(row)
        return other is not None and conditions.is_met(row.shown_if_value, self._answer_of(other, cleaned))

    def _answer_of(self, row: PreEngagementField, cleaned: Mapping[str, Any]) -> Any:
        if row.type == Type.HIDDEN:
            return row.initial
        return self.account_answers.get(row.name) or cleaned.get(row.name)

    def dependence_of(self, name: str) -> Dependence | None:
        """What the field of this name depends on, as far as the visitor's own answers decide it."""
        row = self.row_named[name]
        other, value = self._decides_on(row), row.shown_if_value
        if other is None or not self._takes_answer_of(other):
            return None
        if value:
            value = conditions.choice_of(other, value) or value  # browsers compare sign by sign
        answer = dict(other.choices_to_show()).get(value, value) if value else ""
        return Dependence(other.name, other.texts["label"], value, answer, other.type in other.BOX_TYPES)

    def _formfield(self, row: PreEngagementField) -> forms.Field:
        field = row.formfield()
        if has_links(row.texts["label"]) and not field.widget.use_fieldset:
            # Its name is the whole text: the links in it are no part of its labels.
            field.widget.attrs["aria-labelledby"] = f"webchat-{self.webchat.slug}-{row.name}_label"
        return field

    def _read_account(self) -> dict[str, str]:
        """Reads the answers of the signed-in visitor's account, by field name, whatever the browser sends for them."""
        if self.user is None:
            return {}
        values = {
            row.name: lookups.value_of(self.user, row.user_lookup)
            for row in self.rows
            if row.match in (Match.ACCOUNT, Match.REQUIRE)
        }
        return {name: value for name, value in values.items() if value}

    @cached_property
    def shape(self) -> str:
        """A short text that changes with what this visitor is asked, and with the words of it in any language: not with
        the language that the visitor chooses."""
        asked = [
            [
                *[row.name, row.type, row.label if row.pk else "", row.required],
                *[row.choice_pairs() if row.type in row.CHOICE_TYPES else [], row.translated_texts],
                *([row.shown_if, row.shown_if_value] if self._depends_on_answer(row) else []),
            ]
            for row in self.rows
            if row.name in self.fields
        ]
        return salted_hmac("webchat.shape", json.dumps(asked, sort_keys=True)).hexdigest()[:12]

    @property
    def asks_nothing(self) -> bool:
        """The account answers everything: the chat can start without a form."""
        return not self.fields

    @property
    def has_conditions(self) -> bool:
        """Whether this visitor's own answers decide what else is asked."""
        return any(map(self._depends_on_answer, self.rows))

    @property
    def lists_errors(self) -> bool:
        """Whether what is wrong is listed above the form: much of it, or something that has no field to stand at."""
        return len(self.errors) >= LISTED_FROM or bool(
            self.errors.keys() - {field.name for field in self.visible_fields()}
        )

    def focus_first_error(self) -> None:
        """Where the browser puts the cursor when the page comes."""
        first = next((name for name in self.fields if name in self.errors), None)
        if first and not self.lists_errors:
            self.fields[first].widget.attrs["autofocus"] = True

    @property
    def question_name(self) -> str:
        """The field whose answer becomes the first message; empty where this visitor is asked for none."""
        return next((row.name for row in self.rows if row.role == Role.QUESTION and row.name in self.fields), "")

    @property
    def account_rows(self) -> list[dict[str, Any]]:
        """Label and value of each answer that the account gives, to show to the visitor, and what it depends on."""
        return [
            {
                "label": row.texts["label"],
                "value": self.account_answers[row.name],
                "depends_on": self.dependence_of(row.name),
            }
            for row in self.rows
            if row.name in self.account_answers
            and row.show_account_value
            and (self._depends_on_answer(row) or self._is_asked(row, {}))
        ]

    def verified_with(self, answers: Mapping[str, Any]) -> dict[str, str]:
        """The account's answers to what is asked where these are the others."""
        return {
            name: value for name, value in self.account_answers.items() if self._is_asked(self.row_named[name], answers)
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._refuse_unknown()
        self._leave_out_what_is_not_asked(cleaned)
        for name, value in cleaned.items():
            if isinstance(value, str):
                cleaned[name] = unicodedata.normalize("NFC", value)
        self.page_context = context_data(self.context, Reader(self.webchat.pk, self.user, self.page.secret))
        return cleaned

    def _leave_out_what_is_not_asked(self, cleaned: dict[str, Any]) -> None:
        """By the other answers of the same submit, whatever the browser sends for these."""
        self.not_asked = {row.name for row in self.rows if not self._is_asked(row, cleaned)}
        for name in self.not_asked:
            cleaned.pop(name, None)
            self.errors.pop(name, None)

    def drop_unknown(self) -> None:
        """Forgets what was answered to questions that are no longer asked."""
        self.data = {name: self.data[name] for name in self.data if name in self._known}

    @property
    def _known(self) -> set[str]:
        return {row.name for row in self.rows} | ENVELOPE

    def _refuse_unknown(self) -> None:
        if unknown := sorted(str(name)[:40] for name in self.data if name not in self._known):
            raise ValidationError(
                _("This form has no field “%(names)s”."), code="unknown", params={"names": ", ".join(unknown[:5])}
            )

    # --- What follows from valid answers ------------------------------------------------------------------------

    def require_valid(self) -> None:
        """Raises FormInvalid with what is wrong."""
        if not self.is_valid():
            raise FormInvalid(self)

    def refuse(self, error: ValidationError | str) -> FormInvalid:
        """The refusal of a valid form for a reason that is not in the form itself."""
        self.add_error(None, error)
        return FormInvalid(self)

    @property
    def member_answers(self) -> dict[str, str]:
        """The answers that must all match one account, by user lookup. Empty where the form is not for members only."""
        return {
            row.user_lookup: str(_plain(self.cleaned_data.get(row.name)) or "")
            for row in self.rows
            if row.match == Match.REQUIRE and row.name not in self.account_answers
        }

    def answers(self, ask_the_site: Callable[[dict[str, Any]], Mapping[str, Any]] = lambda told: {}) -> Answers:
        """Returns the outcome of a valid form. `ask_the_site` gets the data for Flex and returns the site's additions;
        its exceptions pass through. Raises FormInvalid when the data are larger than Twilio accepts."""
        data = self._data(self.cleaned_data)
        own = {row.name: data.get(row.name) for row in self.rows}
        if context := self.page_context | dict(ask_the_site(data)):
            data["context"] = context
        if len(compact_json(data).encode()) > DATA_MAX_BYTES:
            raise self.refuse(ValidationError(_("Your answers are too long. Please shorten them."), code="too_long"))
        return Answers(
            data=data,
            customer_friendly_name=data["friendlyName"],
            question=self._of_role(Role.QUESTION, data),
            digest=salted_hmac("webchat.answers", compact_json(own), algorithm="sha256").hexdigest(),
            account_matches=lookups.matching_names(self._annotated(), data),
            consents=[
                {
                    "name": row.name,
                    "text": self._text_agreed_to(row),
                    "given_at": database_now().isoformat(timespec="seconds"),
                }
                for row in self.rows
                if row.type == Type.CONSENT and data.get(row.name)
            ],
        )

    def _text_agreed_to(self, row: PreEngagementField) -> str:
        widget = cast("ConsentInput", self.fields[row.name].widget)
        return widget.text_read(self.data.get(row.name))

    def _annotated(self) -> list[PreEngagementField]:
        return [row for row in self.rows if row.match and row.name not in self.account_answers]

    def _data(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for row in self.rows:
            if row.name not in self.not_asked:
                data[row.name] = _plain(self._answer_of(row, cleaned))
        data["friendlyName"] = self._customer_friendly_name(data)
        addresses = (str(self.data.get("location") or ""), self.page.url)
        data["location"] = next((_clip(address) for address in addresses if _origin(address) == self.page.origin), "")
        data["referrer"] = _clip(str(self.data.get("referrer") or ""))
        data["locale"] = get_language() or settings.LANGUAGE_CODE
        data["verified"] = sorted(self.account_answers.keys() - self.not_asked)
        return data

    def _customer_friendly_name(self, data: Mapping[str, Any]) -> str:
        """The account's name, else the form's, else the webchat's default."""
        account_name = ""
        if self.user is not None:
            get_full_name = getattr(self.user, "get_full_name", str)
            account_name = get_full_name().strip()
        name = account_name or self._of_role(Role.CUSTOMER_NAME, data) or self.webchat.customer_friendly_name
        return " ".join(name.split())[:200]

    def _of_role(self, role: str, data: Mapping[str, Any]) -> str:
        return next((str(data[row.name]) for row in self.rows if row.role == role and data.get(row.name)), "")


def _plain(value: Any) -> str | bool | int | float | None:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(getattr(value, "as_e164", value))


def _clip(address: str) -> str:
    """An http(s) address without control characters, cut to a sane length, or nothing."""
    sound = address.startswith(("http://", "https://")) and address.isprintable()
    return address[:_ADDRESS_MAX] if sound else ""


def _origin(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
