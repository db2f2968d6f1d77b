"""The admin's "test connection"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.http import http_date
from pytest_django import Settings

from tests.flex.conftest import GatewayTo, destination
from tests.support.faulty_server import FaultyServer, answering, hang, refusal, sid
from tests.support.sandbox import SandboxServer
from webchat.flex import gateway_for
from webchat.flex.http import Limits
from webchat.sandbox import account

IS = account.CHAT_SERVICE_SID
CONFIGURATION = {"account_sid": account.ACCOUNT_SID, "default_chat_service_sid": IS}
CREATION = {"enabled": True, "type": "studio", "studio_flow_sid": sid("FW"), "conversation_service_sid": IS}
ADDRESS = {"type": "chat", "auto_creation": CREATION}
FLOW = {"channel_type": "web", "enabled": True, "chat_service_sid": IS}
DETAILS: dict[str, dict[str, Any]] = {"conversations": ADDRESS, "web_channels": FLOW}

Diagnose = Callable[..., list[str]]


@pytest.fixture
def problems(faulty: FaultyServer, gateway_to: GatewayTo, api: str) -> Diagnose:
    """Diagnoses an account that is as it should be but for the given answers."""

    def diagnose(account_answer: Any = None, key_answer: Any = None, detail: Any = None) -> list[str]:
        defaults = (CONFIGURATION, CONFIGURATION, DETAILS[api])
        given = (account_answer, key_answer, detail)
        faulty.script(
            *(
                one if callable(one) else answering(200, {**default, **(one or {})})
                for one, default in zip(given, defaults, strict=True)
            )
        )
        return gateway_to(faulty.url, api, limits=Limits(read=1)).diagnose()

    return diagnose


def test_the_sandbox_is_well(sandbox: SandboxServer, settings: Settings, api: str) -> None:
    settings.TWILIO_SANDBOX_URL = sandbox.url
    assert gateway_for(destination(api)).diagnose() == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TWILIO_AUTH_TOKEN", "wrong", "does not accept the account SID"),
        ("TWILIO_API_KEY_SECRET", "wrong", "does not accept the API key"),
        ("TWILIO_AUTH_TOKEN", "", "TWILIO_AUTH_TOKEN is not set"),
        ("TWILIO_API_KEY_SID", "", "The environment lacks TWILIO_API_KEY_SID."),
    ],
)
def test_wrong_credentials(
    sandbox: SandboxServer, settings: Settings, api: str, name: str, value: str, sentence: str
) -> None:
    settings.TWILIO_SANDBOX_URL = sandbox.url
    setattr(settings, name, value)
    (found,) = gateway_for(destination(api)).diagnose()
    assert sentence in found
    assert "wrong" not in found


def test_a_wrong_api_key_alone(sandbox: SandboxServer, settings: Settings, api: str) -> None:
    settings.TWILIO_SANDBOX_URL = sandbox.url
    settings.TWILIO_AUTH_TOKEN, settings.TWILIO_API_KEY_SECRET = "", "wrong"
    (found,) = gateway_for(destination(api)).diagnose()
    assert "does not accept the API key" in found


def test_wrong_sids(sandbox: SandboxServer, gateway_to: GatewayTo, api: str) -> None:
    gateway = gateway_to(sandbox.url, api)
    gateway.destination = replace(
        destination(api), chat_service_sid=sid("IS"), address_sid=sid("IG"), flex_flow_sid=sid("FO")
    )
    service, detail = gateway.diagnose()
    assert "not the account's default one" in service
    assert ("no address" if api == "conversations" else "no such Flex Flow") in detail
    gateway.destination = replace(destination(api), chat_service_sid="", address_sid="CH", flex_flow_sid="")
    assert [problem[:14] for problem in gateway.diagnose()] == ["Enter the SID,", "Enter the SID,"]


def test_nobody_there(gateway_to: GatewayTo, api: str) -> None:
    (found,) = gateway_to("http://127.0.0.1:9", api).diagnose()
    assert "cannot be reached" in found


def test_all_well(problems: Diagnose) -> None:
    assert problems() == []
    assert (
        problems(detail={"auto_creation": {"enabled": True, "type": "webhook", "webhook_url": "https://x.example"}})
        == []
    )


@pytest.mark.parametrize(
    ("answers", "sentences"),
    [
        ({"account_answer": {"account_sid": sid("AC")}}, ["belong to another account"]),
        ({"key_answer": {"account_sid": sid("AC")}}, ["The API key belongs to another account"]),
        ({"account_answer": answering(*refusal(403, 20003))}, ["refuses to show the configuration: refused (HTTP 403"]),
        ({"account_answer": answering(*refusal(404, 20404))}, ["no Conversations service in the region us1"]),
        ({"account_answer": answering(503, b"")}, ["no proper answer: unclear (HTTP 503)"]),
        ({"account_answer": answering(200, [])}, ["no proper answer"]),
        ({"account_answer": hang(done=False)}, ["no proper answer: unclear"]),
        ({"key_answer": answering(*refusal(429, 20429))}, ["refuses to show the configuration: busy"]),
        ({"detail": answering(*refusal(401, 20003))}, ["does not accept the account SID"]),
        ({"detail": answering(200, b"<html>")}, ["no proper answer"]),
    ],
)
def test_answers_of_twilio(problems: Diagnose, answers: dict[str, Any], sentences: list[str]) -> None:
    found = problems(**answers)
    assert len(found) == len(sentences)
    for sentence, problem in zip(sentences, found, strict=True):
        assert sentence in problem
        assert "secret of Twilio" not in problem


@pytest.mark.parametrize(("ahead", "noticed"), [(0, False), (-20, False), (20, False), (45, True), (-300, True)])
def test_the_clock(problems: Diagnose, ahead: int, noticed: bool) -> None:
    date = http_date((datetime.now(UTC) - timedelta(seconds=ahead)).timestamp())
    found = problems(account_answer=answering(200, CONFIGURATION, headers={"Date": date}))
    assert [problem[:9] for problem in found] == (["The clock"] if noticed else [])
    assert problems(account_answer=answering(200, CONFIGURATION, headers={"Date": "yesterday"})) == []


@pytest.mark.parametrize("api", ["conversations"], indirect=True)
@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        ({"type": "sms"}, "not of the type “chat”"),
        ({"auto_creation": None}, "does not create conversations"),
        ({"auto_creation": CREATION | {"enabled": False}}, "does not create conversations"),
        ({"auto_creation": {"enabled": True, "type": "default"}}, "no Studio flow and no webhook"),
        (
            {"auto_creation": {"enabled": True, "type": "studio", "webhook_url": "https://x"}},
            "no Studio flow and no webhook",
        ),
        (
            {"auto_creation": CREATION | {"conversation_service_sid": sid("IS")}},
            "in another chat service",
        ),
    ],
)
def test_addresses(problems: Diagnose, detail: dict[str, Any], sentence: str) -> None:
    (found,) = problems(detail=detail)
    assert sentence in found


@pytest.mark.parametrize("api", ["web_channels"], indirect=True)
@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        ({"channel_type": "sms"}, "not “web”"),
        ({"enabled": False}, "switched off"),
        ({"chat_service_sid": sid("IS")}, "another chat service"),
        (answering(410, b""), "no longer serves this API"),
    ],
)
def test_flex_flows(problems: Diagnose, detail: Any, sentence: str) -> None:
    (found,) = problems(detail=detail)
    assert sentence in found
