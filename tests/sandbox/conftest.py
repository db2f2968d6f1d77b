from __future__ import annotations

from collections.abc import Iterator

import pytest
from twilio.rest import Client

from tests.sandbox.clients import rest_client
from tests.sandbox_server import SandboxServer


@pytest.fixture(scope="session")
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(server: SandboxServer) -> Iterator[SandboxServer]:
    """The sandbox, with no faults and an empty log. Conversations of other tests are in it."""
    server.clear_log()
    yield server
    server.clear_faults()


@pytest.fixture
def twilio(sandbox: SandboxServer) -> Client:
    return rest_client(sandbox)
