"""The sandbox's TaskRouter: twilio-python reads its lists, its figures follow the desk, its tasks show there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.support.sandbox import SandboxServer
from webchat.sandbox import account


@pytest.fixture
def workspace(twilio: Client, sandbox: SandboxServer) -> Any:
    switch(sandbox, available=True)
    for task in queue(sandbox)["tasks"]:
        sandbox.request("POST", f"/desk/tasks/{task['sid']}/complete")
    return twilio.taskrouter.v1.workspaces(account.WORKSPACE_SID)


def switch(sandbox: SandboxServer, *, available: bool) -> Any:
    return sandbox.request("POST", "/desk/agent", json={"available": available})


def queue(sandbox: SandboxServer) -> Any:
    return sandbox.request("GET", "/desk/queue").json()


def figures(workspace: Any, **options: Any) -> tuple[int, int, int]:
    """Available workers, pending tasks, assigned tasks."""
    found = workspace.task_queues(account.TASK_QUEUE_SID).real_time_statistics().fetch(**options)
    assert found.total_eligible_workers == 1
    assert found.total_tasks == found.tasks_by_status["pending"] + found.tasks_by_status["assigned"]
    return found.total_available_workers, found.tasks_by_status["pending"], found.tasks_by_status["assigned"]


def test_the_lists_name_the_one_queue_workflow_and_the_channels(workspace: Any) -> None:
    assert [(one.sid, one.friendly_name) for one in workspace.task_queues.list()] == [
        (account.TASK_QUEUE_SID, "Everyone")
    ]
    assert [(one.sid, one.friendly_name) for one in workspace.workflows.list()] == [
        (account.WORKFLOW_SID, "Assign to Anyone")
    ]
    assert {one.unique_name for one in workspace.task_channels.list()} == {"default", "chat"}


def test_the_flex_configuration_is_that_of_the_other_host(sandbox: SandboxServer) -> None:
    auth = (account.ACCOUNT_SID, account.AUTH_TOKEN)
    flex = sandbox.request(
        "GET", "/v1/Configuration", auth=auth, headers={"X-Twilio-Host": "flex-api.twilio.com"}
    ).json()
    assert flex["taskrouter_workspace_sid"] == account.WORKSPACE_SID
    assert flex["taskrouter_target_taskqueue_sid"] == account.TASK_QUEUE_SID
    other = sandbox.request("GET", "/v1/Configuration", auth=auth).json()
    assert "taskrouter_workspace_sid" not in other
    assert other["default_chat_service_sid"] == account.CHAT_SERVICE_SID


def test_the_figures_follow_the_switch_at_the_desk_and_the_chats_that_wait(
    workspace: Any, sandbox: SandboxServer
) -> None:
    available, pending, assigned = figures(workspace, task_channel="chat")
    assert available == 1
    switch(sandbox, available=False)
    assert figures(workspace, task_channel="chat") == (0, pending, assigned)
    chat = sandbox.open_webchat("figures")
    assert figures(workspace)[1] == pending  # no task without a first message that Studio heard
    sandbox.say(chat, "figures", "Hello", webhooks=True)
    assert figures(workspace) == (0, pending + 1, assigned)
    assert figures(workspace, task_channel="default") == (0, 0, 0)
    sandbox.desk(chat, "accept", author="Robin")
    assert figures(workspace) == (0, pending, assigned + 1)
    sandbox.desk(chat, "complete", author="Robin")
    assert figures(workspace) == (0, pending, assigned)


def test_a_task_is_made_found_shown_at_the_desk_and_completed(workspace: Any, sandbox: SandboxServer) -> None:
    attributes = {"message_id": "m-1", "text": "Où est-il?"}
    task = workspace.tasks.create(
        workflow_sid=account.WORKFLOW_SID, task_channel="default", attributes=json.dumps(attributes), timeout=1_209_600
    )
    assert json.loads(workspace.tasks(task.sid).fetch().attributes) == attributes
    assert (task.assignment_status, task.timeout, task.task_channel_unique_name) == ("pending", 1_209_600, "default")
    [found] = workspace.tasks.list(evaluate_task_attributes="message_id=='m-1'")
    assert (found.sid, found.attributes) == (task.sid, None)
    assert workspace.tasks.list(evaluate_task_attributes="message_id=='m-2'") == []
    [shown] = queue(sandbox)["tasks"]
    assert (shown["sid"], shown["attributes"]) == (task.sid, attributes)
    assert figures(workspace, task_channel="default") == (1, 1, 0)
    sandbox.request("POST", f"/desk/tasks/{task.sid}/complete")
    assert queue(sandbox)["tasks"] == []
    assert workspace.tasks(task.sid).fetch().assignment_status == "completed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"workflow_sid": "WW" + "1" * 32},
        {"task_channel": "web-chat"},
        {"timeout": 0},
        {"timeout": 1_209_601},
        {"priority": -1},
        {"attributes": "{"},
        {"attributes": "[]"},
        {"attributes": json.dumps({"text": "x" * 5000})},
    ],
)
def test_a_task_that_twilio_would_refuse_is_refused(workspace: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(TwilioRestException, check=lambda error: error.status == 400):
        workspace.tasks.create(**{"workflow_sid": account.WORKFLOW_SID, **wrong})


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/Workspaces/WS{'1' * 32}/TaskQueues", 404, 20404),
        (f"/v1/Workspaces/{account.WORKSPACE_SID}/TaskQueues/WQ{'1' * 32}/RealTimeStatistics", 404, 20404),
        (f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks/WT{'1' * 32}", 404, 20404),
        (f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks?Page=1", 400, 40153),
        (f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks?EvaluateTaskAttributes=a+%3E+1", 400, 20001),
    ],
)
def test_what_is_not_there_is_answered_as_twilio_does(
    sandbox: SandboxServer, path: str, status: int, code: int
) -> None:
    answer = sandbox.request("GET", path, auth=(account.ACCOUNT_SID, account.AUTH_TOKEN))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sandbox.request("GET", path).status_code == 401


def test_the_switch_takes_true_or_false_alone(sandbox: SandboxServer) -> None:
    for body in ({}, {"available": "yes"}, {"available": 1}):
        assert sandbox.request("POST", "/desk/agent", json=body).status_code == 400
    assert sandbox.request("POST", "/desk/tasks/WT0/complete").status_code == 404
