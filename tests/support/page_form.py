"""What a browser sends for a page's form when nobody touches it."""

from __future__ import annotations

from html.parser import HTMLParser

from django.test import Client

_SENT_BY_A_CLICK = ("checkbox", "radio", "submit", "button")


def as_shown(client: Client, url: str) -> dict[str, list[str]]:
    """The hidden input by which a page of the admin says what it showed."""
    return {"as_shown": form_of(client.get(url).content.decode())["as_shown"]}


def form_of(html: str) -> dict[str, list[str]]:
    """The inputs of all forms that are posted, by name, but for buttons."""
    parser = _Form()
    parser.feed(html)
    return parser.sent


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self._posts = False
        self._text = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._posts = (given.get("method") or "").lower() == "post"
        elif tag == "select":
            self._select = name
        elif tag == "textarea":
            self._text = name
            self._send(name, "")
        elif tag == "option" and "selected" in given:
            self._send(self._select, value)
        elif tag == "input" and (given.get("type") not in _SENT_BY_A_CLICK or "checked" in given):
            self._send(name, value or ("on" if given.get("type") == "checkbox" else ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # The first line break of a text is the tag's own.
            self.sent[self._text][-1] = self.sent[self._text][-1].removeprefix("\n")
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.sent[self._text][-1] += data

    def _send(self, name: str, value: str) -> None:
        if name and self._posts:
            self.sent.setdefault(name, []).append(value)
