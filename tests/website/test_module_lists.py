"""The templates list the files that each module of the browser code takes, as it is built: all of them, and no more.

A list that forgets a file leaves it to an import() that cannot be repeated when the line is lost.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from django.conf import settings

from tests.support.site import minify

STATIC = settings.BASE_DIR / "static"
TEMPLATES = settings.BASE_DIR / "templates/webchat"
# Bundled, so it imports nothing.
SDK = "webchat/sdk/conversations.js"


def taken_by(name: str) -> set[str]:
    """The module and all that it imports, at any depth, but for what is built into it."""
    return {name}.union(*map(taken_by, imported_by(name, built(name))))


def built_into(name: str) -> set[str]:
    """The module and what is built into it."""
    return sources_of(name) - taken_by(name) | {name}


def sources_of(name: str) -> set[str]:
    """The module and all that it imports, as they are written."""
    return {name}.union(*map(sources_of, imported_by(name, "" if name == SDK else (STATIC / name).read_text())))


def imported_by(name: str, source: str) -> set[str]:
    found = re.findall(r'(?:^|[;}])(?:import|export)\b[^;]*?from ?"(\.[^"]+)"', source, re.MULTILINE)
    folder = STATIC / PurePosixPath(name).parent
    return {str(PurePosixPath((folder / one).resolve().relative_to(STATIC))) for one in found}


def built(name: str) -> str:
    if name == SDK:
        return ""
    build_all()
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return Path(settings.MINIFIED, f"{digest}.js").read_text()


@cache
def build_all() -> None:
    minify()


def listed() -> dict[str, list[str]]:
    sources = sorted(TEMPLATES.glob("*.html"))
    lists = re.findall(
        r'<template data-webchat-template="([\w-]+)-modules">(.*?)</template>',
        "".join(source.read_text() for source in sources),
        re.DOTALL,
    )
    return {name: re.findall(r'{% static "([^"]+)" %}', content) for name, content in lists}


@pytest.mark.parametrize("name", sorted(listed()))
def test_a_list_names_what_the_module_takes(name: str) -> None:
    files = listed()[name]
    already = set() if name == "panel" else taken_by("webchat/panel.js")
    assert set(files) == taken_by(files[0]) - already
    assert len(files) == len(set(files))


def test_every_module_is_in_a_list_or_on_the_page() -> None:
    scripts = {str(found.relative_to(STATIC)) for found in STATIC.glob("webchat/**/*.js")}
    others = {one for one in scripts if one.startswith(("webchat/admin/", "webchat/legacy/", "webchat/flex-ui/"))}
    page = built_into("webchat/web-chat.js")
    served = page.union(*(built_into(one) for files in listed().values() for one in files))
    assert served == scripts - others | {SDK}


def test_what_the_page_takes_stands_on_it() -> None:
    """In one file, into which the build puts the others."""
    tags = re.findall(r'<script type="module" src="{% static "([^"]+)" %}"', (TEMPLATES / "_assets.html").read_text())
    assert tags == ["webchat/web-chat.js"]
    page = built("webchat/web-chat.js")
    assert not re.search(r"\bimport\b(?! *\()|\bexport\b", page)
    assert len(page) > 3000
    assert len(built_into("webchat/web-chat.js")) > 1
    assert len(built_into("webchat/chat/chat.js")) > 5


def test_nothing_takes_the_element_a_second_time() -> None:
    """As a file of its own it would be loaded beside the one that it is built into."""
    for name in [one for files in listed().values() for one in files]:
        assert not {"webchat/web-chat.js", "webchat/web-chat-element.js"} & taken_by(name), name


def test_nothing_is_imported_or_preloaded_in_a_way_that_cannot_be_repeated() -> None:
    for script in STATIC.glob("webchat/**/*.js"):
        if script.relative_to(STATIC).parts[1] not in ("sdk", "flex-ui"):
            assert not re.search(r'^[^/*\n]*\bimport\("', script.read_text(), re.MULTILINE), script
    for template in TEMPLATES.glob("*.html"):
        assert "modulepreload" not in template.read_text(), template
