"""The guard of the sandbox: it answers this machine alone, and in a browser only pages of this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from .rest import Handler

FOR_THE_SITE = ("/v3/wsconnect", "/mcs/")


def is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what a foreign page could send by a name that it made resolve to 127.0.0.1."""
    if not is_loopback(_host(f"//{request.host}")):
        raise web.HTTPMisdirectedRequest(text="The sandbox answers to loopback names only.\n")
    return await handler(request)


@web.middleware
async def origins(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Browsers: the site, on another loopback port, may use Twilsock and media; nobody but the desk uses the rest."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or origin == f"{request.scheme}://{request.host}":
        return await handler(request)
    if not request.path.startswith(FOR_THE_SITE) or not is_loopback(_host(origin)):
        raise web.HTTPForbidden(text="Foreign origin.\n")
    answer = web.Response(status=204) if request.method == hdrs.METH_OPTIONS else await handler(request)
    if not answer.prepared:
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "Content-Type, X-Twilio-Token"
        answer.headers[hdrs.VARY] = hdrs.ORIGIN
    return answer


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
