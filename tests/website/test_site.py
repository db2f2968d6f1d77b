"""The company's website: its pages, signing in and out, and what is shown when something is wrong."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.test import Client
from django.urls import path, reverse

from config.theme import READABLE, check_company_colour, theme
from config.urls import handler400, handler403, handler404, handler500  # noqa: F401
from config.urls import urlpatterns as site_urls
from tests.support.factories import ANSWERS, make_user, make_webchat
from tests.support.visitor import VisitorClient
from webchat.colours import contrast
from webchat.mail import send_due
from webchat.models import Webchat
from webchat.models.copies import forget_copies

WITH_CHAT = {"/": "Gear for long days outside.", "/support/": "How can we help?", "/legacy/": "Chat by Web Channels"}
WHERE_PEOPLE_ARE_STUCK = {
    "/accounts/login/": "Sign in",
    "/accounts/password_reset/": "Forgot your password?",
    "/accounts/password_reset/done/": "Look at your e-mail",
    "/accounts/reset/x/y/": "This link has been used or is too old",
    "/accounts/reset/done/": "Your password is changed",
    "/no/such/page/": "This page is not here",
}
FOR_MEMBERS = {
    "/accounts/password_change/": "Change password",
    "/accounts/password_change/done/": "Your password is changed",
}
PALETTE = ["#0b5d4e", "#ffd400", "#000000", "#ffffff", "#7f7f7f", "#0057ff", "#d0021b", "#ff8c69"]
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """Reads a page as strictly as a validator would: each tag is closed in its place."""

    def __init__(self, response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.html = response.content.decode()
        self.feed(self.html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"an attribute twice on <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.elements if tag in tags]

    def text(self, tag: str) -> str:
        (text,) = self.texts[tag]
        return " ".join(text.split())


def refuse(request):
    raise PermissionDenied


urlpatterns = [*site_urls, path("refused/", refuse), path("api/refused/", refuse)]


@pytest.fixture
def pages(db):
    make_webchat()
    make_webchat(slug="legacy", name="Legacy", api="web_channels")
    return Client()


def everything(client):
    """(address, its heading, the response) of each page of the site, for a visitor and for a member."""
    for address, heading in {**WITH_CHAT, **WHERE_PEOPLE_ARE_STUCK}.items():
        yield address, heading, client.get(address)
    client.force_login(make_user())
    for address, heading in {**WITH_CHAT, **FOR_MEMBERS}.items():
        yield address, heading, client.get(address)


def test_every_page_is_a_sound_document(pages):
    for address, heading, response in everything(pages):
        assert response.status_code == (404 if "no/such" in address else 200), address
        page = Page(response)
        assert page.html.startswith("<!doctype html>")
        assert page.text("h1") == heading
        assert site.COMPANY_NAME in page.text("title")
        assert page.all("html") == [{"lang": "en", "dir": "ltr"}]
        for landmark in ("main", "footer"):
            assert len(page.all(landmark)) == 1, (address, landmark)
        assert {"site-header"} <= {attrs.get("class") for attrs in page.all("header")}
        assert all(nav.get("aria-label") for nav in page.all("nav"))
        assert {"viewport", "description"} <= {attrs.get("name") for attrs in page.all("meta")}
        ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
        assert len(ids) == len(set(ids)), address
        assert page.all("a")[0]["href"] == "#main"
        assert "main" in ids
        assert {label["for"] for label in page.all("label") if "for" in label} <= set(ids)


def test_no_page_has_inline_style_or_script(pages):
    for address, _, response in everything(pages):
        page = Page(response)
        assert not page.all("style"), address
        for tag, attrs in page.elements:
            assert "style" not in attrs, (address, tag)
            assert not [name for name in attrs if name.startswith("on")], (address, tag)
        nonces = {attrs.get("nonce") for attrs in page.all("script")}
        policy = response.headers["Content-Security-Policy"]
        assert all(attrs.get("src") for attrs in page.all("script"))
        assert all(f"'nonce-{nonce}'" in policy for nonce in nonces), address


def test_the_policy_allows_nothing_unsafe(pages):
    for _, _, response in everything(pages):
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert re.search(r"style-src 'self'(;|$)", policy)


def test_nothing_comes_from_another_site(pages):
    for address, _, response in everything(pages):
        page = Page(response)
        loaded = [attrs.get("href") for attrs in page.all("link")] + [
            attrs.get("src") for attrs in page.all("script", "img")
        ]
        assert all(link.startswith("/") and not link.startswith("//") for link in loaded), address


def test_the_chat_is_on_every_page_and_where_people_are_stuck_too(pages):
    for address in {**WITH_CHAT, **WHERE_PEOPLE_ARE_STUCK}:
        assert len(Page(pages.get(address)).all("web-chat")) == 1, address
    assert Page(pages.get("/support/")).all("web-chat")[0]["mode"] == "inline"
    assert Page(pages.get("/legacy/")).all("web-chat")[0]["slug"] == "legacy"


def test_no_page_on_which_passwords_are_typed_carries_flex_webchat_ui(pages):
    """It needs a policy that trusts more."""
    Webchat.objects.filter(slug="support").update(api="web_channels", widget="flex_ui", flex_flow_sid="FO" + "0" * 32)
    forget_copies()
    assert "unsafe-eval" in pages.get("/").headers["Content-Security-Policy"]
    for address in ("/accounts/login/", "/accounts/password_reset/"):
        response = pages.get(address)
        assert "unsafe-eval" not in response.headers["Content-Security-Policy"], address
        assert len(Page(response).all("web-chat")) == 1, address


@pytest.mark.django_db
def test_the_pages_stand_without_a_chat(client):
    for address, heading in WITH_CHAT.items():
        assert Page(client.get(address)).text("h1") == heading


def test_the_company_is_a_setting(pages, settings):
    settings.COMPANY_NAME, settings.COMPANY_TAGLINE = "Käse & Söhne", "Cheese <since> 1910"
    page = Page(pages.get("/"))
    assert page.text("h1") == "Cheese <since> 1910"
    assert "Käse & Söhne" in page.text("footer")
    assert "<since>" not in page.html


def test_the_sandbox_is_shown_on_every_page_and_only_while_it_is_used(pages, settings):
    settings.TWILIO_SANDBOX_URL = "http://127.0.0.1:8001"
    for address in ("/", "/accounts/login/", "/no/such/page/"):
        page = Page(pages.get(address))
        assert "not to Twilio" in page.text("aside")
        assert {"href": "http://127.0.0.1:8001"} in page.all("a")
    settings.TWILIO_SANDBOX_URL = ""
    assert "Sandbox" not in Page(pages.get("/")).html


def test_the_reading_direction_follows_the_language(pages):
    page = Page(pages.get("/", headers={"accept-language": "ar"}))
    assert page.all("html") == [{"lang": "ar", "dir": "rtl"}]


def test_pages_are_read_only(pages):
    for address in (*WITH_CHAT, "/theme.css"):
        assert pages.post(address).status_code == 405


# --- Signing in and out -------------------------------------------------------------------------------------------


@pytest.fixture
def ada(db):
    return make_user("ada", first_name="Ada")


def sign_in(client, **values):
    return client.post("/accounts/login/", {"username": "ada", "password": "sandbox", **values})


def test_signing_in_and_out(client, ada):
    assert "Sign in" in Page(client.get("/")).html
    assert sign_in(client).headers["Location"] == "/"
    page = Page(client.get("/"))
    assert page.text("summary") == "Ada"
    assert {"method": "post", "action": "/accounts/logout/"} in page.all("form")
    assert client.get("/accounts/logout/").status_code == 405
    assert Page(client.get("/")).text("summary") == "Ada"
    assert client.post("/accounts/logout/").headers["Location"] == "/"
    assert not Page(client.get("/")).all("summary")


def test_the_administration_is_offered_to_staff_alone(client, ada):
    client.force_login(ada)
    assert {"href": "/admin/"} not in Page(client.get("/")).all("a")
    client.force_login(make_user("admin", is_staff=True))
    assert {"href": "/admin/"} in Page(client.get("/")).all("a")


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"username": "nobody"}])
def test_a_wrong_password_is_said_in_one_way(client, ada, wrong):
    response = sign_in(client, **wrong)
    page = Page(response)
    assert page.text("title").startswith("Error:")
    assert "Please enter a correct username and password" in page.texts["form"][0]
    assert "sessionid" not in response.cookies


def test_a_switched_off_account_cannot_sign_in(client, ada):
    ada.is_active = False
    ada.save()
    assert sign_in(client).status_code == 200
    assert not Page(client.get("/")).all("summary")


@pytest.mark.parametrize(
    ("wanted", "sent_to"),
    [
        ("/support/", "/support/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http:///evil.example", "/"),
        ("\t//evil.example", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(client, ada, wanted, sent_to):
    form = Page(client.get("/accounts/login/", {"next": wanted}))
    hidden = next(attrs["value"] for attrs in form.all("input") if attrs["name"] == "next")
    assert sign_in(client, next=hidden).headers["Location"] == sent_to


def test_signing_in_and_out_take_a_token(ada):
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client).status_code == 403
    client.force_login(ada)
    assert client.post("/accounts/logout/").status_code == 403
    assert Page(client.get("/")).text("summary") == "Ada"


def test_a_forgotten_password_is_set_anew_by_mail(client, ada, mailoutbox, settings):
    settings.PUBLIC_BASE_URL = "https://www.example.com"
    asked = client.post("/accounts/password_reset/", {"email": ada.email})
    assert asked.headers["Location"] == reverse("password_reset_done")
    assert mailoutbox == []  # a request waits for no mail server
    send_due()
    (mail,) = mailoutbox
    assert mail.to == [ada.email]
    (link,) = re.findall(r"https://www\.example\.com(/\S+)", mail.body)
    form = client.get(link, follow=True)
    assert Page(form).text("h1") == "Set a new password"
    new = "walks-in-the-rain-7"
    done = client.post(form.redirect_chain[-1][0], {"new_password1": new, "new_password2": new})
    assert done.headers["Location"] == reverse("password_reset_complete")
    assert sign_in(client, password="sandbox").status_code == 200
    assert sign_in(client, password=new).status_code == 302


def test_a_stranger_is_not_told_who_has_an_account(client, ada, mailoutbox):
    known, unknown = (
        client.post("/accounts/password_reset/", {"email": email}) for email in (ada.email, "x@example.com")
    )
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])
    send_due()
    assert len(mailoutbox) == 1


# --- The company's colour -------------------------------------------------------------------------------------------


def test_the_colour_is_a_stylesheet_that_may_be_kept(client, settings):
    settings.COMPANY_COLOUR = "#ffd400"
    version = theme("#ffd400").version
    response = client.get(f"/theme.css?v={version}")
    assert response.headers["Content-Type"].startswith("text/css")
    assert "--site-brand:#ffd400;--site-brand-ink:#000000" in response.content.decode()
    assert "immutable" in response.headers["Cache-Control"]
    assert "immutable" not in client.get("/theme.css?v=old").headers["Cache-Control"]


def test_a_new_colour_has_a_new_address(pages, settings):
    def addresses():
        return {link["href"] for link in Page(pages.get("/")).all("link") if link["href"].startswith("/theme.css")}

    before = addresses()
    settings.COMPANY_COLOUR = "#0057ff"
    assert addresses().isdisjoint(before)


def colours(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The custom properties of a stylesheet in the light and in the dark."""
    light, dark = ({}, {})
    start = css.index("prefers-color-scheme")
    for found in re.finditer(r"--site-([a-z-]+):\s*(#[0-9a-f]{6})", css):
        (dark if found.start() > start else light)[found[1]] = found[2]
    return light, {**light, **dark}


