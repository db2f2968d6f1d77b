"""The running chat: order, history, delivery, connection, tokens, tabs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.waiting import until
from tests.support.widget import ANSWERS, RECORD_BODIES, Widget, fetch

MESSAGES = "/Client/v2/Conversations/"


def notice(widget: Widget) -> object:
    return widget.panel.locator("[data-webchat-connection]")


# --- The transcript --------------------------------------------------------------------------------------------


def test_each_message_has_author_and_time(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.agent_says("First")
    widget.agent_says("Second")
    expect(widget.messages).to_have_count(3)
    expect(widget.messages.locator(".webchat-meta")).to_contain_text(["You", "Robin", "Robin"])
    metas = widget.messages.locator(".webchat-meta").all_text_contents()
    assert all(re.search(r"\d{1,2}:\d{2}", meta) for meta in metas)
    grouped = [("webchat-grouped" in (one.get_attribute("class") or "")) for one in widget.messages.all()]
    assert grouped == [False, False, True]
    stamps = widget.messages.locator("time").evaluate_all("(all) => all.map((one) => one.dateTime)")
    assert stamps == sorted(stamps)
    expect(widget.messages.first.locator("[data-webchat-day]")).to_have_text("today")
    expect(widget.messages.last.locator("[data-webchat-day]")).to_be_hidden()


@pytest.mark.thorough
def test_a_clock_that_is_wrong_changes_nothing(widget: Widget) -> None:
    """A year behind, the message of now would be one of a day to come."""
    widget.page.clock.install(time=datetime.now(UTC) - timedelta(days=365))
    widget.start()
    widget.send("What day is it?")
    widget.agent_says("Monday")
    expect(widget.messages).to_have_count(3)
    widget.expect_connected()
    days = widget.messages.locator("[data-webchat-day]").filter(visible=True)
    expect(days).to_have_text(["today"])


@pytest.mark.thorough
def test_an_identity_is_never_shown(widget: Widget) -> None:
    widget.start()
    widget.site.sandbox.say(widget.channel, "bot_7f3a", "I am a bot")
    expect(widget.log.get_by_text("I am a bot")).to_be_visible()
    text = widget.element.evaluate("(e) => e.textContent")
    assert "bot_7f3a" not in text
    assert widget.credentials["identity"] not in text
    assert "Our team" in widget.messages.last.inner_text()


def test_links_are_safe_and_say_where_they_open(widget: Widget) -> None:
    widget.start()
    widget.agent_says("See https://example.com/a?b=1, or javascript:alert(1)")
    link = widget.log.get_by_role("link", name="https://example.com/a?b=1 (opens in a new tab)")
    expect(link).to_have_attribute("href", "https://example.com/a?b=1")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    assert widget.log.get_by_role("link").count() == 1


def test_older_messages_come_in_without_a_jump(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    for number in range(70):
        widget.agent_says(f"Line {number}")
    widget.page.reload()
    widget.expect_connected()
    expect(widget.log.get_by_text("Line 69", exact=True)).to_be_visible()
    assert widget.messages.count() < 40
    assert widget.log.evaluate("(e) => e.scrollHeight - e.scrollTop - e.clientHeight") < 2

    oldest = widget.messages.first
    anchor = widget.log.get_by_text(oldest.locator("[data-webchat-text]").inner_text(), exact=True)
    widget.log.evaluate("(e) => e.scrollTo(0, 100)")
    expect(widget.messages).not_to_have_count(30)
    before = widget.messages.count()
    assert before > 40
    expect(anchor).to_be_in_viewport()
    widget.log.evaluate("(e) => e.scrollTo(0, 0)")
    expect(widget.messages).to_have_count(71)
    widget.log.evaluate("(e) => e.scrollTo(0, 0)")
    expect(widget.log.get_by_text("Where is my parcel?")).to_be_in_viewport()
    lines = widget.messages.locator("[data-webchat-text]").all_inner_texts()
    assert lines == ["Where is my parcel?", *(f"Line {number}" for number in range(70))]


# Where the scroller stands once it has left the end: it may glide.
AT_REST = """async (e) => {
  let top;
  do {
    top = e.scrollTop;
    await new Promise((done) => setTimeout(done, 100));
  } while (e.scrollTop !== top || top + e.clientHeight > e.scrollHeight - 100);
  return top;
}"""


@pytest.mark.thorough
def test_who_reads_further_up_is_left_there(widget: Widget) -> None:
    widget.start()
    for number in range(25):
        widget.agent_says(f"Line {number}")
    expect(widget.log.get_by_text("Line 24", exact=True)).to_be_in_viewport()
    widget.log.hover()
    widget.page.mouse.wheel(0, -400)
    jump = widget.panel.get_by_role("button", name="New messages")
    expect(jump).to_be_hidden()
    top = widget.log.evaluate(AT_REST)
    widget.agent_says("One more")
    expect(jump).to_be_visible()
    assert widget.log.evaluate("(e) => e.scrollTop") == top
    expect(widget.page).to_have_title(re.compile(r"^\(1\) "))
    jump.click()
    expect(widget.log.get_by_text("One more")).to_be_in_viewport()
    expect(jump).to_be_hidden()
    expect(widget.page).not_to_have_title(re.compile(r"^\("))


@pytest.mark.thorough
def test_the_agent_sees_what_was_read(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.agent_says("Hello!")
    expect(widget.log.get_by_text("Hello!")).to_be_visible()
    identity = widget.credentials["identity"]

    def horizon() -> int | None:
        people = widget.site.sandbox.participants(widget.channel)
        return next(one["last_read_message_index"] for one in people if one["identity"] == identity)

    until(lambda: horizon() == 1)


@pytest.mark.thorough
def test_an_attached_file_can_be_opened(widget: Widget, page: Page) -> None:
    widget.start()
    widget.agent_sends_file("invoice.pdf", "text/plain", b"invoice")
    file = widget.log.get_by_role("button", name="Open the attached file invoice.pdf (opens in a new tab)")
    expect(file).to_be_visible()
    with page.context.expect_page() as opened:
        file.click()
    opened.value.wait_for_url(re.compile("/Media/ME"))


# --- The composer ----------------------------------------------------------------------------------------------


def test_enter_sends_and_shift_enter_starts_a_line(widget: Widget) -> None:
    widget.start()
    widget.composer.press_sequentially("one")
    widget.composer.press("Shift+Enter")
    widget.composer.press_sequentially("two")
    assert int(widget.composer.get_attribute("rows") or 1) == 2
    widget.composer.press("Enter")
    expect(widget.composer).to_have_value("")
    expect(widget.composer).to_be_focused()
    assert int(widget.composer.get_attribute("rows") or 1) == 1
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    assert widget.at_twilio()[-1] == "one\ntwo"
    widget.composer.press_sequentially("   ")
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(2)
    widget.composer.fill("once")
    # An input method takes Enter for itself: some browsers say so, others tell the key after the word was chosen.
    for options in ({"isComposing": True}, {"keyCode": 229}):
        widget.composer.evaluate(
            """(input, options) => input.dispatchEvent(
                 new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...options }))""",
            options,
        )
    expect(widget.composer).to_have_value("once")
    for _time in range(6):
        widget.composer.press("Enter")
    widget.expect_connected()
    assert widget.at_twilio()[1:] == ["one\ntwo", "once"]


@pytest.mark.thorough
def test_a_message_over_32_kb_is_kept_and_not_sent(widget: Widget) -> None:
    widget.start()
    widget.composer.fill("ü" * 16385)
    expect(widget.panel.get_by_text("The message is too long.")).to_be_visible()
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(1)
    widget.composer.fill("ü" * 16384)
    expect(widget.panel.get_by_text("The message is too long.")).to_be_hidden()
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()


def test_the_agent_sees_the_visitor_type(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.composer.press_sequentially("typing")
    until(lambda: widget.site.sandbox.desk(widget.channel)["typing"])


def test_a_chat_goes_on_where_one_agent_leaves_and_another_joins(widget: Widget) -> None:
    """A cold transfer. Who has left is nobody whose name Twilio tells when the page is loaded again."""
    widget.start()
    widget.agent_joins()
    widget.agent_says("I ask a colleague.")
    expect(widget.log.get_by_text("I ask a colleague.")).to_be_visible()
    expect(widget.log.get_by_text("Robin has joined the chat")).to_be_visible()
    widget.agent_leaves()
    expect(widget.log.get_by_text("Robin has left the chat")).to_be_visible()
    expect(widget.panel.locator("[data-webchat-presence]")).to_be_hidden()
    widget.send("Is anybody there?")
    expect(widget.messages).to_have_count(3)
    widget.expect_connected()

    widget.agent_joins("Kim")
    widget.site.sandbox.say(widget.channel, "agent_kim", "Now I am.")
    for first_agent in ("Robin", "Our team"):
        expect(widget.panel.get_by_text("With Kim", exact=True)).to_be_visible()
        authors = widget.messages.locator("[data-webchat-author]")
        expect(authors).to_have_text(["You", first_agent, "You", "Kim"])
        widget.page.reload()
    expect(widget.messages).to_have_count(4)
    widget.send("Thank you")
    widget.expect_connected()
    assert widget.at_twilio() == [
        "Where is my parcel?",
        "I ask a colleague.",
        "Is anybody there?",
        "Now I am.",
        "Thank you",
    ]


# --- Delivery --------------------------------------------------------------------------------------------------


def test_a_message_that_fails_is_kept_and_sent_again(widget: Widget) -> None:
    widget.start()
    path = f"{MESSAGES}{widget.channel}/Messages"
    widget.site.sandbox.fault("POST", path, status=500, times=50)
    widget.send("Do not lose me")
    failed = widget.messages.last
    expect(failed).to_contain_text("Not sent.")
    expect(failed).to_contain_text("Do not lose me")
    widget.site.sandbox.clear_faults()
    failed.get_by_role("button", name="Try again").click()
    expect(failed.locator("[data-webchat-delivery]")).to_be_hidden()
    assert widget.at_twilio().count("Do not lose me") == 1


def test_a_message_whose_answer_was_lost_is_not_doubled(widget: Widget) -> None:
    widget.start()
    path = f"{MESSAGES}{widget.channel}/Messages"
    widget.site.sandbox.fault("POST", path, status=500, before=False, times=1)
    widget.send("Only once")
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    expect(widget.messages).to_have_count(2)
    assert widget.at_twilio().count("Only once") == 1


def test_a_lost_connection_is_said_and_comes_back_with_what_was_missed(widget: Widget) -> None:
    widget.start()
    widget.agent_joins()
    widget.site.sandbox.connections("abort", widget.credentials["identity"])
    expect(notice(widget)).to_contain_text("Reconnecting…")
    widget.agent_says("Did you get this?")
    expect(widget.log.get_by_text("Did you get this?")).to_be_visible()
    expect(notice(widget)).to_have_text("You are connected again.")
    expect(notice(widget)).to_have_text("")
    expect(widget.messages).to_have_count(2)
    widget.send("Yes")
    expect(widget.messages).to_have_count(3)


@pytest.mark.thorough
def test_offline_is_said(widget: Widget) -> None:
    widget.start()
    widget.page.context.set_offline(True)
    widget.site.sandbox.connections("abort", widget.credentials["identity"])
    expect(notice(widget)).to_contain_text("You are offline.")
    widget.page.context.set_offline(False)
    expect(notice(widget)).to_have_text("You are connected again.")


@pytest.mark.thorough
def test_no_way_to_twilio_is_said_and_can_be_tried_again(widget: Widget) -> None:
    widget.page.clock.install()
    widget.page.route_web_socket(re.compile("wsconnect"), lambda socket: socket.close())
    widget.goto().open().fill()
    with widget.page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    expect(widget.composer).to_be_visible()
    widget.page.clock.run_for(20_000)
    expect(notice(widget)).to_contain_text("We cannot reach the chat right now.")
    expect(widget.panel.locator("[data-webchat-reconnect]").get_by_role("button")).to_be_visible()


# --- Tokens ----------------------------------------------------------------------------------------------------


def test_the_token_is_renewed_before_it_expires(widget: Widget) -> None:
    widget.start()
    with widget.page.expect_response("**/token/") as renewed:
        widget.site.sandbox.connections("about_to_expire", widget.credentials["identity"])
    assert renewed.value.status == 200
    widget.send("Still here")
    expect(widget.messages).to_have_count(2)
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()


def test_an_expired_token_is_replaced(widget: Widget) -> None:
    widget.start()
    widget.await_another_token()
    with widget.page.expect_response("**/token/") as renewed:
        widget.site.sandbox.connections("expire", widget.credentials["identity"])
    assert renewed.value.status == 200
    widget.agent_says("You slept long")
    expect(widget.log.get_by_text("You slept long")).to_be_visible(timeout=15_000)
    widget.send("Awake")
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden(timeout=15_000)


@pytest.mark.thorough
def test_a_renewal_that_fails_at_first_is_repeated(widget: Widget) -> None:
    widget.start()
    widget.page.route("**/token/", lambda route: route.abort(), times=2)
    with widget.page.expect_response(lambda one: one.url.endswith("/token/") and one.status == 200):
        widget.site.sandbox.connections("about_to_expire", widget.credentials["identity"])


@pytest.mark.thorough
def test_a_token_that_is_refused_at_the_start_is_renewed_once(widget: Widget) -> None:
    def spoil(route: Route) -> None:
        answer = fetch(route)
        route.fulfill(response=answer, json={**answer.json(), "token": "not.a.token"})

    widget.page.add_init_script(RECORD_BODIES)
    widget.page.route("**/sessions/", spoil, times=1)
    renewals: list[str] = []
    widget.page.on("request", lambda one: renewals.append(one.url) if one.url.endswith("/token/") else None)
    widget.start()
    assert len(renewals) == 1


# --- Ends ------------------------------------------------------------------------------------------------------


def test_ending_asks_first_and_can_be_called_off(widget: Widget) -> None:
    widget.start()
    widget.panel.get_by_role("button", name="End chat").click()
    expect(widget.panel.get_by_role("button", name="Keep chatting")).to_be_focused()
    widget.page.keyboard.press("Escape")
    expect(widget.panel).to_be_visible()
    expect(widget.composer).to_be_visible()
    expect(widget.panel.get_by_role("button", name="End chat")).to_be_focused()
    widget.send("Still here")
    expect(widget.messages).to_have_count(2)


@pytest.mark.thorough
def test_an_end_that_our_server_did_not_get_can_be_repeated(widget: Widget) -> None:
    widget.start()
    widget.page.route("**/end/", lambda route: route.abort(), times=1)
    widget.end()
    expect(widget.panel.get_by_text("Check your connection")).to_be_visible()
    widget.panel.locator("[data-webchat-confirm-end]").click()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()


@pytest.mark.thorough
def test_after_the_end_nothing_offers_to_send(widget: Widget) -> None:
    widget.start()
    widget.site.sandbox.fault("POST", f"{MESSAGES}{widget.channel}/Messages", status=400, times=9)
    widget.send("Too late")
    expect(widget.messages.last.get_by_role("button", name="Try again")).to_be_visible()
    widget.site.sandbox.close(widget.channel)
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    expect(widget.messages.last).to_contain_text("Too late")
    expect(widget.messages.last).to_contain_text("Not sent.")
    expect(widget.messages.last.get_by_role("button")).to_have_count(0)


@pytest.mark.thorough
def test_a_second_chat_follows_the_first(widget: Widget) -> None:
    widget.start()
    first = widget.channel
    widget.end()
    widget.panel.get_by_role("button", name="Start a new chat").click()
    widget.fill(question="And another thing")
    with widget.page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    assert widget.channel != first
    widget.expect_connected()
    widget.agent_joins()
    widget.panel.get_by_role("button", name="Minimise chat").click()
    widget.agent_says("Yes?")
    expect(widget.launcher.locator("[data-webchat-badge]")).to_contain_text("1")
    widget.open()
    assert widget.messages.locator("[data-webchat-text]").all_inner_texts() == ["And another thing", "Yes?"]


@pytest.mark.thorough
def test_ended_in_one_tab_is_ended_in_all(widget: Widget, page: Page) -> None:
    widget.start()
    other = Widget(page.context.new_page(), widget.site).goto().open()
    other.expect_connected()
    expect(other.log.get_by_text("Where is my parcel?")).to_be_visible()
    widget.agent_says("Hello, both of you!")
    for one in (widget, other):
        expect(one.log.get_by_text("Hello, both of you!")).to_be_visible()
    other.end()
    for one in (widget, other):
        expect(one.panel.get_by_text("This chat has ended.")).to_be_visible()


def test_the_site_can_drive_and_listen(widget: Widget) -> None:
    widget.record_events()
    widget.goto()
    widget.page.evaluate("document.querySelector('web-chat').open()")
    widget.fill().submit()
    widget.expect_connected()
    widget.page.evaluate("document.querySelector('web-chat').close()")
    expect(widget.panel).to_be_hidden()
    widget.page.evaluate("document.querySelector('web-chat').end()")
    expect(widget.element.locator("[data-webchat-ended-text]")).to_have_text("This chat has ended.")
    assert [name for name, _detail in widget.events()] == ["opening", "opened", "started", "ending", "ended"]


def test_events_tell_what_happened_and_nothing_of_what_was_said(widget: Widget) -> None:
    widget.record_events()
    widget.start()
    widget.agent_says("A secret of the agent's")
    expect(widget.messages).to_have_count(2)
    widget.send("A secret of the visitor's")
    expect(widget.messages.last.locator("[data-webchat-delivery]")).to_be_hidden()
    widget.site.sandbox.fault("POST", f"{MESSAGES}{widget.channel}/Messages", status=400, times=9)
    widget.send("This one fails")
    expect(widget.messages.last).to_contain_text("Not sent.")
    widget.end()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    session = widget.credentials["session_id"]
    assert widget.events() == [
        ["opening", {}],
        ["opened", {}],
        ["started", {"session_id": session}],
        ["message", {"from": "agent"}],
        ["message", {"from": "visitor"}],
        ["error", {"code": "not_sent"}],
        ["ending", {"session_id": session}],
        ["ended", {"session_id": session, "by": "visitor"}],
    ]
    told = json.dumps(widget.events())
    secrets = [widget.credentials["token"], widget.credentials["identity"], "secret", *ANSWERS.values()]
    assert [one for one in secrets if one in told] == []


@pytest.mark.thorough
def test_methods_may_be_called_at_any_time(widget: Widget) -> None:
    widget.record_events()
    widget.goto()
    widget.page.evaluate(
        """async () => {
          await customElements.whenDefined("web-chat");
          const chat = document.querySelector("web-chat");
          await chat.end();
          await chat.close();
          await Promise.all([chat.open(), chat.open()]);
          await chat.end();
        }"""
    )
    expect(widget.field("name")).to_be_visible()
    assert widget.events() == [["opening", {}], ["opened", {}]]


@pytest.mark.thorough
def test_any_element_of_the_page_can_open_it(widget: Widget) -> None:
    widget.goto()
    widget.page.locator("main [data-webchat-open]").click()
    expect(widget.field("name")).to_be_visible()
    assert widget.page.url == f"{widget.site.url}/"


@pytest.mark.thorough
def test_it_survives_being_moved_to_another_place_of_the_page(widget: Widget) -> None:
    """As Turbo and htmx do with an element that outlives a navigation."""
    widget.start()
    widget.page.evaluate("document.body.prepend(document.querySelector('web-chat'))")
    expect(widget.panel).to_be_visible()
    widget.send("Still here")
    expect(widget.messages).to_have_count(2)
    widget.launcher.click()
    expect(widget.panel).to_be_hidden()
    widget.open()
    widget.agent_says("Good")
    expect(widget.messages).to_have_count(3)
    widget.page.keyboard.press("Escape")
    expect(widget.panel).to_be_hidden()


def test_the_open_panel_is_open_on_the_next_page(widget: Widget) -> None:
    widget.goto().open()
    expect(widget.field("name")).to_be_visible()
    widget.goto("/?another")
    expect(widget.field("name")).to_be_visible()
    expect(widget.field("name")).not_to_be_focused()
    widget.page.keyboard.press("Escape")
    widget.goto("/")
    expect(widget.launcher).to_be_visible()
    expect(widget.panel).to_be_hidden()
