"""The question of the form in the widget, while it is on its way to Twilio."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.waiting import until
from tests.support.widget import Widget

QUESTION = "Where is my parcel?"
POST = ("POST", "/v1/Conversations/*")
# Less than our server waits for it.
LATE_MS = 4500
# Has the widget wait for the question as long as it takes.
WAIT = """{
  const later = globalThis.setTimeout;
  globalThis.setTimeout = (run, ms, ...rest) => later(run, ms === 5000 ? 600_000 : ms, ...rest);
}"""


@pytest.fixture
def widget(widget: Widget) -> Widget:
    return widget.goto().open().fill(question=QUESTION)


def start(widget: Widget) -> None:
    with widget.page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    expect(widget.composer).to_be_visible()


def test_a_question_on_its_way_is_shown_once_and_not_overtaken(widget: Widget) -> None:
    widget.site.sandbox.fault(*POST, delay_ms=LATE_MS)
    start(widget)
    question = widget.messages.first
    expect(question).to_contain_text("Sending…")
    assert widget.at_twilio() == []
    question.evaluate("(e) => { e.shownAtOnce = true; }")
    widget.send(QUESTION)
    expect(widget.messages.last).to_contain_text("Sending…")
    widget.site.sandbox.clear_faults()  # which ends the delay, too
    widget.expect_connected()
    expect(widget.messages.locator("[data-webchat-text]")).to_have_text([QUESTION, QUESTION])
    assert question.evaluate("(e) => e.shownAtOnce")
    sent = [(one["body"], '"question"' in one["attributes"]) for one in widget.site.sandbox.messages(widget.channel)]
    assert sent == [(QUESTION, True), (QUESTION, False)]


def test_a_reload_while_the_question_is_on_its_way_loses_nothing(widget: Widget) -> None:
    """Nor does another tab: it is shown in both, and nothing that is written there overtakes it."""
    widget.page.context.add_init_script(WAIT)
    sandbox = widget.site.sandbox
    sandbox.fault(*POST, status=503, times=50)
    start(widget)
    widget.send("It is blue.")
    expect(widget.messages).to_have_count(2)
    widget.page.reload()
    texts = widget.messages.locator("[data-webchat-text]")
    expect(texts).to_have_text([QUESTION, "It is blue."])
    expect(widget.messages.first).to_contain_text("Sending…")
    other = Widget(widget.page.context.new_page(), widget.site).goto().open()
    expect(other.messages.first).to_contain_text("Sending…")
    widget.messages.last.get_by_role("button", name="Try again").click()
    expect(widget.messages.last).to_contain_text("Sending…")
    other.send("And round.")
    expect(other.messages.last).to_contain_text("Sending…")
    assert widget.at_twilio() == []
    sandbox.clear_faults()
    form = {"Author": widget.credentials["identity"], "Body": QUESTION, "Attributes": '{"client_id": "question"}'}
    sandbox.rest("POST", f"/v1/Conversations/{widget.channel}/Messages", **form)
    for one in (widget, other):
        expect(one.messages).to_have_count(3)
        one.expect_connected()
    assert widget.at_twilio()[0] == QUESTION
    assert sorted(widget.at_twilio()[1:]) == ["And round.", "It is blue."]


def test_a_question_that_does_not_come_holds_nothing_up_for_long(widget: Widget) -> None:
    widget.site.sandbox.fault(*POST, status=503, times=5)
    start(widget)
    widget.send("It is blue.")
    until(lambda: widget.at_twilio() == ["It is blue."])
    question = widget.messages.filter(has_text=QUESTION)
    expect(question).to_contain_text("Not sent.")
    widget.site.sandbox.clear_faults()
    widget.agent_says("Hello!")
    question.get_by_role("button", name="Try again").click()
    until(lambda: widget.at_twilio() == ["It is blue.", "Hello!", QUESTION])
    widget.expect_connected()
    expect(widget.messages.locator("[data-webchat-text]")).to_have_text(["It is blue.", "Hello!", QUESTION])
