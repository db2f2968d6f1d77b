"""`manage.py setup_flex` on accounts of each kind: what it plans, what it does, and what it leaves alone."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from tests.support.factories import change, make_webchat
from tests.support.twilio_parameters import faults_of
from webchat.flex import studio_flow
from webchat.flex.webhook_settings import EVENT
from webchat.models import Webchat
from webchat.sandbox import account
from webchat.sandbox.configuration import FOREIGN_URL

pytestmark = pytest.mark.django_db

FLOWS = "/v2/Flows"
ADDRESSES = "/v1/Configuration/Addresses"
WEBHOOK = f"/v1/Services/{account.CHAT_SERVICE_SID}/Configuration/Webhooks"
KEYS = f"/2010-04-01/Accounts/{account.ACCOUNT_SID}/Keys.json"
FLOW_NAME = "Webchat support of 127.0.0.1:8000"
ADDRESS_TEXT = "webchat-support-of-127.0.0.1-8000"


@pytest.fixture
def twilio(sandbox):
    """The sandbox, whose account is whatever a test makes it."""
    return sandbox


@pytest.fixture
def setup(capsys):
    """Runs the command: its exit status, and all its words."""

    def run(*arguments):
        status, last = 0, ""
        try:
            call_command("setup_flex", *arguments, no_color=True)
        except CommandError as error:
            status, last = error.returncode, str(error)
        return status, capsys.readouterr().out + last

    return run


def flows(twilio):
    return {one["friendly_name"]: one["sid"] for one in twilio.rest("GET", FLOWS)["flows"]}


def addresses(twilio):
    return {one["address"]: one for one in twilio.rest("GET", ADDRESSES)["address_configurations"]}


def state_of(twilio):
    """Everything that a set-up may change."""
    definitions = [twilio.rest("GET", f"{FLOWS}/{sid}") for sid in flows(twilio).values()]
    configuration = twilio.rest("GET", "/v1/Configuration")
    return definitions, addresses(twilio), twilio.rest("GET", WEBHOOK), configuration, twilio.rest("GET", KEYS)


def writes(twilio):
    return [call["path"] for call in twilio.log() if call["method"] != "GET" and call["path"] != f"{FLOWS}/Validate"]


# --- What it makes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["empty", "new"])
def test_an_account_with_flex_gets_all_that_a_chat_needs(twilio, setup, kind):
    twilio.become(kind)
    before = addresses(twilio)
    status, words = setup("--yes")
    assert status == 0, words
    flow = twilio.rest("GET", f"{FLOWS}/{flows(twilio)[FLOW_NAME]}")
    assert (flow["status"], flow["commit_message"][:13]) == ("published", "flex-webchat ")
    made = addresses(twilio)[ADDRESS_TEXT]
    assert made["auto_creation"] == {
        "enabled": True,
        "type": "studio",
        "conversation_service_sid": account.CHAT_SERVICE_SID,
        "studio_flow_sid": flow["sid"],
        "studio_retry_count": 3,
    }
    (asked,) = (state for state in flow["definition"]["states"] if state["type"] == "make-http-request")
    assert asked["properties"]["url"] == "http://127.0.0.1:8000/webhooks/twilio/studio/"
    assert "and asks 127.0.0.1 what agents may know" in words
    webchat = Webchat.objects.get(slug="support")
    assert (webchat.address_sid, webchat.chat_service_sid) == (made["sid"], account.CHAT_SERVICE_SID)
    assert [field.name for field in webchat.fields.all()] == ["name", "email", "question"]
    assert twilio.rest("GET", WEBHOOK)["filters"] == [EVENT]
    # What was there before is as it was.
    assert {text: one for text, one in addresses(twilio).items() if text != ADDRESS_TEXT} == before
    # A chat comes by it.
    assert twilio.rest("POST", "/v2/WebChats", AddressSid=made["sid"])["conversation_sid"][:2] == "CH"


def test_a_second_run_changes_nothing_and_says_so(twilio, setup):
    twilio.become("new")
    assert setup("--yes")[0] == 0
    before = state_of(twilio)
    twilio.clear_log()
    status, words = setup("--yes")
    assert status == 0
    assert "Nothing is left to do." in words
    assert "To do" not in words
    assert state_of(twilio) == before
    assert writes(twilio) == []


def test_a_dry_run_reads_and_validates_alone(twilio, setup):
    twilio.become("empty")
    status, words = setup("--dry-run")
    assert status == 0
    assert "To do: Create the Studio flow" in words
    assert "To do: Create the chat address" in words
    assert "To do: Add the webchat “support”" in words
    assert writes(twilio) == []
    assert not Webchat.objects.exists()


def test_it_asks_first(twilio, setup, monkeypatch):
    twilio.become("empty")
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert setup()[0] == 1
    assert writes(twilio) == []
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert setup()[0] == 0


@pytest.mark.parametrize("broken", ["/v1/Configuration", KEYS, FLOWS, ADDRESSES, WEBHOOK])
@pytest.mark.parametrize("before", [True, False], ids=["not done", "done, answer lost"])
def test_a_run_that_breaks_off_is_continued(twilio, setup, broken, before):
    """Whether or not Twilio did what was asked, nothing is made twice."""
    twilio.become("empty")
    twilio.rest("POST", "/v1/Configuration", DefaultChatServiceSid=account.OTHER_CHAT_SERVICE_SID)
    command = ["--yes", "--set-default-service", "--create-key"]
    twilio.fault("POST", broken, status=503, before=before)
    status, words = setup(*command)
    assert status == 1
    assert "Running this again looks first" in words
    assert setup(*command)[0] == 0
    assert len(flows(twilio)) == len(addresses(twilio)) == Webchat.objects.count() == 1
    assert len(twilio.rest("GET", KEYS)["keys"]) == 1
    assert twilio.rest("GET", "/v1/Configuration")["default_chat_service_sid"] == account.CHAT_SERVICE_SID
    before_again = state_of(twilio)
    assert "Nothing is left to do" in setup(*command)[1]
    assert state_of(twilio) == before_again


def test_what_was_found_is_on_the_last_page(twilio, setup):
    twilio.become("empty")
    definition = json.dumps(studio_flow.build_definition(account.WORKFLOW_SID, account.TASK_CHANNELS["chat"], "x"))
    for number in range(25):
        twilio.rest("POST", FLOWS, FriendlyName=f"Other {number}", Status="published", Definition=definition)
    assert setup("--yes")[0] == 0
    assert "Nothing is left to do." in setup("--yes")[1]
    assert len(flows(twilio)) == 26


def test_the_requests_are_those_of_twilios_description(twilio, setup):
    twilio.become("taken")
    assert setup("--yes", "--replace", "--create-key", "--workflow", "Billing")[0] == 0
    assert setup("sales", "--yes", "--replace", "--address", account.ADDRESS_SID)[0] == 0
    calls = twilio.log()
    assert {"GET", "POST"} == {call["method"] for call in calls}
    assert faults_of(calls) == []


# --- What is there already -------------------------------------------------------------------------------------------


def test_the_webchat_of_this_site_is_brought_in_line(twilio, setup):
    twilio.become("empty")
    webchat = make_webchat(address_sid="IG" + "1" * 32, chat_service_sid="IS" + "1" * 32)
    status, words = setup("--yes")
    assert status == 0, words
    assert "not at Twilio any more" in words
    webchat.refresh_from_db()
    assert webchat.address_sid == addresses(twilio)[ADDRESS_TEXT]["sid"]
    assert webchat.chat_service_sid == account.CHAT_SERVICE_SID


def test_an_older_flow_of_ours_is_updated_and_keeps_its_workflow(twilio, setup):
    twilio.become("taken")
    assert setup("--yes", "--replace", "--workflow", "Billing")[0] == 0
    sid = flows(twilio)[FLOW_NAME]
    old = studio_flow.build_definition(account.OTHER_WORKFLOW_SID, account.TASK_CHANNELS["chat"], FLOW_NAME)
    old["states"][1]["properties"]["timeout"] = "60"
    form = {"Status": "published", "Definition": json.dumps(old), "CommitMessage": studio_flow.commit_message_of(old)}
    twilio.rest("POST", f"{FLOWS}/{sid}", **form)
    status, words = setup("--yes")
    assert (status, f"Done: Update the Studio flow {sid}" in words) == (0, True)
    states = twilio.rest("GET", f"{FLOWS}/{sid}")["definition"]["states"]
    assert {one["properties"].get("workflow") for one in states} == {None, account.OTHER_WORKFLOW_SID}
    assert {one["properties"].get("timeout") for one in states} == {None, "3600"}


def test_twilio_may_store_the_definition_in_its_own_way(twilio, setup):
    """More keys, another order, widgets that were moved: or whatever, as long as nobody else published it."""
    twilio.become("empty")
    assert setup("--yes")[0] == 0
    sid = flows(twilio)[FLOW_NAME]
    flow = twilio.rest("GET", f"{FLOWS}/{sid}")
    changed = flow["definition"]
    changed["states"].reverse()
    changed["states"][0]["properties"]["offset"] = {"x": 7, "y": 7}
    changed["states"][-1]["properties"]["waitUrl"] = None
    for commit_message in ("", flow["commit_message"]):
        twilio.rest(
            "POST", f"{FLOWS}/{sid}", Status="published", Definition=json.dumps(changed), CommitMessage=commit_message
        )
        assert "Nothing is left to do." in setup("--yes")[1]
        changed["states"][-1]["properties"]["priority"] = "normalised"


def test_a_draft_is_published(twilio, setup):
    twilio.become("empty")
    assert setup("--yes")[0] == 0
    sid = flows(twilio)[FLOW_NAME]
    flow = twilio.rest("GET", f"{FLOWS}/{sid}")
    twilio.rest("POST", f"{FLOWS}/{sid}", Status="draft", CommitMessage=flow["commit_message"])
    assert f"Done: Update the Studio flow {sid}" in setup("--yes")[1]
    assert twilio.rest("GET", f"{FLOWS}/{sid}")["status"] == "published"


def test_an_address_that_was_made_by_hand_with_our_flow_is_taken(twilio, setup):
    twilio.become("empty")
    twilio.fault("POST", ADDRESSES, status=400)
    status, words = setup("--yes")
    assert status == 1
    assert "By hand: Console: Flex, Channel management" in words
    assert f"the flow “{FLOW_NAME}”" in words
    creation = {"AutoCreation.Enabled": "true", "AutoCreation.Type": "studio"}
    creation["AutoCreation.StudioFlowSid"] = flows(twilio)[FLOW_NAME]
    by_hand = twilio.rest("POST", ADDRESSES, Type="chat", Address="made-by-twilio", **creation)
    assert setup("--yes")[0] == 0
    assert Webchat.objects.get().address_sid == by_hand["sid"]
    assert len(addresses(twilio)) == 1


# --- What belongs to others ------------------------------------------------------------------------------------------


def test_another_applications_webhook_stops_it(twilio, setup):
    twilio.become("taken")
    before = state_of(twilio)
    status, words = setup("--yes", "--workflow", "Assign to Anyone")
    assert status == 1
    assert "The events of Flex's conversations go to 127.0.0.1 already" in words
    assert "billing-bot" not in words  # an address may carry a secret
    assert state_of(twilio) == before
    assert not Webchat.objects.exists()


def test_another_applications_webhook_is_kept_or_replaced_when_told_so(twilio, setup):
    twilio.become("taken")
    assert setup("--yes", "--keep")[0] == 0
    assert twilio.rest("GET", WEBHOOK)["post_webhook_url"] == FOREIGN_URL
    assert setup("--yes", "--replace")[0] == 0
    assert twilio.rest("GET", WEBHOOK)["post_webhook_url"].endswith("/webhooks/twilio/conversations/")


def test_the_accounts_webhook_is_not_silenced_unasked(twilio, setup):
    """A webhook of the service takes the place of the account's."""
    twilio.become("empty")
    twilio.rest("POST", "/v1/Configuration/Webhooks", PostWebhookUrl=FOREIGN_URL, Filters=["onMessageAdded"])
    assert setup("--yes")[0] == 1
    assert twilio.rest("GET", WEBHOOK)["post_webhook_url"] is None
    assert setup("--yes", "--replace")[0] == 0


