"""Which webhooks are believed to be Twilio's."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from twilio.request_validator import RequestValidator

from webchat.flex.signatures import is_from_twilio
from webchat.sandbox.account import AUTH_TOKEN

BASE = "http://127.0.0.1:8000"  # PUBLIC_BASE_URL of the tests
PATH = "/webhooks/twilio/conversations/"
FORM = "application/x-www-form-urlencoded"
FIELDS = {
    "EventType": "onConversationStateUpdated",
    "ConversationSid": "CH" + "1" * 32,
    "Reason": "",
    "Attributes": '{"name": "Zoë & 🦊 + 1"}',
}


def sign(url: str, fields: Any = None, token: str = AUTH_TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, fields or {}))


def webhook(
    body: bytes | str, signature: str | None, *, path: str = PATH, content_type: str = FORM, **environ: Any
) -> WSGIRequest:
    headers = {"CONTENT_TYPE": content_type} | ({} if signature is None else {"HTTP_X_TWILIO_SIGNATURE": signature})
    data = body.encode() if isinstance(body, str) else body
    return RequestFactory().generic("POST", path, data, content_type, **headers | environ)


def of_form(**options: Any) -> WSGIRequest:
    return webhook(urlencode(FIELDS), sign(BASE + PATH, FIELDS), **options)


def of_json(body: bytes, *, claim: bytes | None = None, path: str = PATH, **options: Any) -> WSGIRequest:
    """As Twilio signs a body that is no form: its hash in the URL, and the URL signed."""
    digest = hashlib.sha256(body if claim is None else claim).hexdigest()
    path += f"{'&' if '?' in path else '?'}bodySHA256={digest}"
    return webhook(body, sign(BASE + path), path=path, **{"content_type": "application/json"} | options)


EVENT = json.dumps([{"specversion": "1.0", "data": {"MessageBody": "Zoë"}}]).encode()

# --- Genuine --------------------------------------------------------------------------------------------------------


def test_genuine() -> None:
    assert is_from_twilio(of_form())
    assert is_from_twilio(of_form(content_type=f"{FORM}; charset=UTF-8"))
    assert is_from_twilio(of_form(HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="evil.example"))
    assert is_from_twilio(of_json(EVENT))
    assert is_from_twilio(of_json(b"\xff\x00 not text", content_type="application/octet-stream"))
    assert is_from_twilio(of_json(EVENT, path=f"{PATH}?rc=1"))


def test_genuine_with_a_query_and_repeated_names() -> None:
    path = f"{PATH}?webchat=support&x=a%20b"
    fields = QueryDict("a=2&a=1&b=")
    assert is_from_twilio(webhook("a=2&a=1&b=", sign(BASE + path, fields), path=path))


@pytest.mark.parametrize(
    ("base", "signed"),
    [
        ("https://chat.example", "https://chat.example"),
        ("https://chat.example", "https://chat.example:443"),
        ("https://chat.example:443", "https://chat.example"),
        ("http://chat.example", "http://chat.example:80"),
    ],
)
def test_the_default_port_may_be_signed_or_not(settings: Settings, base: str, signed: str) -> None:
    settings.PUBLIC_BASE_URL = base
    assert is_from_twilio(webhook(urlencode(FIELDS), sign(signed + PATH, FIELDS)))
    assert not is_from_twilio(webhook(urlencode(FIELDS), sign("https://other.example" + PATH, FIELDS)))


def test_both_auth_tokens_while_they_are_rotated(settings: Settings) -> None:
    other = webhook(urlencode(FIELDS), sign(BASE + PATH, FIELDS, token="the other token"))
    assert not is_from_twilio(other)
    settings.TWILIO_AUTH_TOKEN_SECONDARY = "the other token"
    assert is_from_twilio(other)
    assert is_from_twilio(of_form())
    settings.TWILIO_AUTH_TOKEN = ""
    assert is_from_twilio(other)
    assert not is_from_twilio(of_form())


def test_without_an_auth_token_nothing_is_genuine(settings: Settings) -> None:
    settings.TWILIO_AUTH_TOKEN = settings.TWILIO_AUTH_TOKEN_SECONDARY = ""
    assert not is_from_twilio(webhook(urlencode(FIELDS), sign(BASE + PATH, FIELDS, token="")))
    assert not is_from_twilio(webhook(urlencode(FIELDS), ""))


# --- Not genuine ----------------------------------------------------------------------------------------------------


def test_no_signature_or_two() -> None:
    signature = sign(BASE + PATH, FIELDS)
    for wrong in (None, "", f"{signature},{signature}", f"{signature}, x", "ünicode", "\udcff"):
        assert not is_from_twilio(webhook(urlencode(FIELDS), wrong))


def test_another_url_or_scheme() -> None:
    for url in (f"https://127.0.0.1:8000{PATH}", f"{BASE}{PATH}x", BASE + PATH.rstrip("/"), f"{BASE}{PATH}?a=1"):
        assert not is_from_twilio(webhook(urlencode(FIELDS), sign(url, FIELDS)))


def test_the_hash_of_a_body_is_checked() -> None:
    assert not is_from_twilio(of_json(EVENT, claim=EVENT + b" "))
    assert not is_from_twilio(of_json(EVENT.replace(b"Zo", b"Xo"), claim=EVENT))
    assert not is_from_twilio(of_json(b"", claim=EVENT))


def test_json_without_a_hash_is_refused() -> None:
    for signature in (sign(BASE + PATH), sign(BASE + PATH, {"a": "b"})):
        assert not is_from_twilio(webhook(EVENT, signature, content_type="application/json"))
        assert not is_from_twilio(webhook(EVENT, signature, content_type=""))
        assert not is_from_twilio(webhook(b"", signature, content_type="multipart/form-data; boundary=x"))


def test_a_signed_url_vouches_for_no_form() -> None:
    """Whoever saw one signed JSON webhook could send any form to its URL, were the hash not checked for forms too."""
    digest = hashlib.sha256(EVENT).hexdigest()
    path = f"{PATH}?bodySHA256={digest}"
    assert not is_from_twilio(webhook("", sign(BASE + path), path=path))
    assert not is_from_twilio(webhook("EventType=x", sign(BASE + path), path=path))
    twice = f"{path}&bodySHA256={hashlib.sha256(b'').hexdigest()}"
    assert not is_from_twilio(webhook(EVENT, sign(BASE + twice), path=twice, content_type="application/json"))


def test_a_charset_that_would_change_the_values_is_refused() -> None:
    for charset in ("utf-16", "utf-7", "unicode_escape", "latin-1", "nonsense"):
        assert not is_from_twilio(of_form(content_type=f"{FORM}; charset={charset}"))


def test_a_body_that_is_too_large_is_not_read() -> None:
    class Unread(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("read")

    fields = {"a": "x" * 65536}
    request = webhook(urlencode(fields), sign(BASE + PATH, fields))
    request._stream = Unread()
    assert not is_from_twilio(request)
    assert is_from_twilio(webhook(urlencode({"a": "x" * 60000}), sign(BASE + PATH, {"a": "x" * 60000})))
    assert not is_from_twilio(of_form(CONTENT_LENGTH="many"))


def test_a_body_that_is_cut_off() -> None:
    class Cut(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError("the client went away")

    request = of_form()
    request._stream = Cut()
    assert not is_from_twilio(request)


def test_more_fields_than_django_takes() -> None:
    many = "&".join(f"a{number}=1" for number in range(2000))
    assert not is_from_twilio(webhook(many, "x"))


def test_what_crashes_twilios_validator(settings: Settings) -> None:
    """A missing header, JSON without a hash, a body of bytes, a bad port, a bad IPv6 host, half a surrogate pair."""
    assert not is_from_twilio(webhook(urlencode(FIELDS), None))
    assert not is_from_twilio(webhook(EVENT, "x", content_type="application/json"))
    assert not is_from_twilio(webhook(b"\xff\xfe", "x", content_type="application/octet-stream"))
    request = of_form()
    request.path = "/\udcff"
    assert not is_from_twilio(request)
    for base in ("https://chat.example:port", "https://chat.example:99999", "https://[::1", "https://\udcff"):
        settings.PUBLIC_BASE_URL = base
        assert not is_from_twilio(of_form())


def flip(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position % len(data)] ^= 1 << bit
    return bytes(changed)


positions, bits = st.integers(0, 10_000), st.integers(0, 7)


@given(positions, bits)
def test_a_flipped_bit_in_a_form(position: int, bit: int) -> None:
    body = urlencode(FIELDS).encode()
    changed = flip(body, position, bit)
    same_values = QueryDict(changed) == QueryDict(body)  # %2B and %2b
    assert is_from_twilio(webhook(changed, sign(BASE + PATH, FIELDS))) is same_values


@given(positions, bits)
def test_a_flipped_bit_in_json(position: int, bit: int) -> None:
    assert not is_from_twilio(of_json(flip(EVENT, position, bit), claim=EVENT))


@given(positions, bits)
def test_a_flipped_bit_in_the_signature(position: int, bit: int) -> None:
    signature = flip(sign(BASE + PATH, FIELDS).encode(), position, bit).decode("latin-1")
    assert not is_from_twilio(webhook(urlencode(FIELDS), signature))


@given(positions, bits)
def test_a_flipped_bit_in_the_query(position: int, bit: int) -> None:
    query = "webchat=support&bodySHA256=" + hashlib.sha256(EVENT).hexdigest()
    changed = flip(query.encode(), position, bit).decode("latin-1")
    request = webhook(EVENT, sign(f"{BASE}{PATH}?{query}"), content_type="application/json", QUERY_STRING=changed)
    assert not is_from_twilio(request)


@given(st.binary(max_size=200), st.text(max_size=60), st.sampled_from([FORM, "application/json", "", "text/plain"]))
def test_nothing_else_crashes_it(body: bytes, signature: str, content_type: str) -> None:
    assert not is_from_twilio(webhook(body, signature, content_type=content_type))
