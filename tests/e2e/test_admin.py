"""Staff at work in a browser: composing a form, importing one, and looking at it as visitors do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.e2e.test_site_pages import too_wide
from tests.support.site import SiteServer
from tests.support.widget import AXE

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 740}
every_look = pytest.mark.parametrize(
    "context",
    [{"viewport": DESK, "color_scheme": "light"}, {"viewport": PHONE, "color_scheme": "dark"}],
    indirect=True,
    ids=["desk-light", "phone-dark"],
)

CONFIG = """preEngagementConfig: {
  description: "Tell us who you are", // shown on top
  fields: [
    {label: "Your name", type: "InputItem", attributes: {name: "friendlyName", required: true}},
    {label: "Order", type: "InputItem", attributes: {name: "order", pattern: "[A-Z]-[0-9]{4}", required: true}},
    {label: "Day of delivery", type: "InputItem", attributes: {name: "day", type: "date", min: "2026-01-01"}},
    {label: "Pieces", type: "InputItem", attributes: {name: "pieces", type: "number", min: 1}},
    {label: "PIN", type: "InputItem", attributes: {name: "pin", type: "password"}},
    {label: "Topic", type: "SelectItem", attributes: {name: "topic"}, options: [{value: "s", label: "Sales"}]},
    {label: "I agree", type: "CheckboxItem", attributes: {name: "terms", required: true}},
    {label: "Question", type: "TextareaItem", attributes: {name: "query", required: true}},
  ],
},"""


@pytest.fixture
def webchat(site: SiteServer) -> Iterator[int]:
    """A webchat of the test's own, by its number."""
    code = """
import uuid
from webchat.sandbox import account
webchat = Webchat.objects.create(name="Sales", slug=f"sales-{uuid.uuid4().hex[:8]}", address_sid=account.ADDRESS_SID,
                                 chat_service_sid=account.CHAT_SERVICE_SID)
webchat.fields.create(label="E-mail", name="email", type="email", match="account", user_lookup="email", position=10)
print(webchat.pk)
"""
    number = int(site.shell(code))
    yield number
    site.shell(f"Webchat.objects.filter(pk={number}).delete()")


@pytest.fixture
def admin(page: Page, site: SiteServer) -> Page:
    page.goto(f"{site.url}/admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("sandbox")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Webchats", exact=True).first).to_be_visible()
    return page


def violations(page: Page, inside: str) -> list[str]:
    page.evaluate(AXE)
    # Its look at whole stylesheets would write inline styles, which the policy forbids.
    found = page.evaluate(
        "(inside) => axe.run(inside, {resultTypes: ['violations'], iframes: false, preload: false})", inside
    )
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]


@pytest.mark.thorough
@every_look
def test_staff_import_a_form_and_look_at_it(admin: Page, site: SiteServer, webchat: int):
    change = f"{site.url}/admin/webchat/webchat/{webchat}/change/"
    admin.goto(change)
    admin.get_by_role("link", name="Import").click()
    admin.get_by_label("Configuration").fill(CONFIG)
    admin.get_by_label("Take the title").check()
    admin.get_by_role("button", name="Show what it leads to").click()
    expect(admin.get_by_role("row", name="Order order text")).to_be_visible()
    expect(admin.get_by_text("A chat never asks for a password.")).to_be_visible()
    assert violations(admin, "#content-main") == []
    assert not too_wide(admin)
    admin.get_by_role("button", name="Save these fields").click()
    expect(admin.get_by_text("7 fields were imported.")).to_be_visible()
    expect(admin.locator(".webchat-row-summary:visible")).to_have_count(8)

    admin.get_by_role("link", name="Preview").click()
    anonymous, signed_in = (admin.frame_locator("iframe").nth(number) for number in (0, 1))
    expect(anonymous.get_by_label("E-mail")).to_be_visible()
    expect(anonymous.get_by_text("Tell us who you are")).to_be_visible()
    expect(signed_in.get_by_text("admin@example.com")).to_be_visible()
    expect(signed_in.get_by_label("E-mail")).to_have_count(0)
    expect(admin.get_by_text("contrast 7.8 : 1")).to_be_visible()
    assert violations(admin, "#content-main") == []
    assert not too_wide(admin)
    # It is the real form at the width of a phone, in the brand's colour, and it sends nothing.
    frame = admin.locator("iframe").first.element_handle().content_frame()
    assert frame is not None
    width = frame.evaluate("innerWidth")
    assert width == 375 if admin.viewport_size == DESK else width < 375
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    header = frame.locator(".webchat-header").evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert header == "rgb(11, 93, 78)"
    posts = []
    admin.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    anonymous.get_by_label("Order").fill("A-1234")
    anonymous.get_by_role("button", name="Start chat").press("Enter")
    expect(anonymous.get_by_label("Order")).to_have_value("A-1234")
    admin.reload()  # after whatever the form would have sent
    expect(anonymous.get_by_label("Order")).to_be_visible()
    assert posts == []


