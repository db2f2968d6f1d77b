"""Statements whose SQL is built once in a process: those of every start and every renewal, on this app's own tables.

Django builds the SQL of a queryset anew each time, and that takes several times as long as SQLite or PostgreSQL need for
the answer. Here it builds it the first time; after that only the values differ. As with QuerySet.update(), no signals are
sent. The tables are in the default database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.sql import InsertQuery, UpdateQuery

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class _Value:
    """A value of the call's: which one, and how the database wants it."""

    key: str
    prepare: Callable[[Any], object]


class _Values:
    """The values of one statement. While Django builds the SQL, a mark stands in for each; so their order in it is
    known afterwards. No text of a database has a NUL."""

    def __init__(self, model: type[models.Model]) -> None:
        self._meta = model._meta
        self._marked: dict[object, _Value] = {}

    def place(self, name: str, key: str = "") -> RawSQL:
        """Where the value `key` of the call goes, by default the one of the field's name."""
        field = cast("models.Field[Any, Any]", self._meta.pk if name == "pk" else self._meta.get_field(name))
        mark = f"\0{len(self._marked)}"
        self._marked[mark] = _Value(key or name, lambda value: field.get_db_prep_save(value, connection))
        return RawSQL("%s", [mark])

    def in_order(self, parameters: Iterable[Any]) -> list[Any]:
        return [self._marked.get(one, one) for one in parameters]


def _filled(parameters: list[Any], values: Mapping[str, object]) -> list[Any]:
    return [one.prepare(values[one.key]) if isinstance(one, _Value) else one for one in parameters]


class Select(Generic[M]):
    """The rows of a queryset in which these fields have the values of a call.

    The queryset comes as a function, because no model is ready while its module is read. What else it compares with is
    that of the first call. No value of a call is None: SQL has other words for that.
    """

    def __init__(self, queryset: Callable[[], models.QuerySet[M]], *fields: str) -> None:
        self._queryset, self._fields = queryset, fields

    def __call__(self, **values: object) -> list[M]:
        model, sql, parameters, columns, converters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(parameters, values))
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for number, convert, column in converters:
                row[number] = convert(row[number], column, connection)
        return [model.from_db(DEFAULT_DB_ALIAS, columns, row) for row in rows]

    @cached_property
    def _compiled(self) -> tuple[type[M], str, list[Any], list[str], list[tuple[int, Any, Any]]]:
        rows = self._queryset()
        values = _Values(rows.model)
        rows = rows.filter(**{name: values.place(name) for name in self._fields})
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, marks = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        converters = [
            (number, convert, column)
            for number, (found, column) in compiler.get_converters(columns).items()
            for convert in found
        ]
        return rows.model, sql, values.in_order(marks), [column.target.attname for column in columns], converters


def change(row: models.Model, changes: Mapping[str, object], only_if: Mapping[str, object] | None = None) -> bool:
    """Changes the row, here and in the database, if it still has these values there; whether it did.

    One statement: of several callers who saw the same row, one wins.
    """
    conditions = {"pk": row.pk, **(only_if or {})}
    sql, parameters = _compiled_change(type(row), tuple(changes), tuple(conditions))
    values = {**conditions, **{f"new {name}": value for name, value in changes.items()}}
    with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
        cursor.execute(sql, _filled(parameters, values))
        if cursor.rowcount != 1:
            return False
    for name, value in changes.items():
        setattr(row, name, value)
    return True


@lru_cache
def _compiled_change(
    model: type[models.Model], changes: tuple[str, ...], conditions: tuple[str, ...]
) -> tuple[str, list[Any]]:
    values = _Values(model)
    rows = model._base_manager.filter(**{name: values.place(name) for name in conditions})
    query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
    query.add_update_values({name: values.place(name, f"new {name}") for name in changes})
    sql, marks = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    return sql, values.in_order(marks)


def insert(row: models.Model) -> None:
    """Saves a new row that has its primary key already. Raises IntegrityError."""
    sql, parameters = _compiled_insert(type(row))
    values = {field.name: field.pre_save(row, add=True) for field in row._meta.concrete_fields}
    with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
        cursor.execute(sql, _filled(parameters, values))
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


@lru_cache
def _compiled_insert(model: type[models.Model]) -> tuple[str, list[Any]]:
    values, fields = _Values(model), model._meta.concrete_fields
    query = InsertQuery(model)
    marked = SimpleNamespace(**{field.attname: values.place(field.name) for field in fields})
    # Raw: pre_save() is for the values, which come later.
    query.insert_values(fields, [cast(models.Model, marked)], raw=True)
    [(sql, marks)] = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    return sql, values.in_order(marks)
