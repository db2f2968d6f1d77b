"""A search for how a text begins, which an index answers with any database and in any language."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, TextField, Value
from django.db.models.functions import Upper
from django.db.models.lookups import GreaterThanOrEqual, LessThan

# Behind every text that begins alike: by code point no character comes after it.
LAST_CHARACTER = "\U0010ffff"


class UpperByCodePoint(Upper):
    """The upper case, sorted by code point instead of by a language's rules, which put other texts in between."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template='%(function)s(%(expressions)s) COLLATE "C"', **context)


def begins_with(column: str, text: str) -> Q:
    upper = UpperByCodePoint(column, output_field=TextField())
    begin, end = Upper(Value(text)), Upper(Value(text + LAST_CHARACTER))
    return Q(GreaterThanOrEqual(upper, begin)) & Q(LessThan(upper, end))
