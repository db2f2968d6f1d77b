"""twilio-python's client, on bounded HTTP: whatever goes wrong on the way comes out as one FlexError.

https://www.twilio.com/docs/usage/rest-api-best-practices
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import socket
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import (
    Client,
    conversations,  # noqa: F401 - loads when first used: here, not in a visitor's request
    flex_api,  # noqa: F401
)
from urllib3.exceptions import HTTPError, ProtocolError

from webchat.conf import conf
from webchat.flex import credentials
from webchat.flex.gateway import FlexError
from webchat.flex.http import Answer, Connections, Deadline, Limits, NotSentError

Reason = FlexError.Reason

# https://www.twilio.com/docs/api/errors. The HTTP status of most of these codes is not published.
RATE_LIMITED = {20429, 45010, 45719, 45780}
NAME_TAKEN = {45208, 50307, 50353}
TIMED_OUT_INSIDE = {45209}

# Names the host of Twilio's that a request to the sandbox is for.
SANDBOX_HOST = "X-Twilio-Host"
RETRY_AFTER_AT_MOST = 2  # seconds that a caller is kept waiting for the retry
RETRY_AFTER_CAP = 3600


class BoundedHttpClient(HttpClient):
    """Sends twilio-python's requests by a deadline. Every answer that it returns is a 2xx; all else is raised as a
    FlexError. Whether the answer is what it should be shows when twilio-python reads it: see trusted_shape().

    With `sandbox_url`, scheme and host of each request are replaced by the sandbox's, and the header X-Twilio-Host names
    the host that it was for: two of Twilio's hosts share some paths. Nothing else differs.
    """

    def __init__(self, connections: Connections, deadline: Deadline | None = None, sandbox_url: str = "") -> None:
        super().__init__(logging.getLogger("twilio.http_client"), is_async=False)
        self.connections = connections
        self.deadline = deadline or Deadline()
        self._sandbox = urlsplit(sandbox_url) if sandbox_url else None

    def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """`timeout` and `allow_redirects` are the base class's: the limits are this client's own."""
        if not auth or not all(auth):
            raise FlexError(Reason.NOT_CONFIGURED)
        url = urlsplit(uri)
        headers = dict(headers or {})
        if self._sandbox:
            headers[SANDBOX_HOST] = url.netloc
            url = url._replace(scheme=self._sandbox.scheme, netloc=self._sandbox.netloc)
        try:
            if params:
                url = url._replace(query=urlencode(params, doseq=True))
            body = urlencode(data, doseq=True).encode() if data else b""
        except UnicodeEncodeError as error:  # half a surrogate pair
            raise FlexError(Reason.REFUSED) from error
        basic = b64encode(":".join(auth).encode()).decode()
        call = (method, url.geturl(), {**headers, "Authorization": f"Basic {basic}"}, body)

        limits = self.connections.limits
        deadline = self.deadline.within(limits.total)
        if deadline.left <= 0:
            raise FlexError(Reason.UNREACHABLE)
        try:
            return self._send(*call, deadline)
        except FlexError as error:
            pause = pause_before_retry(error, method)
            # The second try needs time of its own to be more than a way to an unclear outcome.
            if pause is None or deadline.left - pause < limits.connect:
                raise
        time.sleep(pause)
        return self._send(*call, deadline)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Response:
        try:
            answer = self.connections.exchange(method, url, headers, body, deadline)
        except NotSentError as error:
            raise FlexError(Reason.UNREACHABLE) from error.__cause__
        except HTTPError as error:
            raise FlexError(Reason.UNCLEAR) from error
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        return Response(answer.status, answer.body.decode(), answer.headers)


def _refusal(answer: Answer) -> FlexError:
    """What an answer other than 2xx means. Neither its JSON nor its headers are to be relied on."""
    code = None
    with suppress(ValueError, RecursionError, LookupError, TypeError):
        code = json.loads(answer.body)["code"]
    code = code if type(code) is int and 0 < code < 1_000_000 else None
    seconds = answer.headers.get("retry-after", "").strip()
    retry_after = min(int(seconds), RETRY_AFTER_CAP) if re.fullmatch("[0-9]{1,9}", seconds) else None

    if not 300 <= answer.status < 500 or answer.status == HTTPStatus.REQUEST_TIMEOUT or code in TIMED_OUT_INSIDE:
        reason = Reason.UNCLEAR
    elif answer.status == HTTPStatus.TOO_MANY_REQUESTS or code in RATE_LIMITED:
        reason = Reason.BUSY
    elif code in NAME_TAKEN:
        reason = Reason.EXISTS
    else:
        reason = Reason.REFUSED
    return FlexError(reason, status=answer.status, twilio_code=code, retry_after=retry_after)


def pause_before_retry(error: FlexError, method: str) -> float | None:
    """Seconds until the one retry; None where none is made, because Twilio may have acted or will not soon.

    With jitter, so that those who were refused together do not come back together.
    """
    jitter = secrets.randbelow(250) / 1000
    if error.reason is Reason.UNREACHABLE and isinstance(error.__cause__, ConnectionRefusedError | socket.gaierror):
        return jitter
    if error.reason is Reason.BUSY and error.retry_after is not None and error.retry_after <= RETRY_AFTER_AT_MOST:
        return error.retry_after + jitter
    if method == "GET" and isinstance(error.__cause__, ProtocolError):  # as when a kept connection has just ended
        return 0
    return None


@contextmanager
def trusted_shape() -> Iterator[None]:
    """Around each call of twilio-python: it takes for granted that an answer is JSON of the right shape, and trips over
    any other in many ways. Raises FlexError(UNCLEAR) for them all."""
    try:
        yield
    except (TwilioException, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FlexError(Reason.UNCLEAR) from error


def client_on(http_client: HttpClient, user_and_password: tuple[str, str] | None = None) -> Client:
    """A twilio-python client with the credentials of the environment. Raises FlexError(NOT_CONFIGURED)."""
    user, password = user_and_password or credentials.for_rest()
    return Client(
        user,
        password,
        account_sid=conf.TWILIO_ACCOUNT_SID,
        region=conf.TWILIO_REGION if conf.TWILIO_REGION != "us1" else None,
        http_client=http_client,
        # Else it reads os.environ, past the settings.
        environment={"TWILIO_EDGE": ""},
    )


@lru_cache(maxsize=2)
def _connections(pool_size: int, limits: Limits) -> Connections:
    """The connections of this process and all its threads."""
    return Connections(limits, size=pool_size)


def bounded_http(deadline: Deadline | None = None, limits: Limits = Limits()) -> BoundedHttpClient:  # noqa: B008
    return BoundedHttpClient(_connections(conf.WEBCHAT_THREADS, limits), deadline, conf.TWILIO_SANDBOX_URL)
