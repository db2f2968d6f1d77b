"""The widget from the launcher to the end, in German and Arabic: no English left, and times as the language has them."""

from __future__ import annotations

import gettext
import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.site import ROOT, SiteServer
from tests.support.widget import Widget

LANGUAGES = {"de": {"locale": "de-DE"}, "ar": {"locale": "ar-EG"}}

# Whatever is read or read out: the texts, names, hints and tooltips in the panel, also those that wait in templates. The
# fields' labels are staff's own words.
WORDS = """() => {
  const found = [];
  const collect = (root) => {
    for (const one of root.querySelectorAll("*")) {
      if (one.closest("[data-webchat-name], [data-webchat-error-links] [data-slot=name]")) continue;
      for (const name of ["aria-label", "placeholder", "title", "alt"])
        if (one.hasAttribute(name)) found.push(one.getAttribute(name));
      for (const node of one.childNodes) if (node.nodeType === 3) found.push(node.data);
      if (one.content instanceof DocumentFragment) {
        for (const node of one.content.childNodes) if (node.nodeType === 3) found.push(node.data);
        collect(one.content);
      }
    }
  };
  collect(document.querySelector("web-chat"));
  return found.map((text) => text.replace(/\\s+/g, " ").trim()).filter((text) => /\\p{L}{2}/u.test(text));
}"""


def english(code: str) -> list[re.Pattern[str]]:
    """Every source text that reads otherwise in the language."""
    with (ROOT / f"locale/{code}/LC_MESSAGES/django.mo").open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]
    texts = {
        (key if isinstance(key, str) else key[0]).rpartition("\x04")[2]
        for key, text in catalogue.items()
        if key != text
    }
    pieces = (re.split(r"%\(\w+\)[sd]|%[sd]|\{\w*\}", text) for text in texts if text)
    # A text with places for names stands in the panel in pieces.
    return [re.compile(re.escape(piece.strip())) for parts in pieces for piece in parts if re.search(r"\w{2}", piece)]


@pytest.mark.parametrize("context", LANGUAGES.values(), ids=LANGUAGES.keys(), indirect=True)
def test_no_english_is_left_in_the_widget(page: Page, site: SiteServer, request: pytest.FixtureRequest) -> None:
    code = request.node.callspec.id
    widget = Widget(page, site).goto()
    panel, sources = widget.panel, english(code)

    def check(state: str) -> None:
        words = page.evaluate(WORDS)
        assert len(words) > 5
        left = [text for text in words if any(source.fullmatch(text) for source in sources)]
        assert left == [], state

    expect(page.locator("html")).to_have_attribute("lang", code)
    check("closed")
    widget.launcher.click()
    expect(widget.field("name")).to_be_visible()
    check("form")
    panel.locator("[data-webchat-submit]").click()
    expect(widget.errors).to_be_focused()
    check("errors")
    widget.fill()
    with page.expect_response("**/sessions/") as answer:
        panel.locator("[data-webchat-submit]").click()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    widget.agent_joins()
    expect(panel.locator("[data-webchat-presence]")).to_contain_text("Robin")
    widget.site.sandbox.say(widget.channel, "bot_1", "https://example.com/")
    expect(widget.messages).to_have_count(2)
    check("chat")

    stamp = widget.messages.last.locator("time")
    shown = page.evaluate(
        """([iso, language]) => new Intl.DateTimeFormat(language, {hour: "numeric", minute: "2-digit"})
             .format(new Date(iso))""",
        [stamp.get_attribute("datetime"), LANGUAGES[code]["locale"]],
    )
    expect(stamp).to_have_text(shown)
    today = page.evaluate(
        "(language) => new Intl.RelativeTimeFormat(language, {numeric: 'auto'}).format(0, 'day')", code
    )
    expect(widget.messages.first.locator("[data-webchat-day]")).to_have_text(today)

    panel.locator("[data-webchat-end]").click()
    check("asked to end")
    panel.locator("[data-webchat-confirm-end]").click()
    expect(panel.locator("[data-webchat-ended]")).to_be_visible()
    check("ended")
