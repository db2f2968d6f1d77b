"""Pre-engagement answers against the site's own users, whatever model the site has for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.db.models.lookups import Exact
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from webchat.conf import conf
from webchat.fields.emails import same_address
from webchat.fields.kinds import Row
from webchat.fields.person_names import strip_invisible


def offered_lookups() -> list[str]:
    """The paths that staff may choose. A form that compared others would be an oracle for whatever a user model holds:
    passwords, keys, flags."""
    return [path for path in conf.WEBCHAT_USER_LOOKUPS if path]


def lookup_choices() -> list[tuple[str, str]]:
    """The paths that staff may choose, each with what the site's user model calls the values there. A path that leads to
    none in this model is left out: `check` names it."""
    choices = []
    for path in offered_lookups():
        with suppress(ValidationError):
            choices.append((path, f"{capfirst(' · '.join(_names_along(path)))} ({path})"))
    return choices


def validate_lookup(path: str) -> None:
    """Raises ValidationError unless the path is offered, and leads from the user model, over to-one relations, to a plain
    value."""
    column_at(path)
    if path not in offered_lookups():
        text = _("“%(path)s” is not offered: WEBCHAT_USER_LOOKUPS names %(lookups)s.")
        raise ValidationError(text % {"path": path, "lookups": ", ".join(offered_lookups())})


def column_at(path: str) -> Any:
    """The field at the end of the path. Raises ValidationError where there is no plain value."""
    *_way, field = _columns_along(path)
    return field


def _names_along(path: str) -> list[str]:
    return [str(getattr(column, "verbose_name", column.name)) for column in _columns_along(path)]


def _columns_along(path: str) -> list[Any]:
    """The relations on the way, and the field at its end. Raises ValidationError where there is no plain value."""
    model: type[models.Model] | None = get_user_model()
    columns: list[Any] = []
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
        if part == "password" or field.many_to_many or field.one_to_many:
            raise ValidationError(_("“%(part)s” cannot be used here.") % {"part": part})
        related = field.related_model if field.is_relation else None
        model = related if isinstance(related, type) else None
        columns.append(field)
    if model is not None:
        raise ValidationError(_("The path ends at a relation. Go on with __ and the name of a field."))
    return columns


def is_text(path: str) -> bool:
    """Whether the path leads to a plain text."""
    with suppress(ValidationError):
        return isinstance(column_at(path), models.CharField | models.TextField)
    return False


def has_index(path: str) -> bool:
    """Whether the column at the path has an index, or a unique constraint, on its upper case."""
    column = column_at(path)
    options = column.model._meta
    uppers = [(Upper(column.name),), (Upper(models.F(column.name)),)]
    indexes = [each for each in (*options.indexes, *options.constraints) if not getattr(each, "condition", None)]
    return any(getattr(each, "expressions", ())[:1] in uppers for each in indexes)


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
    return _as_text(value).strip()


def normal_form(value: str) -> str:
    """What two spellings of one value have in common, for users' values, visitors' answers and the limit of guesses: NFKC,
    casefold, single spaces, and nothing that nobody sees. Of e-mail addresses also what same_address() says."""
    value = " ".join(unicodedata.normalize("NFKC", strip_invisible(value)).split())
    value = same_address(value) if "@" in value else value.casefold()
    return unicodedata.normalize("NFKC", value)


def matches_one_user(answers: Mapping[str, str], user: AbstractBaseUser | None = None) -> bool:
    """Whether one active user, or this one, has all these values, given by lookup path, in their normal form.

    The database finds who may be meant, by rules of case that differ between databases; the comparison here decides.
    """
    wanted = {path: normal_form(value) for path, value in answers.items()}
    if not wanted or not all(wanted.values()):
        return False
    same = [
        reduce(or_, (same_but_for_case(path, spelling) for spelling in _spellings(value)))
        for path, value in answers.items()
    ]
    users = get_user_model()._default_manager.filter(*same, is_active=True)
    if user is not None:
        users = users.filter(pk=user.pk)
    return any(
        all(normal_form(_as_text(one)) == value for one, value in zip(found, wanted.values(), strict=True))
        for found in users.values_list(*wanted)
    )


def same_but_for_case(path: str, value: str) -> Q | Exact:
    """The condition for equal texts: UPPER(column) = UPPER(value), which an index on the upper case answers with any database."""
    if is_text(path):
        return Exact(Upper(path, output_field=models.TextField()), Upper(models.Value(value)))
    return Q(**{f"{path}__iexact": value})


def _spellings(value: str) -> set[str]:
    """How the value may stand in the database, where the database cannot tell. SQLite knows the case of ASCII alone."""
    normal = normal_form(value)
    if value.isascii() and normal.isascii():
        return {normal}
    local, at, domain = normal.rpartition("@")
    domains = {domain}
    with suppress(UnicodeError):  # too long for a domain
        domains.add(domain.encode("idna").decode() if at else domain)
    # Where there is no address, the whole is the "domain".
    cases = (str, str.upper, str.title, str.capitalize)
    return {value.strip()} | {
        f"{case(local)}{at}{domain if at else case(domain)}" for case in cases for domain in domains
    }


def _as_text(value: Any) -> str:
    return "" if value is None else str(getattr(value, "as_e164", value))


def matching_names(rows: Iterable[Row], answers: Mapping[str, object]) -> list[str]:
    """The names of the annotated fields whose answer an active account has."""
    return [
        row.name
        for row in rows
        if (answer := str(answers.get(row.name) or "")) and matches_one_user({row.user_lookup: answer})
    ]