@pytest.mark.parametrize("colour", PALETTE)
def test_every_text_can_be_read_in_every_colour(colour):
    site_css = colours((Path(site.BASE_DIR) / "static/site/site.css").read_text())
    for ours, brand in zip(site_css, colours(theme(colour).css), strict=True):
        all_colours = ours | brand
        grounds = [all_colours[name] for name in ("ground", "surface", "tint")]
        for text in ("ink", "ink-soft", "accent"):
            assert min(contrast(all_colours[text], ground) for ground in grounds) >= READABLE, (text, all_colours)
        for text, ground in (
            ("brand-ink", "brand"),
            ("sandbox-ink", "sandbox"),
            ("danger", "danger-ground"),
            ("danger", "surface"),
        ):
            assert contrast(all_colours[text], all_colours[ground]) >= READABLE, (text, ground)
        assert contrast(all_colours["edge"], all_colours["ground"]) >= 3


@pytest.mark.parametrize("colour", ["red", "", "#12345", "#1234567", "#0b5d4e;}body{display:none"])
def test_what_is_no_colour_is_refused(colour, settings):
    settings.COMPANY_COLOUR = colour
    with pytest.raises(ImproperlyConfigured, match="COMPANY_COLOUR"):
        theme(colour)
    assert [error.id for error in check_company_colour()] == ["site.E001"]


