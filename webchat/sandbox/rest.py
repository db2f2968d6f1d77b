"""The common part of Twilio's REST resources: HTTP Basic, Twilio's errors, form parameters, pages."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiMapping

from . import limits
from .account import ACCOUNT_SID, CHAT_SERVICE_SID, CREDENTIALS, READ_ONLY_KEY_SID
from .errors import TwilioError, forbidden, invalid, not_found, unauthorized
from .events import REST, REST_WITH_WEBHOOKS, Origin

CREATED = web.RequestKey("created", str)  # the SID of what a request made, for the log
PARAMETERS = web.RequestKey("parameters", list)  # the names of the form's parameters, for the log
OWNER = {"account_sid": ACCOUNT_SID, "chat_service_sid": CHAT_SERVICE_SID}
PREFIXES = ("/v1/", "/v2/", "/2010-04-01/")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_rest(request: web.Request) -> bool:
    return request.path.startswith(PREFIXES)


def basic_credentials(request: web.Request) -> str:
    """The user of the request's HTTP Basic credentials, "" if there are none. Raises TwilioError 401 if they are wrong."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).partition(b":")
    except (binascii.Error, ValueError) as error:
        raise unauthorized() from error
    user = name.decode("latin-1")
    expected = CREDENTIALS.get(user)
    if expected is None or not hmac.compare_digest(expected.encode(), password):
        raise unauthorized()
    return user


def require_rights(request: web.Request) -> None:
    """Raises TwilioError for what the credentials may not do. A key reaches neither the account nor its keys."""
    user = basic_credentials(request)
    if not user or (request.path.startswith("/2010-04-01/") and user != ACCOUNT_SID):
        raise unauthorized()
    if user == READ_ONLY_KEY_SID and request.method != "GET":
        raise forbidden()


@web.middleware
async def twilio_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Credentials for all of REST, and Twilio's JSON for whatever is refused."""
    try:
        if is_rest(request):
            require_rights(request)
        return await handler(request)
    except TwilioError as error:
        refused = error
    except web.HTTPNotFound:
        refused = not_found(request.path)
    except web.HTTPMethodNotAllowed:
        refused = TwilioError(405, 20004, "Method not allowed")
    except web.HTTPRequestEntityTooLarge:
        refused = TwilioError(413, 20413, "Request is too large")
    return web.json_response(refused.to_json(), status=refused.status)


class Form:
    """The parameters of a form-encoded request."""

    def __init__(self, fields: MultiMapping[Any]) -> None:
        self._fields = fields

    @classmethod
    async def of(cls, request: web.Request) -> Form:
        try:
            fields = await request.post()
        except (ValueError, LookupError) as error:  # LookupError: an unknown charset
            raise invalid("Malformed request body") from error
        request[PARAMETERS] = sorted(set(fields))
        return cls(fields)

    def get(self, name: str, limit: int | None = None) -> str | None:
        """The value, of at most `limit` characters; None if it was not sent."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(f"{name} must be text")
        return value if limit is None else limits.text(name, value, limit)

    def required(self, name: str, limit: int = limits.NAME) -> str:
        value = self.get(name, limit)
        if not value:
            raise invalid(f"Missing required parameter {name} in the post body")
        return value

    def all(self, name: str) -> list[str]:
        return [value for value in self._fields.getall(name, []) if isinstance(value, str)]


async def json_body(request: web.Request) -> dict[str, Any]:
    """The JSON object that was sent, for the sandbox's own endpoints. Raises TwilioError 400."""
    try:
        body = limits.parse_json(await request.text())
    except (ValueError, LookupError) as error:
        raise invalid("The body is not JSON") from error
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object")
    return body


def origin(request: web.Request) -> Origin:
    """A change made over REST is heard by webhooks and Studio only if the caller asks for that."""
    enabled = request.headers.get("X-Twilio-Webhook-Enabled", "").lower() == "true"
    return REST_WITH_WEBHOOKS if enabled else REST


def url(request: web.Request, path: str) -> str:
    return f"{request.scheme}://{request.host}{path}"


def created(request: web.Request, sid: str, body: dict[str, Any]) -> web.Response:
    """201, and the log learns what was made."""
    request[CREATED] = sid
    return web.json_response(body, status=201)


def deleted() -> web.Response:
    return web.Response(status=204)


def page(
    request: web.Request, key: str, found: Sequence[Any], view: Callable[[Any], dict[str, Any]], *, largest: int = 100
) -> web.Response:
    """One page of a list, with Twilio's `meta`. Raises TwilioError for a page size or number out of range."""
    try:
        size, number = int(request.query.get("PageSize", 50)), int(request.query.get("Page", 0))
    except ValueError as error:
        raise invalid("Invalid paging parameters") from error
    if not 1 <= size <= 1000 or not 0 <= number <= 1_000_000:
        raise invalid("Invalid paging parameters")
    size = min(size, largest)
    chosen = found[number * size : (number + 1) * size]

    def page_url(number: int) -> str:
        kept = {name: value for name, value in request.query.items() if name not in {"Page", "PageSize", "PageToken"}}
        return url(request, f"{request.path}?{urlencode({**kept, 'PageSize': size, 'Page': number})}")

    return web.json_response(
        {
            key: [view(one) for one in chosen],
            "meta": {
                "key": key,
                "page": number,
                "page_size": size,
                "url": page_url(number),
                "first_page_url": page_url(0),
                "previous_page_url": page_url(number - 1) if number else None,
                "next_page_url": page_url(number + 1) if (number + 1) * size < len(found) else None,
            },
        }
    )


def in_account_and_service(method: str, path: str, handler: Handler) -> list[web.RouteDef]:
    """A Conversations route under both its names: of the default service, and of the service by its SID."""
    return [
        web.route(method, f"/v1/{path}", handler),
        web.route(method, f"/v1/Services/{CHAT_SERVICE_SID}/{path}", handler),
    ]


def scope(request: web.Request) -> str:
    """The part of the path that the answer's URLs start with."""
    service = f"/v1/Services/{CHAT_SERVICE_SID}"
    return service if request.path.startswith(service) else "/v1"
