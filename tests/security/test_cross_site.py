"""Who may make a browser start, renew and end chats: this site's own pages, with the token that is valid now."""

from __future__ import annotations

import itertools

import pytest
from django.test import Client

from tests.security.addresses import every_address
from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession

pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

OWN = "http://testserver"
ORIGINS = [
    OWN,
    "https://testserver",
    "http://testserver:81",
    "http://testserver.evil.example",
    "http://eviltestserver",
    "https://evil.example",
    "null",
    "http://testserver, https://evil.example",
]
TOKENS = ["none", "foreign", "old", "good"]


def sign_in(visitor: VisitorClient) -> None:
    values = {"username": "ada", "password": "sandbox", "csrfmiddlewaretoken": visitor.csrf}
    assert visitor.client.post("/accounts/login/", values).status_code == 302


def tokens_of(visitor: VisitorClient, signed_in: bool) -> dict[str, str]:
    """The visitor's token of now, the one of before (its secret was rotated by signing in, or thrown away), another
    browser's, and none."""
    old = visitor.csrf
    if signed_in:
        sign_in(visitor)
    else:
        visitor.client.cookies.clear()
    visitor.open_panel()
    return {"none": "", "old": old, "foreign": VisitorClient().csrf, "good": visitor.csrf}


@pytest.mark.parametrize("signed_in", [False, True], ids=["anonymous", "user"])
def test_only_the_sites_own_pages_with_the_token_of_now(sandbox, settings, signed_in):
    settings.WEBCHAT_LIMITS = "off"
    make_webchat()
    make_user()
    visitor = VisitorClient()
    tokens = tokens_of(visitor, signed_in)
    session_id = visitor.start(ANSWERS).json()["session_id"]
    calls = {
        "start": ("/api/webchat/support/sessions/", 200),
        "renew": (f"/api/webchat/sessions/{session_id}/token/", 200),
        "page": ("/webchat/support/", 302),
        "end on the page": ("/webchat/support/end/", 302),
        "end": (f"/api/webchat/sessions/{session_id}/end/", 200),
    }
    wrong = []
    # The genuine ones last: until then the chat must be untouched.
    for (name, (path, _done)), origin, token in itertools.product(calls.items(), ORIGINS, TOKENS):
        if (origin, token) == (OWN, "good"):
            continue
        response = visitor.client.post(
            path,
            {**ANSWERS, "csrfmiddlewaretoken": tokens[token]},
            headers={"Origin": origin, "Idempotency-Key": visitor.key, "X-CSRFToken": tokens[token]},
        )
        if response.status_code != 403 or any(each.startswith("Access-Control") for each in response.headers):
            wrong.append((name, origin, token, response.status_code))
    assert wrong == []
    session = ChatSession.objects.get()
    assert session.is_active
    for name, (path, done) in calls.items():
        response = visitor.client.post(
            path, ANSWERS, headers={"Origin": OWN, "Idempotency-Key": visitor.key, "X-CSRFToken": tokens["good"]}
        )
        assert response.status_code == done, name
    assert not ChatSession.objects.get(pk=session.pk).is_active


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "same-origin, cross-site", "SAME-ORIGIN", ""])
@pytest.mark.parametrize("call", ["start", "renew", "end"])
def test_the_browsers_own_word_counts_against_a_good_token(sandbox, site, call):
    make_webchat()
    visitor = VisitorClient()
    session_id = visitor.start(ANSWERS).json()["session_id"]
    path = {
        "start": "support/sessions/",
        "renew": f"sessions/{session_id}/token/",
        "end": f"sessions/{session_id}/end/",
    }
    headers = {"X-CSRFToken": visitor.csrf, "Idempotency-Key": visitor.key, "Sec-Fetch-Site": site}
    response = visitor.client.post(f"/api/webchat/{path[call]}", ANSWERS, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")
    assert ChatSession.objects.get().is_active


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 302), ("none", 302), ("same-site", 403), ("cross-site", 403)]
)
def test_the_page_may_be_sent_again_by_a_reload(sandbox, site, status):
    make_webchat()
    visitor = VisitorClient()
    values = {**ANSWERS, "idempotency_key": visitor.key, "csrfmiddlewaretoken": visitor.csrf}
    assert visitor.client.post("/webchat/support/", values, headers={"Sec-Fetch-Site": site}).status_code == status


def test_another_sites_link_may_lead_here(client):
    make_webchat()
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/webchat/support/", headers=headers).status_code == 200


def test_every_address_refuses_what_another_site_posts(sandbox):
    make_webchat()
    user = make_user(is_superuser=True, is_staff=True)
    assert VisitorClient().start(ANSWERS).status_code == 201
    client = Client()  # without the check of tokens: Sec-Fetch-Site alone must do
    client.force_login(user)
    for address in every_address():
        for method in (client.post, client.put, client.patch, client.delete):
            # A load balancer's addresses are answered before anything else, and take GET alone.
            refused = 405 if address.startswith("/health/") else 403
            assert method(address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == refused, address


def test_no_origin_is_ever_allowed_to_read(client):
    make_webchat()
    for path in (
        "/api/webchat/support/sessions/current/",
        "/api/webchat/support/sessions/",
        "/webchat/support/panel/",
        "/",
    ):
        asked = client.options(
            path, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        )
        got = client.get(path, headers={"Origin": "https://evil.example"})
        assert asked.status_code == 405
        assert not [name for each in (asked, got) for name in each.headers if name.startswith("Access-Control")]


def test_without_an_origin_a_page_served_over_tls_needs_its_referer(sandbox):
    make_webchat()
    visitor = VisitorClient()
    path, headers = "/api/webchat/support/sessions/", {"X-CSRFToken": visitor.csrf, "Idempotency-Key": visitor.key}

    def start(**more):
        return visitor.client.post(path, ANSWERS, headers={**headers, **more}, secure=True).status_code

    assert [start(), start(Referer="https://evil.example/"), start(Referer="http://testserver/")] == [403, 403, 403]
    assert start(Referer="https://testserver/pricing/") == 201
