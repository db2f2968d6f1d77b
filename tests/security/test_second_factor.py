"""The second factor of staff: who needs one, how it is set up, and what does not get past it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import second_factor
from tests.support.factories import make_user
from tests.support.site import ROOT

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]
URL = "/accounts/second-factor/"


@pytest.fixture(autouse=True)
def required(settings):
    settings.STAFF_SECOND_FACTOR = "superusers"


@pytest.fixture
def admin():
    return make_user("admin", is_staff=True, is_superuser=True)


def sign_in(address: str = "/admin/", username: str = "admin") -> Client:
    client = Client()
    client.post("/admin/login/", {"username": username, "password": "sandbox", "next": address})
    return client


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    app = TOTP(device.bin_key, device.step, device.t0, device.digits)
    app.time = time.time() + steps * device.step
    return f"{app.token():06d}"


def set_up(client: Client) -> list[str]:
    """Returns the recovery codes."""
    client.get(URL)
    done = client.post(URL, {"code": code_of(TOTPDevice.objects.get())})
    return re.findall(r"<code>(\w+)</code>", done.content.decode())


def test_a_password_alone_opens_no_page_of_the_admin_to_a_superuser(admin):
    client = sign_in("/admin/webchat/webchat/")
    refused = client.get("/admin/webchat/webchat/", follow=True)
    assert refused.redirect_chain[-1][0] == f"{URL}?next=%2Fadmin%2Fwebchat%2Fwebchat%2F"
    assert refused.headers["Cache-Control"].count("no-store")
    for address in ("/admin/", "/admin/accounts/user/add/", "/admin/jsi18n/", "/admin/webchat/webchat/add/"):
        assert client.get(address).status_code == 302
        assert client.post(address).status_code == 302


def test_it_is_set_up_at_the_first_sign_in_and_asked_for_at_the_next(admin):
    client = sign_in()
    page = client.get(URL).content.decode()
    device = TOTPDevice.objects.get()
    assert 'src="data:image/svg+xml' in page
    assert "otpauth://totp/" in page
    assert client.get(URL).content.decode().count("otpauth://")
    assert TOTPDevice.objects.get() == device  # the same at each look
    wrong = client.post(URL, {"code": "000000"})
    assert "This code is wrong" in wrong.content.decode()
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    key_before = client.session.session_key
    codes = set_up(client)
    assert len(codes) == second_factor.RECOVERY_CODES
    assert client.session.session_key != key_before
    assert client.get("/admin/").status_code == 200

    other = sign_in()
    assert other.get("/admin/").status_code == 302
    page = other.get(URL).content.decode()
    assert "otpauth" not in page
    TOTPDevice.objects.update(last_t=-1)
    went_on = other.post(URL, {"code": code_of(device), "next": "/admin/webchat/webchat/"})
    assert went_on["Location"] == "/admin/webchat/webchat/"
    assert other.get("/admin/").status_code == 200


def test_a_code_and_a_recovery_code_work_once(admin):
    codes = set_up(sign_in())
    device = TOTPDevice.objects.get()
    used = sign_in().post(URL, {"code": code_of(device)})
    assert used.status_code == 200  # that of the set-up
    assert sign_in().post(URL, {"code": codes[0].upper()}).status_code == 302
    assert sign_in().post(URL, {"code": codes[0]}).status_code == 200


def test_codes_cannot_be_guessed_by_starting_anew(admin):
    set_up(sign_in())
    TOTPDevice.objects.update(last_t=-1)
    allowed = second_factor.BY_ACCOUNT.allowed
    answers = []
    for number in range(allowed + 1):
        # As if each pause of django-otp's own had been waited for.
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        answers.append(sign_in().post(URL, {"code": f"{number:06d}"}))
    assert [answer.status_code for answer in answers] == [200] * allowed + [429]
    assert sign_in().post(URL, {"code": code_of(TOTPDevice.objects.get())}).status_code == 429


def test_somebody_elses_code_is_none(admin):
    set_up(sign_in())
    make_user("eve", is_staff=True, is_superuser=True)
    eve = sign_in(username="eve")
    set_up_of_eve = eve.get(URL)
    assert set_up_of_eve.status_code == 200
    TOTPDevice.objects.filter(user__username="eve").update(confirmed=True)
    assert eve.post(URL, {"code": code_of(TOTPDevice.objects.get(user=admin), steps=1)}).status_code == 200
    assert eve.get("/admin/").status_code == 302


def test_where_it_leads_is_on_this_site(admin):
    codes = set_up(sign_in())
    for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert sign_in().post(URL, {"code": codes.pop(), "next": elsewhere})["Location"] == "/admin/"


@pytest.mark.parametrize(
    ("setting", "is_superuser", "is_needed"),
    [
        ("off", True, False),
        ("superusers", True, True),
        ("superusers", False, False),
        ("staff", True, True),
        ("staff", False, True),
    ],
)
def test_of_whom_it_is_required(settings, setting, is_superuser, is_needed):
    settings.STAFF_SECOND_FACTOR = setting
    make_user("admin", is_staff=True, is_superuser=is_superuser)
    assert sign_in().get("/admin/").status_code == (302 if is_needed else 200)


def test_staff_who_have_set_one_up_are_asked(admin, settings):
    make_user("grace", is_staff=True)
    client = sign_in(username="grace")
    assert client.get("/admin/").status_code == 200
    set_up(client)
    assert sign_in(username="grace").get("/admin/").status_code == 302


def test_customers_and_strangers_are_sent_to_sign_in(client):
    for user in (None, make_user("ada")):
        if user:
            client.force_login(user)
        assert client.get(URL)["Location"].startswith("/admin/login/?next=")
    assert not TOTPDevice.objects.exists()


def test_a_superuser_removes_the_lost_one_of_a_colleague_and_nobody_else_can(admin):
    codes = set_up(sign_in())
    grace = make_user("grace", is_staff=True)
    grace.user_permissions.add(*permissions("change_user", "view_user"))
    action = {"action": "remove_second_factor", "_selected_action": [admin.pk]}
    sign_in(username="grace").post("/admin/accounts/user/", action)
    assert TOTPDevice.objects.filter(user=admin).exists()
    root = sign_in()
    root.post(URL, {"code": codes[0]})
    root.post("/admin/accounts/user/", action)
    assert not TOTPDevice.objects.exists()
    assert not StaticDevice.objects.exists()


def permissions(*names: str):
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=names)


def test_no_page_of_the_admin_shows_keys_or_recovery_codes(admin):
    codes = set_up(client := sign_in())
    for model in ("otp_totp/totpdevice", "otp_static/staticdevice"):
        assert client.get(f"/admin/{model}/").status_code == 404
    page = client.get(f"/admin/accounts/user/{admin.pk}/change/").content.decode()
    assert TOTPDevice.objects.get().key not in page
    assert not [code for code in codes if code in page]


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"PUBLIC_BASE_URL": "https://www.example.com"}, "superusers"),
        ({"PUBLIC_BASE_URL": "https://www.example.com", "STAFF_SECOND_FACTOR": "staff"}, "staff"),
        ({"PUBLIC_BASE_URL": "http://127.0.0.1:8000"}, "off"),  # the demo
    ],
)
def test_production_requires_it_of_superusers_and_the_demo_of_nobody(environment, setting):
    told = subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.STAFF_SECOND_FACTOR)"],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == setting
