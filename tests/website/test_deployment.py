"""What a deployment says about itself: the site's address, the database's, the proxy in front."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest
import yaml
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands
from django.test import Client

from config.addresses import host_in_header, site_address
from tests.support.site import ROOT
from webchat.chats import start
from webchat.management.commands import webchat_worker
from webchat.protection.limits import PACE


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


# --- Files of deploy/ ------------------------------------------------------------------------------------------------


def test_what_units_image_and_compose_file_start_is_there() -> None:
    files = [
        *sorted((ROOT / "deploy").glob("*.service")),
        *(ROOT / "deploy" / each for each in ("Dockerfile", "compose.yaml")),
    ]
    text = "\n".join(file.read_text() for file in files)
    # As a shell has it and as a list of words.
    text = re.sub(r'", ?"', " ", text)
    commands = set(re.findall(r"manage\.py (\w+)", text))
    assert commands == {"webchat_worker", "clearsessions", "migrate", "collectstatic"}
    assert commands <= set(get_commands())
    assert text.count("gunicorn -c config/gunicorn.py") == 2
    assert (ROOT / "config/gunicorn.py").exists()
    [made] = re.findall(r"RUN make ([\w./ ]+)", text)
    makefile = (ROOT / "Makefile").read_text()
    # The site's own requirements, which `build` does not need, and the browser's part.
    assert made.split() == [".venv/.site", "build"]
    for target in made.split():
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target
    assert "requirements.txt" in re.findall(r"^\.venv/\.site:.*$", makefile, re.MULTILINE)[0]


def test_a_unit_gives_requests_and_calls_in_hand_their_time() -> None:
    def seconds(unit: str) -> int:
        [found] = re.findall(r"^TimeoutStopSec=(\d+)$", (ROOT / "deploy" / unit).read_text(), re.MULTILINE)
        return int(found)

    assert seconds("webchat.service") > runpy.run_path(str(ROOT / "config/gunicorn.py"))["graceful_timeout"]
    assert seconds("webchat-worker.service") > webchat_worker.LAST_SECONDS


def test_compose_keeps_the_database_certificates_and_files_of_earlier_releases() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    services = compose["services"]
    mounted = {name: service.get("volumes", []) for name, service in services.items()}
    for service, volume in (
        ("database", "database"),
        ("proxy", "certificates"),
        ("site", "static"),
        ("migrate", "static"),
    ):
        assert any(mount.startswith(f"{volume}:") for mount in mounted[service]), service
    assert set(compose["volumes"]) == {"database", "certificates", "static"}
    for service in ("site", "worker", "clearsessions"):
        assert services[service]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


# --- Connections -----------------------------------------------------------------------------------------------------


POSTGRES = "postgres://user:password@127.0.0.1/name"


def test_pgbouncer_is_sent_no_options_that_it_refuses(settings_of: Any) -> None:
    plain = settings_of(DATABASE_URL=POSTGRES)["DATABASES"]["default"]
    assert "statement_timeout" in plain["OPTIONS"]["options"]
    behind = settings_of(DATABASE_URL=POSTGRES, DATABASE_PGBOUNCER="on")["DATABASES"]["default"]
    assert "options" not in behind["OPTIONS"]
    assert behind["DISABLE_SERVER_SIDE_CURSORS"]


def test_two_machines_stay_below_postgresqls_default_and_let_all_wait_that_can(settings_of: Any, monkeypatch) -> None:
    """As docs/deployment.md reckons. What can wait for Twilio at once is the site's pace, for as long as a start may take."""
    for name in ("WEBCHAT_THREADS", "WEB_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)
    gunicorn = runpy.run_path(str(ROOT / "config/gunicorn.py"))
    threads, processes = gunicorn["threads"], gunicorn["workers"]
    assert settings_of()["WEBCHAT_THREADS"] == threads
    assert settings_of(DATABASE_URL=POSTGRES)["DATABASES"]["default"]["OPTIONS"].get("pool") is None
    workers = len(webchat_worker.jobs_by_thread())
    reserved = 3  # superuser_reserved_connections
    assert 2 * processes * threads + 2 * workers <= 100 - reserved
    assert processes * (threads // 2) >= round(1 / PACE.each) * start.OPEN_SECONDS


def test_a_pool_is_asked_for(settings_of: Any) -> None:
    assert "pool" not in settings_of(DATABASE_URL=POSTGRES)["DATABASES"]["default"]["OPTIONS"]
    pooled = settings_of(DATABASE_URL=POSTGRES, DATABASE_POOL_SIZE="20")["DATABASES"]["default"]
    assert (pooled["OPTIONS"]["pool"]["max_size"], pooled["CONN_MAX_AGE"]) == (20, 0)
    sqlite = settings_of(DATABASE_URL="sqlite://:memory:", DATABASE_POOL_SIZE="20")["DATABASES"]["default"]
    assert "pool" not in sqlite["OPTIONS"]


# --- The time zone ---------------------------------------------------------------------------------------------------


def test_times_are_in_the_zone_that_the_environment_names(settings_of: Any) -> None:
    assert settings_of(DJANGO_TIME_ZONE="Europe/Zurich")["TIME_ZONE"] == "Europe/Zurich"


@pytest.mark.parametrize("name", ["Zurich", "Europe", "", "../UTC", "/etc/passwd", "UTC+1"])
def test_what_is_no_time_zone_is_refused_in_words(settings_of: Any, name: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"DJANGO_TIME_ZONE is not understood\. It is the name of a time zone"
    ):
        settings_of(DJANGO_TIME_ZONE=name)
