"""Each request of the widget's life fails in each way: the visitor reads what happened and what to do, nothing turns
for ever, and what was typed is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain

import pytest
from playwright.sync_api import BrowserContext, Locator, Route, WebSocketRoute, expect

from tests.support.site import ROOT, SiteServer
from tests.support.waiting import until
from tests.support.widget import ANSWERS, RECORD_BODIES, Widget, access_token, fetch

# What a proxy, or a server that is being deployed, says in our place: never our JSON.
PAGE = "<!doctype html><title>Oops</title><h1>Bad gateway</h1>"


def answer(status: int, **headers: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, headers={"Content-Type": "text/html", **headers}, body=PAGE)


FAILURES: dict[str, Callable[[Route], None]] = {
    "aborted": lambda route: route.abort(),
    "silent": lambda route: None,
    "500": answer(500),
    "403": answer(403),
    "404": answer(404),
    "429": answer(429, **{"Retry-After": "1"}),
    "503": answer(503, **{"Retry-After": "1"}),
}

# Our pauses of seconds pass in tens of milliseconds, our limits in one or two seconds: a busy machine answers in that.
# What is shorter keeps its time, and so does the SDK.
HURRY = """{
  const later = globalThis.setTimeout, limit = AbortSignal.timeout;
  const hurry = (ms, times) => ms < 1000 || new Error().stack.includes("/sdk/") ? ms : ms / times;
  globalThis.setTimeout = (run, ms = 0, ...rest) => later(run, hurry(ms, 25), ...rest);
  AbortSignal.timeout = (ms) => limit.call(AbortSignal, hurry(ms, 8));
}"""

PANEL, START, CURRENT, TOKEN, END = "**/panel/", "**/sessions/", "**/sessions/current/", "**/token/", "**/end/"
CANNOT_REACH = "We cannot reach the chat right now. Your text is kept."
DRAFT = "half a sent"


@pytest.fixture
def widget(widget: Widget) -> Widget:
    widget.page.add_init_script(HURRY)
    widget.record_events()
    return widget


@pytest.fixture
def unwatched(context: BrowserContext, site: SiteServer) -> Iterator[Widget]:
    """On a page that may violate the policy, and on which the SDK may leave a refused connection unhandled: both fail a
    test otherwise."""
    page = context.new_page()
    page.add_init_script(HURRY)
    yield Widget(page, site)
    site.sandbox.clear_faults()


def failing_in_turn(
    widget: Widget, address: str | re.Pattern[str], failures: dict[str, Callable[[Route], None]] = FAILURES
) -> Iterator[str]:
    """Has the address fail in each way; the caller makes the request, and sees what the visitor sees."""
    for name, fail in failures.items():
        widget.page.route(address, fail)
        yield name
        widget.page.unroute(address)


def expect_nothing_turns(widget: Widget) -> None:
    expect(widget.element.locator(".webchat-spinner").filter(visible=True)).to_have_count(0)


def notice(widget: Widget) -> Locator:
    return widget.panel.locator("[data-webchat-connection]")


def try_again(widget: Widget) -> Locator:
    return widget.panel.get_by_role("button", name="Try again").filter(visible=True)


def expect_error_events(widget: Widget, count: int) -> None:
    """Each try has its own, so that what is on the screen is of this try and not of the one before."""
    until(lambda: [name for name, _detail in widget.events()].count("error") >= count)


def expect_delivered(widget: Widget) -> None:
    """Nothing says that it is being sent, or was not."""
    expect(widget.messages.locator("[data-webchat-delivery]").filter(visible=True)).to_have_count(0)


def module(name: str) -> re.Pattern[str]:
    return re.compile(rf"/{name}\.[0-9a-f]+\.js$")


# tests/website/test_module_lists.py holds the list against the imports.
LIST = (ROOT / "templates/webchat/_modules.html").read_text().partition("</template>")[0]
PANEL_MODULES = re.findall(r"webchat/([\w-]+)\.js", LIST)


# --- Before there is a form ------------------------------------------------------------------------------------


def expect_not_loaded(widget: Widget, tries: int) -> None:
    expect_error_events(widget, tries)
    expect(widget.panel.get_by_role("alert")).to_contain_text("The chat could not be loaded.")
    expect_nothing_turns(widget)
    expect(try_again(widget)).to_have_count(1)


def test_the_panel_does_not_come(widget: Widget) -> None:
    widget.goto()
    for tries, _failure in enumerate(failing_in_turn(widget, PANEL), start=1):
        (try_again(widget) if tries > 1 else widget.launcher).click()
        expect_not_loaded(widget, tries)
    try_again(widget).click()
    expect(widget.field("name")).to_be_visible()


@pytest.mark.parametrize("name", PANEL_MODULES)
def test_a_module_does_not_come(widget: Widget, name: str) -> None:
    widget.goto()
    answers = {failure: fail for failure, fail in FAILURES.items() if failure != "silent"}
    for tries, _failure in enumerate(failing_in_turn(widget, module(name), answers), start=1):
        (try_again(widget) if tries > 1 else widget.launcher).click()
        expect_not_loaded(widget, tries)
    try_again(widget).click()
    expect(widget.field("name")).to_be_visible()


@pytest.mark.thorough
def test_a_module_that_never_arrives_is_not_waited_for_without_end(widget: Widget) -> None:
    widget.page.route(module("panel"), FAILURES["silent"])
    widget.goto().open()
    expect_not_loaded(widget, 1)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["launcher", "form", "chat"])
def test_without_a_stylesheet_the_chat_is_plain_and_works(widget: Widget, name: str) -> None:
    # The launcher's stands in the page, which a browser holds back for it as for any other of the page.
    answers = {failure: fail for failure, fail in FAILURES.items() if (failure, name) != ("silent", "launcher")}
    for _failure in failing_in_turn(widget, re.compile(rf"/{name}(\.css\?v=|\.[0-9a-f]+\.css$)"), answers):
        widget.page.goto(f"{widget.site.url}/", wait_until="commit")
        widget.open()
        expect(widget.field("name")).to_be_visible()
        widget.page.keyboard.press("Escape")


def test_without_the_launchers_script_its_link_leads_to_the_chat(widget: Widget) -> None:
    for _failure in failing_in_turn(widget, module("web-chat")):
        widget.page.goto(f"{widget.site.url}/", wait_until="commit")
        with widget.page.expect_navigation(url="**/webchat/support/", wait_until="commit"):
            widget.page.get_by_role("link", name="Chat with us").click()
        expect(widget.page.get_by_label("How can we help?")).to_be_visible()


# --- The start -------------------------------------------------------------------------------------------------


def test_the_start_fails(widget: Widget) -> None:
    widget.goto().open().fill()
    submit = widget.panel.locator("[data-webchat-submit]")
    for tries, failure in enumerate(failing_in_turn(widget, START), start=1):
        submit.click()
        expect_error_events(widget, tries)
        expect(widget.errors).to_be_focused()
        expect(widget.errors).to_contain_text("what you wrote is kept")
        expect(widget.errors).to_contain_text(re.compile("try again", re.IGNORECASE))
        expect(submit).to_have_attribute("aria-disabled", "false")
        expect_nothing_turns(widget)
        for name, value in ANSWERS.items():
            assert widget.field(name).input_value() == value, failure
    submit.click()
    widget.expect_connected()


# --- The way to Twilio -----------------------------------------------------------------------------------------


def expect_unreachable(widget: Widget) -> None:
    expect(notice(widget)).to_have_text(CANNOT_REACH)
    expect(try_again(widget)).to_have_count(1)
    expect_nothing_turns(widget)


def begin(widget: Widget) -> None:
    """Into a chat that may never be connected."""
    widget.goto().open().fill()
    with widget.page.expect_response(START) as answer:
        widget.submit()
    widget.credentials = answer.value.json()


def test_the_sdk_does_not_come(widget: Widget) -> None:
    answers = {failure: fail for failure, fail in FAILURES.items() if failure != "silent"}
    failures = failing_in_turn(widget, module("sdk/conversations"), answers)
    next(failures)
    begin(widget)
    for tries, _failure in enumerate(chain(["aborted"], failures), start=1):
        if tries > 1:
            try_again(widget).click()
        expect_error_events(widget, tries)
        expect_unreachable(widget)
        if tries == 1:
            widget.composer.fill(DRAFT)
    expect(widget.composer).to_have_value(DRAFT)
    try_again(widget).click()
    widget.expect_connected()
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(2)
    assert widget.at_twilio()[-1] == DRAFT


@pytest.mark.thorough
def test_an_sdk_that_never_arrives_is_not_waited_for_without_end(widget: Widget) -> None:
    widget.page.route(module("sdk/conversations"), FAILURES["silent"])
    begin(widget)
    expect_unreachable(widget)
    widget.send("Does this go out?")
    expect(widget.messages.last).to_contain_text("Not sent.")
    expect(widget.messages.last).to_contain_text("Does this go out?")


@pytest.mark.thorough
@pytest.mark.parametrize("failure", ["closed", "silent"])
def test_the_websocket_does_not_open(unwatched: Widget, failure: str) -> None:
    reachable = False

    def connect(socket: WebSocketRoute) -> None:
        if reachable:
            socket.connect_to_server()
        elif failure == "closed":
            socket.close()

    unwatched.page.route_web_socket(re.compile("wsconnect"), connect)
    begin(unwatched)
    expect_unreachable(unwatched)
    unwatched.composer.fill(DRAFT)
    reachable = True
    try_again(unwatched).click()
    unwatched.expect_connected()
    expect(notice(unwatched)).not_to_have_text(CANNOT_REACH)
    expect(unwatched.composer).to_have_value(DRAFT)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_twilio_refuses_the_websocket(unwatched: Widget, status: int) -> None:
    sandbox = unwatched.site.sandbox
    sandbox.fault("GET", "/v3/wsconnect", status=status, headers={"Retry-After": "1"}, times=1000)
    begin(unwatched)
    unwatched.composer.fill(DRAFT)
    expect_unreachable(unwatched)
    try_again(unwatched).click()
    expect_unreachable(unwatched)
    sandbox.clear_faults()
    # It tries by itself too: the button may be gone before anybody could press it.
    unwatched.expect_connected()
    expect(unwatched.composer).to_have_value(DRAFT)


# --- While the chat runs ---------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_running_chat_cannot_be_looked_up(widget: Widget) -> None:
    widget.start()
    widget.composer.fill(DRAFT)
    failures = failing_in_turn(widget, CURRENT)
    next(failures)
    widget.page.reload()
    for tries, _failure in enumerate(chain(["aborted"], failures), start=1):
        if tries > 1:
            try_again(widget).click()
        expect_error_events(widget, tries)
        expect(widget.panel.get_by_role("alert")).to_contain_text(re.compile("try again", re.IGNORECASE))
        expect_nothing_turns(widget)
        expect(try_again(widget)).to_have_count(1)
    try_again(widget).click()
    widget.expect_connected()
    expect(widget.composer).to_have_value(DRAFT)


@pytest.mark.thorough
def test_the_token_is_not_renewed_at_first(widget: Widget) -> None:
    """Whoever answers in our place does not end the chat: it goes on as soon as we answer."""
    widget.start()
    widget.composer.fill(DRAFT)
    for failure in ("aborted", "silent", "500", "404", "429", "503"):
        widget.page.route(TOKEN, FAILURES[failure], times=1)
    with widget.page.expect_response(lambda one: one.url.endswith("/token/") and one.status == 200):
        widget.site.sandbox.connections("expire", widget.credentials["identity"])
    expect(widget.composer).to_have_value(DRAFT)
    widget.agent_says("Still there?")
    expect(widget.messages).to_have_count(2)
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(3)
    expect_delivered(widget)
    assert widget.at_twilio()[-1] == DRAFT


@pytest.mark.thorough
def test_the_token_runs_out_and_no_other_is_given(widget: Widget) -> None:
    def with_a_short_life(route: Route) -> None:
        found = fetch(route)
        credentials = found.json()
        route.fulfill(response=found, json={**credentials, "token": access_token(credentials["identity"], seconds=4)})

    widget.page.add_init_script(RECORD_BODIES)
    widget.page.route(START, with_a_short_life)
    widget.page.route(TOKEN, FAILURES["403"])
    widget.start()
    widget.composer.fill(DRAFT)
    expect(notice(widget)).to_have_text(CANNOT_REACH)
    expect_unreachable(widget)
    expect(widget.composer).to_have_value(DRAFT)
    widget.page.unroute(TOKEN)
    try_again(widget).click()
    expect(widget.panel.get_by_text("An agent will be with you shortly.")).to_be_visible()
    widget.composer.press("Enter")
    expect(widget.messages).to_have_count(2)
    expect_delivered(widget)
    assert widget.at_twilio()[-1] == DRAFT


def test_the_end_cannot_be_told(widget: Widget) -> None:
    widget.start()
    widget.composer.fill(DRAFT)
    widget.panel.get_by_role("button", name="End chat").click()
    end = widget.panel.locator("[data-webchat-confirm-end]")
    problem = widget.panel.locator("[data-webchat-confirm-problem]")
    for failure in failing_in_turn(widget, END):
        end.click()
        expect(problem).to_contain_text(re.compile("try again", re.IGNORECASE))
        expect(end).not_to_have_attribute("aria-disabled", "true")
        assert widget.panel.locator("[data-webchat-ended]").is_hidden(), failure
    widget.panel.get_by_role("button", name="Keep chatting").click()
    expect(widget.composer).to_have_value(DRAFT)
    widget.end()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()


def test_a_message_is_refused(widget: Widget) -> None:
    widget.start()
    for tries, status in enumerate((400, 429, 500, 503), start=2):
        widget.site.sandbox.fault(
            "POST", f"/Client/v2/Conversations/{widget.channel}/Messages", status=status, times=90
        )
        widget.send(f"Answered by {status}")
        failed = widget.messages.nth(tries - 1)
        expect(failed).to_contain_text("Not sent.")
        expect(failed).to_contain_text(f"Answered by {status}")
        widget.site.sandbox.clear_faults()
    for _message in range(4):
        try_again(widget).first.click()
    expect_delivered(widget)
    assert sorted(widget.at_twilio()[1:]) == [f"Answered by {status}" for status in (400, 429, 500, 503)]


# --- The browser's own refusals --------------------------------------------------------------------------------


def with_policy(widget: Widget, **directives: str) -> None:
    """The page comes with these directives in place of the site's own."""

    def serve(route: Route) -> None:
        found = route.fetch()
        name = "content-security-policy"
        policy = dict(part.strip().partition(" ")[::2] for part in found.headers[name].split(";"))
        policy |= {directive.replace("_", "-"): sources for directive, sources in directives.items()}
        value = "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
        route.fulfill(response=found, headers={**found.headers, name: value})

    widget.page.route(f"{widget.site.url}/", serve)