@pytest.mark.parametrize("is_the_webchats", [True, False], ids=["of the webchat", "by name"])
def test_another_applications_flow_stops_it(twilio, setup, is_the_webchats):
    twilio.become("new")
    webchat = make_webchat(address_sid=account.ADDRESS_SID if is_the_webchats else "IG" + "1" * 32)
    arguments = ["--yes"] if is_the_webchats else ["--yes", "--address", account.ADDRESS_SID]
    before = state_of(twilio)
    status, words = setup(*arguments)
    assert status == 1
    assert "starts the flow “Chat Flow”, which is not this site's" in words
    assert state_of(twilio) == before

    assert setup(*arguments, "--keep")[0] == 0
    assert addresses(twilio)["sandbox"]["auto_creation"]["studio_flow_sid"] == account.STUDIO_FLOW_SID
    assert FLOW_NAME not in flows(twilio)

    assert setup(*arguments, "--replace")[0] == 0
    assert addresses(twilio)["sandbox"]["auto_creation"]["studio_flow_sid"] == flows(twilio)[FLOW_NAME]
    webchat.refresh_from_db()
    assert webchat.address_sid == account.ADDRESS_SID


def test_an_address_with_a_webhook_is_another_applications(twilio, setup):
    twilio.become("empty")
    creation = {"AutoCreation.Enabled": "true", "AutoCreation.Type": "webhook", "AutoCreation.WebhookUrl": FOREIGN_URL}
    sid = twilio.rest("POST", ADDRESSES, Type="chat", Address="bot", **creation)["sid"]
    status, words = setup("--yes", "--address", sid)
    assert (status, "starts a webhook at 127.0.0.1" in words) == (1, True)
    assert writes(twilio) == [ADDRESSES]


