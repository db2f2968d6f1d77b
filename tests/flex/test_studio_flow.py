"""The attributes that the shipped Studio flow builds are JSON, whatever a visitor wrote; run through a real Liquid."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from liquid import Environment, is_undefined

from tests.support.site import ROOT
from webchat.flex.gateway import compact_json
from webchat.flex.studio_flow import build_definition, is_same
from webchat.sandbox.studio_api import checked

WORKFLOW, CHANNEL = "WW" + "1" * 32, "TC" + "2" * 32
# https://www.twilio.com/docs/studio/widget-library/send-flex: the attributes have 1024 characters at most.
MOST_CHARACTERS = 1024

PIECES = [
    '"', "\\", "\n", "\r\n", "\t", "\x00", "\x1f", "\x7f", "\u2028", "\u2029", "\ufeff", "é", "📦", "你好", "שלום", "‮abc",
    "</script>", "{{ 7 | times: 7 }}", "{% raw %}", "{% endraw %}", "{% if %}", "}}", "{{", '"}', '", "vip": true, "x": "',
    "'", "`", "&quot;", "\\u0022", "\\\\\\", "\\n", "null", "true", "-1e999", "[]", "{}", "//", "/*", "%00", "${x}",
]  # fmt: skip
NASTY = [*PIECES, *("".join(pair) for pair in itertools.pairwise(PIECES)), *(piece * 30 for piece in PIECES[:30])]


def to_json_of(*, ascii_only: bool, nothing: str | None):
    """The filter in the ways in which Twilio's may do it, which it does not publish; `nothing` None: nil is an error."""

    def to_json(value):
        if value is None or is_undefined(value):
            if nothing is None:
                raise ValueError("nil")
            return nothing
        return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))

    return to_json


FILTERS = {
    "ASCII, null": to_json_of(ascii_only=True, nothing="null"),
    "ASCII, nil is an error": to_json_of(ascii_only=True, nothing=None),
    "UTF-8, nothing": to_json_of(ascii_only=False, nothing=""),
    "UTF-8, nil is an error": to_json_of(ascii_only=False, nothing=None),
}
SITE = "https://www.example.com/webhooks/twilio/studio/"
STATES = build_definition(WORKFLOW, CHANNEL, "Webchat support of www.example.com", SITE)["states"]
TEMPLATES = {state["name"]: state["properties"]["attributes"] for state in STATES if state["type"] == "send-to-flex"}


@pytest.fixture(params=FILTERS.values(), ids=FILTERS.keys())
def rendered(request):
    """Gives the attributes of each widget that makes a task, as Studio would render them."""
    environment = Environment()
    environment.add_filter("to_json", request.param)
    templates = {name: environment.from_string(text) for name, text in TEMPLATES.items()}

    def render(attributes, name="SendToFlex", **widgets):
        return templates[name].render(trigger={"conversation": {"ChannelAttributes": attributes}}, widgets=widgets)

    return render


def test_there_are_more_than_a_hundred_nasty_answers():
    assert len(set(NASTY)) > 100


def test_the_data_is_in_the_task_as_it_was_sent(rendered):
    for answer in (each[:60] for each in NASTY):
        data = {
            "friendlyName": "Ada",
            "question": answer,
            answer[:9]: "x",
            "verified": ["email"],
            "number": 1.5,
            "no": None,
        }
        assert json.loads(rendered({"pre_engagement_data": data})) == {"pre_engagement_data": data}


def test_no_visitor_adds_a_key(rendered):
    for answer in NASTY:
        found = json.loads(rendered({"pre_engagement_data": {"friendlyName": answer}, "vip": answer}))
        assert found == {"pre_engagement_data": {"friendlyName": answer}}


def test_what_is_too_long_for_a_task_stays_in_the_conversation(rendered):
    for answer in NASTY:
        data = {"friendlyName": answer[:40], "question": answer * 12_000}
        text = rendered({"pre_engagement_data": data})
        assert json.loads(text) == {"pre_engagement_data": {"friendlyName": answer[:40]}}
        assert len(text) <= MOST_CHARACTERS


