"""The site's own user: a phone number and a customer number that no two users share."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.urls import reverse
from django.utils import timezone

from config.accounts.models import User
from tests.support.factories import make_user, make_webchat
from tests.support.plans import count_rows, plans

pytestmark = pytest.mark.django_db

ADDED = {
    "username": "grace",
    "usable_password": "true",
    "password1": "long-days-outside",
    "password2": "long-days-outside",
    "email": "grace@example.com",
    "phone": "+41 44 668 18 00",
    "customer_number": "C-2002",
}


def test_two_users_never_share_a_customer_number():
    make_user("ada", customer_number="C-1001")
    with pytest.raises(IntegrityError):
        make_user("bob", customer_number="C-1001")


def test_any_number_of_users_have_none():
    assert make_user("ada").customer_number is None
    assert make_user("bob").customer_number is None


def test_an_empty_customer_number_is_not_a_number():
    with pytest.raises(IntegrityError, match="customer_number_not_empty"):
        make_user("ada", customer_number="")


def test_phone_is_optional_and_kept_as_e164():
    assert make_user("ada").phone == ""
    user = make_user("bob", phone="+41 44 668 18 00")
    user.refresh_from_db()
    assert User.objects.filter(phone="+41446681800").get() == user
    assert user.phone.as_e164 == "+41446681800"


def test_a_wrong_phone_number_is_refused():
    with pytest.raises(ValidationError) as refused:
        User(username="ada", password="x", phone="+41 1").full_clean()
    assert set(refused.value.message_dict) == {"phone"}


@pytest.fixture
def staff(client):
    user = make_user("admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def test_staff_add_a_customer(staff):
    response = staff.post(reverse("admin:accounts_user_add"), ADDED)
    assert response.status_code == 302
    user = User.objects.get(username="grace")
    assert (user.email, user.phone.as_e164, user.customer_number) == ("grace@example.com", "+41446681800", "C-2002")
    assert user.check_password("long-days-outside")


def test_staff_may_leave_the_customer_fields_empty_more_than_once(staff):
    for username in ("grace", "edsger"):
        added = staff.post(
            reverse("admin:accounts_user_add"), {**ADDED, "username": username, "phone": "", "customer_number": ""}
        )
        assert added.status_code == 302
    assert set(User.objects.filter(customer_number=None).values_list("username", flat=True)) >= {"grace", "edsger"}


def test_staff_are_told_of_a_number_that_is_taken_at_its_field(staff):
    make_user("ada", customer_number="C-2002")
    response = staff.post(reverse("admin:accounts_user_add"), ADDED)
    assert response.status_code == 200
    assert set(response.context["adminform"].form.errors) == {"customer_number"}


# Django's own widget for the password leaves a variable of its template out.
@pytest.mark.ignore_template_errors
def test_staff_change_and_find_a_customer(staff):
    ada = make_user("ada", customer_number="C-1001", phone="+41446681800")
    make_user("bob", customer_number="C-9999")
    page = staff.get(reverse("admin:accounts_user_change", args=[ada.pk])).content.decode()
    assert 'name="customer_number" value="C-1001"' in page
    assert 'name="phone"' in page
    for words in ("C-1001", "+41446681800"):
        assert found_by(staff, words) == [ada]


def found_by(staff, words):
    return list(staff.get(reverse("admin:accounts_user_changelist"), {"q": words}).context["cl"].queryset)


@pytest.fixture
def many():
    """A thousand customers."""
    User.objects.bulk_create(
        User(
            username=f"user{number:04}", email=f"mail{number:04}@example.com", first_name=f"Ána {number:04}",
            last_name=f"van Last {number:04}", phone=f"+4144{number:07}", customer_number=f"N-{number:04}",
        )
        for number in range(1000)
    )  # fmt: skip
    count_rows()


FIND_ONE = (
    "user0777",
    "USER0777",
    "  mail0777@EXAMPLE ",
    "n-0777",
    "+41440000777",
    "+41 (44) 000-07.77",
    "Ána 0777",
    "van last 0777",
    "Ána van last 0777",
    "van Last 0777, Ána",
)
FIND_NOBODY = ("ser0777", "%", "_ser0777", "0777", "()", "-", "Ána nobody", "x " * 50, "a" * 5000)


def test_a_search_among_many_users_reads_those_that_it_finds(staff, many, subtests):
    for words in FIND_ONE:
        with subtests.test(words):
            with plans() as how:
                found = found_by(staff, words)
            assert [user.username for user in found] == ["user0777"]
            assert how.of_whole("accounts_user", "accounts_user U0", "U0") == []
            if connection.vendor == "sqlite":
                assert not [text for text in how.texts if "SCAN accounts_user" in text]
                for column in ("username", "email", "first_name", "last_name", "phone", "number"):
                    assert how.use(f"accounts_{column}_begins"), column


def test_a_search_finds_beginnings_alone(staff, many, subtests):
    for words in FIND_NOBODY:
        with subtests.test(words):
            assert found_by(staff, words) == []


def test_a_wide_search_shows_users_in_the_lists_order(staff, many):
    assert [user.username for user in found_by(staff, "user")][:2] == ["user0000", "user0001"]


def test_before_a_user_is_deleted_their_chats_can_be_exported(staff):
    ada, webchat = make_user("ada"), make_webchat()
    for user, question in ((ada, "Where is my parcel?"), (None, "Somebody else's")):
        webchat.sessions.create(
            user=user, answers={"question": question}, api=webchat.api, status="ended",
            key=question, identity=question, lease_until=timezone.now(),
        )  # fmt: skip
    page = f"/admin/accounts/user/{ada.pk}/delete/"
    html = staff.get(page).content.decode()
    assert "chats are blanked" in html
    chosen = {"action": "delete_selected", "_selected_action": [ada.pk, make_user("ben").pk]}
    of_two = staff.post("/admin/accounts/user/", chosen).content.decode()
    assert "chats are blanked" in of_two
    assert f'href="/admin/accounts/user/{ada.pk}/chats/">ada</a>' in of_two
    assert re.search(r'/chats/">ben</a>', of_two)
    [address] = re.findall(r'href="([^"]+)">Export the chats and messages first<', html)
    exported = staff.get(address)
    assert "attachment" in exported["Content-Disposition"]
    assert [chat["answers"]["question"] for chat in exported.json()["chats"]] == ["Where is my parcel?"]
    assert staff.post(page, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=ada.pk).exists()
    assert staff.get(address).status_code == 404


def test_who_may_not_see_chats_may_delete_a_user_and_export_nothing(client):
    ada, ben = make_user("ada"), make_user("ben", is_staff=True)
    ben.user_permissions.set(Permission.objects.filter(codename__in=["delete_user", "view_user"]))
    client.force_login(ben)
    chosen = {"action": "delete_selected", "_selected_action": [ada.pk]}
    for page in (client.get(f"/admin/accounts/user/{ada.pk}/delete/"), client.post("/admin/accounts/user/", chosen)):
        assert "chats are blanked" in page.content.decode()
        assert "Export the chats" not in page.content.decode()
    assert client.get(f"/admin/accounts/user/{ada.pk}/chats/").status_code == 403
