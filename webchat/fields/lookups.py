"""Pre-engagement answers against the site's own users, whatever model the site has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from webchat.fields.kinds import Row

# Reading or comparing these would turn the form into an oracle for secrets.
_FORBIDDEN = frozenset({"password"})


def validate_lookup(path: str) -> None:
    """Raises ValidationError unless the path leads from the user model, over to-one relations, to a plain value."""
    model: type[models.Model] | None = get_user_model()
    if not path:
        raise ValidationError(_("Say where the value is in the user model, for example email."))
    for part in path.split("__"):
        if model is None:
            raise ValidationError(_("“%(part)s” is asked of a plain value.") % {"part": part})
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist as error:
            raise ValidationError(
                _("%(model)s has no field “%(part)s”.") % {"model": model._meta.verbose_name, "part": part}
            ) from error
        if part in _FORBIDDEN or field.many_to_many or field.one_to_many:
            raise ValidationError(_("“%(part)s” cannot be used here.") % {"part": part})
        related = field.related_model if field.is_relation else None
        model = related if isinstance(related, type) else None
    if model is not None:
        raise ValidationError(_("The path ends at a relation. Go on with __ and the name of a field."))


def value_of(user: AbstractBaseUser, path: str) -> str:
    """The user's value at the path as text, "" when there is none."""
    value: Any = user
    for part in path.split("__"):
        try:
            value = getattr(value, part)
        except (ObjectDoesNotExist, AttributeError):
            return ""
        if value is None:
            return ""
    return str(value).strip()


def matches_one_user(answers: Mapping[str, str], user: AbstractBaseUser | None = None) -> bool:
    """Whether one active user, or this one, has all these values, given by lookup path. Case and surrounding space do
    not count."""
    if not answers:
        return False
    conditions: dict[str, Any] = {f"{path}__iexact": value.strip() for path, value in answers.items()}
    if user is not None:
        conditions["pk"] = user.pk
    return get_user_model()._default_manager.filter(**conditions, is_active=True).exists()


def matching_names(rows: Iterable[Row], answers: Mapping[str, object]) -> list[str]:
    """The names of the annotated fields whose answer an active account has."""
    return [
        row.name
        for row in rows
        if (answer := str(answers.get(row.name) or "")) and matches_one_user({row.user_lookup: answer})
    ]
