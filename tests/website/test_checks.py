"""`manage.py check` finds what would fail at run time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks

from tests.support.factories import make_webchat
from tests.support.site import ROOT
from webchat.checks import check_user_indexes
from webchat.models import PreEngagementField, Webchat


def ids(**options):
    return sorted(message.id for message in run_checks(**options) if message.id.startswith("webchat."))


def test_a_sound_configuration_has_no_complaint():
    assert ids() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"TWILIO_API_KEY_SECRET": ""}, ["webchat.W001"]),
        ({"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}, ["webchat.W001"]),
        ({"TWILIO_ACCOUNT_SID": "xyz"}, ["webchat.W002"]),
        ({"TWILIO_API_KEY_SID": "AC" + "0" * 32}, ["webchat.W002"]),
        ({"WEBCHAT_BEFORE_START": "shop.absent.before_start"}, ["webchat.E008"]),
        ({"WEBCHAT_BEFORE_START": "config.settings.BASE_DIR"}, ["webchat.E008"]),
        ({"WEBCHAT_TELL_AGENTS": "shop.absent.tell_agents"}, ["webchat.E008"]),
        ({"WEBCHAT_TELL_AGENTS": "config.settings.BASE_DIR"}, ["webchat.E008"]),
        ({"WEBCHAT_MAY_MAIL": "shop.absent.may_mail"}, ["webchat.E008"]),
        ({"TWILIO_SANDBOX_URL": "http://sandbox.example:8001"}, ["webchat.E002"]),
        ({"SERVED_OVER_TLS": True}, ["webchat.E003"]),
        ({"SERVED_OVER_TLS": True, "TWILIO_SANDBOX_URL": ""}, []),
        ({"SERVED_OVER_TLS": True, "WEBCHAT_STAGING": True}, ["webchat.W006"]),
        ({"WEBCHAT_STAGING": True, "TWILIO_SANDBOX_URL": "https://sandbox.example"}, ["webchat.E002"]),
        ({"WEBCHAT_LIMITS": "none"}, ["webchat.E004"]),
        ({"WEBCHAT_LIMITS": "off"}, []),
        ({"WEBCHAT_LIMITS": "off", "TWILIO_SANDBOX_URL": ""}, ["webchat.E005"]),
    ],
    ids=str,
)
def test_each_fault_has_its_id_and_says_what_to_do(settings, change, expected):
    for name, value in change.items():
        setattr(settings, name, value)
    assert ids() == expected
    assert all(message.hint for message in run_checks() if message.id in expected)


@pytest.mark.django_db
def test_rows_are_checked_against_todays_code_and_user_model():
    webchat = make_webchat()
    Webchat.objects.filter(pk=webchat.pk).update(address_sid="")
    PreEngagementField.objects.filter(name="email").update(match="account", user_lookup="shoe_size")
    assert ids(databases=["default"]) == ["webchat.E006", "webchat.E007"]


@pytest.mark.django_db
def test_texts_in_a_language_that_the_site_has_no_longer_stop_nothing(settings):
    make_webchat(translations={"de": {"title": "Reden wir"}})
    settings.LANGUAGES = [("en", "English")]
    assert ids(databases=["default"]) == []


# --- The environment, before there are settings ------------------------------------------------------------------------


def manage(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SECRET_KEY": "k" * 50} | environment
    command = (sys.executable, "-W", "ignore", "manage.py", *command)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "setting",
    [
        "DJANGO_SECRET_KEY=",
        "PUBLIC_BASE_URL=www.example.com",
        "PUBLIC_BASE_URL=https://www.example.com/shop",
        "PUBLIC_BASE_URL=https://www.example.com:none",
        "PUBLIC_BASE_URL=https://a..b.\N{LATIN SMALL LETTER U WITH DIAERESIS}",
        "DJANGO_ALLOWED_HOSTS=[::g]",
        "DATABASE_URL=nonsense",
        "CACHE_URL=foo",
        "EMAIL_URL=nope",
        "TRUSTED_PROXY_COUNT=one",
        "TRUSTED_PROXY_COUNT=-1",
        "WEBCHAT_THREADS=0",
        "WEBCHAT_KEEP_ANSWERS_DAYS=-1",
        "WEBCHAT_KEEP_SESSIONS_DAYS=0",
    ],
)
def test_a_variable_that_cannot_be_is_named_in_one_line(setting):
    name, _, value = setting.partition("=")
    refused = manage("check", **{name: value})
    assert refused.returncode == 1
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    assert name in line


@pytest.mark.parametrize("url", ["postgres://u:p4ss@127.0.0.1:9/x", "sqlite:////nonexistent/folder/db.sqlite3"])
def test_a_database_that_is_not_there_is_said_in_words(url):
    checked = manage("check", "--database", "default", DATABASE_URL=url)
    assert checked.returncode == 1
    assert "DATABASE_URL" in checked.stderr
    ordered = manage("webchat_worker", "--once", DATABASE_URL=url)
    assert ordered.returncode == 1
    assert "DATABASE_URL" in ordered.stderr
    for output in (checked.stderr, ordered.stderr):
        assert "Traceback" not in output
        assert "p4ss" not in output
    assert "Traceback" in manage("webchat_worker", "--once", "--traceback", DATABASE_URL=url).stderr


def test_a_user_model_without_indexes_for_look_ups_is_warned_of(settings):
    assert check_user_indexes(None) == []
    # Django's own, which has none; and no phone.
    settings.AUTH_USER_MODEL = "auth.User"
    settings.WEBCHAT_USER_LOOKUPS = ["email", "username", "phone", "date_joined", "password"]
    warnings = check_user_indexes(None)
    assert [warning.id for warning in warnings] == ["webchat.W005"] * 2
    assert "“email”" in warnings[0].msg
    assert 'models.Index(Upper("email"), name="…") to Meta.indexes of auth.User' in warnings[0].hint
