"""The bounded HTTP client: connections, retries, credentials, hosts, TLS."""

from __future__ import annotations

import base64
import gc
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.flex.conftest import SHORT, GatewayTo, destination
from tests.support.faulty_server import (
    Call,
    FaultyServer,
    answering,
    drip,
    hang_up,
    in_chunks,
    listener_that_never_accepts,
    properly,
    properly_then_hang_up,
    refusal,
    reset,
)
from tests.support.site import free_port
from tests.support.stopwatch import at_most
from webchat.flex import Engagement, FlexError, gateway_for
from webchat.flex import client as client_module
from webchat.flex.client import BoundedHttpClient, client_on
from webchat.flex.http import Connections, Deadline, Limits
from webchat.sandbox import account

Reason = FlexError.Reason


def outcome(call: Callable[[], object]) -> FlexError:
    with pytest.raises(FlexError) as caught:
        call()
    return caught.value


# --- Connections ----------------------------------------------------------------------------------------------------


def test_a_connection_is_kept(faulty: FaultyServer, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url)
    for _ in range(5):
        gateway.find("w")
    faulty.script(answering(503, b"kept, as the answer was whole"))
    assert outcome(lambda: gateway.find("w")).status == 503
    gateway.find("w")
    assert (len(faulty.calls), faulty.connections) == (7, 1)


def test_an_answer_in_chunks(faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url)
    faulty.script(in_chunks)
    channel = gateway.open(engagement)
    assert gateway.find(engagement.identity) == channel
    assert faulty.connections == 1


@pytest.mark.parametrize(
    "fault",
    [properly_then_hang_up, answering(503, b"", headers={"Connection": "close"})],
    ids=["without a word", "with notice"],
)
def test_a_connection_that_the_other_side_closed_is_not_used_again(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, fault: Callable[[Call], bool]
) -> None:
    gateway = gateway_to(faulty.url)
    faulty.script(fault)
    with suppress(FlexError):
        gateway.find("w")
    faulty.wait_for_connections([0])
    gateway.open(engagement)
    assert (len(faulty.calls), len(faulty.created), faulty.connections) == (2, 1, 2)


def test_a_post_that_dies_with_its_kept_connection_is_not_repeated(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url)
    gateway.find("w")
    faulty.script(reset(done=False))
    assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNCLEAR
    assert (len(faulty.calls), faulty.connections) == (2, 1)


def test_a_look_up_that_dies_with_its_connection_is_repeated_once(
    faulty: FaultyServer, api: str, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, api)
    faulty.script(reset(done=False))
    assert gateway.find("w") is None
    faulty.script(hang_up, hang_up)
    assert outcome(lambda: gateway.find("w")).reason is Reason.UNCLEAR
    assert len(faulty.calls) == 4


def test_an_old_connection_is_not_trusted(faulty: FaultyServer, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url, limits=replace(SHORT, idle=1))
    gateway.find("w")
    gateway.find("w")
    assert faulty.connections == 1
    time.sleep(1.1)
    gateway.find("w")
    assert faulty.connections == 2


def test_a_request_leaves_in_one_piece(engagement: Engagement, gateway_to: GatewayTo) -> None:
    """Head and body in one packet: where they fit, neither waits for the other's acknowledgement."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        gateway = gateway_to(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with ThreadPoolExecutor(1) as thread:
            opening = thread.submit(outcome, lambda: gateway.open(engagement))
            with listener.accept()[0] as sock:
                received = sock.recv(65536)
            assert opening.result().reason is Reason.UNCLEAR
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert engagement.identity.encode() in body


def test_threads_never_get_each_others_answers(faulty: FaultyServer, engagement: Engagement) -> None:
    http_client = BoundedHttpClient(Connections(size=4), sandbox_url=faulty.url)
    client = client_on(http_client)

    def open_many(thread: int) -> None:
        for number in range(20):
            identity = f"w_{thread}_{number}"
            webchat = client.flex_api.v2.web_channels.create("IG", identity=identity)
            assert webchat.identity == identity

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(open_many, range(8)))
    assert len(faulty.created) == 160
    faulty.wait_for_connections(range(1, 5))


def test_the_connections_are_closed_with_the_client(faulty: FaultyServer, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(faulty.url)
    gateway.find("w")
    faulty.wait_for_connections([1])
    del gateway
    gc.collect()
    faulty.wait_for_connections([0])


# --- Not reached ----------------------------------------------------------------------------------------------------


def test_refused(api: str, engagement: Engagement, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(f"http://127.0.0.1:{free_port()}", api)
    with at_most(1):
        assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNREACHABLE


def test_refused_is_tried_again_once(
    engagement: Engagement, gateway_to: GatewayTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server comes up between the two tries."""
    with FaultyServer() as server:
        connects: list[Any] = []
        real = socket.getaddrinfo

        def first_a_dead_port(host: str, port: int, **options: Any) -> Any:
            connects.append(port)
            return real(host, free_port() if len(connects) == 1 else port, **options)

        monkeypatch.setattr(socket, "getaddrinfo", first_a_dead_port)
        gateway_to(server.url).open(engagement)
        assert (len(connects), len(server.created)) == (2, 1)


