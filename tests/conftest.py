"""Fixtures that more than one part of the tests needs."""

from __future__ import annotations

import gc
import io
import logging
import math
import time
from collections.abc import Generator, Iterator
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import translation
from hypothesis import settings as hypothesis_settings

from config import logs
from tests.support.log import Log
from tests.support.missing import pytest_terminal_summary  # noqa: F401
from tests.support.sandbox import SandboxServer
from webchat import clock
from webchat.counters import counters
from webchat.models.copies import forget_copies
from webchat.protection.outage import breaker

# A process holds thousands of tests, and each full collection walks them all: a fifth of the time, if as often as usual.
gc.set_threshold(50_000)

# Everywhere the same examples and no deadline, as Hypothesis itself does it where CI is set.
hypothesis_settings.register_profile("tests", hypothesis_settings.get_profile("ci"))
hypothesis_settings.load_profile("tests")
# `make thorough` takes it.
hypothesis_settings.register_profile("thorough", max_examples=2_000, deadline=None)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, settings) -> SandboxServer:
    """A running sandbox that the site talks to, without the faults, the log and the configuration of other tests."""
    sandbox_server.become("new")
    sandbox_server.clear_faults()
    sandbox_server.clear_log()
    settings.TWILIO_SANDBOX_URL = sandbox_server.url
    return sandbox_server


@pytest.fixture(autouse=True)
def nothing_of_another_test_is_remembered() -> Iterator[None]:
    """A process remembers for a second what the outage's row and the webchats say, and for some what it has counted."""
    breaker.forget()
    forget_copies()
    counters.forget()
    yield
    counters.forget()


@pytest.fixture(autouse=True)
def no_language_of_another_test() -> Iterator[None]:
    """A request in French leaves its thread in French."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def the_databases_clock_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that travels in time takes a database server along. With SQLite the clock is this process' anyway."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=time.time))
    monkeypatch.setattr(clock, "_offset", (0.0, math.inf))


@pytest.fixture
def browser_client() -> Client:
    """A client that must bring a CSRF token, as a browser must."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def log() -> Iterator[Log]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(human=False))
    root = logging.getLogger()
    root.addHandler(handler)
    yield Log(stream)
    root.removeHandler(handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports travel between processes as UTF-8, which a captured log of bad input may not be."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
