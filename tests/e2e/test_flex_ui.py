"""The genuine Flex Webchat UI 2.9.4, as Twilio built it, on the demo's page for the legacy API.

It runs against our token and WebChannels endpoints and, by its own SDK (twilio-chat 3.4.0), against the sandbox: the form,
the start, messages, typing, the next token, the end. The sandbox was written by that SDK and by what it asks for; how
Twilio itself answers it since the end of that API is not known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
import requests
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Route, expect

from tests.e2e.test_journey import sign_in
from tests.support.site import ROOT, SiteServer
from tests.support.waiting import until
from tests.support.widget import AGENT, ANSWERS, Widget
from webchat.legacy.page import CDN_URL, STATIC_NAME

# As Back does, out of the browser's memory.
COMES_BACK = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
TYPED = {"friendlyName": ANSWERS["name"], "email": ANSWERS["email"], "question": ANSWERS["question"]}
UI_FILE = "**/webchat/flex-ui/twilio-flex-webchat*.js"


def type_into(field: Locator, text: str) -> None:
    """Key by key, in the place of what is there: React does not hear Playwright's fill() in Firefox."""
    field.press("ControlOrMeta+a")
    field.press("Delete")
    field.press_sequentially(text)


class GenuineUi:
    """Acts by the names of its fields: it ties no label to them."""

    def __init__(self, page: Page, site: SiteServer) -> None:
        self.page, self.site = page, site
        self.frame = page.locator("#twilio-customer-frame")
        self.launcher = self.frame.locator(".Twilio-EntryPoint")
        self.submit = self.frame.locator(".Twilio-DynamicForm-submit")
        self.messages = self.frame.locator(".Twilio-MessageListItem")
        self.composer = self.frame.locator(".Twilio-MessageInput textarea")
        self.own = Widget(page, site, "legacy")
        self.console: list[str] = []
        page.on("console", self._note)
        # Its font, which is of no use here.
        page.route("https://assets.flex.twilio.com/**", lambda route: route.abort())

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(message.text)

    def goto(self) -> Self:
        self.page.goto(f"{self.site.url}/legacy/")
        return self

    def open(self) -> Self:
        self.launcher.click()
        expect(self.submit).to_be_visible()
        return self

    def field(self, name: str) -> Locator:
        return self.frame.locator(f"[name={name}]")

    def fill(self, **answers: str) -> Self:
        for name, value in (TYPED | answers).items():
            type_into(self.field(name), value)
        return self

    def send(self, text: str) -> None:
        type_into(self.composer, text)
        self.composer.press("Enter")

    def start(self) -> str:
        """All the way into a chat; its channel."""
        self.goto().open().fill()
        with self.page.expect_response("**/flex-ui/web-channels") as answer:
            self.submit.click()
        assert answer.value.status == 201
        expect(self.composer).to_be_visible(timeout=15_000)
        return str(answer.value.json()["sid"])

    def log(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.site.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]


@pytest.fixture
def ui(page: Page, site: SiteServer) -> Iterator[GenuineUi]:
    yield GenuineUi(page, site)
    site.sandbox.clear_faults()


@pytest.fixture
def loud_ui(context: BrowserContext, site: SiteServer) -> Iterator[GenuineUi]:
    """Where the UI itself throws into the air, which the usual page does not let pass."""
    yield GenuineUi(context.new_page(), site)
    site.sandbox.clear_faults()


# --- What it is for --------------------------------------------------------------------------------------------------


def test_its_form_is_ours_and_it_validates_what_it_can(ui: GenuineUi) -> None:
    ui.goto()
    expect(ui.launcher).to_have_accessible_name("Chat with us")
    ui.open()
    expect(ui.launcher).to_have_accessible_name("Minimise chat")
    expect(ui.frame.get_by_text("Tell us how we can help.")).to_be_visible()
    expect(ui.frame.get_by_text("Your name *")).to_be_visible()
    expect(ui.field("customer_number")).to_have_attribute("placeholder", "C-1234")
    expect(ui.submit).to_be_disabled()
    ui.fill(email="nobody")
    ui.field("friendlyName").focus()
    expect(ui.frame.get_by_text("Please provide a valid email address")).to_be_visible()
    expect(ui.submit).to_be_disabled()
    ui.fill(question="")
    ui.field("email").focus()
    expect(ui.frame.get_by_text("Field required")).to_be_visible()
    ui.fill()
    expect(ui.submit).to_be_enabled()
    expect(ui.submit).to_have_text("Start chat")


