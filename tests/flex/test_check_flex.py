"""`manage.py check_flex`: in words, and the webhook set where it may be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command

from tests.support.factories import make_webchat
from webchat.flex.provisioning import can_be_posted_to
from webchat.flex.webhook_settings import EVENT
from webchat.models import Webchat, Work, WorkerPass
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

SERVICE = f"/v1/Services/{account.CHAT_SERVICE_SID}/Configuration/Webhooks"
ACCOUNT = "/v1/Configuration/Webhooks"
ADDRESSES = "/v1/Configuration/Addresses"
ELSEWHERE = "http://127.0.0.1:9/elsewhere/?secret=1"


@pytest.fixture
def webhooks(sandbox):
    """Sets what the sandbox's account and service post where; reads the service's."""

    def configure(path, url, *filters):
        sandbox.rest("POST", path, PostWebhookUrl=url, Filters=list(filters) or [EVENT])

    def of_service():
        found = sandbox.rest("GET", SERVICE)
        return found["post_webhook_url"], found["filters"]

    configure.of_service = of_service
    WorkerPass.note(Work.CHATS)
    return configure


def check(capsys, *arguments):
    """Exit status and words."""
    status = 0
    try:
        call_command("check_flex", *arguments, no_color=True)
    except CommandError as error:
        status = error.returncode
    return status, capsys.readouterr().out


def url(settings):
    return f"{settings.PUBLIC_BASE_URL}/webhooks/twilio/conversations/"


def test_a_missing_webhook_is_said_then_set_then_all_is_well(webhooks, settings, capsys):
    make_webchat()
    status, words = check(capsys)
    assert status == 1
    assert "Twilio does not post to" in words
    assert check(capsys, "--fix-webhook") == (0, "support: everything that a chat needs is there.\n")
    assert webhooks.of_service() == (url(settings), [EVENT])
    assert check(capsys)[0] == 0


def test_what_the_service_posts_to_us_besides_stays(webhooks, settings, capsys):
    make_webchat()
    webhooks(SERVICE, url(settings), "onMessageAdded")
    status, words = check(capsys)
    assert (status, EVENT in words) == (1, True)
    assert check(capsys, "--fix-webhook")[0] == 0
    assert webhooks.of_service() == (url(settings), [EVENT, "onMessageAdded"])


def test_first_answers_are_told_when_they_are_wanted(webhooks, settings, capsys):
    make_webchat()
    assert check(capsys, "--fix-webhook")[0] == 0
    status, words = check(capsys, "--first-answers")
    assert (status, "first answers are not counted" in words) == (1, True)
    assert webhooks.of_service() == (url(settings), [EVENT])
    assert check(capsys, "--fix-webhook", "--first-answers")[0] == 0
    assert webhooks.of_service() == (url(settings), [EVENT, "onMessageAdded"])
    for arguments in (["--first-answers"], ["--fix-webhook"], []):
        assert check(capsys, *arguments)[0] == 0
    assert webhooks.of_service() == (url(settings), [EVENT, "onMessageAdded"])


def test_anothers_address_is_replaced_only_when_told_so(webhooks, settings, capsys):
    make_webchat()
    webhooks(SERVICE, ELSEWHERE)
    for arguments in ([], ["--fix-webhook"]):
        status, words = check(capsys, *arguments)
        assert status == 1
        assert "127.0.0.1" in words
        assert "secret" not in words
    assert webhooks.of_service()[0] == ELSEWHERE
    assert check(capsys, "--fix-webhook", "--replace")[0] == 0
    assert webhooks.of_service()[0] == url(settings)


def test_the_accounts_webhook_counts_where_the_service_has_none(webhooks, settings, capsys):
    make_webchat()
    webhooks(ACCOUNT, url(settings))
    assert check(capsys)[0] == 0
    webhooks(SERVICE, ELSEWHERE)
    assert check(capsys)[0] == 1


def test_twilio_itself_posts_to_https_only(settings):
    assert can_be_posted_to("http://127.0.0.1:8000/")  # from the sandbox
    settings.TWILIO_SANDBOX_URL = ""
    assert not can_be_posted_to("http://www.example.com/")
    assert can_be_posted_to("https://www.example.com/")


def test_each_enabled_webchat_is_checked_or_the_one_that_is_named(webhooks, settings, capsys):
    make_webchat()
    make_webchat(slug="sales", address_sid="IG" + "1" * 32)
    make_webchat(slug="off", address_sid="IG" + "1" * 32, enabled=False)
    webhooks(SERVICE, url(settings))
    status, words = check(capsys)
    assert status == 1
    assert "support: everything" in words
    assert "sales: There is no address" in words
    assert "off:" not in words
    assert check(capsys, "support")[0] == 0
    assert check(capsys, "off")[0] == 1
    with pytest.raises(CommandError, match="no such webchat"):
        call_command("check_flex", "nope")


def test_an_outage_is_said_in_words(webhooks, sandbox, settings, capsys):
    make_webchat()
    sandbox.fault("GET", SERVICE, status=503)
    status, words = check(capsys)
    assert (status, "could not be read" in words) == (1, True)
    assert "Fault on demand" not in words


def test_nothing_secret_is_printed(webhooks, settings, capsys):
    make_webchat()
    settings.TWILIO_AUTH_TOKEN = "wrong-token-0123456789"
    status, words = check(capsys)
    assert status == 1
    assert "wrong-token" not in words
    assert account.API_KEY_SECRET not in words


# --- What setup_flex made ----------------------------------------------------------------------------------------------


@pytest.fixture
def made(webhooks, sandbox, capsys):
    """The webchat of a set-up account, whose flow and address a test then changes."""
    sandbox.become("empty")
    call_command("setup_flex", "--yes", no_color=True)
    capsys.readouterr()
    (flow,) = sandbox.rest("GET", "/v2/Flows")["flows"]
    return {"flow": f"/v2/Flows/{flow['sid']}", "address": f"{ADDRESSES}/{Webchat.objects.get().address_sid}"}


def test_what_was_set_up_is_all_there(made, capsys):
    assert check(capsys) == (0, "support: everything that a chat needs is there.\n")


def test_an_older_flow_is_a_difference(made, sandbox, capsys):
    definition = sandbox.rest("GET", made["flow"])["definition"]
    definition["states"][-1]["properties"]["timeout"] = "60"
    form = {"Status": "published", "Definition": json.dumps(definition), "CommitMessage": "flex-webchat 0123"}
    sandbox.rest("POST", made["flow"], **form)
    status, words = check(capsys)
    assert status == 1
    assert "support: Update the Studio flow FW" in words
    assert "setup_flex does it." in words
    # One that was changed in the Console is its changer's.
    sandbox.rest("POST", made["flow"], **form | {"CommitMessage": ""})
    assert check(capsys)[0] == 0


def test_a_flow_that_is_gone_is_a_difference_and_is_made_again(made, sandbox, capsys):
    sandbox.rest("DELETE", made["flow"])
    status, words = check(capsys)
    assert status == 1
    assert "support: Create the Studio flow" in words
    assert "to this site's flow, in place of a flow that is gone: setup_flex does it." in words
    call_command("setup_flex", "--yes", no_color=True)
    capsys.readouterr()
    assert check(capsys)[0] == 0


def test_an_address_that_starts_anothers_flow_may_stay_so(made, sandbox, capsys):
    other = sandbox.rest("GET", made["flow"])["definition"] | {"description": "another application's"}
    flow = sandbox.rest("POST", "/v2/Flows", FriendlyName="Bot", Status="published", Definition=json.dumps(other))
    sandbox.rest("POST", made["address"], **{"AutoCreation.StudioFlowSid": flow["sid"]})
    assert check(capsys)[0] == 0


@pytest.mark.parametrize("path", ["/v2/Flows", f"/v1/Workspaces/{account.WORKSPACE_SID}/Workflows"])
def test_what_cannot_be_compared_is_said(made, sandbox, capsys, path):
    sandbox.fault("GET", path, status=403)
    status, words = check(capsys)
    assert (status, "What setup_flex would find cannot be read: refused (HTTP 403" in words) == (1, True)
    assert check(capsys)[0] == 0


def test_a_task_channel_that_is_gone_is_in_the_way(made, sandbox, capsys):
    path = f"/v1/Workspaces/{account.WORKSPACE_SID}/TaskChannels"
    body = json.dumps({"channels": [], "meta": {"key": "channels", "page": 0, "page_size": 20, "next_page_url": None}})
    sandbox.fault("GET", path, status=200, body=body)
    status, words = check(capsys)
    assert (status, "TaskRouter has no task channel “chat”" in words) == (1, True)


def test_a_worker_that_never_ran_is_said_and_one_that_stands_still_is_a_problem(made, capsys):
    WorkerPass.objects.all().delete()
    status, words = check(capsys)
    assert status == 0
    assert "The worker has not run yet" in words
    WorkerPass.note(Work.CHATS)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        status, words = check(capsys)
    assert status == 1
    assert "The worker stands still (chats) since" in words
