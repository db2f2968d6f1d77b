"""The site behind nginx and behind Caddy, with the files of deploy/ as they stand."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.support import proxies
from tests.support.missing import skip_without
from tests.support.proxies import DyingServer
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer, free_port
from tests.support.site_visitor import SiteVisitor

ENVIRONMENT = {"PUBLIC_BASE_URL": "https://localhost", "DJANGO_ALLOWED_HOSTS": "localhost", "TRUSTED_PROXY_COUNT": "1"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    folder = tmp_path_factory.mktemp("behind-a-proxy")
    with SandboxServer() as sandbox, SiteServer(folder, sandbox, environment=ENVIRONMENT) as server:
        yield server


def address_of(site: SiteServer) -> str:
    return f"127.0.0.1:{site.port}"


class Proxy(NamedTuple):
    url: str
    certificate: str

    def visitor(self) -> SiteVisitor:
        return SiteVisitor(self.url, certificate=self.certificate)


@contextmanager
def running(name: str, folder: Path, *upstreams: str) -> Iterator[Proxy]:
    if not proxies.is_there(name):
        skip_without({"nginx": "nginx (apt-get install nginx-light)", "caddy": "Caddy (requirements-dev.txt)"}[name])
    with proxies.running(name, folder, list(upstreams)) as port:
        yield Proxy(f"https://localhost:{port}", str(folder / "localhost.pem"))


class NothingThere(BaseHTTPRequestHandler):
    """The release that has not got the file."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


each_proxy = pytest.mark.parametrize("name", proxies.PROGRAMS)


@each_proxy
def test_the_site_behind_a_proxy(name: str, site: SiteServer, tmp_path: Path) -> None:
    with running(name, tmp_path, address_of(site)) as proxy:
        http = requests.Session()
        http.trust_env, http.verify = False, proxy.certificate

        # Pages, by their own name, over TLS, for who really asks: no redirect, and nobody's word is taken for it.
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        page = http.get(f"{proxy.url}/", headers=forged, allow_redirects=False)
        assert (page.status_code, "Strict-Transport-Security" in page.headers) == (200, True)
        lines = [json.loads(line) for line in site.log.read_text().splitlines() if line.startswith("{")]
        [line] = [line for line in lines if line.get("request_id") == page.headers["X-Request-Id"]]
        assert (line["path"], line["network"]) == ("/", "127.0.0.0/24")
        assert http.get(f"{proxy.url}/health/ready").status_code == 404

        # Static files, compressed, for ever.
        [address, *_] = re.findall(r'"(/static/[^"]+\.[0-9a-f]{12}\.js)"', page.text)
        script = http.get(proxy.url + address)
        assert (script.status_code, "immutable" in script.headers["Cache-Control"]) == (200, True)
        assert script.headers["Content-Encoding"] in ("br", "gzip")

        # What is too large never comes to the site.
        assert http.post(f"{proxy.url}/api/webchat/support/sessions/", data=b"a" * 300_000).status_code == 413
        assert http.post(f"{proxy.url}/support/", data=b"a" * 300_000).status_code == 413
        # But for the admin, where the site itself says who may send how much.
        refused = http.post(f"{proxy.url}/admin/", data=b"a" * 300_000)
        assert (refused.status_code, "is too much at once" in refused.text) == (413, True)
        paths = [json.loads(line)["path"] for line in site.log.read_text().splitlines() if '"status":413' in line]
        assert set(paths) == {"/admin/"}
        assert http.get(f"{proxy.url}/", headers={"Cookie": "a=" + "b" * 60_000}).status_code in (400, 431)


@each_proxy
def test_a_machine_that_is_gone_costs_no_request(name: str, site: SiteServer, tmp_path: Path) -> None:
    with running(name, tmp_path, f"127.0.0.1:{free_port()}", address_of(site)) as proxy:
        visitor = proxy.visitor()
        for _turn in range(2):
            visitor.http.get(proxy.url).raise_for_status()
            visitor.start().raise_for_status()


@each_proxy
def test_who_reads_is_answered_by_another_server_when_one_dies(name: str, site: SiteServer, tmp_path: Path) -> None:
    with DyingServer() as dying, running(name, tmp_path, dying.address, address_of(site)) as proxy:
        for _turn in range(2):
            requests.get(proxy.url, verify=proxy.certificate, timeout=30).raise_for_status()
        assert dying.requests


@each_proxy
def test_a_file_of_one_release_is_found_while_the_other_one_is_served_too(
    name: str, site: SiteServer, tmp_path: Path
) -> None:
    other = HTTPServer(("127.0.0.1", 0), NothingThere)
    address = f"127.0.0.1:{other.server_port}"
    with serving(other), running(name, tmp_path, address, address_of(site)) as proxy:
        file = site.hashed_static()["webchat/web-chat.js"]
        for _turn in range(4):
            requests.get(proxy.url + file, verify=proxy.certificate, timeout=30).raise_for_status()
        gone = requests.get(f"{proxy.url}/static/no.js", verify=proxy.certificate, timeout=30)
        assert gone.status_code == 404


def test_nginx_repeats_a_start_and_no_other_form(site: SiteServer, tmp_path: Path) -> None:
    with DyingServer() as dying, running("nginx", tmp_path, dying.address, address_of(site)) as proxy:
        visitor = proxy.visitor()
        before, statuses = dying.requests, []
        for _turn in range(2):
            data = {"username": "nobody", "password": "x", "csrfmiddlewaretoken": visitor.csrf}
            headers = {"Referer": f"{proxy.url}/", "Origin": proxy.url}
            statuses.append(visitor.http.post(f"{proxy.url}/accounts/login/", data=data, headers=headers).status_code)
        assert (sorted(statuses), dying.requests - before) == ([200, 502], 1)
    with DyingServer() as dying, running("nginx", tmp_path, dying.address, address_of(site)) as proxy:
        visitor = proxy.visitor()
        before = dying.requests
        for _turn in range(2):
            visitor.start().raise_for_status()
        assert dying.requests > before


def test_plain_http_leads_to_tls(site: SiteServer, tmp_path: Path) -> None:
    with running("nginx", tmp_path, address_of(site)) as proxy:
        port = int(proxy.url.rpartition(":")[2]) + 1
        answer = requests.get(f"http://localhost:{port}/a?b=c", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://localhost/a?b=c")
