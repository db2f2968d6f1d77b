"""Our form in the words of Flex Webchat UI 2.x, and what it has no words for.

It knows InputItem, TextareaItem and SelectItem, and checks only that what is required is there and that an e-mail address
looks like one. https://www.twilio.com/docs/flex/developer/messaging/webchat/pre-engagement-and-context
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from webchat.fields.kinds import Role, Type
from webchat.forms import twilio_fields
from webchat.forms.form import PreEngagementForm
from webchat.links import spelled_out
from webchat.models import PreEngagementField, Webchat

# The name that the UI takes CustomerFriendlyName from.
FRIENDLY_NAME = "friendlyName"


def pre_engagement_config(form: PreEngagementForm) -> dict[str, Any]:
    """What this visitor is asked, as the UI's `preEngagementConfig`. What the account answers is shown, read-only."""
    taken = form.account_answers
    account = [_account_item(row, taken[row.name]) for row in form.rows if row.name in taken and row.show_account_value]
    return {
        "description": spelled_out(form.webchat.texts["intro"]),
        "fields": account + [_item(row, form) for row in form.rows if row.name in form.fields],
        "submitLabel": form.webchat.texts["submit_label"],
    }


def _item(row: PreEngagementField, form: PreEngagementForm) -> dict[str, Any]:
    item = twilio_fields.write(row, row.name)
    item["label"] = spelled_out(row.texts["label"])
    attributes = item["attributes"]
    if form.dependence_of(row.name):  # it is always shown, and the server says when it is needed
        attributes["required"] = False
    attributes["name"] = FRIENDLY_NAME if row.role == Role.CUSTOMER_NAME else row.name
    if row.type in row.BOX_TYPES:
        item["type"], attributes["type"] = "InputItem", "checkbox"
    if row.type in row.CHOICE_TYPES and not row.initial:
        # Else the first choice is shown, and not sent.
        item["options"].insert(0, {"value": "", "label": row.texts["placeholder"] or "…", "selected": True})
    return item


def _account_item(row: PreEngagementField, value: str) -> dict[str, Any]:
    """Its answer is read from the account, whatever comes back."""
    attributes = {"name": row.name, "type": "text", "value": value, "readOnly": True}
    return {"label": spelled_out(row.texts["label"]), "type": "InputItem", "attributes": attributes}


def left_out(webchat: Webchat) -> list[str]:
    """What visitors do not see of this form in the UI, in sentences for staff."""
    rows = [row for row in webchat.fields.all() if row.type != Type.HIDDEN]
    kinds = {
        _("the help texts"): [row for row in rows if row.help_text],
        _("radio buttons, which are a selection list there"): [row for row in rows if row.type == Type.RADIO],
        _("ticked boxes: each is empty at first"): [row for row in rows if row.type in row.BOX_TYPES and row.initial],
        _("conditions, and always shows"): [row for row in rows if row.shown_if],
        _("rules, which the server checks after the form was sent"): [row for row in rows if any(_rules(row))],
    }
    told = [_("Flex Webchat UI is always on the right.")] if webchat.position == webchat.Position.LEFT else []
    return told + [
        _("Flex Webchat UI does not know %(what)s: %(labels)s.")
        % {"what": what, "labels": ", ".join(f"“{row.label}”" for row in found)}
        for what, found in kinds.items()
        if found
    ]


def _rules(row: PreEngagementField) -> Iterator[object]:
    """Whether each of the rules holds that only the server checks."""
    yield row.type in (Type.PHONE, Type.NUMBER, Type.DATE)
    yield row.match == row.Match.REQUIRE
    if row.takes_pattern:
        yield row.pattern
    if row.type in row.RANGE_TYPES:
        yield from (row.minimum, row.maximum)
    if row.type in row.LENGTH_TYPES:
        yield from (row.min_length, row.max_length)
