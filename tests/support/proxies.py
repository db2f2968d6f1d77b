"""nginx and Caddy in front of servers, with the files of deploy/ as they stand: only names, ports and paths are others.

`python -m tests.support.proxies` installs nginx where it is missing and apt may be used.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.support.missing import apt_install
from tests.support.site import ROOT, free_port
from tests.support.waiting import until

# Debian keeps nginx off the PATH. Caddy comes with requirements-dev.txt.
PROGRAMS = {"nginx": shutil.which("nginx") or "/usr/sbin/nginx", "caddy": str(Path(sys.executable).parent / "caddy")}


def is_there(proxy: str) -> bool:
    return Path(PROGRAMS[proxy]).exists()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody vouches for, and its key."""
    names = folder / "localhost.pem", folder / "localhost.key"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    new = (
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-days",
        "2",
    )
    subprocess.run([*new, *subject, "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
    return names


def replaced(file: str, changes: dict[str, str]) -> str:
    """The text of a file of deploy/ with other names and ports. Each must stand in it."""
    text = (ROOT / "deploy" / file).read_text()
    for old, new in changes.items():
        assert old in text, f"deploy/{file} has no {old}"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, upstreams: list[str]) -> list[str]:
    """Writes what nginx needs into the folder; the command that runs it. It listens for plain HTTP at `port` + 1."""
    pem, key = certificate(folder)
    servers = "\n".join(f"    server {each} max_fails=3 fail_timeout=10s;" for each in upstreams)
    site = replaced(
        "nginx.conf",
        {
            "    server 127.0.0.1:8000 max_fails=3 fail_timeout=10s;": servers,
            "/etc/letsencrypt/live/www.example.com/fullchain.pem": str(pem),
            "/etc/letsencrypt/live/www.example.com/privkey.pem": str(key),
            "listen 80;": f"listen 127.0.0.1:{port + 1};",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "www.example.com": "localhost",
        },
    )
    (folder / "webchat.conf").write_text(site)
    folders = "\n".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {folder}/pid; worker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}\ninclude {folder}/webchat.conf;\n}}\n"
    )
    return [PROGRAMS["nginx"], "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


def caddy(folder: Path, port: int, upstreams: list[str]) -> list[str]:
    pem, key = certificate(folder)
    site = replaced(
        "Caddyfile",
        {
            "127.0.0.1:8000": " ".join(upstreams),
            "www.example.com {": f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {pem} {key}",
            "\tservers {": "\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tservers {",
        },
    )
    (folder / "Caddyfile").write_text(site)
    return [PROGRAMS["caddy"], "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


@contextmanager
def running(proxy: str, folder: Path, upstreams: list[str]) -> Iterator[int]:
    """The proxy in front of the upstreams (host:port); the port at which it speaks TLS as localhost."""
    port = free_port()
    command = {"nginx": nginx, "caddy": caddy}[proxy](folder, port, upstreams)
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, (folder / "log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class DyingServer:
    """Takes requests and dies of each: it hangs up without an answer."""

    def __enter__(self) -> Self:
        self.requests = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                connection, _address = self._socket.accept()
                with connection:
                    self.requests += bool(connection.recv(65_536))


if __name__ == "__main__":
    if not is_there("nginx"):
        apt_install("nginx-light")