@pytest.mark.thorough
@every_look
def test_the_panel_in_the_preview_is_accessible(admin: Page, site: SiteServer, webchat: int):
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/import/")
    admin.get_by_label("Configuration").fill(CONFIG)
    admin.get_by_role("button", name="Show what it leads to").click()
    admin.get_by_role("button", name="Save these fields").click()
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/preview/panel/")
    assert violations(admin, "body") == []
    assert not too_wide(admin)


@every_look
def test_a_field_is_composed_and_shows_only_what_its_type_needs(admin: Page, site: SiteServer, webchat: int):
    site.shell(f"PreEngagementField.objects.filter(webchat={webchat}).update(label='An e-mail address of yours ' * 4)")
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/change/")
    assert violations(admin, "#fields-group") == []
    admin.get_by_role("button", name="Add another Pre-engagement field").click()
    row = admin.locator("#fields-1")
    expect(row.get_by_label("Label:")).to_be_focused()
    row.get_by_label("Label:").fill("Day")
    choices = row.get_by_label("Choices:")
    expect(choices).to_be_hidden()
    row.get_by_label("Type:").select_option("radio")
    expect(choices).to_be_visible()
    row.get_by_label("Type:").select_option("date")
    expect(choices).to_be_hidden()
    row.get_by_text("What is accepted").click()
    expect(row.get_by_label("Pattern:")).to_be_hidden()
    row.get_by_label("From:").fill("tomorrow")
    others = row.get_by_label("Show only if:")
    admin.get_by_role("button", name="Add another Pre-engagement field").click()
    other = admin.locator("#fields-2")
    other.get_by_label("Label:").fill("Größe")
    other.get_by_label("Type:").select_option("radio")
    other.get_by_label("Choices:").fill("small\nlarge | Large")
    others.focus()
    others.select_option("Größe: Large")  # of a field that is new, too, and has no key yet
    expect(other.get_by_label("Key in Studio:")).to_have_value("grosse")
    assert others.evaluate(
        "(one) => one.getBoundingClientRect().right <= one.closest('.form-row').getBoundingClientRect().right"
    )
    assert violations(admin, "#fields-group") == []
    assert not too_wide(admin)
    admin.get_by_role("button", name="Save and continue editing").first.click()
    expect(row.get_by_text("Write a date like 2030-12-31")).to_be_visible()
    row.get_by_label("From:").fill("today+1d")
    admin.get_by_role("button", name="Save and continue editing").first.click()
    expect(admin.get_by_text("was changed successfully")).to_be_visible()
    expect(row.locator(".webchat-row-summary")).to_contain_text("Day")
    expect(row.locator(".webchat-row-summary")).to_contain_text("only sometimes")
    expect(others.locator("option:checked")).to_have_text("Größe: Large")
    expect(admin.get_by_text("No field has the role of the question").first).to_be_visible()


COVERED = """
([over, under]) => {
  const boxes = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility()).flatMap((one) => {
    const inside = document.createRange();
    inside.selectNodeContents(one);
    return [...inside.getClientRects()].filter((box) => box.width && box.height);
  });
  const [tools, names] = [boxes(over), boxes(under)];
  if (!tools.length || !names.length) throw new Error("nothing to compare");
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return names.filter((name) => tools.some((tool) => meet(tool, name))).length;
}
"""


