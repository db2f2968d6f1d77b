"""E-mail addresses as people type and paste them, in one form."""

from __future__ import annotations

import unicodedata
from contextlib import suppress

from django.core.exceptions import ValidationError
from django.core.validators import validate_email as validate_ascii_email
from django.utils.translation import gettext as _

from webchat.fields.person_names import strip_invisible

_FULL_STOPS = str.maketrans("。｡", "..")


def clean_email(value: str) -> str:
    """The address in NFKC, without characters that nobody sees, with the full stops of every keyboard as such in its
    domain: https://www.unicode.org/reports/tr46/#Mapping"""
    local, at, domain = unicodedata.normalize("NFKC", strip_invisible(value)).strip().rpartition("@")
    return f"{local}{at}{domain.translate(_FULL_STOPS)}"


def validate_email(value: str) -> None:
    """An address as clean_email left it. Letters of every script may stand on both sides of the @ (RFC 6531), but no
    punctuation in the domain that a mail server would not have. Raises ValidationError."""
    local, at, domain = value.rpartition("@")
    if odd := next((sign for sign in domain if not (sign in "-." or _is_of_a_word(sign))), ""):
        raise ValidationError(_("“%(sign)s” cannot stand after the @ of an e-mail address.") % {"sign": odd})
    # To Django the part before the @ is of ASCII alone.
    validate_ascii_email("".join("a" if _is_of_a_word(sign) else sign for sign in local) + at + domain)


def same_address(value: str) -> str:
    """What two spellings of one address have in common: case, and whether the domain is written in Punycode, do not
    count."""
    local, at, domain = clean_email(value).casefold().rpartition("@")
    with suppress(UnicodeError):  # no domain of Punycode
        domain = domain.encode().decode("idna")
    return f"{local}{at}{domain}"


def _is_of_a_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
