"""What Flex Webchat UI sends to open a channel, as answers to our form."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from webchat.api.parsers import BoundedJSONParser
from webchat.models import PreEngagementField, Webchat

# The UI's own default, which stands for no name.
ANONYMOUS = "Anonymous"


def read_answers(webchat: Webchat, signed_in: bool, posted: Mapping[str, Any]) -> dict[str, Any]:
    """The answers by field name, with `location` and `context`.

    The visitor's name is that of CustomerFriendlyName: in PreEngagementData the UI overwrites it by the name of its
    configured context. The Flex Flow, the identity and the chat's name that it sends are ours to know, and not read.
    Raises ParseError, and ChatRefused(INVALID) at the fields whose value is a list or an object.
    """
    text = posted.get("PreEngagementData") or "{}"
    data = BoundedJSONParser().parse(BytesIO(text.encode()))
    data.pop("identity", None)
    names = [posted.get("CustomerFriendlyName", ""), data.pop("friendlyName", "")]
    rows = PreEngagementField.of_form(webchat, signed_in=signed_in)
    name_row = next((row for row in rows if row.role == row.Role.CUSTOMER_NAME), None)
    if name_row and not data.get(name_row.name):
        nobody = {ANONYMOUS, webchat.customer_friendly_name}
        data[name_row.name] = next((name for name in names if name and name not in nobody), "")
    return data
