"""The sandbox's agent desk, used as an agent uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.device import go_back
from tests.support.sandbox import SandboxServer
from tests.support.waiting import until
from webchat.sandbox import account

DATA = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "customer_number": "C-1001",
    "location": "http://127.0.0.1:8000/support/",
    "locale": "en-GB",
    "verified": ["customer_number", "email"],
}
PLAIN_TITLE = "Agent desk (sandbox)"
PHONE = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture
def empty_sandbox() -> Iterator[SandboxServer]:
    """One without the chats of other tests."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def desk(page: Page, empty_sandbox: SandboxServer) -> Page:
    page.goto(f"{empty_sandbox.url}/")
    expect(page.get_by_text("No chats yet.")).to_be_visible()
    return page


def visit(sandbox: SandboxServer, name: str = "Ada Lovelace", question: str = "Where is my parcel?") -> str:
    """A visitor's chat with its first message; its SID. The visitor's identity is their name."""
    sid = sandbox.open_webchat(name, CustomerFriendlyName=name, PreEngagementData=json.dumps({**DATA, "name": name}))
    sandbox.say(sid, name, question, webhooks=True)
    return sid


def group(desk: Page, name: str):
    return desk.get_by_role("region", name=re.compile(f"^{name}"))


def choose(desk: Page, name: str = "Ada Lovelace") -> None:
    desk.get_by_role("navigation", name="Chats").get_by_role("link", name=name).click()
    expect(desk.get_by_role("heading", name=name, level=2)).to_be_visible()


def accept(desk: Page, name: str = "Ada Lovelace") -> None:
    choose(desk, name)
    desk.get_by_role("button", name="Accept").click()
    expect(desk.get_by_label("Your answer")).to_be_focused()


def rename(desk: Page, agent: str) -> None:
    """Key by key: after Playwright's fill(), Firefox tells the page of no change."""
    name = desk.get_by_label("Your name")
    name.press("ControlOrMeta+a")
    name.press_sequentially(agent)
    name.press("Tab")


@pytest.mark.thorough
def test_an_idle_desk_says_so(desk: Page):
    expect(desk.get_by_text("No chats yet.")).to_be_visible()
    expect(desk.get_by_text("Local sandbox.")).to_be_visible()
    expect(desk.get_by_role("article")).to_be_hidden()
    expect(desk).to_have_title(PLAIN_TITLE)


def test_a_message_is_a_task_without_a_chat_and_the_agent_may_be_away(desk: Page, empty_sandbox: SandboxServer):
    attributes = {"name": "Zoë <b>Quinn</b>", "email": "zoe@example.com", "text": "Do you ship\nto Chad?"}
    path = f"/v1/Workspaces/{account.WORKSPACE_SID}/Tasks"
    empty_sandbox.rest("POST", path, WorkflowSid=account.WORKFLOW_SID, Attributes=json.dumps(attributes))
    task = group(desk, "Messages").get_by_role("listitem")
    expect(task).to_contain_text("Zoë <b>Quinn</b>")
    expect(task).to_contain_text("Do you ship")
    expect(task.get_by_role("link", name="Answer by mail")).to_have_attribute("href", "mailto:zoe%40example.com")
    switch = desk.get_by_role("switch", name="Available")
    expect(switch).to_be_checked()
    switch.uncheck()
    path = f"/v1/Workspaces/{account.WORKSPACE_SID}/TaskQueues/{account.TASK_QUEUE_SID}/RealTimeStatistics"
    until(lambda: empty_sandbox.rest("GET", path)["total_available_workers"] == 0)
    desk.reload()
    expect(switch).not_to_be_checked()
    task.get_by_role("button", name="Complete").click()
    expect(task).to_have_count(0)
    assert empty_sandbox.rest("GET", path)["tasks_by_status"]["pending"] == 0


@pytest.mark.thorough
def test_a_chat_without_a_message_reaches_nobody(desk: Page, empty_sandbox: SandboxServer):
    silent = empty_sandbox.open_webchat("guest", CustomerFriendlyName="Silent")
    empty_sandbox.say(silent, "guest", "not heard by Studio")
    visit(empty_sandbox)
    expect(desk.get_by_role("navigation", name="Chats").get_by_role("link")).to_have_count(1)


