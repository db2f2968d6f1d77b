"""The context that a page template gives to the agent, `{% webchat context=order %}`: signed, so that the browser cannot
change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_AGE = timedelta(days=1)
_MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a page was made for: the webchat on it, the signed-in user or None, and a secret that only this browser and
    the site know."""

    webchat_id: int
    user: AbstractBaseUser | None
    secret: str

    @property
    def salt(self) -> str:
        return f"webchat.context {self.webchat_id} {self.user.pk if self.user else ''} {self.secret}"


def sign_context(context: Mapping[str, Any], reader: Reader) -> str:
    """The context as the page carries it: readable, unchangeable, for this webchat, browser and user, and a day.

    Raises ValueError for what is not plain JSON or longer than 2 KiB signed: a mistake in a template.
    """
    plain = (str, int, float, bool, type(None))
    if not isinstance(context, Mapping) or not all(isinstance(value, plain) for value in context.values()):
        raise ValueError("webchat: context= is a mapping of names to texts, numbers, true and false")
    signed = signing.dumps(dict(context), salt=reader.salt, compress=True)
    if len(signed) > _MAX_LENGTH:
        raise ValueError(f"webchat: the context is too long: {len(signed)} characters signed, {_MAX_LENGTH} at most")
    return signed


def context_data(signed: str, reader: Reader) -> dict[str, Any]:
    """Returns the mapping that was signed. Raises ValidationError when it was changed, is another reader's, or too old."""
    if not signed:
        return {}
    try:
        context: dict[str, Any] = signing.loads(signed, salt=reader.salt, max_age=_AGE)
    except signing.BadSignature as error:
        raise ValidationError(_("This page is out of date. Please reload it."), code="context") from error
    return context
