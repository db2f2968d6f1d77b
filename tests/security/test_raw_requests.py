"""Bytes that no HTTP client would send: the site answers or hangs up, stays up, and says so in its log."""

from __future__ import annotations

import json
import socket

import pytest
import requests

START = b"/api/webchat/support/sessions/"


def exchange(site, data: bytes, *, cut: bool = False) -> bytes:
    """What comes back until the site hangs up. `cut`: we stop sending first."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as connection:
        connection.sendall(data)
        if cut:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


def post(*headers: bytes, body: bytes = b"", path: bytes = START, version: bytes = b"HTTP/1.1") -> bytes:
    lines = [b"POST " + path + b" " + version, b"Host: 127.0.0.1", b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


JSON = b"Content-Type: application/json"
REQUESTS = {
    "chunked": (post(JSON, b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), 403),
    "length and chunked": (post(JSON, b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "two lengths": (post(JSON, b"Content-Length: 2", b"Content-Length: 3", body=b"{}"), 400),
    "length abc": (post(JSON, b"Content-Length: abc"), 400),
    "length -1": (post(JSON, b"Content-Length: -1"), 400),
    "length of 5,000 digits": (post(JSON, b"Content-Length: " + b"9" * 5_000), 400),
    "32 KiB and one, never sent": (post(JSON, b"Content-Length: 32769"), 413),
    "an unknown coding": (post(JSON, b"Transfer-Encoding: gzip"), 400),
    "a chunk of odd size": (post(JSON, b"Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"), 403),
    "NUL in a header": (post(b"X: a\x00b"), 400),
    "space before the colon": (post(b"X : a"), 400),
    "a folded header": (post(b"X: a\r\n b"), 400),
    "a header without a name": (post(b": a"), 400),
    "a header of 10 kB": (post(b"X: " + b"a" * 10_000), 431),
    "200 headers": (post(*[b"X-%d: a" % number for number in range(200)]), 431),
    "a path of 10 kB": (post(path=b"/" + b"a" * 10_000), 414),
    "HTTP/3.0": (post(version=b"HTTP/3.0"), 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_it_is_refused(site, name):
    data, status = REQUESTS[name]
    answer = exchange(site, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"Traceback" not in answer


@pytest.mark.parametrize("length", [10, 32_768])
def test_a_body_that_ends_early(site, length):
    answer = exchange(site, post(JSON, b"Content-Length: %d" % length, body=b"{}"), cut=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_a_second_request_is_not_smuggled_in_a_body(site):
    inner = b"GET /nope/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = exchange(site, post(JSON, b"Content-Length: %d" % len(inner), body=inner))
    assert answer.count(b"HTTP/1.1 ") == 1


def test_the_site_is_still_there_and_its_workers_logged_json(site):
    exchange(site, REQUESTS["NUL in a header"][0])
    assert requests.get(f"{site.url}/health/ready", timeout=60).status_code == 200
    lines = site.log.read_text().splitlines()
    assert any("Invalid" in json.loads(line)["event"] for line in lines if line.startswith("{"))
    assert not [line for line in lines if "Traceback" in line or " 500 " in line]
