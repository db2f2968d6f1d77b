"""The site's own user: a phone number and a customer number that no two users share."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.urls import reverse

from config.accounts.models import User
from tests.support.factories import make_user

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
    for words in ("C-1001", "446681800"):
        found = staff.get(reverse("admin:accounts_user_changelist"), {"q": words})
        assert list(found.context["cl"].queryset) == [ada]