def test_a_new_chat_comes_in_and_is_answered(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    expect(group(desk, "Waiting")).to_contain_text("Where is my parcel?")
    expect(desk).to_have_title(f"(1) {PLAIN_TITLE}")
    expect(desk.locator("#news")).to_have_text("New chat from Ada Lovelace")

    choose(desk)
    expect(desk.get_by_label("Your answer")).to_be_hidden()
    desk.get_by_label("Your name").fill("Zoë")
    desk.get_by_role("button", name="Accept").click()
    expect(group(desk, "Open").get_by_role("link", name="Ada Lovelace")).to_be_visible()
    expect(desk).to_have_title(PLAIN_TITLE)
    expect(desk.locator("#chat-agents")).to_have_text("Zoë")

    answer = desk.get_by_label("Your answer")
    expect(answer).to_be_focused()
    answer.type("On its way.")
    answer.press("Shift+Enter")
    answer.type("<b>Tomorrow</b>")
    answer.press("Enter")
    expect(answer).to_have_value("")
    last = desk.get_by_role("log").get_by_role("listitem").last
    expect(last).to_contain_text("Zoë")
    expect(last).to_contain_text("<b>Tomorrow</b>")
    assert empty_sandbox.messages(sid)[-1]["body"] == "On its way.\n<b>Tomorrow</b>"
    assert empty_sandbox.messages(sid)[-1]["author"] == "agent_zoe"

    empty_sandbox.say(sid, "Ada Lovelace", "Thank you!")
    expect(last).to_contain_text("Thank you!")
    expect(desk.get_by_role("log").get_by_role("listitem")).to_have_count(3)


def test_the_data_show_what_is_verified(desk: Page, empty_sandbox: SandboxServer):
    visit(empty_sandbox)
    choose(desk)
    data = desk.locator("#answers")
    for field, value in DATA.items():
        if field != "verified":
            row = data.locator("div").filter(has=desk.locator(".field", has_text=re.compile(f"^{field}$")))
            expect(row.get_by_role("definition")).to_have_text(value)
            assert row.locator(".verified").is_visible() == (field in DATA["verified"])
    expect(data.locator("div")).to_have_count(len(DATA) - 1)


@pytest.mark.thorough
def test_markup_of_a_visitor_is_text(desk: Page, empty_sandbox: SandboxServer):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    visit(empty_sandbox, name=evil, question=evil)
    desk.get_by_role("navigation", name="Chats").get_by_role("link").click()
    expect(desk.get_by_role("log").locator(".body")).to_have_text(evil)
    expect(desk.locator("#chat-name")).to_have_text(evil)
    expect(desk.locator("main img, main script")).to_have_count(0)


@pytest.mark.thorough
def test_typing_is_seen_on_both_sides(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    accept(desk)
    empty_sandbox.desk(sid, "typing", author="Ada Lovelace")
    expect(desk.locator("#typing")).to_have_text("Ada Lovelace is typing…")
    expect(desk.locator(".typing-now")).to_be_visible()
    empty_sandbox.say(sid, "Ada Lovelace", "Hello?")
    expect(desk.locator("#typing")).to_be_empty()

    desk.get_by_label("Your answer").type("He")
    desk.wait_for_function(
        "async sid => (await (await fetch(`/desk/conversations/${sid}`)).json()).typing.includes('agent_robin')",
        arg=sid,
    )
    expect(desk.locator("#typing")).to_be_empty()


@pytest.mark.thorough
def test_unread_messages_are_counted_until_they_are_seen(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    accept(desk)
    visit(empty_sandbox, "Bob")
    choose(desk, "Bob")
    empty_sandbox.say(sid, "Ada Lovelace", "one")
    empty_sandbox.say(sid, "Ada Lovelace", "two")
    ada = group(desk, "Open").get_by_role("link", name="Ada Lovelace")
    expect(ada.locator(".unread")).to_have_text("2 unread")
    expect(desk).to_have_title(f"(2) {PLAIN_TITLE}")
    ada.click()
    expect(ada.locator(".unread")).to_be_hidden()
    expect(desk).to_have_title(f"(1) {PLAIN_TITLE}")


@pytest.mark.thorough
def test_who_only_looks_takes_no_part(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    empty_sandbox.desk(sid, "accept", author="Somebody else")
    choose(desk)
    empty_sandbox.say(sid, "Ada Lovelace", "seen by the desk")
    expect(desk.get_by_role("log")).to_contain_text("seen by the desk")
    assert [agent["friendly_name"] for agent in empty_sandbox.desk(sid)["agents"]] == ["Somebody else"]
    expect(desk.get_by_label("Your answer")).to_be_hidden()
    accept(desk)
    assert {agent["friendly_name"] for agent in empty_sandbox.desk(sid)["agents"]} == {"Somebody else", "Robin"}


@pytest.mark.thorough
def test_another_name_is_another_agent(desk: Page, empty_sandbox: SandboxServer):
    visit(empty_sandbox)
    accept(desk)
    answer = desk.get_by_label("Your answer")
    for other, is_another in (("Zoë", True), ("robin", False)):
        rename(desk, other)
        expect(answer).to_be_visible(visible=not is_another)


def test_an_agent_completes_a_chat(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    accept(desk)
    desk.get_by_role("button", name="Complete").click()
    desk.get_by_role("button", name="Go back").click()
    assert empty_sandbox.desk(sid)["state"] == "active"
    desk.get_by_role("button", name="Complete").click()
    desk.get_by_role("dialog").get_by_role("button", name="Complete").click()
    expect(desk.get_by_text("This chat has ended.")).to_be_visible()
    expect(desk.get_by_label("Your answer")).to_be_hidden()
    expect(group(desk, "Ended").get_by_role("link", name="Ada Lovelace")).to_be_visible()
    assert empty_sandbox.desk(sid)["state"] == "closed"


@pytest.mark.thorough
def test_what_cannot_be_sent_is_kept(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    accept(desk)
    empty_sandbox.close(sid)
    expect(desk.get_by_text("This chat has ended.")).to_be_visible()

    visit(empty_sandbox, "Bob")
    accept(desk, "Bob")
    answer = desk.get_by_label("Your answer")
    desk.route("**/messages", lambda route: route.abort())
    answer.fill("important")
    answer.press("Enter")
    expect(desk.get_by_text("your text is still here")).to_be_visible()
    expect(answer).to_have_value("important")
    desk.unroute("**/messages")
    answer.press("Enter")
    expect(answer).to_have_value("")
    expect(desk.get_by_text("your text is still here")).to_be_hidden()


@pytest.mark.thorough
def test_the_desk_comes_back_after_the_sandbox(page: Page):
    with SandboxServer() as sandbox:
        page.goto(f"{sandbox.url}/")
        visit(sandbox, "Before")
        expect(page.get_by_role("link", name="Before")).to_be_visible()
    expect(page.get_by_text("The desk has lost the sandbox.")).to_be_visible()
    with SandboxServer(port=sandbox.port) as again:
        visit(again, "After")
        expect(page.get_by_role("link", name="After")).to_be_visible(timeout=15_000)
        expect(page.get_by_text("The desk has lost the sandbox.")).to_be_hidden()
        expect(page.get_by_role("link", name="Before")).to_have_count(0)
        page.goto("about:blank")


@pytest.mark.thorough
def test_the_agents_name_is_remembered(desk: Page):
    rename(desk, "Zoë")
    desk.reload()
    expect(desk.get_by_label("Your name")).to_have_value("Zoë")


@pytest.mark.thorough
@pytest.mark.parametrize("context", [PHONE], indirect=True)
def test_on_a_phone_the_list_leads_to_the_chat_and_back(
    context: BrowserContext, desk: Page, empty_sandbox: SandboxServer
):
    visit(empty_sandbox)
    chats = desk.get_by_role("navigation", name="Chats")
    expect(chats).to_be_visible()
    accept(desk)
    expect(chats).to_be_hidden()
    expect(desk.locator("#answers")).to_be_hidden()
    desk.get_by_text("About the visitor").click()
    expect(desk.locator("#answers")).to_be_visible()
    assert desk.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    go_back(desk)
    expect(chats).to_be_visible()
    expect(desk.get_by_role("article")).to_be_hidden()


@pytest.mark.thorough
def test_everything_is_done_with_the_keyboard(desk: Page, empty_sandbox: SandboxServer):
    sid = visit(empty_sandbox)
    link = desk.get_by_role("link", name="Ada Lovelace")
    expect(link).to_be_visible()
    desk.get_by_label("Your name").focus()
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("switch", name="Available")).to_be_focused()
    desk.keyboard.press("Tab")
    expect(link).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("#chat-name")).to_be_focused()
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("button", name="Accept")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.get_by_label("Your answer")).to_be_focused()
    desk.keyboard.type("Hello")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("log")).to_contain_text("Hello")
    assert empty_sandbox.messages(sid)[-1]["body"] == "Hello"


@pytest.mark.thorough
def test_many_chats_make_the_list_longer_and_not_the_page(desk: Page, empty_sandbox: SandboxServer) -> None:
    for number in range(20):
        visit(empty_sandbox, f"Visitor {number}")
    expect(desk.get_by_role("link", name="Visitor 19")).to_be_attached()
    choose(desk, "Visitor 0")
    assert desk.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    assert desk.get_by_role("navigation", name="Chats").evaluate("(e) => e.scrollHeight - e.clientHeight") > 0


@pytest.mark.thorough
def test_what_is_written_stays_with_its_chat_and_addresses_are_links(desk: Page, empty_sandbox: SandboxServer) -> None:
    visit(empty_sandbox, "Ada Lovelace", "Is https://www.example.com/map?a=1, right?")
    visit(empty_sandbox, "Bob", "Hello")
    accept(desk, "Ada Lovelace")
    link = desk.get_by_role("log").get_by_role("link")
    expect(link).to_have_attribute("href", "https://www.example.com/map?a=1")
    expect(desk.get_by_role("log")).to_contain_text(", right?")
    answer = desk.get_by_label("Your answer")
    answer.fill("For Ada")
    accept(desk, "Bob")
    expect(answer).to_have_value("")
    answer.fill("For Bob")
    choose(desk, "Ada Lovelace")
    expect(answer).to_have_value("For Ada")
    answer.press("Enter")
    expect(answer).to_have_value("")
    choose(desk, "Bob")
    expect(answer).to_have_value("For Bob")


def test_the_agent_sends_a_picture_and_sees_why_the_chat_ended(desk: Page, empty_sandbox: SandboxServer) -> None:
    sid = visit(empty_sandbox)
    accept(desk)
    desk.get_by_label("File…").set_input_files({"name": "map.png", "mimeType": "image/png", "buffer": b"map"})
    expect(desk.get_by_role("log").get_by_text("map.png")).to_be_visible()
    empty_sandbox.close(sid)
    expect(desk.get_by_text("The website ended it")).to_be_visible()
    expect(desk.get_by_text("The agent completed it.")).to_be_hidden()
