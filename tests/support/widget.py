"""A visitor at the chat widget, and the agent on the other side."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import jwt
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.support.site import ROOT, SiteServer
from tests.support.site_visitor import ANSWERS
from tests.support.waiting import until
from webchat.sandbox import account

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

AGENT = "agent_robin"

# The scripts that come when a visitor or a webchat needs them, as the templates name them; a chat and the SDK always come.
ON_DEMAND = {
    name
    for file in ("_chat_modules.html", "_form_modules.html")
    for name in re.findall(r'="([a-z-]+)-modules"', (ROOT / "templates/webchat" / file).read_text())
} - {"chat", "sdk"}


# What the page sends by fetch(), as text: Playwright does not say it of Firefox.
RECORD_BODIES = """
window.sentBodies = [];
const ask = window.fetch;
window.fetch = (address, options) => {
  window.sentBodies.push([String(address), String(options?.body ?? "")]);
  return ask(address, options);
};
"""


def fetch(route: Route) -> APIResponse:
    """Route.fetch(), with the body of a page that has RECORD_BODIES: Firefox would wait for an answer to a request without."""
    request = route.request
    return route.fetch(post_data=sent_bodies(request.frame.page, urlsplit(request.url).path)[-1])


def sent_bodies(page: Page, end: str) -> list[str]:
    """Of the document's requests to an address with that end. Its test has added RECORD_BODIES."""
    return [body for address, body in page.evaluate("window.sentBodies") if address.endswith(end)]