@pytest.mark.thorough
def test_a_policy_that_forgets_twilio(unwatched: Widget) -> None:
    with_policy(unwatched, connect_src="'self'")
    begin(unwatched)
    expect_unreachable(unwatched)


def test_a_policy_that_blocks_the_sdk(unwatched: Widget) -> None:
    site = unwatched.site
    ours = [path for name, path in site.hashed_static().items() if re.fullmatch(r"webchat/(chat/)?[\w-]+\.js", name)]
    with_policy(unwatched, script_src=" ".join(f"{site.url}{path}" for path in ours))
    begin(unwatched)
    expect_unreachable(unwatched)
    unwatched.composer.fill(DRAFT)
    expect(unwatched.composer).to_have_value(DRAFT)


# --- What is over on the server ----------------------------------------------------------------------------------


def test_the_visitors_cookie_is_gone(widget: Widget) -> None:
    """Nobody is the chat's owner any more: nothing of it stays on the screen, and another can be started."""
    widget.start()
    widget.page.context.clear_cookies()
    widget.site.sandbox.connections("expire", widget.credentials["identity"])
    expect(widget.field("name")).to_be_visible()
    expect(widget.panel.get_by_text(ANSWERS["question"])).to_have_count(0)
    widget.fill(question="Once more").submit()
    widget.expect_connected()
    expect(widget.messages).to_have_text(re.compile("Once more"))


@pytest.mark.thorough
def test_the_conversation_was_closed_meanwhile(widget: Widget) -> None:
    widget.start()
    widget.composer.fill(DRAFT)
    widget.page.goto("about:blank")
    widget.site.sandbox.close(widget.channel)
    widget.goto()
    expect(widget.panel.get_by_text("This chat has ended.")).to_be_visible()
    expect_nothing_turns(widget)
    widget.panel.get_by_role("button", name="Start a new chat").click()
    expect(widget.field("name")).to_be_visible()
