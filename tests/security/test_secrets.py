"""Distinctive values in every secret and every answer; then nothing that anybody can see has one of them."""

from __future__ import annotations

import json
import logging
import sys
from io import BytesIO, StringIO

import pytest
from django.core import mail, management
from django.test import Client, RequestFactory
from django.utils.log import AdminEmailHandler

from config.reports import Reporter
from tests.security.addresses import every_address
from tests.support.factories import make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.flex import gateway_for
from webchat.models import ChatSession
from webchat.sandbox import account

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

SECRET_KEY = "canary-of-the-secret-key-" + "Zq7" * 20
METRICS_TOKEN = "canary-of-the-metrics-" + "Zq7" * 10
SECRETS = [SECRET_KEY, METRICS_TOKEN, account.AUTH_TOKEN, account.API_KEY_SECRET]
ANSWERS = {
    "name": "Canarina Nightingale",
    "email": "canary@birds.example",
    "question": "Where is the canary in my mine?",
}


@pytest.fixture
def site(settings, sandbox):
    settings.SECRET_KEY, settings.METRICS_TOKEN = SECRET_KEY, METRICS_TOKEN
    make_webchat()
    return settings


def test_no_page_shows_a_secret_or_somebodys_answers(site, sandbox, log):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    private = [*SECRETS, credentials["token"], *ANSWERS.values(), credentials["identity"], credentials["channel_sid"]]
    make_user()
    stranger = Client(raise_request_exception=False)
    for address in every_address():
        for response in (stranger.get(address), stranger.post(address, {"question": ANSWERS["question"][:3]})):
            text = response.content.decode()
            assert not [canary for canary in private if canary in text], address
    for canary in private:
        assert canary not in log.text


def test_no_page_of_the_admin_shows_a_secret_or_a_token(site, sandbox, log):
    visitor = VisitorClient()
    credentials = visitor.start(ANSWERS).json()
    session = ChatSession.objects.get()
    root = make_user("root", is_superuser=True, is_staff=True)
    client = Client(raise_request_exception=False)
    client.force_login(root)
    session_page = f"/admin/webchat/chatsession/{session.pk}/change/"
    fetched = every_address()
    assert session_page in fetched
    for address in fetched:
        if "logout" in address:
            continue
        response = client.get(address)
        text = response.content.decode()
        hidden = [*SECRETS, credentials["token"], session.owner, session.key]
        if not address.startswith("/admin/webchat/chatsession/"):
            hidden += ANSWERS.values()  # staff read them there, and nowhere else
        assert not [canary for canary in hidden if canary in text], address
    assert not [canary for canary in [*SECRETS, *ANSWERS.values()] if canary in log.text]
    assert ANSWERS["question"] in client.get(session_page).content.decode()


def test_an_error_shows_and_logs_neither(site, log):
    site.ROOT_URLCONF = "tests.security.buggy_urls"
    client = Client(raise_request_exception=False)
    client.cookies["webchat"] = "canary-of-a-cookie"
    for path, kind in (("/bug/", "text/html"), ("/api/bug/", "application/json")):
        response = client.post(path, ANSWERS)
        assert response.status_code == 500
        assert response["Content-Type"].startswith(kind)
        for canary in (*SECRETS, *ANSWERS.values(), "canary-of-a-cookie"):
            assert canary not in response.content.decode()
            assert canary not in log.text
        assert response["X-Request-Id"] in log.text
    failed = log.lines("request_failed")
    assert [line["path"] for line in failed] == ["/bug/", "/api/bug/"]
    assert all(line["error"] == "RuntimeError < ValueError" and line["status"] == 500 for line in failed)
    assert "/api/bug/" in log.text
    assert json.loads(response.content) == {
        "code": "server_error",
        "detail": "Something went wrong on our side.",
        "request_id": response["X-Request-Id"],
    }


@pytest.mark.parametrize("include_html", [False, True])
def test_a_mailed_report_has_neither(site, include_html):
    """If a site adds Django's mails of errors: nothing of ours sends any."""
    from tests.security.buggy_urls import bug

    site.ADMINS = [("Root", "root@example.com")]
    site.DEBUG = False
    request = RequestFactory().post(
        "/bug/?next=canary-of-a-query", ANSWERS, headers={"Referer": "/canary-of-a-referer"}
    )
    request.COOKIES["webchat"] = "canary-of-a-cookie"
    try:
        bug(request)
    except RuntimeError:
        record = logging.LogRecord("django.request", logging.ERROR, "", 0, "It failed", (), sys.exc_info())
    record.request = request
    AdminEmailHandler(include_html=include_html).emit(record)
    [message] = mail.outbox
    text = "\n".join([message.subject, message.body, *(part for part, _type in message.alternatives)])
    assert "RuntimeError" in text
    assert "question" in text  # names are there
    canaries = [*SECRETS, *ANSWERS.values(), "canary-of-a-cookie", "canary-of-a-query", "canary-of-a-referer"]
    assert not [canary for canary in canaries if canary in text]


class BrokenLine(BytesIO):
    def read(self, *args):
        raise OSError("the browser is gone")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (BytesIO(b"x"), "multipart/form-data"),  # no boundary
        (BrokenLine(b"question=x"), "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_cannot_be_read_does_not_break_the_report(site, body, content_type):
    length = len(body.getvalue())
    environment = {"wsgi.input": body, "CONTENT_LENGTH": str(length), "CONTENT_TYPE": content_type}
    request = RequestFactory().post("/bug/", **environment)
    try:
        raise RuntimeError("it failed")
    except RuntimeError:
        text = Reporter(request, *sys.exc_info(), is_email=True).get_traceback_text()
    assert "RuntimeError" in text
    assert "No POST data" in text


def test_the_schema_has_no_secret(site):
    out = StringIO()
    management.call_command("spectacular", stdout=out)
    assert "openapi: 3" in out.getvalue()
    assert not [secret for secret in SECRETS if secret in out.getvalue()]


def test_no_object_shows_a_secret_or_an_answer_in_its_name(site):
    VisitorClient().start(ANSWERS)
    session = ChatSession.objects.get()
    shown = f"{session!r} {session} {session.webchat!r} {gateway_for(session.destination)!r}"
    assert not [canary for canary in [*SECRETS, *ANSWERS.values()] if canary in shown]
