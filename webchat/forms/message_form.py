"""The form of a message that is left while nobody is there: the pre-engagement form, and what an answer needs."""

from __future__ import annotations

import copy

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from webchat.fields.kinds import Role, Type
from webchat.fields.rules import MESSAGE_TEXT, REPLY_EMAIL
from webchat.forms.form import Answers, PreEngagementForm
from webchat.models import PreEngagementField

_TEXT_TYPES = (Type.TEXT, Type.TEXTAREA)


class MessageForm(PreEngagementForm):
    """Asks for a text and an e-mail address even where the pre-engagement form does not, or leaves them to the visitor:
    a message without either could not be answered."""

    def choose_rows(self) -> list[PreEngagementField]:
        rows = super().choose_rows()
        question = next((row for row in rows if row.role == Role.QUESTION and row.type in _TEXT_TYPES), None)
        address = next((row for row in rows if row.type == Type.EMAIL and not row.shown_if), None)
        if question is None:
            rows.append(
                PreEngagementField(webchat=self.webchat, name=MESSAGE_TEXT, type=Type.TEXTAREA, label=_("Your message"))
            )
        if address is None and not self.account_address:
            rows.append(
                PreEngagementField(
                    webchat=self.webchat,
                    name=REPLY_EMAIL,
                    type=Type.EMAIL,
                    label=_("Your e-mail address"),
                    help_text=_("We answer to this address."),
                    autocomplete="email",
                )
            )
        needed = [row for row in (question, None if self.account_address else address) if row]
        return [_required(row) if row in needed else row for row in rows]

    @property
    def account_address(self) -> str:
        """The e-mail address of the signed-in visitor's account, or nothing."""
        address = getattr(self.user, self.user.get_email_field_name(), "") if self.user else ""
        try:
            validate_email(address)
        except ValidationError:
            return ""
        return str(address)

    def reply_address(self, answers: Answers) -> str:
        """Where the answer goes: what the visitor wrote, else the account's address."""
        told = (answers.data.get(row.name) for row in self.rows if row.type == Type.EMAIL)
        return str(next(filter(None, told), "") or self.account_address)

    def text(self, answers: Answers) -> str:
        return str(answers.data.get(MESSAGE_TEXT) or answers.question)


def _required(row: PreEngagementField) -> PreEngagementField:
    """Another copy: the row itself is shared by all threads."""
    row = copy.copy(row)
    row.required = True
    return row
