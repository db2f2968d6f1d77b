from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer


@pytest.fixture(scope="package")
def site(tmp_path_factory, sandbox_server: SandboxServer) -> Iterator[SiteServer]:
    """The whole site over HTTP, for tests that no client in the process can do."""
    with SiteServer(tmp_path_factory.mktemp("site"), sandbox_server) as server:
        yield server
