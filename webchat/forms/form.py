"""The pre-engagement form: filled from the rows that staff composed, the only validator for page and API alike."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from webchat.fields import lookups
from webchat.forms.page_context import context_data
from webchat.models import PreEngagementField, Webchat

Type, Role, Match = PreEngagementField.Type, PreEngagementField.Role, PreEngagementField.Match

# What a form post may carry beside the answers.
ENVELOPE = frozenset({"csrfmiddlewaretoken", "idempotency_key", "location", "referrer", "context", "proof_of_work"})
# Twilio takes less than 16 KB of PreEngagementData (error 45731) and does not say how it counts; this leaves room.
# https://www.twilio.com/docs/flex/developer/conversations/webchats-resource
DATA_MAX_BYTES = 12 * 1024
_ADDRESS_MAX = 500


@dataclass(frozen=True, slots=True)
class Answers:
    """What a valid form leads to.

    `data` is what Flex gets: plain JSON, field name → value, with `friendlyName`, `location`, `referrer`, `locale` and
    `verified`, the names that come from the signed-in account, and `context`, what the page and the site's hook add.
    `consents` are the texts that were agreed to. `digest` tells whether two submits say the same.
    `account_matches` stays with us: the visitor can read what Flex gets.
    """

    data: dict[str, Any]
    customer_friendly_name: str
    question: str
    digest: str
    account_matches: list[str]
    consents: list[dict[str, str]]


class PreEngagementForm(forms.Form):
    def __init__(
        self,
        webchat: Webchat,
        *,
        user: AbstractBaseUser | None,
        data: Mapping[str, Any] | None = None,
        origin: str = "",
        page_url: str = "",
        network: str = "",
        context: str = "",
    ) -> None:
        """`origin` is this site's as the visitor reached it, `page_url` the page of the form unless `data` names it,
        `network` where the request comes from as limits count it, `context` what the page template signed."""
        super().__init__(data, auto_id=f"webchat-{webchat.slug}-%s")
        self.webchat, self.user, self.origin, self.page_url, self.network = webchat, user, origin, page_url, network
        self.context = str((data or {}).get("context") or "") or context
        self.site_context: dict[str, Any] = {}
        self.rows = PreEngagementField.of_form(webchat, signed_in=user is not None)
        self.account_answers = self._read_account()
        for row in self.rows:
            if row.name not in self.account_answers and row.type != Type.HIDDEN:
                self.fields[row.name] = row.formfield()

    def _read_account(self) -> dict[str, str]:
        """What the signed-in visitor's account answers. Read from the account itself, whatever the browser sends."""
        if self.user is None:
            return {}
        values = {
            row.name: lookups.value_of(self.user, row.user_lookup)
            for row in self.rows
            if row.match in (Match.ACCOUNT, Match.REQUIRE)
        }
        return {name: value for name, value in values.items() if value}

    @property
    def asks_nothing(self) -> bool:
        """The account answers everything: the chat can start without a form."""
        return not self.fields

    @property
    def account_rows(self) -> list[dict[str, str]]:
        """Label and value of each answer that the account gives, to show to the visitor."""
        return [
            {"label": row.label, "value": self.account_answers[row.name]}
            for row in self.rows
            if row.name in self.account_answers and row.show_account_value
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._refuse_unknown()
        for name, value in cleaned.items():
            if isinstance(value, str):
                cleaned[name] = unicodedata.normalize("NFC", value)
        if not self.errors:
            self._require_member(cleaned)
            self.site_context = context_data(self.context, self.user) | self._ask_the_site(cleaned)
        if not self.errors and len(_as_json(self._data(cleaned)).encode()) > DATA_MAX_BYTES:
            raise ValidationError(_("Your answers are too long. Please shorten them."), code="too_long")
        return cleaned

    def _refuse_unknown(self) -> None:
        known = {row.name for row in self.rows} | ENVELOPE
        if unknown := sorted(str(name)[:40] for name in self.data if name not in known):
            raise ValidationError(
                _("This form has no field “%(names)s”."), code="unknown", params={"names": ", ".join(unknown[:5])}
            )

    def _require_member(self, cleaned: Mapping[str, Any]) -> None:
        """One error for everything that can be wrong, so that it tells nothing about any account."""
        required = {
            row.user_lookup: str(_plain(cleaned.get(row.name)) or "")
            for row in self.rows
            if row.match == Match.REQUIRE and row.name not in self.account_answers
        }
        if not required:
            return
        lookups.take_guess(required, self.network)
        if not (all(required.values()) and lookups.matches_one_user(required, self.user)):
            raise ValidationError(
                _("We cannot find an account with these details. Please check them."), code="no_account"
            )
        lookups.give_guess_back(required, self.network)

    def _ask_the_site(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """What the site's own hook says: a ValidationError, or more for the agent."""
        if not settings.WEBCHAT_BEFORE_START:
            return {}
        before_start = import_string(settings.WEBCHAT_BEFORE_START)
        return dict(before_start(webchat=self.webchat, user=self.user, answers=self._data(cleaned)) or {})

    # --- What follows from valid answers ------------------------------------------------------------------------

    def answers(self) -> Answers:
        """Only after is_valid()."""
        data = self._data(self.cleaned_data)
        own = {row.name: data.get(row.name) for row in self.rows}
        return Answers(
            data=data,
            customer_friendly_name=data["friendlyName"],
            question=self._of_role(Role.QUESTION, data),
            digest=salted_hmac("webchat.answers", _as_json(own), algorithm="sha256").hexdigest(),
            account_matches=lookups.matching_names(self._annotated(), data),
            consents=[
                {"name": row.name, "text": row.label, "given_at": timezone.now().isoformat(timespec="seconds")}
                for row in self.rows
                if row.type == Type.CONSENT and data.get(row.name)
            ],
        )

    def _annotated(self) -> list[PreEngagementField]:
        return [row for row in self.rows if row.match and row.name not in self.account_answers]

    def _data(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for row in self.rows:
            if row.type == Type.HIDDEN:
                data[row.name] = row.initial
            elif row.name in self.account_answers:
                data[row.name] = self.account_answers[row.name]
            else:
                data[row.name] = _plain(cleaned.get(row.name))
        data["friendlyName"] = self._customer_friendly_name(data)
        pages = (str(self.data.get("location") or ""), self.page_url)
        data["location"] = next((_clip(page) for page in pages if _origin(page) == self.origin), "")
        data["referrer"] = _clip(str(self.data.get("referrer") or ""))
        data["locale"] = get_language() or settings.LANGUAGE_CODE
        data["verified"] = sorted(self.account_answers)
        if self.site_context:
            data["context"] = self.site_context
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


def _as_json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


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
