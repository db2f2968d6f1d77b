"""`manage.py forget_person`: what it finds, exports and erases, and that it can be repeated until nothing is left."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command

from tests.support.factories import ANSWERS, change, make_user, make_webchat
from tests.support.twilio_parameters import faults_of
from tests.support.visitor import VisitorClient
from webchat.chats.forget import traces_of_email
from webchat.messages.task import make_due_tasks
from webchat.models import ChatSession, Message
from webchat.models.session import LEASE
from webchat.sandbox import account

pytestmark = pytest.mark.django_db

EMAIL = ANSWERS["email"]
CREATE = {"conversations": "/v2/WebChats", "web_channels": "/v1/WebChannels"}


@pytest.fixture(params=["conversations", "web_channels"])
def webchat(request, sandbox):
    return make_webchat(api=request.param)


@pytest.fixture
def forget(capsys):
    """Runs the command: its exit status, and all its words."""

    def run(*arguments):
        status, last = 0, ""
        try:
            call_command("forget_person", *arguments, no_color=True)
        except CommandError as error:
            status, last = error.returncode, str(error)
        return status, capsys.readouterr().out + last

    return run


def start(webchat, **answers):
    assert VisitorClient().start(ANSWERS | answers).status_code == 201
    return ChatSession.objects.order_by("-created_at").first()


def at_twilio(sandbox, session):
    """Whether the conversation, and whether the user is there."""
    paths = (f"/v1/Conversations/{session.channel_sid}", f"/v1/Users/{session.identity}")
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    return [sandbox.request("GET", path, auth=credentials).status_code == 200 for path in paths]


def test_a_persons_chat_is_erased_here_and_at_twilio(webchat, sandbox, forget, log):
    theirs, others = start(webchat), start(webchat, email="grace@example.com")
    sandbox.say(theirs.channel_sid, "agent", "Hello")
    sandbox.clear_log()
    status, words = forget("--email", EMAIL.upper(), "--yes")
    assert (status, "Found: 1 chats, 0 messages." in words, "Flex Insights keeps" in words) == (0, True, True)
    assert list(ChatSession.objects.all()) == [others]
    assert at_twilio(sandbox, theirs) == [False, False]
    assert at_twilio(sandbox, others) == [True, True]
    assert [line["session"] for line in log.lines("chat_forgotten")] == [str(theirs.pk)]
    assert EMAIL not in log.text + words
    assert faults_of(call for call in sandbox.log() if call["method"] == "DELETE") == []
    assert forget("--email", EMAIL, "--yes")[1] == "Found: 0 chats, 0 messages.\n"


def test_an_account_is_found_by_its_chats_and_by_its_address(webchat, sandbox, forget):
    ada = make_user()
    visitor = VisitorClient()
    visitor.client.force_login(ada)
    visitor.open_panel()
    assert visitor.start(ANSWERS).status_code == 201
    start(webchat, email=ada.email)
    start(webchat, email="grace@example.com")
    assert "Found: 2 chats" in forget("--user", "ada", "--dry-run")[1]
    assert ChatSession.objects.count() == 3
    assert forget("--user", "ada", "--yes")[0] == 0
    assert ChatSession.objects.count() == 1
    assert "There is no such user" in forget("--user", "nobody", "--yes")[1]


@pytest.mark.parametrize(
    "spelling",
    ["Zoë@BÜCHER.example", "zoë@xn--bcher-kva.example", " zoe\u0308@bücher。example", "zo\u200bë@bücher.example"],
)
def test_an_address_is_found_however_it_is_spelt(spelling):
    """As the form and the site's users are compared: case, Punycode, composed letters and unseen characters do not count."""
    webchat = make_webchat()
    row = {"webchat": webchat, "status": "failed", "lease_until": datetime.now(UTC), "owner": "o"}
    mine, others = (
        ChatSession.objects.create(**row, browser=one, key=one, answers={"contact": {"mail": one}})
        for one in ("zoë@bücher.example", "zoe@bücher.example")
    )
    assert traces_of_email(spelling).sessions == [mine]
    mine.change(answers={"contact": [spelling]})
    assert traces_of_email("zoë@bücher.example").sessions == [mine]
    assert others not in traces_of_email(spelling).sessions


