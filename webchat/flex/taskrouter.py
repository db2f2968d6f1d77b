"""Flex's TaskRouter workspace: its queues, what they say of the moment, and tasks without a conversation.

https://www.twilio.com/docs/taskrouter/api
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twilio.rest import Client
from twilio.rest.taskrouter.v1.workspace import WorkspaceContext

from webchat.conf import conf
from webchat.flex.client import bounded_http, client_on, trusted_shape
from webchat.flex.gateway import FlexError, compact_json, is_sid
from webchat.flex.http import Deadline

# So few in one answer, which has 64 KiB at most: a workflow's configuration alone may have many of them.
PAGE_SIZE = 20
MOST_LISTED = 200
# https://www.twilio.com/docs/taskrouter/api/task#create-a-task-resource
LONGEST_TASK_SECONDS = 1_209_600


@dataclass(frozen=True, slots=True)
class Named:
    """What staff choose from a list. `key` is the SID, or a task channel's unique name."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A queue at one moment. An available agent may have a chat already; who waits has no agent yet."""

    available_agents: int
    waiting: int


# The workspace of an account never changes: Flex has one. By account SID.
_workspaces: dict[str, str] = {}


class TaskRouter:
    """Each verb raises FlexError and nothing else. Taken together, the calls end by the deadline."""

    def __init__(self, deadline: Deadline | None = None) -> None:
        self._http = bounded_http(deadline)

    @cached_property
    def _client(self) -> Client:
        return client_on(self._http)

    @cached_property
    def _workspace(self) -> WorkspaceContext:
        """As Flex's configuration names it.

        https://www.twilio.com/docs/flex/developer/config/flex-configuration-rest-api
        """
        known = f"{conf.TWILIO_ACCOUNT_SID} {conf.TWILIO_SANDBOX_URL}"
        if known not in _workspaces:
            with trusted_shape():
                sid = self._client.flex_api.v1.configuration().fetch().taskrouter_workspace_sid
            if not is_sid(sid, "WS"):
                raise FlexError(FlexError.Reason.UNCLEAR)
            _workspaces[known] = sid
        return self._client.taskrouter.v1.workspaces(_workspaces[known])

    # --- What staff choose from -----------------------------------------------------------------------------------

    def queues(self) -> list[Named]:
        return _named(self._workspace.task_queues.list, lambda one: one.sid)

    def workflows(self) -> list[Named]:
        return _named(self._workspace.workflows.list, lambda one: one.sid)

    def channels(self) -> list[Named]:
        return _named(self._workspace.task_channels.list, lambda one: one.unique_name)

    # --- A queue's figures -----------------------------------------------------------------------------------------

    def figures(self, queue_sid: str) -> Figures:
        """https://www.twilio.com/docs/taskrouter/api/taskqueue-statistics"""
        if not is_sid(queue_sid, "WQ"):  # it becomes a part of the path
            raise FlexError(FlexError.Reason.REFUSED)
        with trusted_shape():
            found = self._workspace.task_queues(queue_sid).real_time_statistics().fetch()
            by_status: Mapping[str, Any] = found.tasks_by_status or {}
            # Numbers in Twilio's examples, texts in its prose.
            available = int(found.total_available_workers)  # type: ignore[arg-type]
            waiting = int(by_status["pending"]) + int(by_status.get("reserved", 0))
        return Figures(max(0, available), max(0, waiting))

    # --- Tasks -------------------------------------------------------------------------------------------------------

    def create_task(self, workflow_sid: str, channel: str, attributes: Mapping[str, object], seconds: int) -> None:
        """Has no idempotency key: after an UNCLEAR error, look for it by has_task() before it is created again."""
        with trusted_shape():
            task = self._workspace.tasks.create(
                workflow_sid=workflow_sid,
                task_channel=channel,
                attributes=compact_json(attributes),
                timeout=min(seconds, LONGEST_TASK_SECONDS),
            )
        if not is_sid(task.sid, "WT"):
            raise FlexError(FlexError.Reason.UNCLEAR)

    def has_task(self, name: str, value: str) -> bool:
        """Whether a task has this attribute. `value` is made of letters, digits and hyphens."""
        with trusted_shape():
            return bool(self._workspace.tasks.list(evaluate_task_attributes=f"{name}=='{value}'", limit=1, page_size=1))

    def delete_tasks(self, name: str, value: str) -> None:
        """Deletes the tasks that have this attribute, as has_task() finds them. A task that is gone meanwhile is deleted."""
        with trusted_shape():
            found = self._workspace.tasks.list(evaluate_task_attributes=f"{name}=='{value}'", limit=PAGE_SIZE)
        for task in found:
            try:
                with trusted_shape():
                    task.delete()
            except FlexError as error:
                if not error.is_not_there:
                    raise


def _named(fetch: Callable[..., Iterable[Any]], key_of: Callable[[Any], object]) -> list[Named]:
    with trusted_shape():
        found = fetch(limit=MOST_LISTED, page_size=PAGE_SIZE)
        return [Named(str(key_of(resource)), str(resource.friendly_name)) for resource in found]
