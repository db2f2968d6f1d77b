"""A NUL anywhere in a request reaches no database: PostgreSQL fails on it, and the visitor's cookie stays for long."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.security.addresses import every_address
from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

COOKIES = ["sessionid", "csrftoken", "webchat", "messages", "django_language", "anything"]


@pytest.fixture
def visitor(sandbox) -> VisitorClient:
    make_webchat()
    return VisitorClient()


@pytest.mark.parametrize("name", COOKIES)
@pytest.mark.parametrize("path", ["/", "/webchat/support/panel/", "/accounts/login/", "/admin/login/"])
def test_a_cookie_with_one_is_as_if_it_were_not_there(visitor, path, name):
    # As it stands in the header: the quotes and the backslash are what makes it a NUL.
    request = {"HTTP_COOKIE": f'{name}="ab\\000cd"'}
    assert "\0" in RequestFactory().get("/", **request).COOKIES[name]
    with CaptureQueriesContext(connection) as queries:
        assert Client().get(path, **request).status_code == 200
    assert not [query["sql"] for query in queries if "\0" in query["sql"]]


def test_an_address_with_one_is_no_error_anywhere(visitor):
    client = Client(raise_request_exception=False)
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    wrong = {}
    for address in every_address():
        for path in (f"{address}?q=a%00b&e=1&context=%00", f"{address}%00"):
            with CaptureQueriesContext(connection) as queries:
                status = client.get(path).status_code
            if status >= 500 or any("\0" in query["sql"] for query in queries):
                wrong[path] = status
    assert wrong == {}


@pytest.mark.parametrize(
    "header", ["Referer", "User-Agent", "Accept-Language", "Origin", "X-Forwarded-For", "X-Request-Id"]
)
def test_a_header_with_one_is_as_if_it_were_not_there(visitor, header):
    answer = visitor.start(ANSWERS, **{header: "http://testserver/\0a"})
    assert answer.status_code == 201
    assert "\\u0000" not in str(ChatSession.objects.values()) + answer.content.decode()


@pytest.mark.parametrize(
    "path",
    ["/accounts/login/", "/accounts/password_reset/", "/accounts/password_change/", "/accounts/second-factor/",
     "/admin/login/", "/admin/webchat/webchat/add/", "/webchat/support/", "/webchat/support/end/", "/accounts/logout/",
     "/api/webchat/support/sessions/", "/webhooks/twilio/conversations/", "/webhooks/twilio/studio/"],
)  # fmt: skip
def test_a_form_with_one_is_no_error(visitor, path):
    client = Client(raise_request_exception=False)
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    names = [
        "username",
        "password",
        "email",
        "code",
        "next",
        "name",
        "slug",
        "question",
        "idempotency_key",
        "proof_of_work",
    ]
    for posted in (dict.fromkeys(names, "a\0b"), {"a\0b": "x"}):
        with CaptureQueriesContext(connection) as queries:
            assert client.post(path, posted).status_code < 500
        assert not [query["sql"] for query in queries if "\0" in query["sql"]]
