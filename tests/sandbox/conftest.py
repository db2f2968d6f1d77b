from __future__ import annotations

import pytest
from twilio.rest import Client

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import rest_client


@pytest.fixture
def twilio(sandbox: SandboxServer) -> Client:
    return rest_client(sandbox)
