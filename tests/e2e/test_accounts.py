"""The form against the site's users, as visitors meet it: from account, annotate, require; shared computers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_journey import sign_in
from tests.support.site import SiteServer
from tests.support.widget import Widget, violations

MAKE = """
from webchat.sandbox import account
webchat, _ = Webchat.objects.get_or_create(slug="{slug}", defaults=dict(
    name="{slug}", address_sid=account.ADDRESS_SID, chat_service_sid=account.CHAT_SERVICE_SID))
for name, values in {fields}.items():
    PreEngagementField.objects.get_or_create(webchat=webchat, name=name, defaults=dict(label=name.capitalize(), **values))
"""


def make_webchat(site: SiteServer, slug: str, **fields: dict[str, str]) -> str:
    site.shell(MAKE.format(slug=slug, fields=fields))
    return f"/webchat/{slug}/"


@pytest.fixture
def only_the_account(site: SiteServer) -> Iterator[None]:
    """The home page's form asks only what the account knows."""
    asked = "PreEngagementField.objects.filter(webchat__slug='support', name='question')"
    site.shell(f"{asked}.update(audience='anonymous')")
    yield
    site.shell(f"{asked}.update(audience='')")


def test_one_click_starts_the_chat_of_whose_account_answers_everything(
    page: Page, site: SiteServer, only_the_account: None
) -> None:
    sign_in(page, site)
    widget = Widget(page, site).goto()
    with page.expect_response("**/sessions/") as answer:
        widget.launcher.click()
    assert answer.value.status == 201
    widget.credentials = answer.value.json()
    expect(widget.composer).to_be_visible()
    data = site.sandbox.desk(widget.channel)["pre_engagement_data"] if site.sandbox.desk()["conversations"] else {}
    assert not data or data["verified"] == ["customer_number", "email"]
    expect(widget.log).to_have_attribute("aria-busy", "false")
    # A reload resumes that chat, and a chat that ended is not started again by itself.
    page.reload()
    expect(widget.log).to_have_attribute("aria-busy", "false")
    widget.end()
    ended = widget.panel.get_by_text("This chat has ended.")
    expect(ended).to_be_visible()
    starts: list[str] = []
    page.on("request", lambda one: starts.append(one.url) if one.method == "POST" else None)
    page.reload()
    expect(ended).to_be_visible()
    with page.expect_response("**/api/webchat/visitor/"):  # whatever the page sends by itself, it has sent before
        page.evaluate(IS_CHOSEN)
    assert starts == []
    newest = "ChatSession.objects.filter(webchat__slug='support').order_by('-created_at').first()"
    told = site.shell(f"print({newest}.pk, {newest}.status)")
    assert told == f"{widget.credentials['session_id']} ended"


@pytest.mark.thorough
def test_a_value_that_staff_hide_is_sent_but_not_shown(page: Page, site: SiteServer) -> None:
    path = make_webchat(
        site,
        "hidden",
        email={"type": "email", "match": "account", "user_lookup": "email", "show_account_value": False},
        question={"type": "textarea", "role": "question"},
    )
    sign_in(page, site)
    page.goto(site.url + path)
    widget = Widget(page, site, "hidden")
    expect(widget.form).to_be_visible()
    expect(page.get_by_text("ada@example.com")).to_have_count(0)
    widget.field("question").fill("Hello")
    with page.expect_response("**/sessions/") as answer:
        widget.submit()
    channel = answer.value.json()["channel_sid"]
    assert site.sandbox.desk(channel)["pre_engagement_data"]["email"] == "ada@example.com"


def test_a_members_form_says_the_same_for_every_mistake_and_lets_members_in(page: Page, site: SiteServer) -> None:
    path = make_webchat(
        site,
        "members",
        email={"type": "email", "match": "require", "user_lookup": "email"},
        number={"match": "require", "user_lookup": "customer_number"},
        question={"type": "textarea", "role": "question"},
    )
    widget = Widget(page, site, "members")
    said = set()
    for email, number in [("nobody@example.com", "C-1001"), ("ada@example.com", "C-9999")]:
        page.goto(site.url + path)
        expect(widget.form).to_have_js_property("noValidate", True)  # the script is there
        for name, value in {"email": email, "number": number, "question": "Hello"}.items():
            widget.field(name).fill(value)
        widget.submit()
        expect(widget.errors).to_be_visible()
        said.add(widget.errors.inner_text())
        expect(widget.field("email")).to_have_value(email)
    assert len(said) == 1
    widget.field("number").fill("C-1001")
    widget.submit()
    expect(widget.composer).to_be_visible()