def test_tools_cover_no_name_in_any_language(admin: Page, site: SiteServer, webchat: int):
    """In German they had a second line, which lay on the webchat's name."""
    site.shell(f"PreEngagementField.objects.filter(webchat={webchat}).update(label='An e-mail address of yours ' * 4)")
    for language in ("de", "fr", "ar"):
        admin.context.add_cookies([{"name": "django_language", "value": language, "url": site.url}])
        for width in (1280, 1024):
            admin.set_viewport_size({"width": width, "height": 800})
            admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/change/")
            expect(admin.locator("html")).to_have_attribute("lang", language)
            found = {
                over: admin.evaluate(COVERED, [over, under])
                for over, under in {
                    ".object-tools a": "#content > h1, #content > h2",
                    ".webchat-row-tools > :not([hidden])": ".webchat-row-summary > *",
                }.items()
            }
            assert set(found.values()) == {0}, (language, width, found)
            assert not too_wide(admin)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save and continue editing").first.click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


@every_look
def test_the_parts_of_a_webchat_are_tabs(admin: Page, site: SiteServer, webchat: int):
    admin.goto(f"{site.url}/admin/")
    assert violations(admin, "body") == []
    assert not too_wide(admin)
    card = admin.get_by_role("article").filter(has=admin.locator(f'a[href="/admin/webchat/webchat/{webchat}/change/"]'))
    card.get_by_role("link", name="Texts").click()
    form, texts, look, limits = (admin.get_by_role("tab", name=name) for name in ("Form", "Texts", "Look", "Limits"))
    expect(texts).to_have_attribute("aria-selected", "true")
    expect(admin.get_by_role("tabpanel", name="Texts")).to_be_visible()
    expect(admin.get_by_role("tabpanel")).to_have_count(1)
    assert violations(admin, "body") == []
    assert not too_wide(admin)
    admin.get_by_label("While waiting:").fill("We are coming.")
    save(admin)
    expect(texts).to_have_attribute("aria-selected", "true")
    expect(admin.get_by_label("While waiting:")).to_have_value("We are coming.")
    texts.press("ArrowRight")
    expect(look).to_be_focused()
    expect(admin.get_by_label("Brand colour:")).to_have_attribute("type", "color")
    look.press("End")
    expect(limits).to_be_focused()
    assert violations(admin, "body") == []
    limits.press("ArrowRight")
    expect(form).to_be_focused()
    # What is wrong in another tab is shown, and its tab says so.
    limits.click()
    admin.get_by_label("Chats a day:").fill("0")
    form.click()
    admin.get_by_role("button", name="Save and continue editing").first.click()
    expect(admin.get_by_role("tab", name="Limits to correct")).to_have_attribute("aria-selected", "true")
    expect(admin.get_by_text("greater than or equal to 1")).to_be_visible()
    assert violations(admin, "body") == []


def test_a_field_is_moved_and_made_optional_on_its_line(admin: Page, site: SiteServer, webchat: int):
    site.shell(
        f"Webchat.objects.get(pk={webchat}).fields.create(label='Order', name='order', position=20)\n"
        f"Webchat.objects.get(pk={webchat}).fields.create(label='Reason', name='reason', position=30)"
    )
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/change/#form")
    rows = admin.locator(".inline-related:not(.empty-form)")
    rows.nth(2).get_by_role("button", name="To the top").click()
    expect(rows.nth(0).get_by_role("button", name="To the top")).to_be_focused()
    rows.nth(1).get_by_role("button", name="Down").press("Enter")
    rows.nth(1).get_by_label("Required:").uncheck()
    save(admin)
    summaries = admin.locator(".webchat-row-summary:visible")
    expect(summaries).to_contain_text(["Reason", "Order", "E-mail"])
    expect(summaries.nth(1)).to_contain_text("optional")
    admin.get_by_role("button", name="Add another Pre-engagement field").click()
    new = rows.nth(3)
    new.get_by_label("Type:").select_option("textarea")
    expect(new.get_by_label("Role:")).to_have_value("question")
    expect(new.get_by_label("Required:")).to_be_checked()
    new.get_by_label("Type:").select_option("checkbox")
    expect(new.get_by_label("Required:")).not_to_be_checked()


