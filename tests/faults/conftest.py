"""The real site, and the databases that it must not fail on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import postgres
from tests.support.missing import skip_without
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer

THREADS = 8


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if not postgres.is_there():
        skip_without(postgres.NAME)
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    with postgres.new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    """Two processes of eight threads on SQLite, and a sandbox of their own."""
    environment: dict[str, str | None] = {"WEBCHAT_THREADS": str(THREADS)}
    folder = tmp_path_factory.mktemp("site")
    with SandboxServer() as sandbox, SiteServer(folder, sandbox, workers=2, environment=environment) as server:
        yield server