@pytest.mark.thorough
def test_an_annotated_answer_looks_the_same_to_the_visitor_and_is_marked_for_staff(
    page: Page, site: SiteServer
) -> None:
    path = make_webchat(
        site,
        "annotated",
        email={"type": "email", "match": "annotate", "user_lookup": "email"},
        question={"type": "textarea", "role": "question"},
    )
    widget = Widget(page, site, "annotated")
    page.goto(site.url + path)
    widget.field("email").fill("Ada@Example.com")
    widget.field("question").fill("Hello")
    with page.expect_response("**/sessions/") as answer:
        widget.submit()
    expect(widget.composer).to_be_visible()
    session = answer.value.json()
    data = site.sandbox.desk(session["channel_sid"])["pre_engagement_data"]
    assert data["verified"] == []
    assert "match" not in str(data)
    assert site.shell(f"print(ChatSession.objects.get(pk='{session['session_id']}').account_matches)") == "['email']"
    sign_in(page, site, "admin")
    page.goto(f"{site.url}/admin/webchat/chatsession/{session['session_id']}/change/")
    expect(page.get_by_text("matches an account, not verified", exact=False).first).to_be_visible()


def answers_late(site: SiteServer, channel: str, milliseconds: int) -> None:
    """Twilio closes the chat and tells the browser so at once, and the site so much later."""
    if milliseconds:
        site.sandbox.fault("POST", f"/v1/Conversations/{channel}", delay_ms=milliseconds, before=False)


def worker_closes_chats(site: SiteServer) -> None:
    """The worker's part, where Twilio takes longer than a sign-in or sign-out waits."""
    site.shell(
        "from webchat.chats import worker; from django.utils import timezone;"
        "ChatSession.objects.filter(close_pending=True).update(lease_until=timezone.now()); worker.pass_once()"
    )


@pytest.mark.parametrize("late", [0, 700])
def test_signing_out_in_one_tab_leaves_nothing_to_read_in_another(page: Page, site: SiteServer, late: int) -> None:
    sign_in(page, site)
    widget = Widget(page, site).goto("/support/")
    widget.panel.get_by_role("link", name="Chat with us").click()
    widget.field("question").fill("My secret question")
    widget.begin()
    widget.composer.fill("Half a secret")
    answers_late(site, widget.channel, late)
    other = page.context.new_page()
    other.goto(site.url)
    other.get_by_text("Ada", exact=True).click()
    other.get_by_role("button", name="Sign out").click()
    other.get_by_role("button", name="End the chat and sign out").click()
    expect(other.get_by_role("link", name="Sign in").first).to_be_visible()
    worker_closes_chats(site)
    expect(page.get_by_text("My secret question")).to_have_count(0)
    assert "secret" not in page.evaluate("JSON.stringify([sessionStorage, localStorage])")
    expect(widget.field("question")).to_have_value("")
    expect(widget.field("email")).to_have_value("")


ASKED = "Go on with the chat you began before signing in?"


def test_signing_in_in_one_tab_leaves_nothing_to_read_in_another(page: Page, site: SiteServer) -> None:
    Widget(page, site).start(question="An anonymous secret")
    other = page.context.new_page()
    sign_in(other, site)
    for tab in (other, page):
        expect(tab.get_by_role("heading", name=ASKED)).to_be_visible()
        expect(tab.get_by_text("An anonymous secret")).to_have_count(0)
    other.get_by_role("button", name="Go on with it").click()
    for tab in (other, page):
        expect(tab.get_by_text("An anonymous secret")).to_be_visible()


COMES_BACK = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
IS_CHOSEN = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.mark.parametrize("shown", [COMES_BACK, IS_CHOSEN], ids=["back", "tab"])
def test_a_page_that_is_shown_again_after_a_sign_out_shows_nothing_of_the_user(
    page: Page, site: SiteServer, shown: str
) -> None:
    sign_in(page, site)
    Widget(page, site).goto().open()
    expect(page.get_by_text("ada@example.com").first).to_be_visible()
    page.context.clear_cookies(name="sessionid")
    page.evaluate(shown)
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    expect(page.get_by_text("ada@example.com")).to_have_count(0)
    expect(page.get_by_text("Ada", exact=True)).to_have_count(0)


