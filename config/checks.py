"""What is wrong with a deployment, found by `manage.py check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, connection

_TIMEOUTS = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
TOKEN_SHORTEST = 20
_THIS_MACHINE = ("", "127.0.0.1", "localhost", "::1")


def check_proxy(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Nothing of this site ends TLS, so where it is served over TLS a proxy stands in front."""
    if not settings.SERVED_OVER_TLS or settings.TRUSTED_PROXY_COUNT:
        return []
    return [
        Error(
            "PUBLIC_BASE_URL is https, but TRUSTED_PROXY_COUNT is 0: what the proxy says is not believed, so every page "
            "redirects to itself, and all visitors have the proxy's address.",
            hint="Set TRUSTED_PROXY_COUNT to the number of your proxies, most often 1.",
            id="config.E001",
        )
    ]


def check_metrics_token(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Nothing counts the guesses at it."""
    if not 0 < len(settings.METRICS_TOKEN) < TOKEN_SHORTEST:
        return []
    return [
        Warning(
            f"METRICS_TOKEN is shorter than {TOKEN_SHORTEST} characters: whoever guesses it reads /metrics.",
            hint="Make another one, as by openssl rand -hex 32, and give it to your monitoring too.",
            id="config.W003",
        )
    ]


def check_database_tls(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """PostgreSQL's default, `prefer`, goes on in clear text with whoever answers."""
    database = settings.DATABASES["default"]
    hosts = str(database.get("HOST") or database["OPTIONS"].get("host", "")).split(",")
    is_remote = any(host not in _THIS_MACHINE and not host.startswith("/") for host in hosts)
    if "postgresql" not in database["ENGINE"] or not is_remote or "sslmode" in database["OPTIONS"]:
        return []
    return [
        Warning(
            "The database of DATABASE_URL is on another machine, and its address does not say whether TLS protects the way.",
            hint="Add ?sslmode=verify-full&sslrootcert=/path/of/ca.pem to it, or ?sslmode=disable on a network of your own.",
            id="config.W001",
        )
    ]


def check_database_timeouts(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> Sequence[CheckMessage]:
    """Behind PgBouncer they are the role's, and nothing else would miss them."""
    if "default" not in (databases or ()) or connection.vendor != "postgresql":
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = '0'", [_TIMEOUTS])
            missing = sorted(name for (name,) in cursor.fetchall())
    except DatabaseError:
        return []  # another check says so
    return [
        Warning(
            f"The database's role has no {name}: a statement that hangs holds a request.",
            hint=f"ALTER ROLE … SET {name} = '…': docs/deployment.md has the values.",
            id="config.W002",
        )
        for name in missing
    ]
