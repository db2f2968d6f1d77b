"""The site's address as browsers send it: in the Host header and in Origin."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import idna

_PORTS = {"http": 80, "https": 443}
# Django answers no request for any other host.
_HOST = re.compile(r"[a-z0-9-][a-z0-9.-]*|\[[0-9a-f:.]+\]")


def host_in_header(host: str) -> str:
    """The host as a browser sends it: small letters, Punycode (RFC 5891), an IPv6 address in its shortest form and in
    brackets. A pattern of ALLOWED_HOSTS, `.example.com` or `*`, stays one. Raises ValueError."""
    bare = host.strip().lower().rstrip(".").removeprefix("[").removesuffix("]")
    if ":" in bare:
        return f"[{ipaddress.IPv6Address(bare).compressed}]"
    if bare.isascii():
        return bare
    dot = "." if bare.startswith(".") else ""
    return dot + idna.encode(bare.removeprefix("."), uts46=True).decode()  # its errors are ValueErrors


def site_address(text: str) -> tuple[str, str]:
    """An address like https://www.example.com, as `Origin` has it, and its host as `Host` has it.

    Raises ValueError for what is no http(s) address, and for one with more than a scheme, a host and a port.
    """
    parts = urlsplit(text.strip().rstrip("/"))
    if parts.scheme not in _PORTS or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError("no address of a site")
    if parts.username is not None:
        raise ValueError("an address with a user's name")
    host = host_in_header(parts.hostname)
    if not _HOST.fullmatch(host):
        raise ValueError("a host with other signs than letters, digits, hyphens and dots")
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}", host
