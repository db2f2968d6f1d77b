"""The pre-engagement form in the panel: errors at the fields, values kept, and a way on from each failure."""

from __future__ import annotations

import json
import re

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests.support.site import SiteServer
from tests.support.waiting import until
from tests.support.widget import ANSWERS, RECORD_BODIES, Widget, fetch, sent_bodies


def answer_once(page: Page, status: int, body: dict[str, object], **headers: str) -> None:
    """The next start gets this answer from the site; the one after it goes through."""

    def answer(route: Route) -> None:
        route.fulfill(status=status, headers={"Content-Type": "application/json", **headers}, body=json.dumps(body))

    page.route("**/sessions/", answer, times=1)


def expect_kept(widget: Widget, **answers: str) -> None:
    for name, value in (ANSWERS | answers).items():
        expect(widget.field(name)).to_have_value(value)


def test_errors_are_tied_to_their_fields(widget: Widget) -> None:
    widget.goto().open().fill(name=" ", email="nobody", question="").submit()
    expect(widget.errors).to_be_focused()
    for name in ("name", "email", "question"):
        field = widget.field(name)
        expect(field).to_have_attribute("aria-invalid", "true")
        described = (field.get_attribute("aria-describedby") or "").split()
        error = widget.page.locator(f"#{described[-1]}")
        expect(error).to_be_visible()
        expect(error).not_to_be_empty()
    expect(widget.field("email")).to_have_value("nobody")

    links = widget.errors.get_by_role("link")
    expect(links).to_have_count(3)
    links.last.click()
    expect(widget.field("question")).to_be_focused()
    assert widget.page.url == f"{widget.site.url}/"

    widget.fill().submit()
    widget.expect_connected()


@pytest.mark.thorough
def test_a_form_that_staff_change_comes_anew_with_what_was_typed(page: Page, site: SiteServer) -> None:
    site.shell("""
from tests.support.factories import Type, change, make_field, make_webchat
webchat = make_webchat(slug="changing", name="Changing")
make_field(webchat, "ref", label="Your reference")
make_field(webchat, "topic", type=Type.SELECT, choices="bill\\nparcel")
make_field(webchat, "agree", type=Type.CONSENT, label="I agree to A")
""")
    widget = Widget(page, site, "changing").goto("/webchat/changing/")
    expect(widget.form).to_have_js_property("noValidate", True)
    widget.fill(ref="A-17", question="What I wrote\nat length")
    widget.field("topic").select_option("bill")
    widget.field("agree").check()
    site.shell("""
from tests.support.factories import Type, change, make_field, make_webchat
webchat = Webchat.objects.get(slug="changing")
webchat.fields.get(name="ref").delete()
change(webchat.fields.get(name="topic"), choices="parcel\\nother")
change(webchat.fields.get(name="agree"), label="I agree to B")
make_field(webchat, "postcode")
""")
    panel = f"{site.url}/webchat/changing/panel/"
    until(lambda: "Postcode" in requests.get(panel, timeout=30).text)  # the site keeps its copy for a second
    widget.submit()
    expect(widget.errors).to_be_focused()
    expect(widget.errors.get_by_role("link")).to_have_text(
        [re.compile("^Topic"), re.compile("^I agree to B"), re.compile("^Postcode")]
    )
    expect_kept(widget, question="What I wrote\nat length", topic="", postcode="")
    expect(widget.field("agree")).not_to_be_checked()
    expect(widget.field("ref")).to_have_count(0)
    assert not [one for one in site.sandbox.conversations() if one["friendly_name"] == "Changing"]
    widget.field("topic").select_option("parcel")
    widget.field("agree").check()
    widget.field("postcode").fill("8001")
    with page.expect_response("**/sessions/") as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    assert widget.at_twilio() == ["What I wrote\nat length"]


@pytest.mark.thorough
def test_a_corrected_field_is_no_longer_marked(widget: Widget) -> None:
    widget.goto().open().fill(email="nobody", question="").submit()
    expect(widget.field("email")).to_be_focused()
    expect(widget.errors).to_be_hidden()
    widget.field("email").fill("jose@example.com")
    widget.submit()
    expect(widget.field("question")).to_be_focused()
    expect(widget.form.locator("[data-webchat-error]").get_by_text("Please fill this in.")).to_be_visible()
    expect(widget.field("email")).not_to_have_attribute("aria-invalid", "true")
    assert "error" not in (widget.field("email").get_attribute("aria-describedby") or "")


def test_a_refusal_by_twilio_is_said_and_nothing_is_lost(widget: Widget) -> None:
    widget.site.sandbox.fault("POST", "/v2/WebChats", status=429, times=20, headers={"Retry-After": "60"})
    widget.goto().open().fill().submit()
    expect(widget.errors).to_be_focused()
    expect(widget.errors).to_contain_text("not available at the moment")
    expect_kept(widget)
    widget.site.sandbox.clear_faults()
    widget.errors.get_by_role("button", name="Try again").click()
    widget.expect_connected()


def test_too_many_starts_are_told_when_to_come_back(widget: Widget) -> None:
    widget.goto().open().fill()
    detail = "Too many chats were started. Please try again in a minute."
    answer_once(widget.page, 429, {"code": "too_many", "detail": detail}, **{"Retry-After": "60"})
    widget.submit()
    expect(widget.errors).to_contain_text(detail)
    expect_kept(widget)
    widget.errors.get_by_role("button", name="Try again").click()
    widget.expect_connected()


