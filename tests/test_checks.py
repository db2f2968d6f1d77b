"""`manage.py check` finds what would fail at run time."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from tests.factories import make_webchat
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
        ({"TWILIO_SANDBOX_URL": "http://sandbox.example:8001"}, ["webchat.E002"]),
        ({"SERVED_OVER_TLS": True}, ["webchat.E003"]),
        ({"SERVED_OVER_TLS": True, "TWILIO_SANDBOX_URL": ""}, []),
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
