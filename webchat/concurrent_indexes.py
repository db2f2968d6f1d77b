"""Adds an index to a table with many rows while the site goes on to write to it."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently as AddIndexConcurrentlyWithPostgreSQL
from django.db import migrations


class AddIndexConcurrently(migrations.AddIndex):
    """CREATE INDEX CONCURRENTLY with PostgreSQL, in a migration that says `atomic = False`; elsewhere as AddIndex."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            operation = AddIndexConcurrentlyWithPostgreSQL(self.model_name, self.index)
            # It waits for what began to read before it, like a backup, and nobody waits for it meanwhile.
            schema_editor.execute("SET lock_timeout = 0")
            try:
                operation.database_forwards(app_label, schema_editor, from_state, to_state)
            finally:
                schema_editor.execute("RESET lock_timeout")
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