@pytest.mark.thorough
@every_look
def test_a_field_is_moved_by_its_grip_and_the_save_is_always_in_sight(admin: Page, site: SiteServer, webchat: int):
    labels = [f"Field {number}" for number in range(2, 13)]
    site.shell(
        f"for label in {labels}: Webchat.objects.get(pk={webchat}).fields.create(\n"
        "    label=label, name=label.lower().replace(' ', '_'), position=20 + len(label))"
    )
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/change/#form")
    titles = admin.locator(".inline-related:not(.empty-form) summary strong")
    grips = admin.locator(".inline-related:not(.empty-form) .webchat-row-grip")
    expect(grips.first).to_be_visible()
    before = titles.all_inner_texts()
    expect(admin.get_by_role("button", name="Save", exact=True)).to_be_in_viewport()

    def take(number: int) -> None:
        # Away from the edges of the window, where a pointer scrolls.
        grips.nth(number).evaluate("(grip) => grip.scrollIntoView({block: 'center'})")
        grips.nth(number).hover()
        admin.mouse.down()

    take(1)
    end = admin.locator(".inline-related:not(.empty-form)").nth(2).bounding_box()
    assert end
    admin.mouse.move(end["x"] + 9, end["y"] + end["height"] * 0.9, steps=4)
    expect(titles.nth(2)).to_have_text(before[1])
    admin.keyboard.press("Escape")
    expect(titles).to_have_text(before)
    admin.mouse.up()
    expect(admin.get_by_text("is at place")).to_have_count(0)

    # A pointer that rests at the edge of the window goes on.
    take(0)
    admin.mouse.move(end["x"], admin.viewport_size["height"] - 5, steps=4)
    expect(titles.last).to_have_text(before[0])
    admin.mouse.up()
    expect(admin.get_by_text(f"“{before[0]}” is at place {len(before)} of {len(before)} now.")).to_be_attached()
    assert violations(admin, "#fields-group") == []
    assert not too_wide(admin)
    admin.get_by_role("button", name="Save and continue editing").click()
    expect(titles).to_have_text([*before[1:], before[0]])
    grips.last.locator("xpath=..").get_by_role("button", name="Up").press("Enter")
    expect(admin.get_by_text(f"“{before[0]}” is at place {len(before) - 1} of {len(before)} now.")).to_be_attached()


@pytest.mark.thorough
@every_look
def test_texts_are_written_in_another_language(admin: Page, site: SiteServer, webchat: int):
    site.shell(f"Webchat.objects.filter(pk={webchat}).update(title='Talk to us')")
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/change/#form")
    languages = admin.get_by_role("tabpanel").get_by_role("navigation", name="Texts in other languages")
    arabic = languages.get_by_role("link", name="العربية 2 missing")
    label = admin.locator("#fields-0").get_by_label("Label (العربية):")
    expect(label).to_be_hidden()
    arabic.press("Enter")
    expect(arabic).to_have_attribute("aria-current", "true")
    expect(label).to_be_visible()
    expect(label).to_have_css("direction", "rtl")
    expect(admin.locator(".webchat-builder").get_by_label("Language")).to_have_value("ar")
    label.fill("البريد")
    expect(admin.frame_locator(".webchat-builder iframe").last.get_by_label("البريد")).to_be_attached()
    assert violations(admin, "body") == []
    assert not too_wide(admin)
    admin.get_by_role("tab", name="Texts").click()
    title = admin.get_by_label("Title (العربية):", exact=True)
    title.fill("تحدث إلينا")
    assert violations(admin, "body") == []
    assert not too_wide(admin)
    save(admin)
    expect(languages.get_by_role("link", name="العربية", exact=True)).to_have_attribute("aria-current", "true")
    expect(languages.get_by_role("link", name="Deutsch 2 missing")).to_be_visible()
    expect(title).to_have_value("تحدث إلينا")