def test_no_network_is_said_and_nothing_is_lost(widget: Widget) -> None:
    widget.goto().open().fill()
    widget.page.context.set_offline(True)
    widget.submit()
    expect(widget.errors).to_contain_text("Check your connection")
    expect_kept(widget)
    widget.page.context.set_offline(False)
    widget.errors.get_by_role("button", name="Try again").click()
    widget.expect_connected()


def test_a_lost_answer_makes_no_second_channel(widget: Widget) -> None:
    """The start succeeded and its answer never came: the same key finds the same chat."""
    widget.page.add_init_script(RECORD_BODIES)
    widget.goto().open().fill()
    channels: list[str] = []

    def swallow(route: Route) -> None:
        channels.append(fetch(route).json()["channel_sid"])
        route.abort("connectionreset")

    widget.page.route("**/sessions/", swallow, times=1)
    widget.submit()
    expect(widget.errors).to_contain_text("Check your connection")
    with widget.page.expect_response("**/sessions/") as answer:
        widget.errors.get_by_role("button", name="Try again").click()
    assert answer.value.status == 200
    assert answer.value.json()["channel_sid"] == channels[0]
    widget.expect_connected()


@pytest.mark.thorough
def test_a_start_that_is_still_going_on_is_waited_for(widget: Widget) -> None:
    widget.goto().open().fill()
    keys: list[str] = []
    widget.page.on(
        "request", lambda one: keys.append(one.headers["idempotency-key"]) if one.url.endswith("/sessions/") else None
    )
    answer_once(widget.page, 409, {"code": "starting", "detail": "Starting."}, **{"Retry-After": "1"})
    widget.submit()
    busy = widget.panel.locator("[data-webchat-submit]")
    expect(busy).to_have_text(re.compile("Starting…"))
    expect(busy).to_have_attribute("aria-disabled", "true")
    widget.expect_connected()
    assert len(keys) == 2
    assert keys[0] == keys[1]


@pytest.mark.parametrize("status", [403, 422, 410])
def test_a_form_that_grew_stale_is_renewed_under_what_was_typed(widget: Widget, status: int) -> None:
    widget.page.add_init_script(RECORD_BODIES)
    widget.goto().open().fill(question="Kept?")
    answer_once(widget.page, status, {"code": "stale", "detail": "Stale."})
    with widget.page.expect_response(lambda one: one.url.endswith("/sessions/") and one.status == 201) as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    assert widget.at_twilio() == ["Kept?"]
    keys = [re.search(r"idempotency_key=([^&]+)", body) for body in sent_bodies(widget.page, "/sessions/")]
    assert len({key[1] for key in keys if key}) == 2


@pytest.mark.thorough
def test_signing_in_elsewhere_does_not_lose_the_form(widget: Widget, page: Page) -> None:
    """It rotates the CSRF token: a true 403."""
    widget.goto().open().fill(question="Still here?")
    other = page.context.new_page()
    other.goto(f"{widget.site.url}/accounts/login/")
    other.get_by_label("Username").fill("ada")
    other.get_by_label("Password").fill("sandbox")
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url(f"{widget.site.url}/")
    with page.expect_response(lambda one: one.url.endswith("/sessions/") and one.status == 201) as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    assert widget.at_twilio() == ["Still here?"]


@pytest.mark.thorough
def test_a_panel_that_does_not_come_can_be_asked_for_again(widget: Widget) -> None:
    widget.goto()
    widget.page.route("**/panel/", lambda route: route.abort(), times=1)
    widget.open()
    expect(widget.panel.get_by_role("alert")).to_contain_text("could not be loaded")
    widget.panel.get_by_role("button", name="Try again").click()
    expect(widget.field("name")).to_be_visible()


def test_quick_submits_start_one_chat(widget: Widget) -> None:
    widget.goto().open().fill(question="Only one of these")
    widget.site.sandbox.fault("POST", "/v2/WebChats", delay_ms=4500)
    submit = widget.panel.locator("[data-webchat-submit]")
    submit.dblclick()
    for _time in range(6):
        submit.click(force=True)
    widget.site.sandbox.clear_faults()  # which ends the delay, too
    widget.expect_connected()
    bodies = [
        message["body"]
        for found in widget.site.sandbox.conversations()
        for message in widget.site.sandbox.messages(found["sid"])
    ]
    assert bodies.count("Only one of these") == 1


@pytest.mark.thorough
def test_closed_says_so(widget: Widget) -> None:
    widget.goto()
    widget.site.shell("Webchat.objects.filter(slug='support').update(enabled=False)")
    try:
        widget.open()
        expect(widget.panel.get_by_text("The chat is closed at the moment.")).to_be_visible()
    finally:
        widget.site.shell("Webchat.objects.filter(slug='support').update(enabled=True)")


def test_a_script_that_did_not_come_at_first_is_asked_for_again(widget: Widget) -> None:
    widget.page.route("**/webchat/chat/chat.*.js", lambda route: route.abort(), times=1)
    widget.start()
    widget.send("Still here")
    expect(widget.messages).to_have_count(2)


@pytest.mark.thorough
def test_a_script_that_never_comes_is_said_and_nothing_is_lost(widget: Widget) -> None:
    widget.page.route("**/webchat/chat/chat.*.js", lambda route: route.abort())
    before = len(widget.site.sandbox.conversations())
    widget.goto().open().fill().submit()
    expect(widget.errors).to_contain_text("We could not be reached.")
    expect(widget.field("question")).to_have_value("Where is my parcel?")
    assert len(widget.site.sandbox.conversations()) == before  # no agent waits for a visitor who cannot come
    widget.page.unroute("**/webchat/chat/chat.*.js")
    widget.errors.get_by_role("button", name="Try again").click()
    widget.expect_connected()
    assert len(widget.site.sandbox.conversations()) == before + 1
