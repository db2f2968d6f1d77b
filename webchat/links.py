"""Web addresses in what staff write, as the chat finds them in messages (static/webchat/chat/rich-text.js), and in words
of their own: `[privacy notice](https://www.example.com/privacy)`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

# No address has these as they are: spaces, quotation marks, the full stops, commas and brackets of other scripts, an
# ellipsis.
_ADDRESS = r"[^\s<>\"`„“”‟‛«»‹›❛-❠⟦-⟯…،؛؟۔।׃።፣　-〄〈-〠〰！-／：-＠［-･]+"
_FOUND = re.compile(
    rf"\[(?P<words>[^\[\]\n]+)\]\((?P<named>https?://[^\s()]+)\)|(?<![A-Za-z0-9_])(?P<bare>(?:https?://|www\.){_ADDRESS})",
    re.IGNORECASE,
)
_OPENED_BY = {")": "(", "]": "[", "}": "{"}
_OF_THE_SENTENCE = ".,;:!?'’‘‚*_~|—–\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: words, or with an address in `href` a link of these words."""

    text: str
    href: str = ""


def pieces(text: str) -> list[Piece]:
    """The whole text in pieces. Only http and https become links."""
    if "://" not in text and "www." not in text.lower():
        return [Piece(text)] if text else []
    found: list[Piece] = []
    end = 0
    for match in _FOUND.finditer(text):
        if match["named"]:
            words, address, until = match["words"], match["named"], match.end()
        else:
            words = address = _trimmed(match["bare"])
            until = match.start() + len(address)
        href = _href(address)
        if not href:
            continue
        if match.start() > end:
            found.append(Piece(text[end : match.start()]))
        found.append(Piece(words, href))
        end = until
    if end < len(text):
        found.append(Piece(text[end:]))
    return found


def has_links(text: str) -> bool:
    return any(piece.href for piece in pieces(text))


def spelled_out(text: str) -> str:
    """The same where no link can be: an address stands in brackets behind its words."""
    return "".join(
        f"{piece.text} ({piece.href})" if piece.href and piece.text not in piece.href else piece.text
        for piece in pieces(text)
    )


def _trimmed(address: str) -> str:
    """Punctuation after an address belongs to the sentence; a closing bracket only if it closes none of the address. So
    does what nobody sees, but for the joiners, with which some languages spell."""
    shown = (unicodedata.category(sign) != "Cf" or sign in "\u200c\u200d" for sign in address)
    end = next((position for position, is_shown in enumerate(shown) if not is_shown), len(address))
    unopened = {
        closing: address.count(closing, 0, end) - address.count(opening, 0, end)
        for closing, opening in _OPENED_BY.items()
    }
    while end > 0:
        last = address[end - 1]
        if last in unopened:
            if unopened[last] <= 0:
                break
            unopened[last] -= 1
        elif last not in _OF_THE_SENTENCE:
            break
        end -= 1
    return address[:end]


def _href(address: str) -> str:
    """Where the link leads; empty for what is no address after all."""
    href = address if "://" in address else f"https://{address}"
    try:
        host = urlsplit(href).hostname or ""
    except ValueError:
        return ""
    return href if "." in host.strip(".") or host == "localhost" else ""