def test_a_colour_passes_the_check(settings):
    assert check_company_colour() == []


# --- When something is wrong ----------------------------------------------------------------------------------------


def assert_contract(response, status: int, code: str) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert body["code"] == code
    assert body["detail"]
    assert body["request_id"] == response.headers["X-Request-Id"]


def assert_page(response, status: int, heading: str, *, chats: int = 1) -> None:
    assert response.status_code == status
    page = Page(response)
    assert page.text("h1") == heading
    assert {"href": "/", "class": "button"} in page.all("a")
    assert len(page.all("web-chat")) == chats
    assert not page.all("style")


@pytest.mark.django_db
def test_an_unknown_address(client):
    make_webchat()
    assert_page(client.get("/nowhere/"), 404, "This page is not here")
    assert_contract(client.get("/api/nowhere/"), 404, "not_found")
    assert_contract(client.post("/api/webchat/support/sessions/not-there/"), 404, "not_found")


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_what_is_refused(client):
    make_webchat()
    assert_page(client.get("/refused/"), 403, "You may not see this")
    assert_contract(client.get("/api/refused/"), 403, "forbidden")


@pytest.mark.django_db
def test_a_foreign_host(client):
    make_webchat()
    assert_page(client.get("/", headers={"host": "evil.example"}), 400, "We did not understand that", chats=0)
    assert_contract(client.get("/api/schema/", headers={"host": "evil.example"}), 400, "invalid")