def test_one_chat_is_found_by_its_channel(webchat, sandbox, forget):
    theirs, same_address = start(webchat), start(webchat)
    assert forget("--channel", theirs.channel_sid, "--yes")[0] == 0
    assert list(ChatSession.objects.all()) == [same_address]
    assert "CH and 32 hex digits" in forget("--channel", "../Users/x", "--yes")[1]


@pytest.mark.parametrize("path", ["/v1/Conversations/*", "/v1/Users/*"])
@pytest.mark.parametrize("before", [True, False], ids=["not done", "done, answer lost"])
@pytest.mark.parametrize("status", [503, 409, 429])
def test_what_twilio_did_not_erase_is_found_again(webchat, sandbox, forget, log, path, before, status):
    session = start(webchat)
    sandbox.fault("DELETE", path, status=status, before=before)
    exit_status, words = forget("--email", EMAIL, "--yes")
    assert (exit_status, "1 of them are left" in words) == (1, True)
    assert ChatSession.objects.filter(pk=session.pk).exists()
    assert len(log.lines("chat_not_forgotten")) == 1
    assert forget("--email", EMAIL, "--yes")[0] == 0
    assert not ChatSession.objects.exists()
    assert at_twilio(sandbox, session) == [False, False]


def test_one_that_is_left_does_not_keep_the_others(webchat, sandbox, forget):
    first, second = start(webchat), start(webchat)
    sandbox.fault("DELETE", f"/v1/Conversations/{first.channel_sid}", status=500)
    assert forget("--email", EMAIL, "--yes")[0] == 1
    assert list(ChatSession.objects.all()) == [first]
    assert at_twilio(sandbox, second) == [False, False]


def test_what_is_gone_at_twilio_already_goes_here_too(webchat, sandbox, forget):
    session = start(webchat)
    sandbox.rest("DELETE", f"/v1/Conversations/{session.channel_sid}")
    sandbox.rest("DELETE", f"/v1/Users/{session.identity}")
    assert forget("--email", EMAIL, "--yes")[0] == 0
    assert not ChatSession.objects.exists()


def test_the_credentials_of_another_account_prove_nothing(webchat, sandbox, forget):
    """They find no conversation either: the row stays, as the only one that remembers it."""
    session = start(webchat)
    session.change(chat_service_sid="IS" + "9" * 32, channel_sid="CH" + "9" * 32)
    assert forget("--email", EMAIL, "--yes")[0] == 1
    assert ChatSession.objects.filter(pk=session.pk).exists()


