"""Nothing that a visitor can see, count or keep tells whether an address is an account's."""

from __future__ import annotations

import re
import unicodedata

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, make_field, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.models import ChatSession, PreEngagementField
from webchat.protection.limits import MEMBER_BY_VALUE

pytestmark = pytest.mark.django_db

Match = PreEngagementField.Match
# What differs between any two chats.
_OWN = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|CH[0-9a-f]{32}|w_[0-9a-f]{32}|eyJ[\w.-]+|\d{4}-\d\d-\d\dT[\d:]+Z"
)


def visible(response):
    """Status, bytes, headers and cookies without the chat's own ids."""
    headers = {name: value for name, value in response.items() if name not in ("X-Request-Id", "Content-Length")}
    cookies = {name: {**cookie} for name, cookie in response.cookies.items()}
    return response.status_code, _OWN.sub("…", response.content.decode()), headers, cookies


def variants(address):
    user, domain = address.split("@")
    return [
        address,
        address.upper(),
        f"{user}+tag@{domain}",
        f"{user.capitalize()}@{domain}",
        unicodedata.normalize("NFKC", f"ｆ{user}@{domain}"),
    ]


def test_annotated_answers_of_known_and_unknown_addresses_look_alike(sandbox, settings):
    settings.WEBCHAT_LIMITS = "off"
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match=Match.ANNOTATE, user_lookup="email")
    for number in range(8):
        make_user(f"known{number:03}")
    seen = {"known": [], "other": []}
    queries = {"known": set(), "other": set()}
    # Whether Twilio is up, and what staff configure, is read again each second, whoever comes.
    read_by_time = ("webchat_outage", 'FROM "webchat_webchat"', 'FROM "webchat_preengagementfield"')
    for number in range(8):
        # Interleaved, so that nothing that changes with time is mistaken for a difference.
        for kind, addresses in seen.items():
            for address in variants(f"{kind}{number:03}@example.com"):
                visitor = VisitorClient()
                with CaptureQueriesContext(
                    connection,
                ) as captured:
                    response = visitor.start({**ANSWERS, "email": address})
                addresses.append(visible(response))
                queries[kind].add(sum(not any(part in query["sql"] for part in read_by_time) for query in captured))
    assert len(seen["known"]) == len(seen["other"]) == 40
    assert len({repr(one) for one in seen["known"] + seen["other"]}) == 1
    assert queries["known"] == queries["other"]
    assert len(queries["known"]) == 1
    # It was really compared: staff see it.
    assert ChatSession.objects.filter(account_matches=["email"]).count() >= 16


def test_flex_gets_the_same_keys_for_a_known_and_an_unknown_address(sandbox):
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match=Match.ANNOTATE, user_lookup="email")
    make_user()
    for address in ("ada@example.com", "nobody@example.com"):
        VisitorClient().start({**ANSWERS, "email": address})
    one, other = ChatSession.objects.order_by("created_at")
    assert (one.account_matches, other.account_matches) == (["email"], [])
    # The visitor's browser can read what Flex gets.
    assert {**one.answers, "email": ""} == {**other.answers, "email": ""}


def members(**fields):
    webchat = make_webchat()
    webchat.fields.filter(name="email").update(match=Match.REQUIRE, user_lookup="email")
    make_field(webchat, "customer_number", match=Match.REQUIRE, user_lookup="customer_number", required=False)
    return webchat


def test_every_way_to_be_no_member_looks_alike(sandbox):
    members()
    make_user(customer_number="C-1")
    make_user("bob", customer_number="C-2")
    make_user("eve", customer_number="C-3", is_active=False)
    wrong = {
        "unknown": ("nobody@example.com", "C-9"),
        "one of another": ("ada@example.com", "C-2"),
        "inactive": ("eve@example.com", "C-3"),
        "known, number unknown": ("ada@example.com", "C-9"),
        "known, no number": ("ada@example.com", ""),
    }
    answers = {
        name: VisitorClient().start({**ANSWERS, "email": email, "customer_number": number})
        for name, (email, number) in wrong.items()
    }
    assert {response.status_code for response in answers.values()} == {400}
    assert (
        len({repr(visible(response)).replace(response.json()["request_id"], "") for response in answers.values()}) == 1
    )
    assert VisitorClient().start({**ANSWERS, "email": "Ada@Example.com", "customer_number": "c-1"}).status_code == 201


@pytest.mark.parametrize("known", [True, False])
def test_guessing_is_throttled_by_value_whether_it_is_anybodys_or_not(sandbox, known):
    members()
    if known:
        make_user(customer_number="C-1")
    tries = [
        VisitorClient().start({**ANSWERS, "email": "ada@example.com", "customer_number": f"C-1{number}"}).status_code
        for number in range(MEMBER_BY_VALUE.allowed + 1)
    ]
    assert tries == [400] * MEMBER_BY_VALUE.allowed + [429]
    # The right number does not help any more: its being right would be an answer.
    right = VisitorClient().start({**ANSWERS, "email": "ada@example.com", "customer_number": "C-1"})
    assert right.status_code == 429


def test_who_guesses_locks_out_no_member_elsewhere(sandbox):
    members()
    make_user(customer_number="C-1")
    for number in range(MEMBER_BY_VALUE.allowed + 3):
        VisitorClient().start({**ANSWERS, "email": "ada@example.com", "customer_number": f"C-1{number}"})
    ada = VisitorClient(client=Client(REMOTE_ADDR="198.51.100.7"))
    assert ada.start({**ANSWERS, "email": "ada@example.com", "customer_number": "C-1"}).status_code == 201


def test_a_member_is_not_throttled_by_their_own_details(sandbox):
    members()
    make_user(customer_number="C-1")
    visitor = VisitorClient()
    answers = {**ANSWERS, "email": "ada@example.com", "customer_number": "C-1"}
    assert visitor.start(answers).status_code == 201
    assert [visitor.start(answers).status_code for _ in range(12)] == [200] * 12
