"""Access tokens: what is in them, and when none is made."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import jwt
import pytest
import time_machine
from pytest_django import Settings

from webchat.flex import FlexError, credentials
from webchat.flex.tokens import mint, sdk_options
from webchat.sandbox import account

IS = account.CHAT_SERVICE_SID
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def claims(token: str, **options: object) -> dict[str, object]:
    return dict(jwt.decode(token, account.API_KEY_SECRET, algorithms=["HS256"], options=options))  # type: ignore[arg-type]


def test_what_is_in_a_token() -> None:
    with time_machine.travel(NOON, tick=False):
        token = mint("w_1", IS)
        now = int(time.time())
        assert claims(token.jwt) == {
            "jti": f"{account.API_KEY_SID}-{now}",
            "iss": account.API_KEY_SID,
            "sub": account.ACCOUNT_SID,
            "nbf": now - 30,
            "exp": now + 3600,
            "grants": {"identity": "w_1", "chat": {"service_sid": IS}},
        }
    assert jwt.get_unverified_header(token.jwt) == {"typ": "JWT", "alg": "HS256", "cty": "twilio-fpa;v=1"}
    assert token.expires_at == datetime(2026, 11, 22, 13, tzinfo=UTC)
    assert token.expires_in == 3600


@pytest.mark.parametrize(("ahead", "accepted"), [(0, True), (15, True), (29, True), (31, False), (300, False)])
def test_twilios_clock_may_be_half_a_minute_behind(ahead: int, accepted: bool) -> None:
    with time_machine.travel(NOON.timestamp() + ahead, tick=False):
        token = mint("w_1", IS).jwt
    with time_machine.travel(NOON, tick=False):
        if accepted:
            claims(token)
        else:
            with pytest.raises(jwt.ImmatureSignatureError):
                claims(token)


@pytest.mark.parametrize("behind", [15, 300, 3600])
def test_a_token_ends_when_it_says(behind: int) -> None:
    with time_machine.travel(NOON.timestamp() - behind, tick=False):
        token = mint("w_1", IS)
    with time_machine.travel(token.expires_at.timestamp() - 1, tick=False):
        claims(token.jwt)
    with time_machine.travel(token.expires_at, tick=False), pytest.raises(jwt.ExpiredSignatureError):
        claims(token.jwt)


@pytest.mark.parametrize("ttl", [180, 600, 3600])
def test_lifetimes(ttl: int) -> None:
    token = mint("w_1", IS, ttl)
    decoded = claims(token.jwt)
    assert decoded["exp"] - decoded["nbf"] == ttl + 30  # type: ignore[operator]
    assert token.expires_in == ttl


@pytest.mark.parametrize("ttl", [179, 3601, 0, -5, 10**9])
def test_other_lifetimes_are_refused(ttl: int) -> None:
    with pytest.raises(ValueError, match="180 to 3600"):
        mint("w_1", IS, ttl)


@pytest.mark.parametrize("identity", ["", "w" * 257])
def test_impossible_identities_are_refused(identity: str) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        mint(identity, IS)


def test_a_region_other_than_us1_is_in_the_header(settings: Settings) -> None:
    settings.TWILIO_REGION = "ie1"
    assert jwt.get_unverified_header(mint("w_1", IS).jwt)["twr"] == "ie1"


@pytest.mark.parametrize("service", ["", "IS1", "CH" + "0" * 32])
def test_no_token_without_a_chat_service(service: str) -> None:
    with pytest.raises(FlexError) as caught:
        mint("w_1", service)
    assert caught.value.reason is FlexError.Reason.NOT_CONFIGURED


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"])
def test_no_token_without_an_api_key(settings: Settings, name: str) -> None:
    assert credentials.is_configured()
    setattr(settings, name, "")
    with pytest.raises(FlexError) as caught:
        mint("w_1", IS)
    assert caught.value.reason is FlexError.Reason.NOT_CONFIGURED
    assert credentials.missing() == [name]
    assert not credentials.is_configured()


def test_chats_can_start_without_the_auth_token(settings: Settings) -> None:
    settings.TWILIO_AUTH_TOKEN = ""
    assert credentials.is_configured()
    assert credentials.for_rest() == (account.API_KEY_SID, account.API_KEY_SECRET)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("", {}),
        ("http://127.0.0.1:8001", {"Twilsock": {"uri": "ws://127.0.0.1:8001/v3/wsconnect"}}),
        ("https://sandbox.example", {"Twilsock": {"uri": "wss://sandbox.example/v3/wsconnect"}}),
    ],
)
def test_the_sdk_is_pointed_elsewhere_for_a_sandbox_only(
    settings: Settings, url: str, options: dict[str, object]
) -> None:
    settings.TWILIO_SANDBOX_URL = url
    assert sdk_options() == options