def test_an_unknown_host_is_tried_again_once(
    api: str, engagement: Engagement, gateway_to: GatewayTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unknown(host: str, port: int, **options: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert outcome(lambda: gateway_to("http://sandbox.invalid", api).open(engagement)).reason is Reason.UNREACHABLE
    assert asked == ["sandbox.invalid"] * 2


@pytest.mark.parametrize("url", ["http://" + "x" * 70 + ".invalid", "http://127.0.0.1:99999"])
def test_an_impossible_host(engagement: Engagement, gateway_to: GatewayTo, url: str) -> None:
    assert outcome(lambda: gateway_to(url).open(engagement)).reason is Reason.UNREACHABLE


def test_a_connection_that_never_completes(api: str, engagement: Engagement, gateway_to: GatewayTo) -> None:
    with listener_that_never_accepts() as port:
        gateway = gateway_to(f"http://127.0.0.1:{port}", api)
        with at_most(SHORT.connect + 0.3, at_least=SHORT.connect * 0.9):  # and no second try
            assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNREACHABLE


def test_every_address_gets_its_share_of_the_time(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listener_that_never_accepts() as dead:
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (dead, free_port(), faulty.port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        with at_most(SHORT.connect, at_least=SHORT.connect / 3 * 0.9):
            gateway_to("http://sandbox.invalid").open(engagement)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses[:1] * 9)
        gateway = gateway_to("http://other.invalid")
        with at_most(SHORT.connect + 0.3):
            assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNREACHABLE
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
        assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNREACHABLE


def test_a_request_that_nobody_reads_ends_at_the_deadline() -> None:
    """The other side accepts, and its window closes before the request is out."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        http_client = BoundedHttpClient(Connections(SHORT), sandbox_url=url)
        huge = {"x": "y" * 8_000_000}
        with at_most(SHORT.total):
            error = outcome(lambda: http_client.request("POST", "https://x.twilio.com/", data=huge, auth=("u", "p")))
        assert error.reason is Reason.UNCLEAR


def test_environment_proxies_are_ignored(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    gateway_to(faulty.url).open(engagement)
    assert faulty.calls[0].headers["authorization"] == basic(account.ACCOUNT_SID, account.AUTH_TOKEN)


# --- The deadline of several calls ----------------------------------------------------------------------------------


def test_the_calls_of_a_gateway_end_by_its_deadline_taken_together(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, api, limits=Limits(), deadline=Deadline(0.6))
    with at_most(0.9, at_least=0.5):
        gateway.find("w")
        faulty.script(drip(5))
        assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNCLEAR
    assert outcome(lambda: gateway.find("w")).reason is Reason.UNREACHABLE
    assert len(faulty.calls) == 2  # the third was never sent

    gateway_to(faulty.url, api).find("w")  # another gateway has a deadline of its own


def test_the_deadline_counts_while_a_connection_is_made(engagement: Engagement, gateway_to: GatewayTo) -> None:
    with listener_that_never_accepts() as port:
        gateway = gateway_to(f"http://127.0.0.1:{port}", limits=Limits(), deadline=Deadline(0.3))
        with at_most(0.6, at_least=0.2):
            assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNREACHABLE


def test_the_limits_count_within_a_long_deadline(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    faulty.script(drip(5))
    with at_most(SHORT.total + 0.3):
        assert outcome(lambda: gateway_to(faulty.url, deadline=Deadline(60)).open(engagement)).reason is Reason.UNCLEAR


# --- Credentials ----------------------------------------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_auth_token_goes_first_and_the_api_key_second(
    faulty: FaultyServer, gateway_to: GatewayTo, settings: Settings
) -> None:
    gateway_to(faulty.url).find("w")
    settings.TWILIO_AUTH_TOKEN = ""
    gateway_to(faulty.url).find("w")
    assert [call.headers["authorization"] for call in faulty.calls] == [
        basic(account.ACCOUNT_SID, account.AUTH_TOKEN),
        basic(account.API_KEY_SID, account.API_KEY_SECRET),
    ]


def test_the_sandbox_is_told_which_host_a_request_is_for(
    faulty: FaultyServer, api: str, engagement: Engagement, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(faulty.url, api)
    gateway.find(gateway.open(engagement).identity)
    hosts = [call.headers["x-twilio-host"] for call in faulty.calls]
    assert hosts == ["flex-api.twilio.com", "conversations.twilio.com"]
    assert {call.headers["host"] for call in faulty.calls} == {faulty.url.removeprefix("http://")}


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"])
def test_nothing_is_sent_without_credentials(
    faulty: FaultyServer,
    api: str,
    engagement: Engagement,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    # twilio-python would take these instead.
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "1" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "of the environment")
    settings.TWILIO_SANDBOX_URL = faulty.url
    settings.TWILIO_AUTH_TOKEN = ""
    setattr(settings, name, "")
    gateway = gateway_for(destination(api))
    for verb in (lambda: gateway.open(engagement), lambda: gateway.find("w"), lambda: gateway.close("CH" + "0" * 32)):
        assert outcome(verb).reason is Reason.NOT_CONFIGURED
    assert faulty.calls == []


@pytest.mark.parametrize("auth", [None, ("", "secret"), ("user", "")])
def test_the_http_client_itself_sends_nothing_without_credentials(faulty: FaultyServer, auth: Any) -> None:
    http_client = BoundedHttpClient(Connections(), sandbox_url=faulty.url)
    assert (
        outcome(lambda: http_client.request("GET", "https://x.twilio.com/", auth=auth)).reason is Reason.NOT_CONFIGURED
    )
    assert faulty.calls == []


def test_no_secret_is_logged_or_kept_in_an_error(
    faulty: FaultyServer, engagement: Engagement, gateway_to: GatewayTo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("twilio.http_client").info("its own INFO is silenced")
    gateway = gateway_to(faulty.url)
    gateway.open(engagement)
    faulty.script(answering(*refusal(400, 45733)))
    error = outcome(lambda: gateway.open(engagement))
    assert str(error) == "refused (HTTP 400, Twilio code 45733)"
    logging.getLogger("test").error("with the traceback", exc_info=error)
    for secret in (account.AUTH_TOKEN, account.API_KEY_SECRET, "Basic ", engagement.identity, "parcel", "silenced"):
        assert secret not in caplog.text
    assert str(FlexError(Reason.UNREACHABLE)) == "unreachable"


# --- The shared client ----------------------------------------------------------------------------------------------


def test_one_pool_for_a_process_and_the_credentials_of_now(settings: Settings, faulty: FaultyServer) -> None:
    settings.TWILIO_SANDBOX_URL = faulty.url
    gateway_for(destination()).find("w")
    gateway_for(destination("web_channels")).find("w")
    settings.TWILIO_AUTH_TOKEN = "rotated"
    gateway_for(destination()).find("w")
    assert faulty.calls[-1].headers["authorization"] == basic(account.ACCOUNT_SID, "rotated")
    assert faulty.connections == 1


def test_the_pool_is_as_large_as_the_threads(settings: Settings, faulty: FaultyServer) -> None:
    settings.TWILIO_SANDBOX_URL, settings.WEBCHAT_THREADS = faulty.url, 3
    all_are_here = threading.Barrier(5)

    def answer_all_at_once(call: Call) -> bool:
        all_are_here.wait(5)
        return properly(call)

    faulty.script(*[answer_all_at_once] * 5)
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda _: gateway_for(destination()).find("w"), range(5)))
    assert faulty.connections == 5
    faulty.wait_for_connections([3])


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us1", "conversations.twilio.com"),
        ("ie1", "conversations.ie1.twilio.com"),
        ("au1", "conversations.au1.twilio.com"),
    ],
)
def test_hosts_and_tls_of_production(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    for name, value in {"TWILIO_EDGE": "sydney", "TWILIO_REGION": "br1"}.items():
        monkeypatch.setenv(name, value)  # only the settings count
    asked = []

    def unknown(host: str, port: int, **options: Any) -> Any:
        asked.append((host, port))
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    settings.TWILIO_SANDBOX_URL, settings.TWILIO_REGION = "", region
    assert outcome(lambda: gateway_for(destination()).find("w")).reason is Reason.UNREACHABLE
    assert asked == [(host, 443)]


def test_twilio_is_imported_at_start_and_not_in_the_first_request() -> None:
    script = """
import sys
from django.conf import settings
settings.configure(TWILIO_ACCOUNT_SID="AC", TWILIO_AUTH_TOKEN="t", TWILIO_API_KEY_SID="SK", TWILIO_API_KEY_SECRET="s",
                   TWILIO_REGION="us1", TWILIO_SANDBOX_URL="http://127.0.0.1:9", WEBCHAT_THREADS=1)
from webchat import flex
from webchat.flex import signatures, tokens
from webchat.legacy.gateway import WebChannels
flex.GATEWAYS["web_channels"] = WebChannels
before = set(sys.modules)
for api in ("conversations", "web_channels"):
    gateway = flex.gateway_for(flex.Destination(api, "IS", "IG", "FO"))
    for verb in (lambda: gateway.open(flex.Engagement("w", "c", "f", {})), lambda: gateway.find("w")):
        try:
            verb()
        except flex.FlexError:
            pass
late = sorted(name for name in set(sys.modules) - before if name.startswith("twilio"))
assert not late, late
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


# --- TLS ------------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of the test's own, made with openssl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self._openssl("req", "-x509", *self._new_key("authority"), "-subj", "/CN=Test authority", "-days", "2")
        self._openssl("req", "-x509", *self._new_key("self-signed"), *self._subject("IP:127.0.0.1"), "-days", "2")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=120)

    @staticmethod
    def _new_key(name: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        return [*curve, "-keyout", f"{name}.key", "-out", f"{name}.pem"]

    @staticmethod
    def _subject(alternative_name: str) -> list[str]:
        return ["-subj", "/CN=test", "-addext", f"subjectAltName={alternative_name}"]

    def issue(self, name: str, alternative_name: str, days: int) -> None:
        key = self._new_key(name)[:-1]
        self._openssl("req", *key, f"{name}.csr", *self._subject(alternative_name))
        signing = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-copy_extensions", "copy"]
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", str(days), *signing)

    def context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.issue("good", "IP:127.0.0.1", 2)
    authority.issue("wrong-host", "DNS:twilio.example", 2)
    authority.issue("expired", "IP:127.0.0.1", -1)
    return authority


def test_over_tls(authority: Authority, api: str, engagement: Engagement, gateway_to: GatewayTo) -> None:
    with FaultyServer(authority.context("good")) as server:
        gateway = gateway_to(server.url, api, certificates=str(authority.file))
        channel = gateway.open(engagement)
        gateway.post_message(channel, "Hello " * 4000, "question")
        assert gateway.find(engagement.identity) == channel
        assert server.connections == 1


@pytest.mark.parametrize("certificate", ["self-signed", "wrong-host", "expired", "unknown authority"])
def test_certificates_are_checked(
    authority: Authority, engagement: Engagement, gateway_to: GatewayTo, certificate: str
) -> None:
    trusted, name = (None, "good") if certificate == "unknown authority" else (str(authority.file), certificate)
    with FaultyServer(authority.context(name)) as server:
        gateway = gateway_to(server.url, certificates=trusted)
        error = outcome(lambda: gateway.open(engagement))
        assert error.reason is Reason.UNREACHABLE
        assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
        assert (server.connections, server.calls) == (1, [])


def test_a_tls_handshake_that_drips_is_cut(authority: Authority, engagement: Engagement, gateway_to: GatewayTo) -> None:
    stop = threading.Event()

    def drip_a_record(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as sock:
            sock.sendall(b"\x16\x03\x03\x40\x00")  # a handshake record of 16 KiB
            while not stop.wait(0.02):
                sock.sendall(b"\x02")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=drip_a_record, args=(listener,), daemon=True)
        thread.start()
        gateway = gateway_to(f"https://127.0.0.1:{listener.getsockname()[1]}", certificates=str(authority.file))
        with at_most(SHORT.connect + 0.3):
            assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNREACHABLE
        stop.set()
        thread.join(5)


@pytest.mark.parametrize("place", [5, None], ids=["head", "body"])
def test_drips_are_cut_over_tls_too(
    authority: Authority, engagement: Engagement, gateway_to: GatewayTo, place: int | None
) -> None:
    with FaultyServer(authority.context("good")) as server:
        server.script(drip(place))
        gateway = gateway_to(server.url, certificates=str(authority.file))
        with at_most(SHORT.total + 0.3, at_least=SHORT.total * 0.9):
            assert outcome(lambda: gateway.open(engagement)).reason is Reason.UNCLEAR


def test_jitter_is_under_a_quarter_of_a_second() -> None:
    busy = FlexError(Reason.BUSY, retry_after=2)
    pauses = [client_module.pause_before_retry(busy, "POST") for _ in range(50)]
    assert all(pause is not None and 2 <= pause < 2.25 for pause in pauses)
    assert len(set(pauses)) > 1
