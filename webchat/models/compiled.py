"""Statements whose SQL is built once in a process: those of every start and every renewal.

Django builds the SQL of a queryset anew each time, and that takes several times as long as SQLite or PostgreSQL need for
the answer. Here it builds it the first time; after that only the values differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeAlias, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.expressions import RawSQL
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=models.Model)
Field: TypeAlias = "models.Field[Any, Any]"
SET, IF = "set", "if"  # the parts of a statement that have values


class Select(Generic[M]):
    """The rows of a queryset in which these fields have the values of a call.

    The queryset comes as a function, because no model is ready while its module is read. It has no values of its own,
    and none of a call is None: SQL has other words for that.
    """

    def __init__(self, queryset: Callable[[], models.QuerySet[M]], *fields: str) -> None:
        self._queryset, self._fields = queryset, fields

    def __call__(self, **values: object) -> list[M]:
        model, sql, fields, columns, converters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(sql, [field.get_db_prep_value(values[field.name], connection) for field in fields])
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for number, (convert, column) in converters:
                row[number] = convert(row[number], column, connection)
        return [model.from_db(DEFAULT_DB_ALIAS, columns, row) for row in rows]

    @cached_property
    def _compiled(self) -> tuple[type[M], str, list[Field], list[str], list[Any]]:
        rows = self._queryset()
        compiler = rows.filter(**{name: _place(IF, name) for name in self._fields}).query.get_compiler(DEFAULT_DB_ALIAS)
        sql, places = compiler.as_sql()
        selected = [column for column, _, _ in compiler.select]
        converters = [
            (number, (convert, column))
            for number, (found, column) in compiler.get_converters(selected).items()
            for convert in found
        ]
        columns = [column.target.attname for column in selected]
        return rows.model, sql, [_field(rows.model, name) for _, name in places], columns, converters


def change(row: models.Model, changes: Mapping[str, object], only_if: Mapping[str, object] | None = None) -> bool:
    """Changes the row, here and in the database, if it still has these values there; whether it did.

    One statement: of several callers who saw the same row, one wins.
    """
    conditions = {"id": row.pk, **(only_if or {})}
    sql, places = _compiled_change(type(row), tuple(changes), tuple(conditions))
    values = {SET: changes, IF: conditions}
    with connection.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(values[part][field.name], connection) for part, field in places])
        if cursor.rowcount != 1:
            return False
    for name, value in changes.items():
        setattr(row, name, value)
    return True


@lru_cache
def _compiled_change(
    model: type[models.Model], changes: tuple[str, ...], conditions: tuple[str, ...]
) -> tuple[str, list[tuple[str, Field]]]:
    rows = model._base_manager.filter(**{name: _place(IF, name) for name in conditions})
    query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
    query.add_update_values({name: _place(SET, name) for name in changes})
    sql, places = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    return sql, [(part, _field(model, name)) for part, name in places]


def _field(model: type[models.Model], name: str) -> Field:
    return cast("Field", model._meta.get_field(name))


def _place(part: str, name: str) -> RawSQL:
    """Where a value goes. What stands in for it tells whose place it is: SQL has an order of its own."""
    return RawSQL("%s", [(part, name)])
