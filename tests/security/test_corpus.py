"""Each request of the corpus gets its one answer, never a 5xx, and below /api/ always in the error contract's JSON."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.security.corpus import GROUPS, Case
from tests.support.factories import make_webchat
from tests.support.visitor import VisitorClient

pytestmark = pytest.mark.django_db


def send(visitor: VisitorClient, case: Case):
    headers = dict(case.headers)
    if case.token:
        headers.setdefault("X-CSRFToken", visitor.csrf)
    if case.key:
        headers.setdefault("Idempotency-Key", visitor.key)
    cookie = headers.pop("Cookie", None)
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    if cookie is not None:
        visitor.client.cookies.clear()
        environ["HTTP_COOKIE"] = cookie
    return visitor.client.generic(case.method, case.path, case.body, case.content_type, **environ | dict(case.environ))


def problems_of(case: Case, response) -> str:
    """What is wrong with the answer, or nothing."""
    if response.status_code != case.status:
        return f"{response.status_code}, not {case.status}: {response.content[:200]!r}"
    if not case.path.startswith("/api/") or response.status_code < 400:
        return ""
    if (response["Content-Type"], response["Cache-Control"]) != ("application/json", "no-store"):
        return f"{response.headers}"
    if case.method == "HEAD":
        return ""
    body = response.json()
    sound = (
        set(body) - {"fields"} == {"code", "detail", "request_id"}
        and body["code"] == case.code
        and body["detail"]
        and body["request_id"] == response["X-Request-Id"]
    )
    return "" if sound else f"{body}"


@pytest.mark.parametrize("group", GROUPS)
def test_each_request_gets_its_one_answer(sandbox, settings, group):
    make_webchat()
    settings.WEBCHAT_LIMITS = "off"
    wrong = {}
    visitor = None
    for case in GROUPS[group]:
        # As on a server: an exception is an answer, which must not be a 500.
        if visitor is None:
            visitor = VisitorClient(client=Client(enforce_csrf_checks=True, raise_request_exception=False))
        if problem := problems_of(case, send(visitor, case)):
            wrong[case.name] = problem
        if case.status < 400 or "Cookie" in case.headers:
            visitor = None
    assert wrong == {}