def test_what_was_changed_in_the_console_is_not_overwritten_unasked(twilio, setup):
    twilio.become("empty")
    assert setup("--yes")[0] == 0
    sid = flows(twilio)[FLOW_NAME]
    changed = twilio.rest("GET", f"{FLOWS}/{sid}")["definition"]
    changed["states"][-1]["properties"]["priority"] = "9"
    twilio.rest("POST", f"{FLOWS}/{sid}", Status="published", Definition=json.dumps(changed))
    for arguments, expected in (([], 1), (["--keep"], 0)):
        status, words = setup("--yes", *arguments)
        assert (status, "was changed in the Console" in words) == (expected, True)
        assert twilio.rest("GET", f"{FLOWS}/{sid}")["definition"] == changed
    assert setup("--yes", "--replace")[0] == 0
    assert twilio.rest("GET", f"{FLOWS}/{sid}")["definition"]["states"][-1]["properties"]["priority"] == "0"


def test_a_setting_of_the_whole_account_needs_its_flag(twilio, setup):
    twilio.become("empty")
    twilio.rest("POST", "/v1/Configuration", DefaultChatServiceSid=account.OTHER_CHAT_SERVICE_SID)
    status, words = setup("--yes")
    assert (status, "--set-default-service" in words) == (1, True)
    assert not flows(twilio)
    assert setup("--yes", "--set-default-service")[0] == 0
    assert twilio.rest("GET", "/v1/Configuration")["default_chat_service_sid"] == account.CHAT_SERVICE_SID