@pytest.mark.thorough
@pytest.mark.parametrize("context", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_the_parts_stand_below_each_other(admin: Page, site: SiteServer, webchat: int):
    admin.goto(f"{site.url}/admin/webchat/webchat/{webchat}/change/")
    for name in ("Form", "Texts", "Look", "Hours", "Twilio", "Limits"):
        expect(admin.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(admin.get_by_label("Chats a day:")).to_be_visible()
    expect(admin.get_by_label("Title (Deutsch):", exact=True)).to_be_hidden()
    admin.get_by_role("link", name="Deutsch").last.click()
    expect(admin.get_by_label("Title (Deutsch):", exact=True)).to_be_visible()


COUNT_EVERYTHING = """
from webchat.clock import database_now
from webchat.models.counts import Event, hour_of
now = hour_of(database_now())
HourlyCount.add({{({webchat}, now - ago, event): 40 - ago for event in Event for ago in range(40)}})
"""


@pytest.mark.thorough
@every_look
def test_the_statistics_are_accessible(admin: Page, site: SiteServer, webchat: int):
    site.shell(COUNT_EVERYTHING.format(webchat=webchat))
    admin.goto(f"{site.url}/admin/")
    admin.get_by_role("link", name="Chat statistics").click()
    expect(admin.get_by_role("table", name="Chats by day").get_by_role("row")).to_have_count(31)
    expect(admin.get_by_role("table", name="Failed starts").get_by_role("row")).to_have_count(11)
    widths = admin.locator(".webchat-statistics-bar rect").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().width)"
    )
    assert min(widths) > 50
    shade = admin.locator(".webchat-shade-4").first
    # Else browsers leave the shades away on paper.
    assert shade.evaluate("(cell) => getComputedStyle(cell, '::before').printColorAdjust") == "exact"
    assert violations(admin, "#content") == []
    assert not too_wide(admin)
    admin.get_by_label("Webchat", exact=True).select_option("Sales")
    admin.get_by_role("button", name="Show").click()
    expect(admin.get_by_label("Webchat", exact=True)).not_to_have_value("")


def shown_frame(admin: Page) -> FrameLocator:
    return admin.frame_locator(".webchat-builder-stage iframe:not(.is-coming)")


@every_look
def test_the_builder_shows_what_is_not_saved_in_every_state(admin: Page, site: SiteServer, webchat: int):
    sent, change = [], f"{site.url}/admin/webchat/webchat/{webchat}/change/"
    admin.goto(change)
    shown = shown_frame(admin)
    expect(shown.get_by_label("E-mail")).to_be_visible()
    assert violations(admin, ".webchat-builder") == []
    assert not too_wide(admin)
    admin.on("request", lambda request: sent.append((request.method, urlsplit(request.url).path)))
    chats = site.sandbox.conversations()

    admin.get_by_role("tab", name="Texts").click()
    admin.get_by_label("Start button:").fill("Ask us")
    expect(shown.get_by_role("button", name="Ask us")).to_be_visible()
    shown.get_by_label("E-mail").fill("ada@example.com")
    shown.get_by_role("button", name="Ask us").press("Enter")
    shown.get_by_label("E-mail").press("Enter")
    expect(shown.get_by_label("E-mail")).to_have_value("ada@example.com")

    admin.get_by_label("After five minutes of waiting:").fill("Call us, it is quicker.")
    admin.get_by_role("radio", name="5 minutes").check()
    admin.locator(".webchat-builder-stage").scroll_into_view_if_needed()  # nobody is told what is out of sight
    expect(shown.get_by_text("Call us, it is quicker.")).to_be_visible()
    admin.get_by_role("radio", name="Chat", exact=True).check()
    expect(shown.get_by_text("Alex is typing…")).to_be_visible()
    expect(shown.locator("strong", has_text="One moment")).to_be_visible()
    admin.get_by_role("radio", name="Desktop").check()
    admin.get_by_role("radio", name="Ended").check()
    expect(shown.get_by_role("button", name="Start a new chat")).to_be_visible()
    admin.get_by_role("radio", name="Button").check()
    expect(shown.get_by_role("button", name="Chat with us")).to_be_visible()
    admin.locator(".webchat-builder").get_by_label("Language").select_option("ar")
    expect(shown.locator("html[dir=rtl]")).to_be_visible()

    posted = {path for method, path in sent if method != "GET"}
    assert posted == {urlsplit(change).path.replace("change", "builder")}
    assert not [path for _method, path in sent if path.startswith(("/api/", "/webchat/"))]
    assert site.sandbox.conversations() == chats
    # An answer that cannot be shown leaves what is there, and the next one is shown again.
    admin.route("**/builder/", lambda route: route.fulfill(status=503, body="busy"), times=1)
    admin.get_by_role("radio", name="Signed in", exact=True).check()
    failed = admin.get_by_text("The preview cannot be shown at the moment.")
    expect(failed).to_be_visible()
    admin.get_by_role("radio", name="Not signed in").check()
    expect(failed).to_be_hidden()
    # What is looked at is remembered, and the frames are no steps of the tab's history.
    admin.reload()
    expect(shown.locator("html[dir=rtl]")).to_be_visible()
    assert violations(admin, ".webchat-builder") == []
    admin.go_back()
    expect(admin).not_to_have_url(re.compile("/change/"))
