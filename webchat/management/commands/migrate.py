"""`manage.py migrate`, without the time-out of statements: an index over a million chats takes longer than a request may."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        # PgBouncer would give the setting to whoever gets the connection next: migrate goes to PostgreSQL itself.
        is_direct = not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        if connection.vendor == "postgresql" and is_direct:
            with connection.cursor() as cursor:
                # The time-out of locks stays: whoever waits for one to change a table has all others wait behind.
                cursor.execute("SET statement_timeout = 0")
        super().handle(*args, **options)