def test_a_workflow_is_chosen_by_name_or_sid_and_asked_for_when_unclear(twilio, setup):
    twilio.become("taken")
    status, words = setup("--yes", "--replace", "--workflow", "Nobody")
    assert status == 1
    assert "There is no workflow “Nobody”" in words
    assert f"{account.OTHER_WORKFLOW_SID} “Billing”" in words
    for name in ("Billing", account.OTHER_WORKFLOW_SID):
        assert setup("--yes", "--replace", "--workflow", name)[0] == 0
        assert "sends chats to “Billing”" in setup("--yes")[1]


# --- Where Twilio says no --------------------------------------------------------------------------------------------


def test_an_account_without_flex(twilio, setup):
    twilio.become("no_flex")
    status, words = setup("--yes")
    assert (status, "This account has no Flex" in words) == (1, True)
    assert writes(twilio) == []


def test_a_key_that_may_not_write(twilio, setup, settings):
    twilio.become("empty")
    settings.TWILIO_AUTH_TOKEN = ""
    settings.TWILIO_API_KEY_SID, settings.TWILIO_API_KEY_SECRET = (
        account.READ_ONLY_KEY_SID,
        account.READ_ONLY_KEY_SECRET,
    )
    status, words = setup("--yes")
    assert status == 1
    assert "Twilio does not take the Studio flow: refused (HTTP 403" in words
    assert "Import from JSON" in words
    assert not flows(twilio)


@pytest.mark.parametrize("status", [401, 403, 400, 404, 409])
def test_a_step_that_is_refused_leaves_the_others(twilio, setup, status):
    """The webhook does not need the address, and is set; the webchat does, and is not added."""
    twilio.become("empty")
    twilio.fault("POST", ADDRESSES, status=status)
    exit_status, words = setup("--yes")
    assert exit_status == 1
    assert words.count("By hand:") == 1
    assert twilio.rest("GET", WEBHOOK)["filters"] == [EVENT]
    assert not Webchat.objects.exists()


def test_what_needs_a_refused_step_is_not_tried(twilio, setup):
    twilio.become("empty")
    twilio.fault("POST", FLOWS, status=403)
    status, words = setup("--yes")
    assert (status, "Not tried: Create the chat address" in words) == (1, True)
    assert not addresses(twilio)
    assert "Import from JSON" in words