def test_a_chat_from_its_form_to_its_end(ui: GenuineUi) -> None:
    channel = ui.start()
    sandbox = ui.site.sandbox
    seen = sandbox.desk(channel)
    assert seen["api"] == "web_channels"
    data = seen["pre_engagement_data"]
    assert {name: data[name] for name in ("friendlyName", "name", "email", "question")} == {
        "friendlyName": ANSWERS["name"],
        **ANSWERS,
    }
    assert data["location"] == f"{ui.site.url}/legacy/"
    expect(ui.messages.filter(has_text=ANSWERS["question"])).to_have_count(1)
    expect(ui.messages.filter(has_text="An agent will be with you shortly.")).to_be_visible()

    ui.send("It was due yesterday.")
    expect(ui.messages.filter(has_text="It was due yesterday.")).to_be_visible()
    assert [each["body"] for each in sandbox.messages(channel)] == [ANSWERS["question"], "It was due yesterday."]

    sandbox.desk(channel, "accept", author="Robin")
    sandbox.desk(channel, "typing", author="Robin")
    expect(ui.frame.get_by_text("is typing")).to_be_visible()
    sandbox.say(channel, AGENT, "I am looking.")
    expect(ui.messages.filter(has_text="I am looking.")).to_be_visible()

    sandbox.desk(channel, "complete", author="Robin")
    expect(ui.frame.get_by_text("Thanks for chatting with us!")).to_be_visible()


@pytest.mark.thorough
def test_its_next_token_is_ours_too(ui: GenuineUi) -> None:
    channel = ui.start()
    identity = ui.site.sandbox.participants(channel)[0]["identity"]
    with ui.page.expect_response("**/flex-ui/token/refresh") as answer:
        assert ui.site.sandbox.connections("about_to_expire", identity) == 1
    assert answer.value.status == 200
    assert answer.value.json()["identity"] == identity
    ui.send("Still here.")
    expect(ui.messages.filter(has_text="Still here.")).to_be_visible()


@pytest.mark.thorough
def test_a_new_chat_after_the_end_is_another_identitys(loud_ui: GenuineUi) -> None:
    """Its SDK reports what was read once more, to a connection that is closed."""
    ui = loud_ui
    first = ui.start()
    ui.site.sandbox.desk(first, "complete", author="Robin")
    ui.frame.get_by_role("button", name="Start new chat").click()
    ui.fill(question="And another thing.")
    with ui.page.expect_response("**/flex-ui/web-channels") as answer:
        ui.submit.click()
    assert answer.value.status == 201
    second = answer.value.json()["sid"]
    identities = {ui.site.sandbox.participants(sid)[0]["identity"] for sid in (first, second)}
    assert (first != second, len(identities)) == (True, 2)


@pytest.mark.thorough
def test_a_reload_finds_the_chat(loud_ui: GenuineUi) -> None:
    """Its SDK asks for something more while the page goes, and says in Firefox that it cannot."""
    ui = loud_ui
    ui.start()
    ui.page.reload()
    expect(ui.messages.filter(has_text=ANSWERS["question"])).to_be_visible(timeout=15_000)


@pytest.mark.thorough
def test_nothing_of_a_chat_is_left_for_the_next_visitor(ui: GenuineUi) -> None:
    """Its token would open the chat to whoever looks into the browser's storage."""
    writes = """() => localStorage.getItem("twilio-flex-cf")?.includes('"token":"')"""
    channel = ui.start()
    ui.page.wait_for_function(writes)  # once a second, into the page's memory
    stored = ui.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert channel not in stored
    assert "eyJ" not in stored  # no token
    ui.page.context.clear_cookies()
    ui.goto().open()
    assert not ui.page.evaluate(writes)


