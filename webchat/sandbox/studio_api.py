"""REST: Studio flows, with the checks of their definitions. https://www.twilio.com/docs/studio/rest-api/v2/flow"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from . import limits
from .account import ACCOUNT_SID
from .clock import now, seconds
from .configuration import Configuration, Flow
from .errors import TwilioError, invalid, not_found
from .rest import Form, created, deleted, page, url

FLOWS = "/v2/Flows"
MOST_FLOWS = 1000
MOST_STATES = 1000
TYPES = {
    "add-twiml-redirect", "call-recording", "capture-payments", "connect-call-to", "connect-virtual-agent", "create-task",
    "enqueue-call", "fork-stream", "gather-input-on-call", "make-http-request", "make-outgoing-call-v2",
    "record-voicemail", "run-function", "run-subflow", "say-play", "search-segment-profile", "send-and-wait-for-reply",
    "send-message", "send-to-auto-pilot", "send-to-flex", "set-variables", "split-based-on", "state", "trigger",
}  # fmt: skip

# By type of state: properties that are literal SIDs, that are texts even where they are numbers, and that must be there.
SIDS = {"send-to-flex": {"workflow": "WW", "channel": "TC"}}
TEXTS = {"send-to-flex": ("attributes", "timeout", "priority")}
REQUIRED = {"make-http-request": ("method", "url", "content_type")}

Problem = tuple[str, str]  # what is wrong, and the path of the property


class StudioApi:
    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(FLOWS, self.list),
            web.post(FLOWS, self.create),
            web.post(f"{FLOWS}/Validate", self.validate),
            web.get(f"{FLOWS}/{{sid}}", self.fetch),
            web.post(f"{FLOWS}/{{sid}}", self.update),
            web.delete(f"{FLOWS}/{{sid}}", self.delete),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """As on Twilio, without what is large."""
        nothing = dict.fromkeys(("definition", "commit_message", "valid", "errors", "warnings"))
        found = list(self.configuration.flows.values())
        return page(request, "flows", found, lambda one: _view(request, one) | nothing, largest=1000)

    async def create(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        name, status, definition = _required(form)
        if len(self.configuration.flows) >= MOST_FLOWS:
            raise invalid("Too many flows")
        flow = Flow(friendly_name=name, status=status, definition=definition, commit_message=form.get("CommitMessage"))
        self.configuration.flows[flow.sid] = flow
        return created(request, flow.sid, _view(request, flow))

    async def validate(self, request: web.Request) -> web.Response:
        _required(await Form.of(request))
        return web.json_response({"valid": True})

    async def fetch(self, request: web.Request) -> web.Response:
        return web.json_response(_view(request, self._flow(request)))

    async def update(self, request: web.Request) -> web.Response:
        form = await Form.of(request)
        flow = self._flow(request)
        flow.status = _status(form)
        if (text := form.get("Definition")) is not None:
            flow.definition = checked(text)
        flow.friendly_name = form.get("FriendlyName") or flow.friendly_name
        flow.commit_message = form.get("CommitMessage")
        flow.revision += 1
        flow.updated = now()
        return web.json_response(_view(request, flow))

    async def delete(self, request: web.Request) -> web.Response:
        del self.configuration.flows[self._flow(request).sid]
        return deleted()

    def _flow(self, request: web.Request) -> Flow:
        flow = self.configuration.flows.get(request.match_info["sid"])
        if flow is None:
            raise not_found(request.path)
        return flow


def _required(form: Form) -> tuple[str, str, dict[str, Any]]:
    return form.required("FriendlyName"), _status(form), checked(form.required("Definition", limits.FRAME))


def _status(form: Form) -> str:
    status = form.required("Status")
    if status not in {"draft", "published"}:
        raise invalid("Status is draft or published")
    return status


def _view(request: web.Request, flow: Flow) -> dict[str, Any]:
    path = f"{FLOWS}/{flow.sid}"
    return {
        "sid": flow.sid,
        "account_sid": ACCOUNT_SID,
        "friendly_name": flow.friendly_name,
        "definition": flow.definition,
        "status": flow.status,
        "revision": flow.revision,
        "commit_message": flow.commit_message,
        "valid": True,
        "errors": [],
        "warnings": [],
        "date_created": seconds(flow.created),
        "date_updated": seconds(flow.updated) if flow.updated else None,
        "webhook_url": f"https://webhooks.twilio.com/v1/Accounts/{ACCOUNT_SID}/Flows/{flow.sid}",
        "url": url(request, path),
        "links": {name: url(request, f"{path}/{name}") for name in ("revisions", "executions")},
    }


def checked(text: str) -> dict[str, Any]:
    """The definition that a text is. Raises TwilioError 81022 that names each fault."""
    try:
        definition = limits.parse_json(text)
        problems = [*_problems(definition)]
    except (ValueError, TypeError, AttributeError, LookupError):  # no JSON, or of quite another shape
        problems = [("the definition is not an object with initial_state and states", "#/")]
    if problems:
        errors = [{"message": message, "property_path": path} for message, path in problems]
        raise TwilioError(400, 81022, "Flow definition validation failed", {"errors": errors})
    found: dict[str, Any] = definition
    return found


def _problems(definition: Any) -> Iterator[Problem]:
    states = definition["states"]
    if not 1 <= len(states) <= MOST_STATES:
        yield f"1 to {MOST_STATES} states", "#/states"
    types = {state["name"]: state["type"] for state in states}
    if len(types) < len(states):
        yield "two states have the same name", "#/states"
    if types.get(definition["initial_state"]) != "trigger":
        yield "it names no state of the type trigger", "#/initial_state"
    for number, state in enumerate(states):
        path = f"#/states/{number}"
        if state["type"] not in TYPES:
            yield "no such type", f"{path}/type"
        for each, transition in enumerate(state.get("transitions") or []):
            if not isinstance(transition["event"], str):
                yield "an event is a string", f"{path}/transitions/{each}/event"
            if transition.get("next") is not None and transition["next"] not in types:
                yield "no such state", f"{path}/transitions/{each}/next"
        for message, name in _faults_of(state["type"], state.get("properties") or {}):
            yield message, f"{path}/properties/{name}"


def _faults_of(kind: str, properties: dict[str, Any]) -> Iterator[Problem]:
    for name, prefix in SIDS.get(kind, {}).items():
        if not re.fullmatch(f"{prefix}[0-9a-f]{{32}}", str(properties.get(name))):
            yield f"a SID, {prefix}…, is expected", name
    for name in TEXTS.get(kind, ()):
        if not isinstance(properties.get(name, ""), str):
            yield "string expected", name
    for name in REQUIRED.get(kind, ()):
        if not properties.get(name):
            yield "is missing", name
    if kind == "set-variables" and not all({"key", "value"} <= one.keys() for one in properties["variables"]):
        yield "each has key and value", "variables"
