"""Statements whose SQL is built once in a process: those of every start and every renewal.

Django builds the SQL of a queryset anew each time, and that takes several times as long as SQLite or PostgreSQL need for
the answer. Here it builds it the first time; after that only the values differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
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
    known afterwards. No text of a database has a NUL, and Django changes none where it escapes for LIKE."""

    def __init__(self, model: type[models.Model], database: str = DEFAULT_DB_ALIAS) -> None:
        self._model, self._database = model, database
        self._marked: dict[object, _Value] = {}

    def place(self, lookup: str, key: str = "") -> RawSQL:
        """Where the value `key` of the call goes, by default the one of the lookup's name."""
        mark = f"\0{len(self._marked)}"
        self._marked[mark] = _Value(key or lookup, self._preparation(lookup))
        return RawSQL("%s", [mark])

    def _preparation(self, lookup: str) -> Callable[[Any], object]:
        if lookup.endswith("__iexact"):
            return lambda text: connections[self._database].ops.prep_for_iexact_query(text)
        meta = self._model._meta
        field = cast("models.Field[Any, Any]", meta.pk if lookup == "pk" else meta.get_field(lookup))
        return lambda value: field.get_db_prep_save(value, connections[self._database])

    def in_order(self, parameters: Iterable[Any]) -> list[Any]:
        return [self._marked.get(one, one) for one in parameters]


def _filled(parameters: list[Any], values: Mapping[str, object]) -> list[Any]:
    return [one.prepare(values[one.key]) if isinstance(one, _Value) else one for one in parameters]


class Select(Generic[M]):
    """The rows of a queryset that have a call's values: by equality of a field, or by `…__iexact` of a text.

    The queryset comes as a function, because no model is ready while its module is read. No value of a call is None:
    SQL has other words for that.
    """

    def __init__(self, queryset: Callable[[], models.QuerySet[M]], *lookups: str) -> None:
        self._queryset, self._lookups = queryset, lookups

    def __call__(self, **values: object) -> list[M]:
        model, database, sql, parameters, own, names, converters = self._compiled
        with connections[database].cursor() as cursor:
            cursor.execute(sql, _filled(parameters, values))
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for number, convert, column in converters:
                row[number] = convert(row[number], column, connections[database])
        return [model.from_db(database, names, row[own]) for row in rows]

    @cached_property
    def _compiled(self) -> tuple[type[M], str, str, list[Any], slice, list[str], list[tuple[int, Any, Any]]]:
        rows = self._queryset()
        # A site may keep its users elsewhere.
        database = rows.db
        values = _Values(rows.model, database)
        rows = rows.filter(**{lookup: values.place(lookup) for lookup in self._lookups})
        compiler = rows.query.get_compiler(database)
        sql, marks = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        # A site's own manager may add columns that are none of the model's.
        numbers = compiler.klass_info["select_fields"]
        own = slice(numbers[0], numbers[-1] + 1)
        converters = [
            (number, convert, column)
            for number, (found, column) in compiler.get_converters(columns).items()
            for convert in found
        ]
        names = [column.target.attname for column in columns[own]]
        return rows.model, database, sql, values.in_order(marks), own, names, converters


def change(row: models.Model, changes: Mapping[str, object], only_if: Mapping[str, object] | None = None) -> bool:
    """Changes the row, here and in the database, if it still has these values there; whether it did.

    One statement: of several callers who saw the same row, one wins.
    """
    conditions = {"pk": row.pk, **(only_if or {})}
    sql, parameters = _compiled_change(type(row), tuple(changes), tuple(conditions))
    values = {**conditions, **{f"new {name}": value for name, value in changes.items()}}
    with connection.cursor() as cursor:
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
    with connection.cursor() as cursor:
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
