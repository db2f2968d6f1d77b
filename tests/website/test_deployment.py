"""What a deployment says about itself: the site's address, the database's, the proxy in front."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client

from config.addresses import host_in_header, site_address
from tests.support.site import ROOT


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    def read(**environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "config/settings.py"))

    return read


# --- The site's address ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "origin", "host"),
    [
        ("https://www.example.com/", "https://www.example.com", "www.example.com"),
        ("https://WWW.Example.com.:443", "https://www.example.com", "www.example.com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "127.0.0.1"),
        ("https://müller.example", "https://xn--mller-kva.example", "xn--mller-kva.example"),
        # As browsers do since IDNA 2008, and not ss.
        ("https://STRAẞE.example:8443", "https://xn--strae-oqa.example:8443", "xn--strae-oqa.example"),
        ("http://[2001:DB8:0:0::1]:8080", "http://[2001:db8::1]:8080", "[2001:db8::1]"),
        ("https://my-host", "https://my-host", "my-host"),
    ],
)
def test_an_address_is_what_a_browser_sends(written: str, origin: str, host: str) -> None:
    assert site_address(written) == (origin, host)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "www.example.com",
        "ftp://a.example",
        "https://",
        "https://u:p@a.example",
        "https://a.example?x",
        "https://[::g]",
        # Django takes none of these from a Host header: each request would be answered by 400.
        "https://my_host",
        "https://a b.example",
        "https://*.example",
        "https://.example",
        "https://[fe80::1%25eth0]",
    ],
)
def test_what_is_no_address_of_a_site_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        site_address(written)


@pytest.mark.parametrize(
    ("host", "sent"), [(".müller.example", ".xn--mller-kva.example"), ("*", "*"), ("::1", "[::1]")]
)
def test_a_pattern_of_hosts_stays_one(host: str, sent: str) -> None:
    assert host_in_header(host) == sent


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://müller.example", "xn--mller-kva.example"), ("https://[2001:db8::1]", "[2001:db8::1]")],
)
@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.django_db
def test_a_site_of_any_name_answers_its_visitors(settings_of, settings, url: str, host: str, by_hand: bool) -> None:
    hosts = {"DJANGO_ALLOWED_HOSTS": url.removeprefix("https://")} if by_hand else {}
    read = settings_of(PUBLIC_BASE_URL=url, **hosts)
    settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = read["ALLOWED_HOSTS"], read["CSRF_TRUSTED_ORIGINS"]
    assert read["CSRF_TRUSTED_ORIGINS"] == [f"https://{host}"]
    answer = Client().get("/", headers={"Host": host})
    assert answer.status_code == 200
    assert Client().get("/", headers={"Host": "other.example"}).status_code == 400


# --- The proxy -------------------------------------------------------------------------------------------------------


def found(*ids: str) -> dict[str, str]:
    return {message.id: message.hint for message in run_checks() if message.id.startswith("config.")}


@pytest.mark.parametrize(("tls", "proxies", "expected"), [(True, 0, ["config.E001"]), (True, 1, []), (False, 0, [])])
def test_a_site_over_tls_says_how_many_proxies_it_has(settings, tls: bool, proxies: int, expected: list[str]) -> None:
    settings.SERVED_OVER_TLS, settings.TRUSTED_PROXY_COUNT, settings.TWILIO_SANDBOX_URL = tls, proxies, ""
    assert list(found()) == expected


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/health/live", "/health/ready"])
def test_a_load_balancer_asks_by_the_servers_own_address_and_without_tls(settings, address: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    client = Client()
    assert client.get(address, headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert client.post(address, headers={"Host": "10.0.0.7:8000"}).status_code == 405
    for other in ("/", "/health/", "/health/other"):
        assert client.get(other, headers={"Host": "10.0.0.7:8000"}).status_code == 400


# --- The database's address ------------------------------------------------------------------------------------------


def test_what_the_databases_address_says_wins_over_the_defaults(settings_of) -> None:
    url = "postgres://u:p@db.example/x?sslmode=verify-full&connect_timeout=9&conn_max_age=0&options=-c%20search_path%3Dchat"
    database = settings_of(DATABASE_URL=url)["DATABASES"]["default"]
    options = database["OPTIONS"]
    assert (options["sslmode"], options["connect_timeout"], database["CONN_MAX_AGE"]) == ("verify-full", 9, 0)
    assert options["tcp_user_timeout"] == 4000, "what it does not name keeps its default"
    assert options["options"].startswith("-c statement_timeout=5000 ")
    assert options["options"].endswith(" -c search_path=chat"), "PostgreSQL takes the last value"
    sqlite = settings_of(DATABASE_URL="sqlite:////tmp/x?timeout=20")["DATABASES"]["default"]
    assert (sqlite["OPTIONS"]["timeout"], sqlite["OPTIONS"]["transaction_mode"]) == (20, "IMMEDIATE")


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("postgres://u:p@db.example/x", True),
        ("postgres://u:p@127.0.0.1,db.example/x", True),
        ("postgres:///x?host=db.example", True),
        ("postgres://u:p@db.example/x?sslmode=verify-full", False),
        ("postgres://u:p@db.example/x?sslmode=disable", False),
        ("postgres://u:p@127.0.0.1/x", False),
        ("postgres:////var/run/postgresql/x", False),
        ("sqlite:////tmp/x", False),
    ],
)
def test_a_database_elsewhere_without_a_word_on_tls_is_warned_of(
    settings_of, settings, monkeypatch, url: str, warned: bool
) -> None:
    monkeypatch.setitem(settings.DATABASES, "default", settings_of(DATABASE_URL=url)["DATABASES"]["default"])
    assert ("config.W001" in found()) is warned