@pytest.mark.django_db
def test_a_form_without_its_token():
    client = Client(enforce_csrf_checks=True)
    make_webchat()
    client.get("/accounts/login/")
    assert_page(client.post("/accounts/login/", {}), 403, "This page is out of date")
    sent = client.post("/api/webchat/support/sessions/", {}, content_type="application/json")
    assert_contract(sent, 403, "csrf_failed")
    assert "out of date" in sent.json()["detail"]


@pytest.mark.django_db
def test_a_browser_without_cookies_is_told_what_to_allow():
    """To load the page again, as a stale form asks, would help nobody."""
    client = Client(enforce_csrf_checks=True)
    make_webchat()
    words = "Please allow cookies for this site"
    refused = client.post("/accounts/login/", {})
    assert_page(refused, 403, "No cookie")
    assert words in refused.content.decode()
    sent = client.post("/api/webchat/support/sessions/", {}, content_type="application/json")
    assert_contract(sent, 403, "csrf_failed")
    assert words in sent.json()["detail"]


def test_a_fault_of_ours_is_told_without_the_database():
    """This test may not use the database: each query raises."""
    client = Client(raise_request_exception=False)
    assert_page(client.get("/"), 500, "Something went wrong", chats=0)
    assert_contract(client.get("/api/webchat/support/sessions/current/"), 500, "server_error")


@pytest.mark.django_db
def test_a_fault_of_ours_is_told_without_the_context_processors(settings):
    settings.COMPANY_COLOUR = "no colour"
    client = Client(raise_request_exception=False)
    assert_page(client.get("/"), 500, "Something went wrong", chats=0)