def test_a_channel_that_the_row_does_not_know_is_found_by_the_visitor(webchat, sandbox, forget, log):
    """The answer of the create was lost: the start is left alone while it may go on, and then erased."""
    sandbox.fault("POST", CREATE[webchat.api], status=500, before=False)
    sandbox.fault("GET", "/v1/*", status=503)
    assert VisitorClient().start(ANSWERS).status_code == 503
    sandbox.clear_faults()
    session = ChatSession.objects.get()
    assert forget("--email", EMAIL, "--yes")[0] == 1
    assert [line["reason"] for line in log.lines("chat_not_forgotten")] == ["in_progress"]
    with time_machine.travel(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
        assert forget("--email", EMAIL, "--yes")[0] == 0
    assert not ChatSession.objects.exists()
    assert session.identity not in json.dumps([sandbox.participants(one["sid"]) for one in sandbox.conversations()])


def test_a_message_goes_with_its_task(sandbox, forget, log):
    webchat = make_webchat(when_closed="message", closure="reopened", task_workflow_sid=account.WORKFLOW_SID)
    assert VisitorClient().leave(ANSWERS).status_code == 201
    message = Message.objects.get()
    change(webchat, closure="")
    Message.objects.update(task_due_at=datetime.now(UTC) - timedelta(minutes=1))
    assert make_due_tasks() == 1
    tasks = f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks"
    ours = {"EvaluateTaskAttributes": f"message_id=='{message.pk}'"}
    credentials = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    assert len(sandbox.request("GET", tasks, params=ours, auth=credentials).json()["tasks"]) == 1
    change(webchat, task_workflow_sid="")  # staff chose that messages become no tasks any more
    sandbox.fault("DELETE", f"{tasks}/*", status=500)
    assert forget("--email", EMAIL, "--yes")[0] == 1
    assert forget("--email", EMAIL, "--yes")[0] == 0
    assert not Message.objects.exists()
    assert sandbox.request("GET", tasks, params=ours, auth=credentials).json()["tasks"] == []
    assert EMAIL not in log.text


def test_all_is_exported_first(webchat, sandbox, forget, tmp_path):
    session = start(webchat)
    file = tmp_path / "ada.json"
    assert forget("--email", EMAIL, "--export", str(file), "--yes")[0] == 0
    found = json.loads(file.read_text())
    (chat,) = found["chats"]
    assert (chat["id"], chat["channel_sid"]) == (str(session.pk), session.channel_sid)
    assert chat["answers"]["question"] == ANSWERS["question"]
    assert not {"key", "owner", "browser"} & chat.keys()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_after_a_break_the_export_stays_as_it_is_and_the_rest_is_erased(webchat, sandbox, forget, tmp_path):
    for _ in range(2):
        start(webchat)
    file = tmp_path / "ada.json"
    command = ["--email", EMAIL, "--yes"]
    sandbox.fault("DELETE", "/v1/Conversations/*", status=503, times=1)
    status, words = forget(*command, "--export", str(file))
    assert (status, ChatSession.objects.count()) == (1, 1)
    assert "Run this again, without --export" in words
    written = file.read_text()
    status, words = forget(*command, "--export", str(file))
    assert (status, ChatSession.objects.count()) == (1, 1)
    assert "go on with a run that broke off" in words
    assert forget(*command)[0] == 0
    assert not ChatSession.objects.exists()
    assert file.read_text() == written
    assert len(json.loads(written)["chats"]) == 2


def test_nothing_is_erased_when_the_export_cannot_be_written(webchat, sandbox, forget, tmp_path):
    start(webchat)
    for file in (tmp_path / "missing" / "x.json", tmp_path):
        assert "Nothing was erased" in forget("--email", EMAIL, "--export", str(file), "--yes")[1]
    assert ChatSession.objects.count() == 1


def test_it_asks_first(webchat, sandbox, forget, monkeypatch):
    start(webchat)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert forget("--email", EMAIL) == (1, "Found: 1 chats, 0 messages.\nNothing was erased.")
    assert ChatSession.objects.count() == 1


# --- In the admin ----------------------------------------------------------------------------------------------------

ADMIN = "/admin/webchat/chatsession/"


def act(client, *sessions, **more):
    chosen = [str(session.pk) for session in sessions]
    return client.post(ADMIN, {"action": "forget_chats", "_selected_action": chosen} | more)


@pytest.mark.ignore_template_errors  # of Django's own templates
def test_staff_look_export_and_erase(webchat, sandbox, admin_client):
    theirs, others = start(webchat), start(webchat)
    asked = act(admin_client, theirs).content.decode()
    assert f'value="{theirs.pk}"' in asked
    assert f'value="{others.pk}"' not in asked
    exported = act(admin_client, theirs, export="1")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="chats.json"'
    assert [chat["channel_sid"] for chat in exported.json()["chats"]] == [theirs.channel_sid]
    assert ChatSession.objects.count() == 2
    sandbox.fault("DELETE", "/v1/Users/*", status=503)
    for left in (2, 1):
        answer = act(admin_client, theirs, erase="1")
        assert answer.status_code == 302
        assert ChatSession.objects.count() == left
    assert at_twilio(sandbox, theirs) == [False, False]
    assert at_twilio(sandbox, others) == [True, True]


@pytest.mark.ignore_template_errors
def test_it_needs_the_permission_to_delete(webchat, sandbox, client):
    user = make_user("grace", is_staff=True)
    client.force_login(user)
    session = start(webchat)
    for codenames, left in (
        (["view_chatsession"], 1),
        (["view_chatsession", "delete_chatsession"], 1),
        (["view_chatsession", "delete_chatsession", "view_rating"], 0),
    ):
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        act(client, session, erase="1")
        assert ChatSession.objects.count() == left
