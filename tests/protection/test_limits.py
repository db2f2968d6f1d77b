"""Limits let through exactly what they allow, whoever asks, however many at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client, RequestFactory

from tests.protection.limit_burst import ALLOWED
from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat import visitors
from webchat.models import ChatSession
from webchat.protection import limits
from webchat.protection.limits import Limit
from webchat.visitors import network_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_limit_allows_so_many_at_once_then_says_when_there_is_one_again():
    limit = Limit("test", 3, 60)
    with time_machine.travel(NOON, tick=False):
        assert [limit.take("ada") for _ in range(5)] == [None, None, None, 20, 20]
    with time_machine.travel(NOON + timedelta(seconds=20), tick=False):
        assert [limit.take("ada") for _ in range(2)] == [None, 20]
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert [limit.take("ada") for _ in range(4)] == [None, None, None, 20]


def test_keys_and_limits_do_not_share():
    one, other = Limit("one", 1, 60), Limit("other", 1, 60)
    assert [one.take("a"), one.take("b"), other.take("a")] == [None] * 3
    assert one.take("a")


def test_a_daily_cap_is_free_again_the_next_day():
    with time_machine.travel(NOON, tick=False):
        assert [limits.take_day("day", 2) for _ in range(3)] == [None, None, 12 * 3600]
    with time_machine.travel(NOON + timedelta(hours=12), tick=False):
        assert limits.take_day("day", 2) is None


def test_creates_at_twilio_keep_their_pace():
    began = time.monotonic()
    assert all(limits.wait_for_turn() for _ in range(5))
    assert time.monotonic() - began >= 4 * limits.PACE.each - 0.01


def test_a_queue_for_twilio_that_is_too_long_is_refused():
    with time_machine.travel(NOON, tick=False):
        for _ in range(limits.PACE.allowed):
            assert limits.PACE.take("") is None
        assert not limits.wait_for_turn()


def test_who_takes_several_takes_all_or_none():
    wide, narrow = Limit("wide", 3, 60), Limit("narrow", 1, 60)
    assert limits.take_each((wide, "ada"), (narrow, "ada")) is None
    assert [limits.take_each((wide, "ada"), (narrow, "ada")) for _ in range(5)] == [(60, "narrow")] * 5
    assert [wide.take("ada") for _ in range(3)] == [None, None, 20]


@pytest.mark.thorough
def test_four_processes_at_once_get_exactly_the_limit_each_time(tmp_path):
    rounds, processes, threads = 10, 4, 13
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'limits.sqlite3'}",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, check=True)
    start = time.time() + 4
    command = [sys.executable, "-m", "tests.protection.limit_burst", str(start), str(rounds), str(threads)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    outputs = [[int(number) for number in process.communicate(timeout=120)[0].split()] for process in running]
    assert [sum(round_) for round_ in zip(*outputs, strict=True)] == [ALLOWED] * rounds


# --- At the start of a chat ------------------------------------------------------------------------------------------


def refused(response):
    assert response.status_code == 429
    assert response.json()["code"] == "too_many"
    assert re.fullmatch(
        r"Too many chats were started from here\. Please try again in \d+ (minute|hour)s?\.", response.json()["detail"]
    )
    return int(response["Retry-After"])


def test_one_browser_starts_five_chats_then_waits(sandbox):
    make_webchat()
    visitor = VisitorClient()
    for number in range(5):
        assert visitor.start(ANSWERS, key=f"key-number-{number}").status_code == 201
    assert 1 <= refused(visitor.start(ANSWERS, key="key-number-6")) <= 120
    assert ChatSession.objects.count() == 5
    # Others at the same address are not locked out.
    assert VisitorClient().start(ANSWERS).status_code == 201


def test_a_repeated_submit_is_counted_once(sandbox):
    make_webchat()
    visitor = VisitorClient()
    assert {visitor.start(ANSWERS).status_code for _ in range(8)} == {201, 200}


def test_who_throws_the_cookie_away_meets_the_limit_of_the_address(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "PER_ADDRESS", Limit("start:address", 2, 600))
    make_webchat()
    assert [VisitorClient().start(ANSWERS).status_code for _ in range(3)] == [201, 201, 429]


def test_a_forged_forwarded_header_buys_nothing(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "PER_ADDRESS", Limit("start:address", 2, 600))
    make_webchat()
    forged = [
        VisitorClient().start(ANSWERS, **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code for number in range(5)
    ]
    assert forged == [201, 201, 429, 429, 429]


def test_a_user_is_limited_in_every_browser(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "PER_USER", Limit("start:user", 1, 86_400))
    make_webchat()
    ada = make_user()
    statuses = []
    for _ in range(2):
        visitor = VisitorClient()
        visitor.client.force_login(ada)
        visitor.open_panel()
        statuses.append(visitor.start(ANSWERS).status_code)
    assert statuses == [201, 429]


def test_the_daily_cap_of_staff_counts_at_once(sandbox):
    webchat = make_webchat(daily_cap=1)
    assert VisitorClient().start(ANSWERS).status_code == 201
    assert refused(VisitorClient().start(ANSWERS)) <= 86_400
    webchat.daily_cap = 2
    webchat.save()
    assert VisitorClient().start(ANSWERS).status_code == 201


def test_a_cap_that_comes_in_the_middle_of_a_day_is_that_of_the_whole_day(sandbox):
    webchat = make_webchat()
    for _ in range(2):
        assert VisitorClient().start(ANSWERS).status_code == 201
    webchat.daily_cap = 2
    webchat.save()
    assert refused(VisitorClient().start(ANSWERS)) <= 86_400


def test_load_tests_lift_the_limits(sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat(daily_cap=1)
    assert [VisitorClient().start(ANSWERS).status_code for _ in range(3)] == [201] * 3


# --- Where a request comes from --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "network"),
    [
        (0, "198.51.100.7", "", "198.51.100.7"),
        (0, "198.51.100.7", "203.0.113.1", "198.51.100.7"),
        (1, "10.0.0.1", "203.0.113.1", "203.0.113.1"),
        (1, "10.0.0.1", "1.1.1.1, 203.0.113.1", "203.0.113.1"),
        (2, "10.0.0.1", "1.1.1.1, 203.0.113.1, 10.0.0.2", "203.0.113.1"),
        (2, "10.0.0.1", "203.0.113.1", ""),
        (1, "10.0.0.1", "", ""),
        (1, "10.0.0.1", "garbage" * 2000, ""),
        (1, "10.0.0.1", "203.0.113.1:50123", "203.0.113.1"),
        (1, "10.0.0.1", "1.1.1.1:1, [2001:db8:1:2::7]:50123", "2001:db8:1:2::/64"),
        (1, "10.0.0.1", "[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
        (1, "10.0.0.1", "[::ffff:203.0.113.1]:443", "203.0.113.1"),
        (1, "10.0.0.1", "fe80::1%eth0", "fe80::/64"),
        (1, "10.0.0.1", "203.0.113.1:evil", ""),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        (0, "2001:db8:1:2:ffff::1", "", "2001:db8:1:2::/64"),
        (0, "::ffff:198.51.100.7", "", "198.51.100.7"),
        (0, "", "203.0.113.1", ""),
    ],
)
def test_the_address_is_what_a_trusted_proxy_saw(settings, proxies, remote, forwarded, network):
    settings.TRUSTED_PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers)
    assert network_of(request) == network


def test_an_address_that_cannot_be_read_is_nobodys_allowance_and_named_once(sandbox, monkeypatch, settings, caplog):
    monkeypatch.setattr(limits, "PER_ADDRESS", Limit("start:address", 1, 600))
    monkeypatch.setattr(limits, "PER_BROWSER", Limit("start:browser", 2, 600))
    visitors.name_unreadable_address.cache_clear()
    settings.TRUSTED_PROXY_COUNT = 1
    make_webchat()
    browsers = [VisitorClient() for _ in range(3)]
    headers = {"X-Forwarded-For": "unix:"}
    assert [browser.start(ANSWERS, **headers).status_code for browser in browsers] == [201, 201, 201]
    more = [browsers[0].start(ANSWERS, key=f"another-key-{number}", **headers).status_code for number in range(2)]
    assert more == [201, 429], "the limit of one browser holds"
    named = [record for record in caplog.records if "client_address_unreadable" in record.getMessage()]
    assert [record.levelname for record in named] == ["ERROR"]
    assert "unix:" not in caplog.text


def test_a_prefix_that_one_customer_has_is_not_65536_addresses():
    limit = Limit("test", 3, 60)
    with time_machine.travel(NOON, tick=False):
        answers = [
            limits.take_each(*limits.by_network(limit, f"2001:db8:1:{number:x}::/64")) for number in range(4 * 3 + 1)
        ]
        assert answers == [None] * 12 + [(5, "test:48")]
        assert limits.take_each(*limits.by_network(limit, "2001:db8:2::/64")) is None
        # One network of it has no more than an IPv4 address.
        assert [limits.take_each(*limits.by_network(limit, "2001:db8:3::/64")) for _ in range(4)][3] == (20, "test")
        assert len(limits.by_network(limit, "192.0.2.1")) == 1


def test_starts_of_a_prefix_are_limited(sandbox):
    make_webchat()
    wide = limits.PER_ADDRESS.allowed * limits.PREFIX_FACTOR
    with time_machine.travel(NOON, tick=False):
        for number in range(wide):
            limits.take_each(*limits.by_network(limits.PER_ADDRESS, f"2001:db8:1:{number:x}::/64"))
        assert VisitorClient(client=Client(REMOTE_ADDR="2001:db8:1:ffff::1")).start(ANSWERS).status_code == 429
        assert VisitorClient(client=Client(REMOTE_ADDR="2001:db8:2:ffff::1")).start(ANSWERS).status_code == 201


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 minute."), (61, "2 minutes."), (7200, "120 minutes."), (7201, "3 hours."), (86_400, "24 hours.")],
)
def test_the_wait_is_told_in_minutes_and_long_ones_in_hours(seconds: int, words: str) -> None:
    assert limits.try_again_in(seconds) == f"Please try again in {words}"
