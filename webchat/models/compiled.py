"""Statements whose SQL is built once in a process: those of every start and every renewal.

Django builds the SQL of a queryset anew each time, and that takes several times as long as SQLite or PostgreSQL need for
the answer. Here it builds it the first time; after that only the values differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.expressions import RawSQL
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class _Place:
    """Where a statement takes a value of the call's: which one, and how the database wants it. It stands in for the
    value while the SQL is built, and so tells the order that SQL has its values in."""

    key: str
    prepare: Callable[[Any], object]

    @classmethod
    def of(cls, model: type[models.Model], lookup: str, key: str = "") -> RawSQL:
        name, _, kind = lookup.rpartition("__")
        if kind == "iexact" and name:
            place = cls(key or lookup, connection.ops.prep_for_iexact_query)
        else:
            field = cast("models.Field[Any, Any]", model._meta.get_field(lookup))
            place = cls(key or lookup, lambda value: field.get_db_prep_save(value, connection))
        return RawSQL("%s", [place])


def _filled(places: tuple[Any, ...], values: Mapping[str, object]) -> list[Any]:
    return [place.prepare(values[place.key]) if isinstance(place, _Place) else place for place in places]


class Select(Generic[M]):
    """The rows of a queryset that have a call's values: by equality of a field, or by `…__iexact` of a text.

    The queryset comes as a function, because no model is ready while its module is read. No value of a call is None:
    SQL has other words for that.
    """

    def __init__(self, queryset: Callable[[], models.QuerySet[M]], *lookups: str) -> None:
        self._queryset, self._lookups = queryset, lookups

    def __call__(self, **values: object) -> list[M]:
        model, sql, places, own, names, converters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(places, values))
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for number, convert, column in converters:
                row[number] = convert(row[number], column, connection)
        return [model.from_db(DEFAULT_DB_ALIAS, names, row[own]) for row in rows]

    @cached_property
    def _compiled(self) -> tuple[type[M], str, tuple[Any, ...], slice, list[str], list[tuple[int, Any, Any]]]:
        rows = self._queryset()
        rows = rows.filter(**{lookup: _Place.of(rows.model, lookup) for lookup in self._lookups})
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, places = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        # A site's own manager may add columns that are none of the model's.
        numbers = compiler.klass_info["select_fields"]
        own = slice(numbers[0], numbers[-1] + 1)
        converters = [
            (number, convert, column)
            for number, (found, column) in compiler.get_converters(columns).items()
            for convert in found
        ]
        return rows.model, sql, tuple(places), own, [column.target.attname for column in columns[own]], converters


def change(row: models.Model, changes: Mapping[str, object], only_if: Mapping[str, object] | None = None) -> bool:
    """Changes the row, here and in the database, if it still has these values there; whether it did.

    One statement: of several callers who saw the same row, one wins.
    """
    conditions = {"id": row.pk, **(only_if or {})}
    sql, places = _compiled_change(type(row), tuple(changes), tuple(conditions))
    values = {**conditions, **{f"new {name}": value for name, value in changes.items()}}
    with connection.cursor() as cursor:
        cursor.execute(sql, _filled(places, values))
        if cursor.rowcount != 1:
            return False
    for name, value in changes.items():
        setattr(row, name, value)
    return True


@lru_cache
def _compiled_change(
    model: type[models.Model], changes: tuple[str, ...], conditions: tuple[str, ...]
) -> tuple[str, tuple[Any, ...]]:
    rows = model._base_manager.filter(**{name: _Place.of(model, name) for name in conditions})
    query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
    query.add_update_values({name: _Place.of(model, name, f"new {name}") for name in changes})
    sql, places = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    return sql, tuple(places)
