"""`manage.py webchat_channel`: the call of the legacy guide, by hand."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from tests.support.factories import make_webchat
from webchat.models import ChatSession
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

FIELDS = ["flex_flow_sid", "account_sid", "sid", "date_created", "date_updated", "url"]
NAMES = ("--customer-friendly-name", "CustomerFriendlyName", "--chat-friendly-name", "ChatFriendlyName")


@pytest.fixture
def run(capsys):
    make_webchat(slug="legacy", api="web_channels")

    def run(*arguments):
        call_command("webchat_channel", *arguments)
        return json.loads(capsys.readouterr().out)

    return run


def create(run, identity="Identity", *more):
    return run("create", "legacy", "--identity", identity, *NAMES, *more)


def test_create_answers_with_the_six_fields(sandbox, run):
    channel = create(run, "made-by-hand")
    assert list(channel) == FIELDS
    assert channel["flex_flow_sid"] == account.FLEX_FLOW_SID
    assert channel["account_sid"] == account.ACCOUNT_SID
    assert channel["url"].endswith(f"/v1/WebChannels/{channel['sid']}")
    assert channel["date_created"].endswith("Z")
    at_twilio = sandbox.rest("GET", f"/v1/Conversations/{channel['sid']}")
    assert at_twilio["friendly_name"] == "ChatFriendlyName"
    assert [each["identity"] for each in sandbox.participants(channel["sid"])] == ["made-by-hand"]
    assert not ChatSession.objects.exists()


def test_fetch_and_end(sandbox, run):
    channel = create(run, "shown-and-ended", "--pre-engagement-data", '{"question": "Hi"}')
    assert run("fetch", "legacy", channel["sid"]) == channel
    assert run("end", "legacy", channel["sid"])["sid"] == channel["sid"]
    attributes = json.loads(sandbox.rest("GET", f"/v1/Conversations/{channel['sid']}")["attributes"])
    assert attributes["status"] == "INACTIVE"
    assert attributes["pre_engagement_data"] == {"question": "Hi"}


def test_failures_are_told_in_words(sandbox, run):
    create(run, "twice")
    refused = {
        r"exists \(HTTP 409": ("create", "legacy", "--identity", "twice", *NAMES),
        "no such webchat": ("fetch", "nowhere", "CH" + "0" * 32),
        r"gone \(HTTP 404": ("fetch", "legacy", "CH" + "0" * 32),
        "refused": ("end", "legacy", "../Services"),
        "takes a JSON object": ("create", "legacy", "--identity", "x", *NAMES, "--pre-engagement-data", "[]"),
    }
    for words, arguments in refused.items():
        with pytest.raises(CommandError, match=words):
            run(*arguments)
