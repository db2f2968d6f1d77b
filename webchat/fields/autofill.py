"""The `autocomplete` tokens that a chat may use, so that a browser can fill in answers by itself.

A token belongs to certain kinds of inputs, and a checker of accessibility refuses it on others.
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#autofilling-form-controls:-the-autocomplete-attribute
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

OFF = "off"

# The types of fields (`PreEngagementField.Type`) that may bear the token.
_LINE = frozenset({"text", "name", "textarea", "select"})
_FITTING = {
    "name": _LINE,
    "given-name": _LINE,
    "family-name": _LINE,
    "honorific-prefix": _LINE,
    "nickname": _LINE,
    "username": _LINE | {"email"},
    "email": _LINE | {"email"},
    "tel": _LINE | {"phone"},
    "tel-national": _LINE | {"phone"},
    "organization": _LINE,
    "organization-title": _LINE,
    "street-address": frozenset({"textarea", "select"}),
    "address-line1": _LINE,
    "address-line2": _LINE,
    "address-level2": _LINE,
    "address-level1": _LINE,
    "postal-code": _LINE,
    "country": _LINE,
    "country-name": _LINE,
    "language": _LINE,
    "bday": _LINE | {"date"},
    "url": _LINE,
}

CHOICES = [
    ("", _("as usual for the type")),
    (OFF, _("nothing")),
    ("name", _("full name")),
    ("given-name", _("first name")),
    ("family-name", _("last name")),
    ("honorific-prefix", _("title, like Dr.")),
    ("nickname", _("nickname")),
    ("username", _("user name")),
    ("email", _("e-mail address")),
    ("tel", _("phone number")),
    ("tel-national", _("phone number without the country")),
    ("organization", _("company")),
    ("organization-title", _("job title")),
    ("street-address", _("street address, several lines")),
    ("address-line1", _("street address, first line")),
    ("address-line2", _("street address, second line")),
    ("postal-code", _("postcode")),
    ("address-level2", _("town")),
    ("address-level1", _("state or province")),
    ("country", _("country, two letters")),
    ("country-name", _("country")),
    ("language", _("language")),
    ("bday", _("date of birth")),
    ("url", _("web address")),
]

_USUAL = {"name": "name", "email": "email", "phone": "tel"}


def fits(token: str, type_: str) -> bool:
    return token in ("", OFF) or type_ in _FITTING.get(token, ())


def token_for(token: str, type_: str) -> str:
    """The value of the attribute, "" for none: what staff chose, else what is usual for the type of field."""
    chosen = token or _USUAL.get(type_, "")
    return chosen if fits(chosen, type_) else ""
