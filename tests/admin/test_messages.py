"""Messages in the admin: found, answered by mail, and marked by whom."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission

from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.page_form import as_shown
from tests.support.plans import plans, prefer_indexes
from tests.support.visitor import VisitorClient
from webchat.admin.tools import BoundedPaginator
from webchat.models import Message

pytestmark = pytest.mark.django_db

LIST = "/admin/webchat/message/"


@pytest.fixture
def message():
    make_webchat(when_closed="message")
    VisitorClient().leave({**ANSWERS, "question": "Where is <b>my</b> parcel?\nAnd & the tent?"})
    return Message.objects.get()


def links(response):
    return [part.partition('"')[0] for part in unescape(response.content.decode()).split('href="')[1:]]


def names_in(response):
    return [message.customer_friendly_name for message in response.context["cl"].result_list]


def test_the_list_is_searched_by_text_name_and_address_and_filtered_by_what_is_unanswered(admin_client, message):
    VisitorClient().leave({"name": "Zoë Quinn", "email": "zoe@example.com", "question": "Do you ship to Chad?"})
    for words, found in {"parcel": "José Müller", "quinn": "Zoë Quinn", "zoe@example.com": "Zoë Quinn"}.items():
        assert names_in(admin_client.get(LIST, {"q": words})) == [found]
    Message.objects.filter(pk=message.pk).mark_answered(make_user("staff").pk)
    assert names_in(admin_client.get(LIST, {"answered": "no"})) == ["Zoë Quinn"]
    assert names_in(admin_client.get(LIST, {"answered": "yes"})) == ["José Müller"]


@pytest.fixture
def many():
    """A thousand, the latest first, one a minute; the last one is not answered."""
    webchat, now = make_webchat(), datetime.now(UTC)
    ada = make_user()
    return Message.objects.bulk_create(
        Message(
            webchat=webchat, key=str(number), answers={}, text=f"Where is parcel {number:04}?",
            customer_friendly_name=f"Visitor {number:04}", email=f"visitor{number}@example.com",
            received_at=now - timedelta(minutes=number), user=ada if number == 900 else None,
            answered_at=None if number == 999 else now,
        )
        for number in range(1000)
    )  # fmt: skip


def whole_reads(how):
    """But for those that end with the first row of an index."""
    return [text for text in how.of_whole("webchat_message", "U0", "V0") if not re.search(r"LIMIT 1\b", text)]


def test_the_list_and_its_search_read_no_more_than_they_show(admin_client, many, monkeypatch, subtests):
    monkeypatch.setattr(BoundedPaginator, "MOST", 300)
    cases = {
        # In the latest messages anything.
        "parcel 0123": ["Visitor 0123"],
        "ISITOR 0299": ["Visitor 0299"],
        # In older ones how it begins, and what the account says.
        "parcel 0999": [],
        "visitor 0999": ["Visitor 0999"],
        "VISITOR998@": ["Visitor 0998"],
        "ada@example.com": ["Visitor 0900"],
        "0900": [],
        "%": [],
        "parcel " * 600 + "none": [f"Visitor {number:04}" for number in range(100)],
        "": [f"Visitor {number:04}" for number in range(100)],
    }
    prefer_indexes()
    for term, found in cases.items():
        with subtests.test(term):
            with plans() as how:
                page = admin_client.get(LIST, {"q": term})
            assert names_in(page) == found
            assert whole_reads(how) == []
    for number, name in enumerate(("ben", "cleo")):
        Message.objects.filter(pk=many[number].pk).update(answered_by=make_user(name))
    make_user("dora")
    with plans() as how:
        page = admin_client.get(LIST, {"answered": "no"})
    assert names_in(page) == ["Visitor 0999"]
    assert re.findall(r"\?[^\"]*answered_by__id__exact=\d+[^>]*>([^<]+)<", page.content.decode()) == ["ben", "cleo"]
    assert whole_reads(how) == []
    assert how.use("webchat_message_unanswered")
    day = {"received_at__lt": (many[950].received_at + timedelta(seconds=1)).isoformat()}
    assert names_in(admin_client.get(LIST, {"q": "parcel 0999", **day})) == ["Visitor 0999"]


@pytest.mark.parametrize("path", [LIST, LIST + "{}/change/"])
def test_a_reply_is_a_mail_to_the_visitor_with_the_message_quoted(admin_client, message, path):
    response = admin_client.get(path.format(message.pk))
    [link] = {link for link in links(response) if link.startswith("mailto:")}
    parts = urlsplit(link)
    assert parts.path == ANSWERS["email"]
    asked = parse_qs(parts.query)
    assert asked["subject"] == [f"Your message of {message.received_at:%Y-%m-%d}"]
    assert asked["body"] == ["\r\n\r\n> Where is <b>my</b> parcel?\r\n> And & the tent?"]
    assert "<b>my</b>" not in response.content.decode()


def test_a_link_to_reply_has_no_second_header_and_a_bounded_length(admin_client):
    make_webchat(when_closed="message")
    VisitorClient().leave({**ANSWERS, "email": "a?cc=b@example.com", "question": "ä" * 2000})
    [link] = {link for link in links(admin_client.get(LIST)) if link.startswith("mailto:")}
    assert set(parse_qs(urlsplit(link).query)) == {"subject", "body"}
    assert len(link) < 7000


def test_who_answered_is_kept_by_the_list_and_by_the_page(admin_client, admin_user, message):
    chosen = {"_selected_action": [str(message.pk)]}
    admin_client.post(LIST, {"action": "mark_answered", **chosen})
    message.refresh_from_db()
    assert (message.answered_by, bool(message.answered_at)) == (admin_user, True)
    admin_client.post(LIST, {"action": "mark_unanswered", **chosen})
    message.refresh_from_db()
    assert (message.answered_by, message.answered_at) == (None, None)
    page = f"{LIST}{message.pk}/change/"
    admin_client.post(page, {**as_shown(admin_client, page), "is_answered": "on"})
    message.refresh_from_db()
    assert message.answered_by == admin_user
    admin_client.post(page, as_shown(admin_client, page))
    message.refresh_from_db()
    assert message.answered_by is None


def test_the_first_who_answered_stays(admin_client, message):
    first = make_user("staff")
    Message.objects.mark_answered(first.pk)
    page = f"{LIST}{message.pk}/change/"
    admin_client.post(page, {**as_shown(admin_client, page), "is_answered": "on"})
    message.refresh_from_db()
    assert message.answered_by == first


def test_nothing_of_what_the_visitor_wrote_can_be_changed_or_deleted(admin_client, message):
    admin_client.post(f"{LIST}{message.pk}/change/", {"text": "x", "email": "x@example.com", "key": "x" * 20})
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{message.pk}/delete/", {"post": "yes"}).status_code == 403
    kept = Message.objects.get()
    assert (kept.text, kept.email, kept.key) == (message.text, message.email, message.key)


def test_who_may_only_look_marks_nothing(client, message):
    staff = make_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_message"))
    client.force_login(staff)
    assert client.get(LIST).status_code == 200
    client.post(LIST, {"action": "mark_answered", "_selected_action": [str(message.pk)]})
    assert client.post(f"{LIST}{message.pk}/change/", {"is_answered": "on"}).status_code == 403
    message.refresh_from_db()
    assert message.answered_at is None


def test_times_name_their_zone(admin_client, message, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    for page in (LIST, f"{LIST}{message.pk}/change/"):
        assert " JST" in admin_client.get(page).content.decode()