# --- The language ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/support/?a=1", "/", "/no/such/page/"])
def test_the_footer_offers_every_language_and_the_choice_lasts(path):
    client = Client(enforce_csrf_checks=True)
    page = client.get(path)
    assert not page.cookies, "no cookie before a choice"
    html = page.content.decode()
    form = re.search(r'<form class="languages" method="post" action="/language/\?next=.*?</form>', html, re.DOTALL)[0]
    offered = re.findall(
        r'<button type="submit" name="language" value="(\w+)" lang="\1" dir="auto"( aria-current)?', form
    )
    assert offered == [(code, " aria-current" if code == "en" else "") for code, _name in site.LANGUAGES]
    assert re.findall(r">([^<]+)</button>", form) == ["English", "Deutsch", "Français", "Español", "العربيّة"]
    chosen = client.post(re.search(r'action="([^"]+)"', form)[1], {"language": "ar"})
    assert (chosen.status_code, chosen["Location"]) == (302, path)
    cookie = chosen.cookies["django_language"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert 'lang="ar" dir="rtl"' in client.get(path, headers={"Accept-Language": "fr"}).content.decode()


def choose_german(client: Client, html: str) -> str:
    """Where the choice leads, which is a page that can be read."""
    form = re.search(r'<form class="languages" method="post" action="([^"]+)"', html)
    chosen = client.post(unescape(form[1]), {"language": "de"})
    assert 'lang="de"' in client.get(chosen["Location"], follow=True).content.decode()
    return chosen["Location"]


@pytest.mark.django_db
def test_the_choice_after_a_refused_sign_in_keeps_where_one_was_going(client):
    page = client.get("/accounts/login/?next=/support/%3Fa%3D1").content.decode()
    action = unescape(re.search(r'class="stacked" method="post" action="([^"]+)"', page)[1])
    refused = client.post(action, {"username": "ada", "password": "wrong", "next": "/support/?a=1"}).content.decode()
    there = choose_german(client, refused)
    assert 'name="next" value="/support/?a=1"' in client.get(there).content.decode()


@pytest.mark.django_db
def test_the_choice_on_a_page_that_answers_a_form_alone_leads_to_one_that_can_be_read(client, sandbox):
    webchat = make_webchat()
    refused = client.post(f"/webchat/{webchat.slug}/message/", {}).content.decode()
    assert choose_german(client, refused) == f"/webchat/{webchat.slug}/"
    client.cookies.clear()
    visitor = VisitorClient()
    visitor.client.force_login(make_user())
    visitor.open_panel()
    assert visitor.start(ANSWERS).status_code == 201
    asked = visitor.client.post("/accounts/logout/", {"csrfmiddlewaretoken": visitor.csrf}).content.decode()
    assert "Signing out ends it" in asked
    assert choose_german(visitor.client, asked) == "/"


@pytest.mark.django_db
def test_no_other_site_chooses_the_language_or_where_one_goes(client):
    elsewhere = client.post("/language/", {"language": "de", "next": "https://evil.example/"})
    assert elsewhere["Location"] == "/"
    refused = Client().post("/language/", {"language": "de"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    assert not refused.cookies


# --- The support page --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_support_page_shows_the_first_webchat_of_the_site_whatever_its_name(client, sandbox):
    make_webchat(slug="of-all-sites")
    make_webchat(slug="of-this-site", site_id=site.SITE_ID)
    html = client.get("/support/").content.decode()
    assert re.findall(r'<web-chat[^>]* slug="([\w-]+)"', html) == ["of-this-site"]
    assert "no webchat yet" not in html


@pytest.mark.django_db
def test_staff_read_on_the_support_page_what_to_do_where_there_is_no_webchat(client, admin_client):
    assert "no webchat yet" not in client.get("/support/").content.decode()
    html = admin_client.get("/support/").content.decode()
    assert "This website has no webchat yet" in html
    assert '<a href="/admin/webchat/webchat/add/">Add one</a>' in html


@pytest.mark.django_db
def test_the_admin_has_the_websites_icon(admin_client):
    for page in ["/admin/", "/admin/webchat/webchat/", "/admin/webchat/webchat/add/"]:
        html = admin_client.get(page).content.decode()
        assert '<link rel="icon" type="image/svg+xml" href="/static/site/favicon.svg">' in html, page


def test_the_drawing_behind_the_title_is_never_cut_off_above():
    """From 1440 px on it grows with the page, in the ratio of its own box."""
    drawing = (site.BASE_DIR / "templates/site/_range.svg").read_text()
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', drawing).groups())
    css = (site.BASE_DIR / "static/site/site.css").read_text()
    rule = re.search(r"\n\.range \{(.*?)\}", css, re.DOTALL)[1]
    share = float(re.search(r"block-size: max\(9rem, ([\d.]+)vw\)", rule)[1])
    assert share >= 100 * height / width
