"""Attacks on the sign-in: guessing, spraying, a flood that hashes; and who must not be locked out by them."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client

from config import sign_in
from tests.support.factories import make_user
from webchat.protection.limits import PREFIX_FACTOR, by_network, take_each

pytestmark = pytest.mark.django_db
PAGES = ["/accounts/login/", "/admin/login/"]
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture
def admin():
    return make_user("admin", is_staff=True, is_superuser=True)


def attempt(page: str = PAGES[0], *, address: str = HERE, **values: str):
    """With a wrong password, unless another one is given."""
    return Client().post(page, {"username": "admin", "password": "wrong", **values}, REMOTE_ADDR=address)


@pytest.mark.parametrize("page", PAGES)
def test_guessing_ends_and_the_real_user_signs_in_from_elsewhere(admin, log, page):
    allowed = sign_in.BY_ACCOUNT.allowed
    answers = [attempt(page) for _ in range(allowed + 1)]
    assert [answer.status_code for answer in answers] == [200] * allowed + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= sign_in.BY_ACCOUNT.seconds
    assert "Too many tries" in answers[-1].content.decode()
    assert log.lines("sign_in_limited")
    # The right password does not help there any more: its being right would be an answer.
    assert attempt(page, password="sandbox").status_code == 429
    assert attempt(page, password="sandbox", address=ELSEWHERE).status_code == 302


def test_both_pages_and_every_spelling_count_together(admin):
    for number in range(sign_in.BY_ACCOUNT.allowed):
        attempt(PAGES[number % 2], username=["admin", "ADMIN", "ａdmin"][number % 3])
    assert [attempt(page).status_code for page in PAGES] == [429, 429]


def use_up(network: str, number: int) -> None:
    """As so many wrong passwords from there do."""
    for _ in range(number):
        assert take_each(*by_network(sign_in.BY_NETWORK, network)) is None


def test_one_password_for_many_accounts_is_limited_by_network(admin):
    use_up(HERE, sign_in.BY_NETWORK.allowed - 1)
    assert [attempt(username=f"user{number}").status_code for number in range(2)] == [200, 429]
    assert attempt(password="sandbox", address=ELSEWHERE).status_code == 302


def test_a_prefix_of_ipv6_is_not_65536_networks(admin):
    for number in range(PREFIX_FACTOR):
        use_up(f"2001:db8:1:{number:x}::/64", sign_in.BY_NETWORK.allowed)
    assert attempt(address="2001:db8:1:ffff::1").status_code == 429
    assert attempt(address="2001:db8:2:ffff::1").status_code == 200


def test_an_office_signs_in_all_day(admin):
    use_up(HERE, sign_in.BY_NETWORK.allowed - 1)
    assert [attempt(password="sandbox").status_code for _ in range(5)] == [302] * 5


def test_the_old_password_cannot_be_guessed_in_an_open_browser(admin):
    client = Client()
    client.force_login(admin)
    new = {"new_password1": "walks-in-the-rain-7", "new_password2": "walks-in-the-rain-7"}
    answers = [
        client.post("/accounts/password_change/", {"old_password": f"guess {number}", **new})
        for number in range(sign_in.BY_ACCOUNT.allowed + 1)
    ]
    assert answers[-1].status_code == 429
    assert client.post("/accounts/password_change/", {"old_password": "sandbox", **new}).status_code == 429
    # The admin has no door of its own.
    assert client.post("/admin/password_change/")["Location"] == "/accounts/password_change/"


def test_nul_and_huge_names_are_no_error(admin):
    for page in PAGES:
        for name in ("a\x00b", "x" * 10_000, ""):
            assert attempt(page, username=name).status_code == 200


class CountedHasher(MD5PasswordHasher):
    """Django's own, which knows how many are in it at once and waits until it is let go."""

    inside = most = 0
    lock = threading.Lock()
    go_on = threading.Event()

    def verify(self, password, encoded):
        with self.lock:
            CountedHasher.inside += 1
            CountedHasher.most = max(self.most, self.inside)
        self.go_on.wait(30)
        with self.lock:
            CountedHasher.inside -= 1
        return super().verify(password, encoded)


@pytest.mark.django_db(transaction=True)
def test_a_flood_of_sign_ins_leaves_threads_and_cores_for_the_site(admin, settings):
    settings.PASSWORD_HASHERS = ["tests.security.test_sign_in.CountedHasher"]
    settings.WEBCHAT_THREADS = 16
    statuses: list[int] = []

    def attempt_from(number: int) -> None:
        statuses.append(attempt(password="sandbox", address=f"192.0.2.{number}").status_code)
        connection.close()

    threads = [threading.Thread(target=attempt_from, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    # A quarter of the threads wait, all others are told at once.
    for thread in threads:
        while thread.is_alive() and len(statuses) < 8:
            thread.join(0.05)
    assert statuses == [429] * 8
    assert Client().get("/").status_code == 200
    CountedHasher.go_on.set()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [302] * 4 + [429] * 8
    assert CountedHasher.most <= sign_in.HASHES_AT_ONCE


# --- By e-mail address ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("typed", ["admin", "admin@example.com", "Admin@Example.COM"])
def test_one_signs_in_by_user_name_or_e_mail_address(admin, page, typed):
    admin.email = "admin@example.com"
    admin.save()
    assert "Username or e-mail address" in Client().get(page).content.decode()
    assert attempt(page, username=typed, password="sandbox").status_code == 302
    assert attempt(page, username=typed).status_code == 200


def test_an_address_of_two_accounts_or_a_user_name_like_one_is_nobody_elses(admin):
    admin.email = "shared@example.com"
    admin.save()
    make_user("other", email="shared@example.com", is_staff=True)
    assert attempt(username="shared@example.com", password="sandbox").status_code == 200
    named = make_user("shared@example.com", email="x@example.com")
    client = Client()
    client.post(PAGES[0], {"username": "shared@example.com", "password": "sandbox"})
    assert client.session["_auth_user_id"] == str(named.pk)


def test_tries_by_address_and_by_user_name_count_together(admin):
    admin.email = "admin@example.com"
    admin.save()
    for number in range(sign_in.BY_ACCOUNT.allowed):
        attempt(username=["admin", "admin@example.com"][number % 2])
    assert attempt(username="admin").status_code == 429
    assert attempt(username="admin@example.com").status_code == 429
