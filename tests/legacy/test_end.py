"""What is to be deleted with the legacy API is what the decision about its end lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DECISION = ROOT / "docs/decisions/end-of-the-legacy-api.md"
# What tells of it in code, styles and markup.
NAMES = re.compile(rb"web_?channel|flex_?flow|flex[ _-]?(webchat[ _-])?ui|legacy", re.IGNORECASE)
# By these names it is found, and has nothing of it: twilio-python calls the resource of POST /v2/WebChats so.
NOT_IT = {"webchat/flex/web_chats.py"}
# The tests go with what they test. Documents and translations are read anew.
FOLDERS = ["config", "deploy", "static", "templates", "webchat"]
FILES = [".env.example", ".gitignore", "Makefile", "*.json", "*.toml", "*.in"]
NOT_OURS = {"__pycache__", "migrations", "sdk", "flex-ui"}


def files() -> Iterator[Path]:
    for pattern in FILES:
        yield from ROOT.glob(pattern)
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file())


def test_the_decision_lists_every_file_that_knows_it():
    listed = set(re.findall(r"`([\w./]+)`", DECISION.read_text().partition("**Its end**")[2]))
    to_delete = tuple(name for name in listed if name.endswith("/") or name == "templates/legacy.html")
    assert all((ROOT / name).exists() for name in to_delete)
    found = {
        str(path.relative_to(ROOT))
        for path in files()
        if not NOT_OURS & {*path.parts} and NAMES.search(path.read_bytes())
    }
    assert {name for name in found if not name.startswith(to_delete)} - NOT_IT == listed - {*to_delete}
