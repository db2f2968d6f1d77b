"""A line that is dead and looks open: frames vanish, the socket stays, and nobody is told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, WebSocketRoute, expect

from tests.support.widget import Widget

LOST, RESTORED = "The connection was lost. Reconnecting…", "You are connected again."


class Frames:
    """What travels between the widget and Twilio. `lose()`: nothing any more on the sockets that there are."""

    def __init__(self, widget: Widget) -> None:
        self.sockets = 0
        self._dead = 0
        widget.page.route_web_socket(re.compile("wsconnect"), self._connect)

    def lose(self) -> None:
        self._dead = self.sockets

    def _connect(self, browser: WebSocketRoute) -> None:
        self.sockets += 1
        number = self.sockets
        twilio = browser.connect_to_server()
        browser.on_message(lambda frame: twilio.send(frame) if number > self._dead else None)
        twilio.on_message(lambda frame: browser.send(frame) if number > self._dead else None)


@pytest.fixture
def frames(widget: Widget) -> Frames:
    widget.page.clock.install()
    frames = Frames(widget)
    widget.start()
    return frames


@pytest.mark.thorough
def test_an_unanswered_message_leads_to_a_new_connection(widget: Widget, frames: Frames) -> None:
    frames.lose()
    widget.send("Are you there?")
    expect(widget.messages.last).to_contain_text("Sending…")
    widget.page.clock.fast_forward(21_000)
    expect(widget.messages.last).to_contain_text("Not sent.")
    notice = widget.panel.locator("[data-webchat-connection]")
    expect(notice).to_have_text(re.compile(f"{LOST}|{RESTORED}"))
    widget.messages.last.get_by_role("button", name="Try again").click()
    widget.expect_connected()
    assert widget.at_twilio()[-1] == "Are you there?"
    assert frames.sockets == 2


def test_a_silent_line_is_noticed_while_nobody_writes(widget: Widget, frames: Frames) -> None:
    frames.lose()
    widget.agent_says("Hello?")
    widget.page.clock.fast_forward(46_000)
    widget.page.clock.fast_forward(11_000)
    expect(widget.messages.last).to_contain_text("Hello?")
    expect(widget.panel.locator("[data-webchat-connection]")).to_have_text(RESTORED)
    assert frames.sockets == 2


@pytest.mark.thorough
def test_a_file_is_not_waited_for_on_a_dead_line(widget: Widget, frames: Frames) -> None:
    frames.lose()
    file: FilePayload = {"name": "sum.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}
    widget.panel.locator("[data-webchat-file-input]").set_input_files([file])
    expect(widget.panel.locator("[data-webchat-chosen] > li")).to_have_count(1)
    widget.composer.press("Enter")
    expect(widget.messages.last).to_contain_text("Cancel")
    widget.page.clock.fast_forward(46_000)
    widget.page.clock.fast_forward(11_000)
    widget.messages.last.get_by_role("button", name="Try again").click()
    widget.expect_connected()
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    assert len(widget.at_twilio()) == 2


@pytest.mark.thorough
def test_a_line_that_answers_is_left_alone(widget: Widget, frames: Frames) -> None:
    for _pulse in range(3):
        widget.page.clock.fast_forward(46_000)
        widget.send("Still here")
        widget.expect_connected()
    assert frames.sockets == 1


def test_what_was_not_sent_outlives_a_reload(widget: Widget, frames: Frames) -> None:
    frames.lose()
    widget.send("It is blue.")
    widget.send("And round.")
    expect(widget.messages).to_have_count(3)
    widget.page.reload()
    texts = widget.messages.locator("[data-webchat-text]")
    expect(texts).to_have_text(["Where is my parcel?", "It is blue.", "And round."])
    assert widget.at_twilio() == ["Where is my parcel?"]
    for _message in range(2):
        widget.messages.get_by_role("button", name="Try again").first.click()
        expect(widget.messages.get_by_role("button", name="Try again")).to_have_count(1 - _message)
    widget.expect_connected()
    assert widget.at_twilio() == ["Where is my parcel?", "It is blue.", "And round."]
    widget.page.reload()
    widget.expect_connected()
    expect(texts).to_have_count(3)
    assert widget.page.evaluate("sessionStorage.getItem('webchat:support:unsent')") is None


@pytest.mark.thorough
def test_what_got_through_unnoticed_is_not_unsent_after_a_reload(widget: Widget, frames: Frames) -> None:
    widget.send("Only once")
    widget.expect_connected()
    [_question, sent] = widget.site.sandbox.messages(widget.channel)
    client_id = re.search(r'"client_id": ?"([^"]+)"', sent["attributes"])
    assert client_id
    kept = [widget.credentials["session_id"], [[client_id[1], "Only once"]]]
    widget.page.evaluate("(kept) => sessionStorage.setItem('webchat:support:unsent', JSON.stringify(kept))", kept)
    widget.page.reload()
    widget.expect_connected()
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last).not_to_contain_text("Not sent.")
