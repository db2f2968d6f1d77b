"""The Studio flow that this project ships: it starts with a visitor's first message and makes the task for the agents.

Its attributes carry the pre-engagement data by the filter to_json, without quotes around the braces: whatever a visitor
wrote, the text is JSON, and has no key of the visitor's own. Data that is too long for a task is left in the conversation,
and only the name is in the task. Where the site can be reached it is asked first what agents may know; one that does not
answer loses no chat. https://www.twilio.com/docs/studio/rest-api/v2/flow
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("studio_flow.json")
# Tells in a flow's description whose it is, and in a commit message that it was published from here.
MARK = "flex-webchat"
# The states that ask the site, and make a task with its answer.
ASKING = {"AskSite", "SendToFlexWithFacts"}


def build_definition(workflow_sid: str, task_channel_sid: str, owner: str, site_url: str = "") -> dict[str, Any]:
    """The flow for one workflow, WW…, and task channel, TC…. `owner` names the webchat and its site. `site_url` is asked about
    each chat; "" for nobody, in a flow without the states that this takes."""
    definition: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    definition["description"] = description_of(owner)
    if not site_url:
        definition["states"] = [state for state in definition["states"] if state["name"] not in ASKING]
    for state in definition["states"]:
        if state["type"] == "send-to-flex":
            state["properties"] |= {"workflow": workflow_sid, "channel": task_channel_sid}
        elif state["type"] == "make-http-request":
            state["properties"]["url"] = site_url
        for transition in state["transitions"]:
            if transition.get("next") == "AskSite" and not site_url:
                transition["next"] = "SendToFlex"
    return definition


def description_of(owner: str) -> str:
    return f"{MARK}: {owner}"


def commit_message_of(definition: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    return f"{MARK} {digest[:16]}"


def is_published_from_here(commit_message: object) -> bool:
    """Whether the last revision is ours. One that was made in the Console has another message, or none."""
    return isinstance(commit_message, str) and commit_message.startswith(f"{MARK} ")


def workflow_in(definition: object) -> str:
    """The workflow, WW…, that a flow of ours sends its chats to; "" if there is none."""
    states = definition.get("states") if isinstance(definition, dict) else None
    for state in states if isinstance(states, list) else ():
        if isinstance(state, dict) and state.get("type") == "send-to-flex":
            properties = state.get("properties")
            return str(properties.get("workflow") or "") if isinstance(properties, dict) else ""
    return ""


def asks(definition: dict[str, Any]) -> bool:
    """Whether a flow of ours asks the site."""
    return any(state["name"] in ASKING for state in definition["states"])


def is_same(planned: Any, found: Any) -> bool:
    """Whether a definition says all that was planned, and no state or transition more.

    Twilio may add keys, order the states as it likes, and move what is drawn.
    """
    if isinstance(planned, dict) and isinstance(found, dict):
        return all(is_same(value, found.get(key)) for key, value in planned.items() if key != "offset")
    if isinstance(planned, list) and isinstance(found, list):
        if len(planned) != len(found):
            return False
        return all(is_same(*pair) for pair in zip(_in_order(planned), _in_order(found), strict=True))
    return bool(planned == found)


def _in_order(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: str(row.get("name") or row.get("event")) if isinstance(row, dict) else "")
