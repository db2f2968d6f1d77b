"""Files in the chat, the visitor's and the agent's, and what was read."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.support.widget import Widget, violations

MEDIA = "/mcs/v1/Services/*"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC"
)


def file(name: str, content: bytes = b"content", kind: str = "") -> dict[str, object]:
    return {"name": name, "mimeType": kind, "buffer": content}


def choose(widget: Widget, *files: dict[str, object]) -> None:
    with widget.page.expect_file_chooser() as chooser:
        widget.panel.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(list(files))


def choose_more(widget: Widget, *files: dict[str, object]) -> None:
    """Without the button: Playwright is told of the first file chooser of a page in Firefox alone."""
    widget.panel.locator("[data-webchat-file-input]").set_input_files(list(files))


def chosen(widget: Widget) -> Locator:
    return widget.panel.get_by_role("list", name="Files to send").get_by_role("listitem")


def problem(widget: Widget) -> Locator:
    return widget.panel.locator("[data-webchat-file-problem]")


def at_twilio(widget: Widget) -> list[list[tuple[str, str]]]:
    found = widget.site.sandbox.messages(widget.channel)
    return [[(media["filename"], media["content_type"]) for media in one["media"] or []] for one in found]


# --- The visitor's files ---------------------------------------------------------------------------------------


def test_a_visitor_sends_files_with_a_text(widget: Widget) -> None:
    widget.start()
    odd = ["50 % #1?&+.pdf", "🙂.pdf", "فاتورة.pdf", f"{'x' * 300}.pdf"]
    choose(widget, file("photo.png", PNG), file("Q3.XLSX"), file("sum.pdf"), *map(file, odd))
    # Office documents are not among the kinds of this webchat.
    expect(chosen(widget)).to_have_count(6)
    limits = "You can send images (JPEG, PNG, GIF, WebP), PDF; up to 10 MB together."
    expect(problem(widget).locator("p")).to_have_text(["Q3.XLSX cannot be sent.", limits])
    preview = chosen(widget).first.locator("img")
    expect(preview).to_be_visible()
    expect(preview).to_have_js_property("naturalWidth", 10)
    assert violations(widget.page) == []
    widget.send("Here they are")
    expect(chosen(widget)).to_have_count(0)
    mine = widget.messages.last
    expect(mine.locator("[data-webchat-text]")).to_have_text("Here they are")
    expect(mine.get_by_role("button", name="Open the image: photo.png")).to_be_visible()
    expect(mine.get_by_role("button", name="Open the attached file sum.pdf")).to_be_visible()
    expect(mine.locator("[data-webchat-delivery]")).to_be_hidden()
    expect(widget.messages).to_have_count(2)
    pdfs = [(name[-200:], "application/pdf") for name in ("sum.pdf", *odd)]
    assert at_twilio(widget) == [[], [("photo.png", "image/png"), *pdfs]]
    assert widget.at_twilio()[-1] == "Here they are"

    widget.page.reload()
    widget.expect_connected()
    image = widget.messages.last.get_by_role("button", name="Open the image: photo.png").locator("img")
    expect(image).to_have_js_property("naturalWidth", 10)
    assert re.search("/Media/ME", image.get_attribute("src") or "")


@pytest.mark.thorough
def test_a_file_alone_is_a_message(widget: Widget) -> None:
    widget.start()
    choose(widget, file("photo.jpg", PNG))
    widget.panel.get_by_role("button", name="Send").click()
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last.locator("[data-webchat-text]")).to_be_hidden()
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    assert at_twilio(widget)[-1] == [("photo.jpg", "image/jpeg")]


@pytest.mark.thorough
def test_a_file_can_be_removed_before_it_is_sent(widget: Widget) -> None:
    widget.start()
    choose(widget, file("one.png", PNG), file("two.png", PNG))
    expect(widget.panel.locator("[data-webchat-files-status]")).to_have_text("Files to send: 2")
    widget.panel.get_by_role("button", name="Remove one.png").click()
    expect(chosen(widget)).to_have_count(1)
    expect(widget.panel.get_by_role("button", name="Remove two.png")).to_be_focused()
    widget.page.keyboard.press("Enter")
    expect(chosen(widget)).to_have_count(0)
    expect(widget.panel.get_by_role("button", name="Attach files")).to_be_focused()
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(1)


@pytest.mark.thorough
def test_what_may_not_be_sent_is_said_with_the_limits(widget: Widget) -> None:
    widget.start()
    choose(widget, file("page.html", kind="image/png"))
    limits = re.compile("^You can send images")
    expect(problem(widget).locator("p")).to_have_text(["page.html cannot be sent.", limits])
    choose_more(widget, file("drawing.svg", b"<svg/>", "image/svg+xml"), file("run.exe"))
    expect(problem(widget).locator("p")).to_have_text(
        ["drawing.svg cannot be sent.", "run.exe cannot be sent.", limits]
    )
    widget.panel.get_by_role("button", name="Dismiss").click()
    expect(problem(widget)).to_be_empty()
    expect(widget.composer).to_be_focused()
    expect(widget.panel.get_by_role("button", name="Dismiss")).to_be_hidden()
    choose_more(widget, file("empty.pdf", b""))
    expect(problem(widget)).to_have_text("empty.pdf is empty.")
    choose_more(widget, file("large.pdf", b"x" * 10_000_001))
    expect(problem(widget).locator("p")).to_have_text(["large.pdf is too large (10.0 MB).", limits])
    choose_more(widget, *(file(f"{number}.png", PNG) for number in range(11)))
    expect(problem(widget)).to_have_text("10.png is one too many: 10 files fit into a message.")
    expect(chosen(widget)).to_have_count(10)


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["paste", "drop"])
def test_files_are_pasted_and_dropped(widget: Widget, way: str) -> None:
    widget.start()
    expect(widget.panel.locator("[data-webchat-attach]")).to_be_visible()
    widget.composer.evaluate(
        """(input, way) => {
          const data = new DataTransfer();
          data.items.add(new File(["content"], "shot.png", { type: "image/png" }));
          const options = { bubbles: true, cancelable: true };
          // A page cannot put a file on the clipboard of a ClipboardEvent in Firefox.
          if (way === "paste") input.dispatchEvent(Object.assign(new Event("paste", options), { clipboardData: data }));
          else for (const type of ["dragenter", "dragover", "drop"])
            document.querySelector("[data-webchat-log]").dispatchEvent(new DragEvent(type, { ...options, dataTransfer: data }));
        }""",
        way,
    )
    expect(chosen(widget)).to_have_count(1)
    expect(chosen(widget)).to_contain_text("shot.png")
    assert "webchat-dropping" not in (widget.panel.locator("[data-webchat-view]").get_attribute("class") or "")


@pytest.mark.thorough
def test_pasted_text_with_a_picture_of_it_is_text(widget: Widget) -> None:
    widget.start()
    widget.composer.evaluate(
        """(input) => {
          const data = new DataTransfer();
          data.setData("text/plain", "a cell");
          data.items.add(new File(["content"], "cell.png", { type: "image/png" }));
          const paste = new Event("paste", { bubbles: true, cancelable: true });
          input.dispatchEvent(Object.assign(paste, { clipboardData: data }));
        }"""
    )
    expect(chosen(widget)).to_have_count(0)


def test_an_upload_that_fails_keeps_its_file(widget: Widget) -> None:
    widget.start()
    widget.site.sandbox.fault("POST", MEDIA, status=403, times=1)
    choose(widget, file("photo.png", PNG))
    widget.send("Look")
    failed = widget.messages.last
    expect(failed).to_contain_text("Not sent.")
    expect(failed.get_by_role("button", name="Open the image: photo.png")).to_be_visible()
    expect(widget.composer).to_be_visible()
    failed.get_by_role("button", name="Try again").click()
    expect(failed.locator("[data-webchat-delivery]")).to_be_hidden()
    assert at_twilio(widget) == [[], [("photo.png", "image/png")]]


@pytest.mark.thorough
def test_an_upload_can_be_called_off(widget: Widget) -> None:
    widget.start()
    widget.site.sandbox.fault("POST", MEDIA, fault="hang", times=1)
    choose(widget, file("photo.png", PNG))
    widget.send("Oh no")
    delivery = widget.messages.last.locator("[data-webchat-delivery]")
    expect(delivery.get_by_role("progressbar", name="Sending…")).to_be_visible()
    expect(delivery).to_contain_text("1 kB")
    widget.messages.last.get_by_role("button", name="Cancel").click()
    expect(widget.messages).to_have_count(1)
    expect(widget.composer).to_have_value("Oh no")
    widget.send("Without it")
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    assert widget.at_twilio() == ["Where is my parcel?", "Without it"]


def test_without_attachments_nothing_offers_them(widget: Widget) -> None:
    widget = Widget(widget.page, widget.site, "legacy").start("/webchat/legacy/")
    expect(widget.composer).to_be_visible()
    assert widget.panel.locator("input[type=file]").count() == 0
    names = widget.page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    assert not [name for name in names if "attachments" in name or "files" in name]


# --- The agent's files -----------------------------------------------------------------------------------------


def test_an_agents_image_is_shown_and_opens(widget: Widget) -> None:
    widget.start()
    widget.agent_sends_file("route map.png", "image/png", PNG)
    button = widget.log.get_by_role("button", name="Open the image: route map.png (opens in a new tab)")
    image = button.locator("img")
    expect(image).to_have_js_property("naturalWidth", 10)
    expect(image).to_have_attribute("alt", "route map.png")
    # In its own ratio: this one is a square.
    expect(image).to_have_class("webchat-seen")
    box = image.bounding_box()
    assert box
    assert box["width"] == box["height"]
    with widget.page.context.expect_page() as opened:
        button.click()
    opened.value.wait_for_url(re.compile("/Media/ME"))
    assert opened.value.evaluate("window.opener") is None


@pytest.mark.thorough
def test_a_file_that_is_gone_is_said(widget: Widget) -> None:
    widget.start()
    widget.agent_sends_file("invoice.pdf", "application/pdf", b"%PDF")
    widget.agent_sends_file("drawing.svg", "image/svg+xml", b"<svg/>")
    expect(widget.log.locator("img")).to_have_count(0)
    widget.site.sandbox.fault("GET", MEDIA, status=404, times=9)
    widget.log.get_by_role("button", name="Open the attached file invoice.pdf").click()
    expect(widget.log.get_by_text("The file could not be opened.").first).to_be_visible()


# --- What was read ---------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_visitor_sees_what_the_agent_has_read(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    expect(widget.log.get_by_text("Robin has joined")).to_be_visible()
    widget.site.sandbox.desk(widget.channel, "read", author="Robin")
    read = widget.log.get_by_text("Read", exact=True)
    expect(read).to_have_count(1)
    widget.send("One more thing")
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.first).to_contain_text("Read")
    widget.site.sandbox.desk(widget.channel, "read", author="Robin")
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_have_text("Read")
    expect(read).to_have_count(1)
    widget.page.reload()
    widget.expect_connected()
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_have_text("Read")


@pytest.mark.thorough
def test_a_line_says_where_reading_stopped(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.agent_says("Hello")
    expect(widget.messages).to_have_count(2)
    divider = widget.log.locator("[data-webchat-divider]:visible")
    expect(divider).to_have_count(0)
    widget.panel.get_by_role("button", name="Minimise chat").click()
    widget.agent_says("First of two")
    widget.agent_says("Second of two")
    expect(widget.launcher.locator("[data-webchat-badge]")).to_contain_text("2")
    widget.open()
    expect(divider).to_have_count(1)
    marked = widget.messages.filter(has=widget.page.locator("[data-webchat-divider]:not([hidden])"))
    expect(marked).to_contain_text("First of two")
    room = divider.evaluate(
        "(e) => e.getBoundingClientRect().top - e.closest('li').previousElementSibling.getBoundingClientRect().bottom"
    )
    assert room >= 12  # pixels
    widget.send("I see")
    expect(divider).to_have_count(0)


@pytest.mark.thorough
def test_agents_have_their_initials_and_nobody_else(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.agent_says("Hello")
    widget.site.sandbox.say(widget.channel, "bot_7f3a", "I am a bot")
    expect(widget.messages).to_have_count(3)
    initials = widget.messages.locator("[data-webchat-initials]")
    assert initials.evaluate_all("(all) => all.map((one) => one.dataset.initials)") == ["", "R", ""]
    expect(initials.nth(1)).to_be_visible()
    expect(initials.nth(2)).to_be_hidden()


@pytest.mark.thorough
def test_the_room_that_is_left_is_said_near_the_limit(widget: Widget) -> None:
    widget.start()
    room = widget.panel.locator("[data-webchat-room]")
    widget.composer.fill("a" * 29_000)
    expect(room).to_be_hidden()
    widget.composer.fill("a" * 29_500)
    expect(room).to_have_text("Room for characters: 3268")
    widget.composer.fill("ü" * 16_384)
    expect(room).to_have_text("Room for characters: 0")
    widget.composer.fill("ü" * 16_385)
    expect(room).to_be_hidden()