@pytest.mark.thorough
def test_a_page_that_comes_back_after_a_sign_out_is_fetched_anew(ui: GenuineUi) -> None:
    sign_in(ui.page, ui.site)
    ui.goto().open()
    ui.page.context.clear_cookies(name="sessionid")
    ui.page.evaluate("window.before = true")
    ui.page.evaluate(COMES_BACK)
    ui.page.wait_for_function("() => !window.before")
    ui.open()
    expect(ui.field("email")).to_have_value("")


@pytest.mark.thorough
def test_a_signed_in_visitors_account_answers(ui: GenuineUi) -> None:
    sign_in(ui.page, ui.site)
    ui.goto().open()
    expect(ui.field("email")).to_have_value("ada@example.com")
    expect(ui.field("email")).not_to_be_editable()
    type_into(ui.field("question"), "Where is my parcel?")
    with ui.page.expect_response("**/flex-ui/web-channels") as answer:
        ui.submit.click()
    data = ui.site.sandbox.desk(answer.value.json()["sid"])["pre_engagement_data"]
    assert (data["friendlyName"], data["email"]) == ("Ada Lovelace", "ada@example.com")
    assert data["verified"] == ["customer_number", "email"]


# --- Where it fails --------------------------------------------------------------------------------------------------


def expect_own(ui: GenuineUi, why: str) -> None:
    """Our own widget has taken its place, and the console says why."""
    expect(ui.frame).to_have_count(0)
    expect(ui.own.element).to_have_count(1)
    assert [line for line in ui.console if "replaced by the site's own widget" in line and why in line], ui.console


def test_without_its_file_our_own_launcher_is_there(ui: GenuineUi) -> None:
    ui.page.route(UI_FILE, lambda route: route.abort())
    ui.goto()
    expect(ui.own.launcher).to_be_visible()
    expect_own(ui, "cannot be loaded")
    ui.own.open().fill().submit()
    ui.own.expect_connected()


@pytest.mark.thorough
def test_where_the_site_has_no_file_it_comes_from_twilios_host(ui: GenuineUi) -> None:
    """As a page says it then; and Twilio's host is played here, with the file that it has."""
    file = (ROOT / "static" / STATIC_NAME).read_bytes()

    def name_the_host(route: Route) -> None:
        answer = route.fetch()
        html = re.sub(r'data-script="[^"]+"', f'data-script="{CDN_URL}"', answer.text())
        route.fulfill(response=answer, body=html)

    ui.page.route("**/legacy/", name_the_host)
    ui.page.route(
        CDN_URL,
        lambda route: route.fulfill(
            body=file, content_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"}
        ),
    )
    ui.goto().open()
    expect(ui.frame.get_by_text("Your name *")).to_be_visible()


def test_another_file_in_its_place_never_runs(ui: GenuineUi) -> None:
    ui.page.route(UI_FILE, lambda route: route.fulfill(body="window.stolen = 1", content_type="text/javascript"))
    ui.goto()
    expect(ui.own.launcher).to_be_visible()
    assert ui.page.evaluate("window.stolen") is None


BUSY_FOR_LONG = {"status": 429, "times": 3, "headers": {"Retry-After": "60"}}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("path", "break_it", "reason"),
    [
        ("web-channels", lambda sandbox: sandbox.fault("POST", "/v1/WebChannels", status=410), "gone"),
        ("web-channels", lambda sandbox: sandbox.fault("POST", "/v1/WebChannels", **BUSY_FOR_LONG), "busy"),
        ("web-channels", lambda sandbox: sandbox.fault("POST", "/v1/WebChannels", status=400), "refused"),
    ],
    ids=["gone", "busy", "refused"],
)
def test_what_would_leave_it_spinning_is_in_the_log_and_the_visitor_goes_on(
    ui: GenuineUi, path: str, break_it: Callable[[Any], None], reason: str
) -> None:
    break_it(ui.site.sandbox)
    ui.goto().open().fill()
    before = len(ui.log("flex_ui_refused"))
    ui.submit.click()
    expect_filled(ui)
    expect_own(ui, "503")
    expect(ui.own.errors).to_be_focused()
    expect(ui.own.errors).to_contain_text("The chat is not available at the moment.")
    [line] = ui.log("flex_ui_refused")[before:]
    assert line["path"].endswith(path)
    assert line["reason"].startswith(reason)
    ui.site.sandbox.clear_faults()
    # Staff save the webchat, and Twilio is asked again; the site reads that within a second.
    ui.site.shell("Webchat.objects.get(slug='legacy').save()")
    subtitle(ui.site, f"Saved after {reason}")
    until(lambda: f"Saved after {reason}" in requests.get(f"{ui.site.url}/webchat/legacy/", timeout=60).text)
    ui.own.submit()
    ui.own.expect_connected()
    subtitle(ui.site, "")


