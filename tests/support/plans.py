"""How the database finds the rows of the statements that the code runs, by its own plans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext


def count_rows() -> None:
    """Without it PostgreSQL thinks that the tables are empty. SQLite does without."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def prefer_indexes() -> None:
    """A thousand rows are few for PostgreSQL: it would rather read them all than look ten up."""
    count_rows()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")


class Plans:
    """Of the statements that were run, as the database explains them."""

    def __init__(self, statements: list[str]) -> None:
        self.texts = []
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        for statement in statements:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                with connection.cursor() as cursor:
                    cursor.execute(f"{explain} {statement}")
                    plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
                self.texts.append(f"{statement}\n{plan}")

    def of_whole(self, *tables: str) -> list[str]:
        """The plans that read one of the tables from its first row to its last."""
        whole = re.compile(rf"(Seq Scan on|SCAN) ({'|'.join(tables)})\b(?! USING INDEX)")
        return [text for text in self.texts if whole.search(text)]

    def use(self, index: str) -> bool:
        return any(index in text for text in self.texts)


@contextmanager
def plans() -> Iterator[Plans]:
    found = Plans([])
    with CaptureQueriesContext(connection) as captured:
        yield found
    found.texts = Plans([query["sql"] for query in captured.captured_queries]).texts