def test_no_length_passes_the_limit(rendered):
    found = []
    for length in range(200, 2500, 10):
        data = {"friendlyName": "é" * (length // 2), "question": "x" * (length - length // 2)}
        text = rendered({"pre_engagement_data": data})
        assert len(text) <= MOST_CHARACTERS
        found.append(sorted(json.loads(text)["pre_engagement_data"]))
    assert [] in found
    assert ["friendlyName"] in found


@pytest.mark.parametrize("attributes", [{}, {"pre_engagement_data": None}, {"pre_engagement_data": {}}, None], ids=str)
def test_a_chat_without_data_reaches_an_agent_too(rendered, attributes):
    assert json.loads(rendered(attributes)) == {"pre_engagement_data": {}}


# --- With what the site answers ----------------------------------------------------------------------------------------


def test_the_sites_answer_is_in_the_task_beside_the_data(rendered):
    for answer in (each[:12] for each in NASTY):
        data = {"friendlyName": answer, "question": answer, answer[:9]: "x"}
        site = {"session_url": "https://www.example.com/admin/", "site": {"note": answer, answer[:9]: [answer]}}
        found = json.loads(rendered({"pre_engagement_data": data}, "SendToFlexWithFacts", AskSite={"parsed": site}))
        assert found == {"pre_engagement_data": data, "site": site}


def test_the_sites_answer_goes_before_the_data_and_no_length_passes_the_limit(rendered):
    kept = set()
    for answer in ("x", "é", '"', "\n"):
        for length in range(0, 500, 40):
            for more in range(0, 700, 60):
                site = {"matches_account": ["email"], "note": "x" * more}
                data = {"friendlyName": answer * 20, "question": answer * length}
                asked = {"parsed": site}
                text = rendered({"pre_engagement_data": data}, "SendToFlexWithFacts", AskSite=asked)
                assert len(text) <= MOST_CHARACTERS
                found = json.loads(text)
                assert found["site"] == (site if len(json.dumps(site, separators=(",", ":"))) <= 600 else {})
                kept.add(tuple(sorted(found["pre_engagement_data"])))
    assert kept == {("friendlyName", "question"), ("friendlyName",)}


@pytest.mark.parametrize(
    "asked", [{}, {"AskSite": {}}, {"AskSite": {"parsed": None}}, {"AskSite": {"parsed": {}}}], ids=str
)
def test_a_site_that_answers_nothing_loses_no_chat(rendered, asked):
    data = {"friendlyName": "Ada", "question": "Hello?"}
    found = json.loads(rendered({"pre_engagement_data": data}, "SendToFlexWithFacts", **asked))
    assert found == {"pre_engagement_data": data, "site": {}}
    assert json.loads(rendered(None, "SendToFlexWithFacts", **asked)) == {"pre_engagement_data": {}, "site": {}}


def test_a_site_that_is_down_loses_no_chat_either():
    """Then the task is made as without asking."""
    states = {state["name"]: state for state in STATES}
    following = {
        name: {one["event"]: one.get("next") for one in state["transitions"]} for name, state in states.items()
    }
    assert following["Trigger"]["incomingConversationMessage"] == "AskSite"
    assert following["AskSite"] == {"success": "SendToFlexWithFacts", "failed": "SendToFlex"}
    assert following["SendToFlexWithFacts"]["failedToEnqueue"] == "SendToFlex"
    assert following["SendToFlexWithFacts"]["callFailure"] == "SendToFlex"
    asked = states["AskSite"]["properties"]
    assert (asked["method"], asked["url"], asked["add_twilio_auth"]) == ("POST", SITE, False)
    assert asked["content_type"].startswith("application/x-www-form-urlencoded")  # which Twilio signs with its values
    checked(compact_json(build_definition(WORKFLOW, CHANNEL, "x", SITE)))


def test_a_flow_that_cannot_reach_the_site_does_not_ask_it():
    states = {state["name"]: state for state in build_definition(WORKFLOW, CHANNEL, "x")["states"]}
    assert states.keys() == {"Trigger", "SendToFlex", "SendToFlexWithoutData"}
    after = {one["event"]: one.get("next") for one in states["Trigger"]["transitions"]}
    assert after["incomingConversationMessage"] == "SendToFlex"


def test_a_task_that_could_not_be_made_is_made_without_data():
    definition = build_definition(WORKFLOW, CHANNEL, "x")
    states = {state["name"]: state for state in definition["states"]}
    after = {one["event"]: one.get("next") for one in states["SendToFlex"]["transitions"]}
    assert after["failedToEnqueue"] == after["callFailure"] == "SendToFlexWithoutData"
    assert json.loads(TEMPLATES["SendToFlexWithoutData"]) == {"pre_engagement_data": {}}


def test_the_definition_is_one_that_studio_takes():
    """By the rules of Twilio's schema; the SIDs of the account stand literally in it."""
    definition = checked(compact_json(build_definition(WORKFLOW, CHANNEL, "x")))
    widgets = [state["properties"] for state in definition["states"] if state["type"] == "send-to-flex"]
    assert [(one["workflow"], one["channel"]) for one in widgets] == [(WORKFLOW, CHANNEL)] * 2


def test_definitions_are_compared_by_what_they_do():
    planned = build_definition(WORKFLOW, CHANNEL, "x")
    found = json.loads(compact_json(planned))
    found["states"].reverse()
    found["states"][0]["properties"] |= {"offset": {"x": 9, "y": 9}, "waitUrl": None}
    assert is_same(planned, found)
    found["states"].append({"name": "More", "type": "send-message", "transitions": []})
    assert not is_same(planned, found)
    assert not is_same(planned, build_definition("WW" + "3" * 32, CHANNEL, "x"))
    assert not is_same(planned, None)


@pytest.mark.parametrize("page", ["README.md", *sorted(str(one.relative_to(ROOT)) for one in ROOT.glob("docs/*.md"))])
def test_no_document_puts_an_answer_between_quotes(page):
    """There a quotation mark or a line break ends the text early, and the chat makes no task."""
    assert re.findall(r'"\s*\{\{ *(?:trigger|widgets)', (ROOT / page).read_text()) == []