@pytest.mark.thorough
def test_a_chat_that_is_shown_again_to_the_same_visitor_stays(page: Page, site: SiteServer) -> None:
    widget = Widget(page, site).start()
    for shown in (COMES_BACK, IS_CHOSEN):
        with page.expect_response("**/api/webchat/visitor/"):
            page.evaluate(shown)
        expect(widget.messages.first).to_be_visible()
    widget.send("Still here.")
    expect(widget.messages.filter(has_text="Still here.")).to_be_visible()


@pytest.mark.thorough
@pytest.mark.parametrize("late", [0, 700])
def test_signing_in_over_another_user_leaves_nothing_to_read_in_other_tabs(
    page: Page, site: SiteServer, late: int
) -> None:
    sign_in(page, site)
    widget = Widget(page, site).goto().open()
    widget.field("question").fill("Ada's secret question")
    widget.begin()
    second = Widget(page.context.new_page(), site).goto().open()
    second.expect_connected()
    answers_late(site, widget.channel, late)
    third = page.context.new_page()
    sign_in(third, site, "admin")
    worker_closes_chats(site)
    for tab in (page, second.page):
        expect(tab.get_by_text("Ada's secret question")).to_have_count(0)
    assert site.sandbox.rest("GET", f"/v1/Conversations/{widget.channel}")["state"] == "closed"
    # What the other tabs asked the site meanwhile did not cost the new user their sign-in.
    third.reload()
    expect(third.get_by_text("admin", exact=True)).to_be_visible()


def test_signing_in_asks_whether_the_chat_before_goes_on(page: Page, site: SiteServer) -> None:
    widget = Widget(page, site).start(question="An anonymous secret")
    widget.composer.fill("half a sent")
    sign_in(page, site)
    expect(page.get_by_role("heading", name=ASKED)).to_be_visible()  # the panel was open, and is again
    expect(page.get_by_text("An anonymous secret")).to_have_count(0)
    assert violations(page, "web-chat") == []
    page.get_by_role("button", name="Go on with it").click()
    widget.expect_connected()
    expect(widget.log.get_by_text("You have signed in. Our team knows who you are.")).to_have_count(1)
    expect(widget.composer).to_have_value("half a sent")
    page.reload()
    widget.expect_connected()
    expect(widget.log.get_by_text("You have signed in. Our team knows who you are.")).to_have_count(1)
    [note] = [one for one in site.sandbox.messages(widget.channel) if one["author"] == "Website"]
    assert "ada@example.com" in note["body"]


@pytest.mark.parametrize("context", [{"viewport": {"width": 375, "height": 700}}], indirect=True)
def test_on_a_phone_the_question_covers_one_page_and_waits_behind_the_launcher_on_the_next(
    page: Page, site: SiteServer
) -> None:
    widget = Widget(page, site).start()
    widget.panel.get_by_role("button", name="Minimise chat").click()
    sign_in(page, site)
    question = page.get_by_role("heading", name=ASKED)
    expect(question).to_be_visible()
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(question).to_have_count(0)
    page.get_by_text("Ada", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_load_state("networkidle")
    expect(question).to_have_count(0)
    expect(page.get_by_role("button", name="End the chat and sign out")).to_be_visible()
    widget.open()
    expect(question).to_be_visible()
    page.get_by_role("button", name="Go on with it").click()
    widget.expect_connected()
    widget.goto()
    widget.expect_connected()
    expect(widget.composer).to_be_visible()


@pytest.mark.thorough
def test_a_chat_that_is_not_taken_along_or_is_signed_out_of_leaves_no_draft(page: Page, site: SiteServer) -> None:
    def stored() -> str:
        return str(page.evaluate("JSON.stringify([localStorage, sessionStorage])"))

    widget = Widget(page, site).start()
    widget.composer.fill("An anonymous secret")
    assert "An anonymous secret" in stored()
    sign_in(page, site)
    page.get_by_role("button", name="End it").click()
    expect(widget.form).to_be_visible()
    assert "An anonymous secret" not in stored()

    widget.field("question").fill("Where is my parcel?")
    widget.begin()
    widget.composer.fill("Ada's secret")
    widget.panel.get_by_role("button", name="Minimise chat").click()
    page.get_by_text("Ada", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End the chat and sign out").click()
    widget.open()
    expect(widget.form).to_be_visible()
    assert "Ada's secret" not in stored()