class Widget:
    """Acts as the visitor by what a visitor perceives: roles, names and texts."""

    def __init__(self, page: Page, site: SiteServer, slug: str = "support") -> None:
        self.page, self.site, self.slug = page, site, slug
        self.element = page.locator(f"web-chat[slug={slug}]")
        self.launcher = self.element.locator("[data-webchat-launcher]")
        self.panel = self.element.locator("[data-webchat-panel]")
        self.form = self.panel.locator("[data-webchat-form]")
        self.errors = self.panel.locator("[data-webchat-errors]")
        self.log = self.panel.get_by_role("log")
        self.messages = self.log.locator(".webchat-message")
        self.composer = self.panel.get_by_role("textbox", name="Message")
        self.credentials: dict[str, Any] = {}

    # What the visitor does

    def goto(self, path: str = "/") -> Self:
        self.page.goto(self.site.url + path)
        return self

    def open(self) -> Self:
        self.launcher.click()
        expect(self.panel).to_be_visible()
        return self

    def fill(self, **answers: str) -> Self:
        for name, value in (ANSWERS | answers).items():
            self.field(name).fill(value)
        return self

    def field(self, name: str) -> Locator:
        return self.form.locator(f"[name={name}]")

    def submit(self) -> Self:
        self.panel.get_by_role("button", name="Start chat").click()
        return self

    def start(self, path: str = "/", **answers: str) -> Self:
        """All the way into a chat that is connected, as begin()."""
        self.goto(path)
        if self.element.get_attribute("mode") == "launcher":
            self.open()
        # Until the script is there, the form would go its way without it.
        expect(self.form).to_have_js_property("noValidate", True)
        return self.fill(**answers).begin()

    def begin(self) -> Self:
        """From the form as it is filled into a chat that is connected; `credentials` are what the browser got."""
        with self.page.expect_response("**/sessions/") as answer:
            self.submit()
        self.credentials = answer.value.json()
        self.expect_connected()
        return self

    def expect_connected(self) -> None:
        """The history is there, and Twilio has the question."""
        expect(self.log).to_have_attribute("aria-busy", "false")
        expect(self.messages.first).to_be_visible()
        expect(self.log.locator("[data-words=sending]")).to_have_count(0)

    def await_another_token(self) -> None:
        """Until this second is past: a token of the same second would be the same token."""
        second = int(time.time())
        until(lambda: time.time() >= second + 1)

    def send(self, text: str) -> None:
        """By the button: on a phone Enter starts a new line."""
        self.composer.fill(text)
        self.panel.get_by_role("button", name="Send", exact=True).click()

    def end(self) -> None:
        self.panel.get_by_role("button", name="End chat").first.click()
        self.panel.get_by_role("group", name="Do you want to end").get_by_role("button", name="End chat").click()

    # What the agent does

    @property
    def channel(self) -> str:
        return str(self.credentials["channel_sid"])

    def agent_joins(self, name: str = "Robin") -> None:
        self.site.sandbox.desk(self.channel, "accept", author=name)

    def agent_leaves(self) -> None:
        self.site.sandbox.rest("DELETE", f"/v1/Conversations/{self.channel}/Participants/{AGENT}")

    def agent_says(self, text: str) -> None:
        self.site.sandbox.say(self.channel, AGENT, text)

    def agent_sends_file(self, name: str, kind: str, content: bytes) -> None:
        """As an agent's browser does: by the SDK."""
        self.agent_joins()
        context = self.page.context.browser.new_context(bypass_csp=True)
        agent = context.new_page()
        agent.goto(self.site.url)
        data, sdk = base64.b64encode(content).decode(), self.site.hashed_static()["webchat/sdk/conversations.js"]
        agent.evaluate(
            """async ([sdk, token, options, sid, filename, contentType, data]) => {
              const { Client } = await import(sdk);
              const client = new Client(token, options);
              await new Promise((resolve, reject) => {
                client.on("initialized", resolve);
                client.on("initFailed", ({ error }) => reject(new Error(error?.message)));
              });
              const conversation = await client.getConversationBySid(sid);
              const media = new Blob([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], { type: contentType });
              await conversation.prepareMessage().addMedia({ contentType, filename, media }).build().send();
            }""",
            [sdk, access_token(AGENT), self.credentials["sdk_options"], self.channel, name, kind, data],
        )
        context.close()

    def agent_types(self) -> None:
        self.site.sandbox.desk(self.channel, "typing", author="Robin")

    def at_twilio(self) -> list[str]:
        return [message["body"] for message in self.site.sandbox.messages(self.channel)]

    # What a test asks the page

    def focused(self) -> str:
        """The focused element: its label's or its own text, or its name."""
        return str(
            self.page.evaluate(
                """() => { const e = document.activeElement; return (e.labels?.[0] ?? e).innerText.trim()
                           || e.getAttribute("aria-label") || e.tagName }"""
            )
        )

    def events(self) -> list[list[Any]]:
        return list(self.page.evaluate("window.chatEvents"))

    def record_events(self) -> None:
        names = ["opening", "opened", "started", "message", "ending", "ended", "error"]
        self.page.add_init_script(
            f"""window.chatEvents = [];
            for (const name of {names})
              document.addEventListener("web-chat:" + name, (e) => window.chatEvents.push([name, e.detail]));"""
        )


def at_rest(page: Page) -> None:
    """Waits until nothing moves or fades any more but what turns for ever."""
    page.evaluate(
        """() => Promise.allSettled(document.getAnimations()
             .filter((one) => one.effect.getComputedTiming().endTime < 1000).map((one) => one.finished))"""
    )


def violations(page: Page, within: str = "html") -> list[str]:
    """What axe finds wrong on the page: rule and element."""
    page.evaluate(f"() => {{ {AXE} }}" if not page.evaluate("'axe' in window") else "0")
    at_rest(page)
    found = page.evaluate("([within, tags]) => axe.run(within, {runOnly: tags})", [within, RULES])
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]]


def access_token(identity: str, seconds: int = 3600) -> str:
    """What the sandbox lets in as that identity, for so long."""
    now = int(time.time())
    grants = {"identity": identity, "chat": {"service_sid": account.CHAT_SERVICE_SID}}
    claims = {"jti": f"{account.API_KEY_SID}-{now}", "iss": account.API_KEY_SID, "sub": account.ACCOUNT_SID}
    claims |= {"iat": now, "exp": now + seconds, "grants": grants}
    return jwt.encode(claims, account.API_KEY_SECRET, "HS256", headers={"cty": "twilio-fpa;v=1"})


def shot(page: Page, folder: str | None, name: str) -> None:
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
