"""Whether a webhook is Twilio's own. https://www.twilio.com/docs/usage/webhooks/webhooks-security"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict, UnreadablePostError
from twilio.request_validator import RequestValidator, add_port, remove_port

from webchat.conf import conf

BODY_AT_MOST = 64 * 1024
BODY_HASH = "bodySHA256"


def is_from_twilio(request: HttpRequest) -> bool:
    """Whether the request is signed with the account's auth token, the primary or the secondary one.

    A signature covers the URL that Twilio called, so it is checked on PUBLIC_BASE_URL and not on the Host header, and
    the parameters of a form; of any other body the hash that the URL must carry. It does not cover the method, the
    headers or the time: a request can be sent again, and a parameter's name can be cut elsewhere from its value. So
    the caller believes only what cannot be cut otherwise, and nothing twice. Never raises; reads the raw body.
    """
    signature = request.headers.get("X-Twilio-Signature", "")
    tokens = [conf.TWILIO_AUTH_TOKEN, conf.TWILIO_AUTH_TOKEN_SECONDARY]
    try:
        parameters = _signed_parameters(request)
        url = urlsplit(conf.PUBLIC_BASE_URL + request.get_full_path())
        # Twilio is not consistent in whether the default port is a part of what it signs.
        urls = (remove_port(url), add_port(url))
        genuine = [
            RequestValidator(token).compute_signature(each, parameters) for token in tokens if token for each in urls
        ]
    except (ValueError, OSError, SuspiciousOperation, UnreadablePostError):
        return False
    matches = [hmac.compare_digest(each.encode(), signature.encode(errors="replace")) for each in genuine]
    return bool(signature) and any(matches)


def _signed_parameters(request: HttpRequest) -> QueryDict:
    """The form that the signature covers besides the URL, after a check of the body's hash where there is one.

    Raises ValueError for a body that nothing vouches for, and whatever reading and parsing it raises.
    """
    if int(request.headers.get("Content-Length") or 0) > BODY_AT_MOST:
        raise ValueError("too large")
    body = request.body
    hashes = QueryDict(request.META.get("QUERY_STRING", "")).getlist(BODY_HASH)
    if hashes or request.content_type != "application/x-www-form-urlencoded":
        digest = hashlib.sha256(body).hexdigest()
        if len(hashes) != 1 or not hmac.compare_digest(digest.encode(), hashes[0].lower().encode()):
            raise ValueError("the body is not the one that was signed")
        return QueryDict()
    if (request.content_params or {}).get("charset", "utf-8").lower() != "utf-8":
        raise ValueError("the view would read other values than these")
    return QueryDict(body, encoding="utf-8")
