"""The kinds of files that staff may let visitors send.

Files go from the browser straight to Twilio, so this guides honest visitors; what a token may do at Twilio is up to the
role of the chat service. Nothing here is shown as a page by a browser that opens it: no HTML, no SVG.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# The most in one message. https://www.twilio.com/docs/conversations/conversations-limits
MAX_MEGABYTES = 150
MAX_FILES = 10


class Kind(NamedTuple):
    label: Any
    types: dict[str, str]  # extension → media type


_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"

KINDS = {
    "images": Kind(
        _("images (JPEG, PNG, GIF, WebP)"),
        {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"},
    ),
    "pdf": Kind(_("PDF"), {"pdf": "application/pdf"}),
    "text": Kind(_("plain text"), {"txt": "text/plain"}),
    "csv": Kind(_("CSV"), {"csv": "text/csv"}),
    "office": Kind(
        _("office documents"),
        {
            "docx": f"{_OPEN_XML}.wordprocessingml.document",
            "xlsx": f"{_OPEN_XML}.spreadsheetml.sheet",
            "pptx": f"{_OPEN_XML}.presentationml.presentation",
            "odt": f"{_OPEN_DOCUMENT}.text",
            "ods": f"{_OPEN_DOCUMENT}.spreadsheet",
            "odp": f"{_OPEN_DOCUMENT}.presentation",
        },
    ),
}
CHOICES = [(name, kind.label) for name, kind in KINDS.items()]


def default_kinds() -> list[str]:
    return ["images", "pdf"]


def validate_kinds(kinds: Any) -> None:
    if not isinstance(kinds, list) or not set(map(str, kinds)) <= KINDS.keys():
        raise ValidationError(_("Choose among: %(kinds)s.") % {"kinds": ", ".join(KINDS)})


def types_of(kinds: Iterable[str]) -> dict[str, str]:
    """Extension → media type of all files of these kinds."""
    return {extension: media for name in kinds for extension, media in KINDS[name].types.items()}
