"""What a load balancer asks, and a stranger may ask too."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from config import health

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_process():
    health.require_migrations.cache_clear()
    yield
    health.require_migrations.cache_clear()


def test_a_migrated_site_is_ready_and_says_nothing_else(client, django_assert_num_queries):
    assert client.get("/health/ready").content == b"ok"
    with django_assert_num_queries(1):
        response = client.get("/health/ready")
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


def test_without_all_migrations_it_is_not(client, log):
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("webchat", recorder.migration_qs.filter(app="webchat").latest("pk").name)
    response = client.get("/health/ready")
    assert (response.status_code, response.content) == (503, b"unavailable")
    [line] = log.lines("not_ready")
    assert line["reason"] == "MigrationsPending"
    assert client.get("/health/live").status_code == 200


def test_without_a_database_it_is_not(client, log):
    with connection.execute_wrapper(_refuse):
        response = client.get("/health/ready")
    assert (response.status_code, response.content) == (503, b"unavailable")
    assert log.lines("not_ready")[0]["reason"] == "OperationalError"


def _refuse(*args):
    raise OperationalError("the connection was closed by somebody whom nobody should know")
