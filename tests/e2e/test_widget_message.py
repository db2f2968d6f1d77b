"""A message left in the widget while nobody is there."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.engines import Engine
from tests.support.site import SiteServer
from tests.support.widget import ANSWERS, Widget

# Of the demo's form, beside the answers.
CLOSED = """
hours, _ = OpeningHours.objects.get_or_create(name="Never", time_zone="Europe/Berlin")
webchat = Webchat.objects.get(slug="support")
fields = list(webchat.fields.all())
webchat.pk, webchat.slug, webchat.hours, webchat.when_closed = None, "asleep", hours, "message"
webchat.message_recipients = "staff@example.com"
webchat.save()
for field in fields:
    field.pk, field.webchat = None, webchat
    field.save()
"""


@pytest.fixture(scope="module", autouse=True)
def closed(site: SiteServer) -> None:
    site.shell(CLOSED)


@pytest.fixture
def asleep(widget: Widget) -> Widget:
    """The launcher of the demo's page, with the panel of the closed webchat."""
    widget.goto()
    widget.element.evaluate("(e) => { e.src = '/webchat/asleep/panel/' }")
    widget.open()
    expect(widget.form).to_have_js_property("noValidate", True)
    return widget


def messages(site: SiteServer) -> int:
    return int(site.shell("print(Message.objects.count())"))


def test_a_visitor_leaves_a_message_and_reads_that_it_arrived(asleep: Widget) -> None:
    page, panel = asleep.page, asleep.panel
    before = messages(asleep.site)
    page.evaluate("document.addEventListener('web-chat:left', ({ detail }) => { window.left = detail })")
    send = panel.get_by_role("button", name="Send message")
    send.click()
    expect(asleep.errors).to_be_focused()
    expect(asleep.errors).to_contain_text("Your message has not been sent yet")
    asleep.fill()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    send.click()
    arrived = panel.get_by_role("heading", name="Your message has arrived.")
    expect(arrived).to_be_focused()
    assert not [url for url in requests if "/chat/" in url or "/sdk/" in url], (
        "a message needs none of a chat's scripts"
    )
    assert messages(asleep.site) == before + 1
    message_id = asleep.site.shell("print(Message.objects.latest('received_at').pk)")
    assert page.evaluate("window.left") == {"message_id": message_id}
    panel.get_by_role("link", name="Back to the form").click()
    expect(asleep.field("question")).to_have_value("")
    assert page.url == f"{asleep.site.url}/"


def test_what_was_written_stays_when_the_line_breaks(asleep: Widget) -> None:
    asleep.fill()
    before = messages(asleep.site)
    asleep.page.route("**/messages/", lambda route: route.abort())
    asleep.panel.get_by_role("button", name="Send message").click()
    expect(asleep.errors).to_contain_text("what you wrote is kept")
    asleep.page.unroute("**/messages/")
    asleep.errors.get_by_role("button", name="Try again").click()
    expect(asleep.panel.get_by_role("heading", name="Your message has arrived.")).to_be_visible()
    assert messages(asleep.site) == before + 1


@pytest.mark.parametrize("context", [{"java_script_enabled": False}], indirect=True)
def test_a_message_is_left_without_javascript(widget: Widget, context: BrowserContext) -> None:
    before = messages(widget.site)
    widget.goto("/webchat/asleep/")
    form = widget.page.locator("[data-webchat-form]")
    for name, value in {"name": "José", "email": "jose@example.com", "question": "Where is my parcel?"}.items():
        form.locator(f"[name={name}]").fill(value)
    form.get_by_role("button", name="Send message").click()
    expect(widget.page.get_by_role("heading", name="Your message has arrived.")).to_be_visible()
    assert messages(widget.site) == before + 1


def test_a_chat_in_the_page_takes_a_message(page: Page, site: SiteServer) -> None:
    before = messages(site)
    inline = Widget(page, site, "asleep").goto("/host/none/inline/?webchat=asleep")
    expect(inline.panel.get_by_text("The chat is closed at the moment.")).to_be_visible()
    inline.panel.get_by_role("link", name="Leave a message").click()
    expect(inline.form).to_have_js_property("noValidate", True)
    inline.panel.get_by_role("button", name="Send message").click()
    expect(inline.errors).to_be_focused()
    inline.fill().panel.get_by_role("button", name="Send message").click()
    expect(inline.panel.get_by_role("heading", name="Your message has arrived.")).to_be_focused()
    assert messages(site) == before + 1
    inline.panel.get_by_role("link", name="Back to the form").click()
    expect(inline.field("question")).to_have_value("")


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["firefox", "webkit"], indirect=True)
def test_a_message_in_the_other_engines(engine: Engine, site: SiteServer) -> None:
    before = messages(site)
    engine.goto(f"{site.url}/host/none/one/?webchat=asleep")
    engine.wait("document.querySelector('[data-webchat-launcher]').innerText.includes('Leave a message')")
    engine.click("[data-webchat-launcher]")
    engine.wait("document.activeElement.name === 'name'")
    engine.click("[data-webchat-submit]")
    engine.wait("document.activeElement.matches('[data-webchat-errors]')")
    for name, value in ANSWERS.items():
        engine.fill(f"[data-webchat-form] [name={name}]", value)
    engine.click("[data-webchat-submit]")
    engine.wait("document.activeElement.innerText === 'Your message has arrived.'")
    assert messages(site) == before + 1
    engine.click("[data-webchat-panel] [data-webchat-state] a")
    engine.wait("document.querySelector('[data-webchat-form] [name=question]')?.value === ''")
