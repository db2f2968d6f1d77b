"""The context that a page template gives to the agent, `{% webchat context=order %}`: signed, so that the browser cannot
change it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_AGE = timedelta(days=1)
_MAX_LENGTH = 2048


def sign_context(context: Mapping[str, Any], user: AbstractBaseUser | None) -> str:
    """The context as the page carries it: readable, unchangeable, for this user and a day.

    Raises ValueError for what is not plain JSON or longer than 2 KiB signed: a mistake in a template.
    """
    plain = (str, int, float, bool, type(None))
    if not isinstance(context, Mapping) or not all(isinstance(value, plain) for value in context.values()):
        raise ValueError("webchat: context= is a mapping of names to texts, numbers, true and false")
    signed = signing.dumps(dict(context), salt=_salt(user), compress=True)
    if len(signed) > _MAX_LENGTH:
        raise ValueError(f"webchat: the context is too long: {len(signed)} characters signed, {_MAX_LENGTH} at most")
    return signed


def context_data(signed: str, user: AbstractBaseUser | None) -> dict[str, Any]:
    """Returns the mapping that was signed. Raises ValidationError when it was changed, is another user's, or too old."""
    if not signed:
        return {}
    try:
        context: dict[str, Any] = signing.loads(signed, salt=_salt(user), max_age=_AGE)
    except signing.BadSignature as error:
        raise ValidationError(_("This page is out of date. Please reload it."), code="context") from error
    return context


def _salt(user: AbstractBaseUser | None) -> str:
    return f"webchat.context.{user.pk if user else ''}"
