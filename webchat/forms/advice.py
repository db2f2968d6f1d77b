"""Advice to staff on a form that is valid but may not do what they want."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from webchat.fields.rules import range_problems
from webchat.models import PreEngagementField, Webchat

Role, Match = PreEngagementField.Role, PreEngagementField.Match


@dataclass(frozen=True, slots=True)
class Advice:
    text: str
    is_warning: bool = True


def advice(webchat: Webchat) -> list[Advice]:
    rows = list(webchat.fields.all())
    return [*_roles(webchat, rows), *_members(rows), *_ranges(rows), *_conditions(rows)]


def _roles(webchat: Webchat, rows: list[PreEngagementField]) -> list[Advice]:
    given: list[Advice] = []
    if not any(row.role == Role.CUSTOMER_NAME for row in rows):
        text = _(
            "No field has the role of the visitor's name: agents see the account's name, and “%(name)s” for visitors who "
            "are not signed in."
        )
        given.append(Advice(text % {"name": webchat.customer_friendly_name}))
    questions = [row for row in rows if row.role == Role.QUESTION]
    if not questions:
        given.append(
            Advice(
                _(
                    "No field has the role of the question, so nothing is posted as the first message: no agent is "
                    "reached before the visitor writes one."
                )
            )
        )
    elif questions[0].audience or not questions[0].required:
        given.append(
            Advice(
                _("“%(label)s” is not asked of everybody, or may stay empty: then no agent is reached before the "
                  "visitor writes a message.") % {"label": questions[0].label},
                is_warning=False,
            )
        )  # fmt: skip
    return given


def _members(rows: list[PreEngagementField]) -> list[Advice]:
    required = [row for row in rows if row.match == Match.REQUIRE]
    if not required:
        return []
    if len({row.user_lookup for row in required}) == 1:
        text = _(
            "Only “%(label)s” must match an account. Whoever has a list of possible answers can try them here, and learn "
            "who is a customer. Ask for two independent things, like the e-mail address and the customer number: that makes "
            "guessing impractical."
        )
        return [Advice(text % {"label": required[0].label})]
    text = _(
        "Members only: %(labels)s must match one account. Such a form answers whether a guess is right. Failed attempts are "
        "limited, and with independent things, like the e-mail address and the customer number, guessing is impractical; "
        "with two that are known together it is not."
    )
    return [Advice(text % {"labels": ", ".join(f"“{row.label}”" for row in required)}, is_warning=False)]


def _ranges(rows: list[PreEngagementField]) -> list[Advice]:
    text = _("“%(label)s” cannot be answered any more: its range of days is over.")
    return [Advice(text % {"label": row.label}) for row in rows if range_problems(row)]


def _conditions(rows: list[PreEngagementField]) -> list[Advice]:
    text = _(
        "“%(label)s” stands above “%(other)s”, on which it depends: it comes when visitors have passed its place. Move it "
        "below."
    )
    above: set[str] = set()
    given = []
    for row in rows:
        other = next((each for each in rows if each.name == row.shown_if), None)
        if other and other.name not in above:
            given.append(Advice(text % {"label": row.label, "other": other.label}))
        above.add(row.name)
    return given
