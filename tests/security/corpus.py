"""Requests that somebody could send, each with the one answer that it may get.

`code` is that of the error contract; None for what is no error of the API. `start(...)` is a sound start but for what
is changed, with a CSRF token and an idempotency key, so that it gets as far as it can.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from tests.support.factories import ANSWERS

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BOUNDARY = "a-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"

START = "/api/webchat/support/sessions/"
CURRENT = f"{START}current/"
ABSENT = "00000000-0000-4000-8000-000000000000"
RENEW, END = f"/api/webchat/sessions/{ABSENT}/token/", f"/api/webchat/sessions/{ABSENT}/end/"
WEBHOOK, STUDIO = "/webhooks/twilio/conversations/", "/webhooks/twilio/studio/"
PAGE, PANEL, STYLES = "/webchat/support/", "/webchat/support/panel/", "/webchat/support/launcher.css"


@dataclass(frozen=True)
class Case:
    name: str
    method: str
    path: str
    status: int
    code: str | None = None
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    token: bool = True
    key: bool = True

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def start(name: str, body: bytes, status: int = 400, code: str | None = "invalid", **options: Any) -> Case:
    return Case(name, "POST", START, status, code, body, **{"content_type": JSON, **options})


def answers(name: str, change: dict[str, Any], **options: Any) -> Case:
    return start(name, json.dumps({**ANSWERS, **change}).encode(), **options)


def raw(name: str, value: str, **options: Any) -> Case:
    """The value of "name" as it stands in the JSON."""
    rest = json.dumps({**ANSWERS, "name": 0}).encode()
    return start(name, rest.replace(b'"name": 0', b'"name": ' + value.encode("utf-8", "surrogatepass")), **options)


# More than DATA_UPLOAD_MAX_NUMBER_FIELDS, in less than 32 KiB.
TOO_MANY = b"&a=" * 10_001


def form(name: str, pairs: Any, status: int = 400, code: str | None = "invalid", **options: Any) -> Case:
    return start(name, urlencode(pairs).encode(), status, code, **{"content_type": FORM, **options})


def part(disposition: str, value: bytes, extra: str = "") -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{extra}\r\n".encode() + value + b"\r\n"


def multipart(name: str, *parts: bytes, status: int = 400, code: str | None = "invalid", **options: Any) -> Case:
    end = f"--{BOUNDARY}--\r\n".encode()
    return start(name, b"".join(parts) + end, status, code, **{"content_type": MULTIPART, **options})


GOOD = json.dumps(ANSWERS).encode()
GOOD_PARTS = [part(f'form-data; name="{name}"', value.encode()) for name, value in ANSWERS.items()]
FILE = 'form-data; name="name"; filename="x.txt"'

JSON_BODIES = [
    start("sound json", GOOD, 201, None),
    start("sound json with a charset", GOOD, 201, None, content_type="application/json; charset=UTF-8"),
    start("no body", b""),
    start("blank body", b" \n\t "),
    start("byte order mark", b"\xef\xbb\xbf" + GOOD),
    start("utf-16", GOOD.decode().encode("utf-16")),
    start("utf-16 without mark", GOOD.decode().encode("utf-16-le")),
    start("utf-32", GOOD.decode().encode("utf-32")),
    start("latin-1", json.dumps(ANSWERS, ensure_ascii=False).encode("latin-1")),
    start("overlong utf-8", b'{"name": "\xc0\xaf"}'),
    start("surrogate in utf-8", b'{"name": "\xed\xa0\x80"}'),
    start("cut utf-8", GOOD[:-2] + b"\xf0\x9f"),
    start("array", b"[]"),
    start("array of the object", b"[" + GOOD + b"]"),
    start("null", b"null"),
    start("true", b"true"),
    start("text", b'"name"'),
    start("number", b"1"),
    start("empty object", b"{}"),
    start("cut", GOOD[:-1]),
    start("two values", GOOD + GOOD),
    start("rubbish after it", GOOD + b"x"),
    start("comma at the end", GOOD[:-1] + b",}"),
    start("single quotes", b"{'name': 'Ada'}"),
    start("comment", GOOD + b"// comment"),
    start("key without quotes", b'{name: "Ada"}'),
    start("a key twice", b'{"name": "Ada", "name": "Bob"}'),
    start("a key twice, once escaped", b'{"name": "Ada", "n\\u0061me": "Bob"}'),
    start("key with NUL", GOOD[:-1] + b', "a\\u0000b": "x"}'),
    start("key with a lone surrogate", GOOD[:-1] + b', "\\udfff": "x"}'),
    start("1,500 deep objects", b'{"a":' * 1500 + b"1" + b"}" * 1500),
    start("20,000 brackets", b"[" * 20_000),
    start("brackets and braces", b'[{"a":' * 2_000),
    start("7 deep", b'{"a":' * 7 + b"1" + b"}" * 7),
    start("closing brackets first", b"]" * 9 + b"{" * 9),
    start("1,001 unknown fields", json.dumps({f"f{i}": "" for i in range(1001)}).encode()),
    start("32 KiB of blanks", b" " * (32 * 1024)),
    start("32 KiB and one", b" " * (32 * 1024 + 1), 413, "too_large"),
    start("1 MiB", b" " * 1024 * 1024, 413, "too_large"),
    answers("empty key", {"": "x"}),
    answers("very long key", {"k" * 20_000: "x"}),
    answers("key with format specifiers", {"%(names)s %s {0}": "x"}),
    answers("key with markup", {"<script>alert(1)</script>": "x"}),
    answers("key of the prototype", {"__proto__": "x"}),
    answers("dunder key", {"__class__": "x"}),
    answers("object for a text", {"name": {"a": 1}}),
    answers("array for a text", {"name": ["Ada"]}),
    answers("empty array for a text", {"name": []}),
    answers("null for a required text", {"name": None}),
    answers("empty text for a required one", {"name": ""}),
    answers("blank text for a required one", {"name": " \t\u00a0\u3000"}),
    answers("long text", {"question": "x" * 20_000}),
    answers("NUL", {"question": "a\x00b"}),
    answers("e-mail with line breaks", {"email": "ada@example.com\r\nBcc: all@example.com"}),
    answers("e-mail without a domain", {"email": "ada@"}),
    answers("long e-mail", {"email": "a" * 10_000 + "@example.com"}),
    answers("name of spaces that nobody sees", {"name": "\u200b\u2060\u200d"}),
    answers("name with a character of nobody", {"name": "Ada\ue000"}),
    answers("answer for Twilio's identity", {"identity": "w_0"}),
    *[answers(f"answer for {name}", {name: "admin"}) for name in ("role", "sid", "status", "ttl", "user")],
    answers("json in a text is text", {"question": "[" * 1_900}, status=201, code=None),
    answers("emoji are text", {"question": "🦊👩‍👩‍👧‍👦 e\u0301"}, status=201, code=None),
    raw("a number of 5,000 digits", "9" * 5000),
    raw("1e400 is text", "1e400", status=201, code=None),
    raw("minus infinity", "-Infinity"),
    raw("NaN", "NaN"),
    raw("hexadecimal", "0x10"),
    raw("leading zero", "007"),
    raw("plus", "+1"),
    raw("half a surrogate pair", '"\\ud800"'),
    raw("the other half", '"\\udc00"'),
    raw("halves in the wrong order", '"\\udc00\\ud800"'),
    raw("escape that is none", '"\\x41"'),
    raw("control character as it is", '"a\nb"'),
    raw("NUL as it is", '"\x00"'),
    raw("escaped NUL", '"\\u0000"'),
    raw("surrogate as it is", '"\ud800"'),
]  # fmt: skip

CONTENT_TYPES = [
    start(f"content type {content_type!r}", GOOD, 415, "unsupported_media_type", content_type=content_type)
    for content_type in (
        "text/plain", "text/html", "application/xml", "application/json-patch+json", "application/x-yaml", "*/*", "json",
        "application/", "/", ";", "x" * 2_000, "application/json\x00", "application/octet-stream", "text/json",
        "application/vnd.api+json", "application/json; charset=latin-1", "application/json; charset=utf-16",
        "application/json; charset=utf-7", "application/json; charset=unicode_escape", "application/json; charset=idna",
        'application/json; charset="utf-8', f"{FORM}; charset=utf-7", f"{FORM}; charset=utf-16",
        f"{MULTIPART}; charset=utf-7", "multipart/mixed; boundary=x", "message/rfc822", "",
    )
]  # fmt: skip

FORMS = [
    form("sound form", ANSWERS, 201, None),
    form("sound form with a charset", ANSWERS, 201, None, content_type=f"{FORM}; charset=utf-8"),
    form("empty form", {}),
    form("1,001 form fields", [(f"f{i}", "") for i in range(1001)]),
    form("1,001 times the same field", [("name", "Ada")] * 1001),
    form("a field twice", [*ANSWERS.items(), ("name", "Bob")]),
    form("a field twice, the same", [*ANSWERS.items(), ("name", ANSWERS["name"])]),
    form("no name", [*ANSWERS.items(), ("", "x")]),
    form("very long name", [*ANSWERS.items(), ("k" * 20_000, "x")]),
    form("NUL in a form", {**ANSWERS, "question": "a\x00b"}),
    start("NUL in a form's name", b"na%00me=Ada", content_type=FORM),
    start("form that is not utf-8", b"name=%FF%FE", content_type=FORM),
    start("form with raw bytes", b"name=\xff\xfe", content_type=FORM),
    start("ampersands", b"&" * 1_500, content_type=FORM),
    start("equals signs", b"=" * 20_000, content_type=FORM),
    start("percent signs", b"%" * 20_000, content_type=FORM),
    start("semicolons", b"name=Ada;email=x", content_type=FORM),
    start("json as a form", GOOD, content_type=FORM),
    start("form as json", urlencode(ANSWERS).encode()),
    start("form of 32 KiB and one", b"x" * (32 * 1024 + 1), 413, "too_large", content_type=FORM),
    multipart("sound multipart", *GOOD_PARTS, status=201, code=None),
    multipart("multipart with a field twice", *GOOD_PARTS, GOOD_PARTS[0]),
    multipart("multipart without parts"),
    multipart("multipart with a file", *GOOD_PARTS[1:], part(FILE, b"Ada")),
    multipart("multipart with an empty file", *GOOD_PARTS[1:], part(FILE, b"")),
    multipart("file beside the fields", *GOOD_PARTS, part('form-data; name="f"; filename="../../x"', b"x")),
    multipart("multipart with NUL", *GOOD_PARTS[1:], part('form-data; name="name"', b"A\x00da")),
    multipart("multipart that is not utf-8", *GOOD_PARTS[1:], part('form-data; name="name"', b"\xff\xfe")),
    multipart("part without a name is none", *GOOD_PARTS, part("form-data", b"x"), status=201, code=None),
    multipart("part of another charset", part('form-data; name="name"', b"x", "Content-Type: text/plain; charset=utf-7\r\n")),
    multipart("part in base64 that is none", part('form-data; name="name"', b"!", "Content-Transfer-Encoding: base64\r\n")),
    multipart("1,001 parts", *[part('form-data; name="f"', b"")] * 400),
    multipart("multipart of another boundary", *GOOD_PARTS, content_type="multipart/form-data; boundary=other"),
    start("multipart without a boundary", GOOD, content_type="multipart/form-data"),
    start("multipart with an empty boundary", GOOD, content_type="multipart/form-data; boundary="),
    start("multipart with a long boundary", GOOD, content_type="multipart/form-data; boundary=" + "x" * 300),
    start("multipart with a boundary of other letters", GOOD, content_type="multipart/form-data; boundary=ü"),
    start("multipart that is cut", GOOD_PARTS[0][:-20], content_type=MULTIPART),
    start("multipart in json", GOOD, content_type=MULTIPART),
    start("multipart of 32 KiB and one", b"x" * (32 * 1024 + 1), 413, "too_large", content_type=MULTIPART),
]  # fmt: skip

LENGTHS = [
    start(f"length {length!r}", GOOD, status, code, environ={"CONTENT_LENGTH": length})
    for length, status, code in [
        ("abc", 400, "invalid"),
        ("-1", 400, "invalid"),
        ("+1", 400, "invalid"),
        ("1.5", 400, "invalid"),
        ("1e3", 400, "invalid"),
        ("0x10", 400, "invalid"),
        ("²", 400, "invalid"),
        ("٣", 400, "invalid"),
        ("1, 1", 400, "invalid"),
        (" ", 400, "invalid"),
        ("10", 400, "invalid"),  # less than there is: cut JSON
        ("0", 400, "invalid"),
        ("", 400, "invalid"),  # chunked, as WSGI shows it
        ("32769", 413, "too_large"),
        ("9" * 20, 413, "too_large"),
        ("9" * 5000, 400, "invalid"),
        ("000000000000000000000000010", 400, "invalid"),
    ]
]

KEYS = [
    start(f"key {key[:20]!r} of {len(key)}", GOOD, 400, "invalid", key=False, headers={"Idempotency-Key": key})
    for key in ("", " ", "short", "x" * 129, "x" * 8_000, "with space", "tab\there-it-is", "ümlaut-key", "\x00" * 8, "new\r\nline-1")
] + [
    start("sound key", GOOD, 201, None, key=False, headers={"Idempotency-Key": "x" * 128}),
    start("key in the body", json.dumps({**ANSWERS, "idempotency_key": "in-the-body"}).encode(), 201, None, key=False),
    start("key of another type", json.dumps({**ANSWERS, "idempotency_key": True}).encode(), key=False),
    start("no key", GOOD, key=False),
]  # fmt: skip

METHODS = [
    Case(f"{method} {path}", method, path, 405, "method_not_allowed" if path.startswith("/api/") else None)
    for path, allowed in {
        START: ["POST"],
        CURRENT: ["GET", "HEAD"],
        RENEW: ["POST"],
        END: ["POST"],
        "/api/schema/": ["GET", "HEAD"],
        WEBHOOK: ["POST"],
        STUDIO: ["POST"],
        PAGE: ["GET", "HEAD", "POST"],
        PANEL: ["GET", "HEAD"],
        STYLES: ["GET", "HEAD"],
        "/webchat/support/end/": ["POST"],
        "/health/live": ["GET", "HEAD"],
        "/health/ready": ["GET", "HEAD"],
        "/metrics": ["GET", "HEAD"],
        "/": ["GET", "HEAD"],
    }.items()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X" * 300)
    if method not in allowed
]  # fmt: skip

CROSS_SITE = [
    Case(f"no token at {path}", "POST", path, 403, "csrf_failed", GOOD, JSON, token=False) for path in (START, RENEW, END)
] + [
    start("another site's page", GOOD, 403, "csrf_failed", headers={"Origin": "https://evil.example"}),
    start("no page", GOOD, 403, "csrf_failed", headers={"Origin": "null"}),
    start("no origin at all", GOOD, 403, "csrf_failed", headers={"Origin": ""}),
    start("origin that is none", GOOD, 403, "csrf_failed", headers={"Origin": "http://[::1"}),
    start("cross-site", GOOD, 403, "csrf_failed", headers={"Sec-Fetch-Site": "cross-site"}),
    start("same-site", GOOD, 403, "csrf_failed", headers={"Sec-Fetch-Site": "same-site"}),
    start("address bar", GOOD, 403, "csrf_failed", headers={"Sec-Fetch-Site": "none"}),
    start("another word", GOOD, 403, "csrf_failed", headers={"Sec-Fetch-Site": "x"}),
    start("same-origin", GOOD, 201, None, headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}),
    Case("page without a token", "POST", PAGE, 403, None, token=False),
    Case("end without a token", "POST", "/webchat/support/end/", 403, None, token=False),
]  # fmt: skip

HEADERS = [
    Case(f"{name} {value[:20]!r} of {len(value)}", "GET", CURRENT, 404, "not_found", headers={name: value})
    for name, value in [
        ("Cookie", "webchat=x"), ("Cookie", "webchat=" + "x" * 8_000), ("Cookie", ";" * 2_000), ("Cookie", "=\xff;webchat"),
        ("Cookie", "sessionid=" + "x" * 4_000), ("Cookie", "csrftoken=x"), ("Cookie", "csrftoken=" + "\xff" * 32),
        ("X-Forwarded-For", "1.2.3.4, evil"), ("X-Forwarded-For", "x" * 10_000), ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "gopher"), ("X-Request-Id", "a\r\nb"), ("X-Request-Id", "x" * 8_000),
        ("Accept-Language", "de-" * 2_000), ("Accept-Language", "\xff;q=x"), ("Accept-Language", "*;q=1e9"),
        ("Accept-Encoding", "x;q=;"), ("Accept", "*/*;q=x"),
        ("Range", "bytes=0-"), ("Expect", "100-continue"), ("If-None-Match", "W/\""), ("Referer", "http://[::1"),
        ("User-Agent", "\x1b[31m\r\n{{7*7}}%s"), ("X-HTTP-Method-Override", "POST"), ("Authorization", "Basic !!!"),
        ("X-CSRFToken", "\xff"), ("Upgrade", "websocket"), ("Origin", "https://evil.example"),
    ]
] + [
    Case(f"accept {accept!r}", "GET", CURRENT, 406, "not_acceptable", headers={"Accept": accept})
    for accept in ("text/html", "application/xml", "image/*", "application/json;" * 500)
]  # fmt: skip

HOSTS = [
    Case(f"host {host!r} at {path}", "GET", path, 400, "invalid" if path.startswith("/api/") else None, environ={"HTTP_HOST": host})
    for host in ("evil.example", "testserver.evil.example", "testserver:80:80", "", "[::1", "a b", "<script>", "testserver\x00")
    for path in (CURRENT, "/")
] + [Case("host at an API address that is none", "GET", "/api/x/", 400, "invalid", environ={"HTTP_HOST": "evil.example"})]  # fmt: skip

ADDRESSES = [
    Case(f"address {path[:80]!r}", method, path, 404, "not_found")
    for method, path in [
        ("GET", "/api/"), ("GET", "/api/webchat/"), ("GET", "/api/webchat/nope/sessions/current/"), ("POST", "/api/webchat/nope/sessions/"),
        ("POST", "/api/webchat/sessions/1/token/"), ("POST", "/api/webchat/sessions/not-a-uuid/end/"), ("POST", RENEW), ("POST", END),
        ("POST", RENEW.upper()), ("POST", START.rstrip("/")), ("GET", CURRENT.rstrip("/")), ("GET", "/api/webchat/support%00/sessions/"),
        ("GET", "/api/webchat/../sessions/"), ("GET", "/api/webchat/%2e%2e/sessions/"), ("GET", "/api/" + "x" * 8_000),
        ("GET", "/api/%ff%fe"), ("GET", "/api/webchat/süpport/sessions/"), ("GET", "/api//schema/"), ("GET", f"{CURRENT}?format=xml"),
        ("GET", "/api/webchat/support'--/sessions/current/"), ("GET", "/api/{{7*7}}/"), ("GET", "/api/schema/?format=xml"),
    ]
] + [
    Case(f"page {path[:80]!r}", "GET", path, status)
    for path, status in [
        ("/webchat/nope/", 404), ("/webchat/nope/panel/", 404), ("/webchat/nope/launcher.css", 404), ("/webchat/support", 301),
        ("/webchat/", 404), ("/webchat/%00/", 404), ("/nope/", 404), ("/%ff%fe/", 404), ("/\\evil.example/", 404),
        ("/static/../config/settings.py", 404), ("/static/%2e%2e/manage.py", 404), ("/.env", 404), ("/.git/config", 404), ("/health/", 404),
        ("/webchat/support/?x=" + "y" * 5_000, 200), ("/webchat/support/panel/?x=%00", 200), ("/webchat/support/launcher.css?v=%ff", 200),
        ("/?next=//evil.example", 200), ("/accounts/reset/x/y/", 200), ("/accounts/reset/%00/%00/", 200), ("/admin/nope/", 302),
        ("/accounts/login/?next=//evil.example", 200), ("/theme.css?v=%00", 200),
    ]
]  # fmt: skip

PAGES = [
    replace(form("page", ANSWERS, 302, None), path=PAGE, key=False, body=urlencode({**ANSWERS, "idempotency_key": "of-the-page"}).encode()),
    replace(form("page without a key", ANSWERS, 400, None), path=PAGE, key=False),
    replace(form("page with NUL", {**ANSWERS, "question": "\x00"}, 400, None), path=PAGE),
    replace(start("page with too many fields", TOO_MANY, 400, None, content_type=FORM), path=PAGE),
    replace(multipart("page with a file", *GOOD_PARTS, part(FILE, b"x"), code=None), path=PAGE),
    replace(start("page of 256 KiB", b"x" * 257 * 1024, 413, None, content_type=FORM), path=PAGE),
    replace(start("page in another charset", b"name=x", 400, None, content_type=f"{FORM}; charset=utf-7"), path=PAGE),
    replace(start("page without a boundary", b"x", 400, None, content_type="multipart/form-data"), path=PAGE),
    *[
        replace(multipart(f"{path} in {charset}", *GOOD_PARTS, code=None, content_type=f"{MULTIPART}; charset={charset}"), path=path)
        for path in (PAGE, "/accounts/login/", "/admin/login/")
        for charset in ("base64", "hex", "idna", "rot13", "undefined", "utf-16")
    ],
    replace(multipart("login with a file", part(FILE, b"x" * 1_000), code=None), path="/accounts/login/"),
]  # fmt: skip

RENEWALS = [
    Case(f"{path[-6:]} {name}", "POST", path, status, code, body, content_type)
    for path in (RENEW, END)
    for name, body, content_type, status, code in [
        ("with json", b"{}", JSON, 404, "not_found"),
        ("with cut json", b"{", JSON, 404, "not_found"),
        ("as text", b"x", "text/plain", 415, "unsupported_media_type"),
        ("too large", b"x" * 40_000, JSON, 413, "too_large"),
        ("multipart without a boundary", b"x", "multipart/form-data", 400, "invalid"),
        ("too many fields", TOO_MANY, FORM, 400, "invalid"),
    ]
]  # fmt: skip

WEBHOOKS = [
    Case(f"{path.split('/')[-2]} webhook {name}", "POST", path, 403, None, body, content_type, headers, environ)
    for path in (WEBHOOK, STUDIO)
    for name, body, content_type, headers, environ in [
        ("unsigned", b"EventType=x", FORM, {}, {}),
        ("without a body", b"", FORM, {"X-Twilio-Signature": "x"}, {}),
        ("with a wrong signature", b"EventType=x", FORM, {"X-Twilio-Signature": "x"}, {}),
        ("with an odd signature", b"EventType=x", FORM, {"X-Twilio-Signature": "\xff\x00"}, {}),
        ("in json without a hash", b"{}", JSON, {"X-Twilio-Signature": "x"}, {}),
        ("in bytes", b"\xff\xfe", FORM, {"X-Twilio-Signature": "x"}, {}),
        ("multipart", b"x", "multipart/form-data", {"X-Twilio-Signature": "x"}, {}),
        ("of too many fields", TOO_MANY, FORM, {"X-Twilio-Signature": "x"}, {}),
        ("of 64 KiB and one", b"x" * (64 * 1024 + 1), FORM, {"X-Twilio-Signature": "x"}, {}),
        ("of 300 KiB", b"x" * 300 * 1024, FORM, {"X-Twilio-Signature": "x"}, {}),
        ("of length abc", b"x", FORM, {"X-Twilio-Signature": "x"}, {"CONTENT_LENGTH": "abc"}),
        ("of length ²", b"x", FORM, {"X-Twilio-Signature": "x"}, {"CONTENT_LENGTH": "²"}),
        ("of length -1", b"x", FORM, {"X-Twilio-Signature": "x"}, {"CONTENT_LENGTH": "-1"}),
        ("of 5,000 digits", b"x", FORM, {"X-Twilio-Signature": "x"}, {"CONTENT_LENGTH": "9" * 5000}),
        ("in another charset", b"a=b", f"{FORM}; charset=utf-7", {"X-Twilio-Signature": "x"}, {}),
        ("with a lone bracket for a host", b"a=b", FORM, {"X-Twilio-Signature": "x", "X-Forwarded-Host": "[::1"}, {}),
    ]
]  # fmt: skip

OTHERS = [
    Case("schema", "GET", "/api/schema/", 200),
    Case("schema as json", "GET", "/api/schema/?format=json", 200),
    Case("live", "GET", "/health/live", 200),
    Case("ready", "GET", "/health/ready", 200),
    Case("metrics without a token", "GET", "/metrics", 404),
    Case("head of ready", "HEAD", "/health/ready", 200),
]

GROUPS = {
    "json": JSON_BODIES, "content types": CONTENT_TYPES, "forms": FORMS, "lengths": LENGTHS, "keys": KEYS, "methods": METHODS,
    "cross-site": CROSS_SITE, "headers": HEADERS, "hosts": HOSTS, "addresses": ADDRESSES, "pages": PAGES, "renewals": RENEWALS,
    "webhooks": WEBHOOKS, "others": OTHERS,
}  # fmt: skip
