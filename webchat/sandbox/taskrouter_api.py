"""REST: TaskRouter's one workspace, with its queue's figures and its tasks. https://www.twilio.com/docs/taskrouter/api

The queue has one worker, who is at the agent desk. A chat that waits there is a task of the queue, and so is a task that
was made over REST, which has no conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web

from . import limits
from .account import (
    ACCOUNT_SID,
    AVAILABLE_SID,
    OFFLINE_SID,
    TASK_CHANNELS,
    TASK_QUEUE_SID,
    WORKFLOW_SID,
    WORKSPACE_SID,
)
from .clock import now, seconds
from .configuration import Configuration
from .entities import Conversation, new_sid
from .errors import TwilioError, invalid, not_found
from .rest import Form, created, deleted, page, url
from .store import Store

WORKSPACE = f"/v1/Workspaces/{WORKSPACE_SID}"
QUEUE = f"{WORKSPACE}/TaskQueues/{TASK_QUEUE_SID}"
TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS = 86_400, 1_209_600
TASKS_KEPT = 1000
_EQUALS = re.compile(r"""\s*([A-Za-z_]\w*)\s*==\s*(['"])([^'"]*)\2\s*""")

Status = Literal["pending", "completed", "canceled"]


@dataclass(eq=False, slots=True, kw_only=True)
class Task:
    attributes: dict[str, Any]
    channel: str
    timeout: int
    priority: int
    status: Status = "pending"
    sid: str = field(default_factory=lambda: new_sid("WT"))
    created: datetime = field(default_factory=now)

    def expire(self) -> None:
        if self.status == "pending" and now() >= self.created + timedelta(seconds=self.timeout):
            self.status = "canceled"


class TaskRouter:
    """The state: whether the worker is available, and the tasks that were made over REST."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.available = True
        self.tasks: dict[str, Task] = {}
        self.listeners: list[Callable[[], None]] = []

    def switch(self, *, available: bool) -> None:
        self.available = available
        self._tell()

    def add(self, task: Task) -> None:
        while len(self.tasks) >= TASKS_KEPT:
            del self.tasks[next(iter(self.tasks))]
        self.tasks[task.sid] = task
        self._tell()

    def complete(self, sid: str) -> Task:
        """Raises TwilioError 404."""
        task = self.find(sid)
        if task.status == "pending":
            task.status = "completed"
        self._tell()
        return task

    def delete(self, sid: str) -> None:
        """Raises TwilioError 404."""
        del self.tasks[self.find(sid).sid]
        self._tell()

    def find(self, sid: str) -> Task:
        task = self.tasks.get(sid)
        if task is None:
            raise not_found(f"{WORKSPACE}/Tasks/{sid}")
        task.expire()
        return task

    def pending(self) -> list[Task]:
        for task in self.tasks.values():
            task.expire()
        return [task for task in self.tasks.values() if task.status == "pending"]

    def chats(self) -> tuple[list[Conversation], list[Conversation]]:
        """The chats that wait for an agent, and those that have one."""
        waiting: list[Conversation] = []
        assigned: list[Conversation] = []
        for one in self.store.conversations.values():
            if one.webchat and one.webchat.task_created and not one.closed:
                (assigned if len(one.participants) > 1 else waiting).append(one)
        return waiting, assigned

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()


class TaskRouterApi:
    def __init__(self, router: TaskRouter, configuration: Configuration) -> None:
        self.router = router
        self.configuration = configuration
        self.started = now()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{WORKSPACE}/TaskQueues", self.list_queues),
            web.get(f"{QUEUE}/RealTimeStatistics", self.fetch_figures),
            web.get(f"{WORKSPACE}/Workflows", self.list_workflows),
            web.get(f"{WORKSPACE}/Workflows/{{sid}}", self.fetch_workflow),
            web.get(f"{WORKSPACE}/TaskChannels", self.list_channels),
            web.get(f"{WORKSPACE}/TaskChannels/{{name}}", self.fetch_channel),
            web.post(f"{WORKSPACE}/Tasks", self.create_task),
            web.get(f"{WORKSPACE}/Tasks", self.list_tasks),
            web.get(f"{WORKSPACE}/Tasks/{{sid}}", self.fetch_task),
            web.delete(f"{WORKSPACE}/Tasks/{{sid}}", self.delete_task),
        ]

    # What is fixed

    async def list_queues(self, request: web.Request) -> web.Response:
        view = self._owned(request, TASK_QUEUE_SID, "TaskQueues")
        return _page(request, "task_queues", [view | {"friendly_name": "Everyone", "target_workers": "1==1"}])

    async def list_workflows(self, request: web.Request) -> web.Response:
        name = request.query.get("FriendlyName")
        found = [sid for sid, its in self.configuration.workflows.items() if name in (None, its)]
        return _page(request, "workflows", [self._workflow(request, sid) for sid in found])

    async def fetch_workflow(self, request: web.Request) -> web.Response:
        sid = request.match_info["sid"]
        if sid not in self.configuration.workflows:
            raise not_found(request.path)
        return web.json_response(self._workflow(request, sid))

    def _workflow(self, request: web.Request, sid: str) -> dict[str, Any]:
        more = {"friendly_name": self.configuration.workflows[sid], "configuration": "{}"}
        return self._owned(request, sid, "Workflows") | more | {"task_reservation_timeout": 120}

    async def list_channels(self, request: web.Request) -> web.Response:
        return _page(request, "channels", [self._channel(request, name) for name in TASK_CHANNELS])

    async def fetch_channel(self, request: web.Request) -> web.Response:
        """By its SID or its unique name."""
        name = _channel_named(request.match_info["name"])
        if name is None:
            raise not_found(request.path)
        return web.json_response(self._channel(request, name))

    def _channel(self, request: web.Request, name: str) -> dict[str, Any]:
        more = {"unique_name": name, "friendly_name": name.title(), "channel_optimized_routing": False}
        return self._owned(request, TASK_CHANNELS[name], "TaskChannels") | more

    def _owned(self, request: web.Request, sid: str, folder: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "account_sid": ACCOUNT_SID,
            "workspace_sid": WORKSPACE_SID,
            "date_created": seconds(self.started),
            "date_updated": seconds(self.started),
            "url": url(request, f"{WORKSPACE}/{folder}/{sid}"),
            "links": {},
        }

    # Figures

    async def fetch_figures(self, request: web.Request) -> web.Response:
        """https://www.twilio.com/docs/taskrouter/api/taskqueue-statistics"""
        channel = request.query.get("TaskChannel")
        if channel and channel not in TASK_CHANNELS and channel not in TASK_CHANNELS.values():
            raise invalid("TaskChannel is invalid")
        waiting, assigned = self.router.chats()
        of_chats = channel in (None, "chat", TASK_CHANNELS["chat"])
        tasks = [one for one in self.router.pending() if channel in (None, one.channel, TASK_CHANNELS[one.channel])]
        began = [one.created for one in tasks] + [one.created for one in waiting if of_chats]
        pending, busy = len(began), len(assigned) if of_chats else 0
        age = int((now() - min(began)).total_seconds()) if began else 0
        present = int(self.router.available)
        return web.json_response(
            {
                "account_sid": ACCOUNT_SID,
                "workspace_sid": WORKSPACE_SID,
                "task_queue_sid": TASK_QUEUE_SID,
                "activity_statistics": [
                    {"sid": AVAILABLE_SID, "friendly_name": "Available", "workers": present},
                    {"sid": OFFLINE_SID, "friendly_name": "Offline", "workers": 1 - present},
                ],
                "longest_task_waiting_age": age,
                "longest_task_waiting_sid": None,
                "longest_relative_task_age_in_queue": age,
                "longest_relative_task_sid_in_queue": None,
                "tasks_by_priority": {"0": pending + busy},
                "tasks_by_status": {"pending": pending, "reserved": 0, "assigned": busy, "wrapping": 0},
                "total_available_workers": present,
                "total_eligible_workers": 1,
                "total_tasks": pending + busy,
                "url": url(request, request.path),
            }
        )

    # Tasks

    async def create_task(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        workflow = form.get("WorkflowSid", limits.NAME)
        if workflow not in (None, WORKFLOW_SID):
            raise invalid(f"Workflow {workflow} does not exist")
        channel = form.get("TaskChannel", limits.NAME) or "default"
        name = _channel_named(channel)
        if name is None:
            raise invalid(f"TaskChannel {channel} does not exist")
        task = Task(
            attributes=_attributes(form.get("Attributes")),
            channel=name,
            timeout=_whole(form, "Timeout", TIMEOUT_SECONDS, 1, LONGEST_TIMEOUT_SECONDS),
            priority=_whole(form, "Priority", 0, 0, 2**31 - 1),
        )
        self.router.add(task)
        return created(request, task.sid, self._view(task, request))

    async def list_tasks(self, request: web.Request) -> web.Response:
        if "Page" in request.query:
            raise TwilioError(400, 40153, "Page is not supported: use the next page's URL")
        found = [self.router.find(sid) for sid in self.router.tasks]
        if expression := request.query.get("EvaluateTaskAttributes"):
            if not (equals := _EQUALS.fullmatch(expression)):
                raise invalid("EvaluateTaskAttributes: the sandbox knows name == 'value' alone")
            found = [one for one in found if str(one.attributes.get(equals[1])) == equals[3]]
        # As in Twilio's specification, the tasks of a list come without their attributes.
        return page(request, "tasks", found, lambda one: self._view(one, request) | {"attributes": None}, largest=1000)

    async def fetch_task(self, request: web.Request) -> web.Response:
        return web.json_response(self._view(self.router.find(request.match_info["sid"]), request))

    async def delete_task(self, request: web.Request) -> web.Response:
        self.router.delete(request.match_info["sid"])
        return deleted()

    def _view(self, task: Task, request: web.Request) -> dict[str, Any]:
        return {
            "sid": task.sid,
            "account_sid": ACCOUNT_SID,
            "workspace_sid": WORKSPACE_SID,
            "workflow_sid": WORKFLOW_SID,
            "workflow_friendly_name": "Assign to Anyone",
            "task_queue_sid": TASK_QUEUE_SID,
            "task_queue_friendly_name": "Everyone",
            "task_channel_sid": TASK_CHANNELS[task.channel],
            "task_channel_unique_name": task.channel,
            "assignment_status": task.status,
            "attributes": json.dumps(task.attributes, ensure_ascii=False),
            "addons": "{}",
            "age": int((now() - task.created).total_seconds()),
            "priority": task.priority,
            "timeout": task.timeout,
            "reason": None,
            "date_created": seconds(task.created),
            "date_updated": seconds(task.created),
            "task_queue_entered_date": seconds(task.created),
            "virtual_start_time": seconds(task.created),
            "ignore_capacity": False,
            "routing_target": None,
            "url": url(request, f"{WORKSPACE}/Tasks/{task.sid}"),
            "links": {},
        }


def _channel_named(text: str) -> str | None:
    """The unique name of a task channel, by that or by its SID."""
    return next((name for name, sid in TASK_CHANNELS.items() if text in (name, sid)), None)


def _page(request: web.Request, key: str, found: list[dict[str, Any]]) -> web.Response:
    return page(request, key, found, lambda one: one, largest=1000)


def _attributes(text: str | None) -> dict[str, Any]:
    try:
        value = limits.parse_json(limits.attributes(text, limits.TASK_ATTRIBUTES))
    except ValueError as error:
        raise invalid("Attributes are not valid JSON") from error
    if not isinstance(value, dict):
        raise invalid("Attributes are not a JSON object")
    return value


def _whole(form: Form, name: str, default: int, least: int, most: int) -> int:
    text = form.get(name, 32)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise invalid(f"{name} is a whole number from {least} to {most}")
    return int(text)
