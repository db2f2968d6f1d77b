"""How the visitor's templates are written: many attributes stand one a line, and sentences in files of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.site import ROOT

VISITORS = ROOT / "templates/webchat"
SENTENCES = {"_sentences.html", "_texts.html"}
# A tag of Django's may hold quotation marks and angle brackets of its own.
START_TAG = re.compile(r'<[a-z][a-z0-9-]*(?:"[^"]*"|\{%.*?%\}|\{\{.*?\}\}|[^<>"])*>', re.DOTALL)
DJANGO = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
TEMPLATE = re.compile(r'<template data-webchat-template="([^"]+)">(.*?)</template>', re.DOTALL)
MOST_ATTRIBUTES_ON_A_LINE = 5
LONGEST_TAG = 150


def templates() -> list[Path]:
    found = sorted(VISITORS.rglob("*.html"))
    assert len(found) > 30
    return found


def crowded(source: str) -> list[str]:
    """The start tags that have too much on one line."""
    tags = [found[0] for found in START_TAG.finditer(source) if "\n" not in found[0]]
    return [tag for tag in tags if attributes(tag) > MOST_ATTRIBUTES_ON_A_LINE or len(tag) > LONGEST_TAG]


def attributes(tag: str) -> int:
    return len(re.findall(r'\s[a-z][a-z0-9-]*(?:="[^"]*")?(?=[\s>])', DJANGO.sub("", tag), re.IGNORECASE))


def is_sentence(content: str) -> bool:
    """Whether it is translated words alone, with slots for others."""
    return bool(re.search(r"\{% (block)?translate |\{\{ webchat\.texts\.", content)) and "<" not in DJANGO.sub(
        "", content
    )


@pytest.mark.parametrize("path", templates(), ids=lambda path: str(path.relative_to(VISITORS)))
def test_many_attributes_stand_one_a_line(path: Path) -> None:
    assert crowded(path.read_text()) == []


@pytest.mark.parametrize("path", templates(), ids=lambda path: str(path.relative_to(VISITORS)))
def test_sentences_stand_apart_from_markup(path: Path) -> None:
    parts = TEMPLATE.findall(path.read_text())
    strangers = [name for name, content in parts if is_sentence(content) is not (path.name in SENTENCES)]
    assert strangers == []


def test_each_sentence_is_written_once() -> None:
    names = [name for file in SENTENCES for name, _ in TEMPLATE.findall((VISITORS / file).read_text())]
    assert sorted(names) == sorted(set(names))


def test_what_is_crowded_is_seen() -> None:
    assert crowded('<p class="a" id="b" lang="{% if c %}d{% endif %}" dir="ltr" hidden>') == []
    assert len(crowded('<p class="a" id="b" lang="{% if c %}d{% endif %}" dir="ltr" title="e" hidden>')) == 1
    assert len(crowded(f'<p class="{"a" * LONGEST_TAG}">')) == 1
    assert crowded('<p\n  class="a"\n  id="b"\n  lang="c"\n  dir="ltr"\n  title="e"\n  hidden\n>') == []