@pytest.mark.parametrize("path", ["/v1/Configuration", FLOWS, ADDRESSES, WEBHOOK])
@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 403}, {"fault": "garbage"}], ids=str)
def test_what_cannot_be_read_is_said_in_words(twilio, setup, path, fault):
    twilio.become("empty")
    twilio.fault("GET", path, **fault)
    status, words = setup("--yes")
    assert (status, "could not be read" in words) == (1, True)
    assert "Fault on demand" not in words
    assert writes(twilio) == []


def test_the_environment_is_checked_first(twilio, setup, settings):
    settings.TWILIO_API_KEY_SECRET = ""
    status, words = setup("--yes")
    assert (status, "The environment lacks TWILIO_API_KEY_SECRET" in words) == (1, True)
    settings.TWILIO_AUTH_TOKEN = ""
    status, words = setup("--yes", "--create-key")
    assert (status, "Only the auth token can create a key" in words) == (1, True)
    assert twilio.log() == []


@pytest.mark.parametrize("name", ["TWILIO_AUTH_TOKEN", "TWILIO_API_KEY_SECRET"])
def test_wrong_credentials_are_told_and_never_printed(twilio, setup, settings, name):
    setattr(settings, name, "wrong-secret-0123456789")
    status, words = setup("--yes")
    assert status == 1
    assert "Twilio does not accept" in words or "Check the credentials" in words
    assert "wrong-secret" not in words


# --- The API key -----------------------------------------------------------------------------------------------------


def test_a_key_is_created_once_and_its_secret_shown_once(twilio, setup, settings, log):
    twilio.become("empty")
    settings.TWILIO_API_KEY_SID = settings.TWILIO_API_KEY_SECRET = ""
    _status, words = setup("--yes", "--create-key")
    secret = words.partition("TWILIO_API_KEY_SECRET=")[2].split()[0]
    (key,) = twilio.rest("GET", KEYS)["keys"]
    assert f"TWILIO_API_KEY_SID={key['sid']}" in words
    assert len(secret) == 32
    assert secret not in log.text
    assert secret not in setup("--yes", "--create-key")[1]
    assert len(twilio.rest("GET", KEYS)["keys"]) == 1


def test_nothing_secret_is_printed(twilio, setup):
    twilio.become("empty")
    words = setup("--yes")[1] + setup("--dry-run")[1]
    assert account.AUTH_TOKEN not in words
    assert account.API_KEY_SECRET not in words


# --- Which webchat ---------------------------------------------------------------------------------------------------


def test_each_webchat_has_a_flow_and_an_address_of_its_own(twilio, setup):
    twilio.become("empty")
    assert setup("support", "--yes")[0] == 0
    assert setup("sales", "--yes")[0] == 0
    assert len(flows(twilio)) == len(addresses(twilio)) == len({one.address_sid for one in Webchat.objects.all()}) == 2
    status, words = setup("--yes")
    assert (status, "several webchats" in words) == (1, True)
    assert "A slug is made of" in setup("No slug!", "--yes")[1]


def test_a_legacy_webchat_gets_the_address_that_it_moves_to(twilio, setup):
    twilio.become("empty")
    webchat = make_webchat()
    change(webchat, api="web_channels", flex_flow_sid=account.FLEX_FLOW_SID, address_sid="")
    assert setup("--yes")[0] == 0
    webchat.refresh_from_db()
    assert (webchat.api, webchat.address_sid) == ("web_channels", addresses(twilio)[ADDRESS_TEXT]["sid"])


def test_the_flow_can_be_printed_for_the_console(twilio, setup):
    twilio.become("empty")
    status, words = setup("--print-flow")
    assert status == 0
    form = {"FriendlyName": FLOW_NAME, "Status": "published", "Definition": words}
    twilio.rest("POST", FLOWS, **form)
    assert writes(twilio) == [FLOWS]
    assert "To do: Create the Studio flow" not in setup("--yes")[1]
    assert len(flows(twilio)) == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--workflow", "Nobody"], "There is no workflow “Nobody”"),
        (["--keep", "--address", account.ADDRESS_SID], "stays so"),
    ],
)
def test_a_flow_that_cannot_be_made_is_not_printed(twilio, setup, options, why):
    twilio.become("taken")
    status, words = setup("--print-flow", *options)
    assert (status, "{" in words) == (1, False)
    assert why in words