def subtitle(site: SiteServer, words: str) -> None:
    site.shell(f"Webchat.objects.filter(slug='legacy').update(subtitle={words!r})")


def expect_filled(ui: GenuineUi) -> None:
    for name, value in ANSWERS.items():
        expect(ui.own.field(name)).to_have_value(value)


@pytest.mark.thorough
def test_what_only_the_server_checks_is_shown_by_our_own_form(ui: GenuineUi) -> None:
    ui.goto().open().fill(friendlyName="<b>Ada</b>")
    ui.submit.click()
    expect(ui.own.field("name")).to_have_value("<b>Ada</b>")
    [line] = ui.log("flex_ui_refused")[-1:]
    assert line["reason"] == "the form refuses: name"
    ui.own.submit()
    expect(ui.own.field("name")).to_be_focused()
    expect(ui.own.field("name")).to_have_attribute("aria-invalid", "true")
    assert "<b>" not in json.dumps(ui.log("flex_ui_refused"))


@pytest.mark.thorough
def test_a_token_that_is_refused_is_explained_too(ui: GenuineUi) -> None:
    """Staff close the chat while a visitor fills the form."""
    ui.goto().open().fill()
    ui.site.shell("Webchat.objects.filter(slug='legacy').update(enabled=False)")
    try:
        ui.submit.click()
        expect(ui.own.panel.get_by_text("The chat is closed at the moment.")).to_be_visible()
    finally:
        ui.site.shell("Webchat.objects.filter(slug='legacy').update(enabled=True)")
    expect_own(ui, "503")
    [line] = ui.log("flex_ui_refused")[-1:]
    assert (line["path"], line["reason"]) == ("/webchat/legacy/flex-ui/token", "chat_closed")


def test_a_chat_that_its_sdk_cannot_open_goes_on_in_our_own_widget(loud_ui: GenuineUi) -> None:
    """Its API for browsers may be gone while the channel is there."""
    ui = loud_ui
    ui.site.sandbox.fault("POST", "/v3/Lists", status=410, times=9)
    ui.goto().open().fill()
    with ui.page.expect_response("**/flex-ui/web-channels") as answer:
        ui.submit.click()
    ui.own.expect_connected()
    expect(ui.own.messages.filter(has_text=ANSWERS["question"])).to_have_count(1)
    expect_own(ui, "")
    ui.own.credentials = {"channel_sid": answer.value.json()["sid"]}
    assert ui.own.at_twilio() == [ANSWERS["question"]]


@pytest.mark.thorough
def test_a_chat_that_went_to_the_address_goes_on_in_our_own_widget(ui: GenuineUi) -> None:
    """The legacy API is gone, and the webchat names where to go."""
    address = "'IG' + '0' * 32"
    ui.site.shell(f"Webchat.objects.filter(slug='legacy').update(address_sid={address})")
    ui.site.sandbox.fault("POST", "/v1/WebChannels", status=410)
    try:
        channel = ui.start()
    finally:
        ui.site.shell("Webchat.objects.filter(slug='legacy').update(address_sid='')")
    assert ui.site.sandbox.desk(channel)["api"] == "conversations"
    ui.page.reload()
    expect_own(ui, "another API")
    ui.own.open()
    expect(ui.own.messages.filter(has_text=ANSWERS["question"])).to_have_count(1)
