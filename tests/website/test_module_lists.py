"""The templates list the files that each module of the browser code takes: all of them, and no more.

A list that forgets a file leaves it to an import() that cannot be repeated when the line is lost.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

import pytest
from django.conf import settings

from tests.support.site import minify

STATIC = settings.BASE_DIR / "static"
TEMPLATES = settings.BASE_DIR / "templates/webchat"
# Bundled, so it imports nothing.
SDK = "webchat/sdk/conversations.js"


def taken_by(name: str) -> set[str]:
    """The module and all that it imports, at any depth."""
    if name == SDK:
        return {name}
    source = (STATIC / name).read_text()
    folder = PurePosixPath(name).parent
    found = re.findall(r'^import .*?from "(\.[^"]+)";', source, re.MULTILINE | re.DOTALL)
    imported = {str(PurePosixPath((STATIC / folder / one).resolve().relative_to(STATIC))) for one in found}
    return {name}.union(*map(taken_by, imported))


def listed() -> dict[str, list[str]]:
    sources = (TEMPLATES / name for name in ("_modules.html", "_chat_modules.html", "_closed.html"))
    lists = re.findall(
        r'<template data-webchat-template="([\w-]+)-modules">(.*?)</template>',
        "".join(source.read_text() for source in sources),
        re.DOTALL,
    )
    return {name: re.findall(r'{% static "([^"]+)" %}', content) for name, content in lists}


PAGE = taken_by("webchat/web-chat.js")


@pytest.mark.parametrize("name", sorted(listed()))
def test_a_list_names_what_the_module_takes(name: str) -> None:
    files = listed()[name]
    already = set() if name == "panel" else taken_by("webchat/panel.js")
    assert set(files) == taken_by(files[0]) - already
    assert len(files) == len(set(files))


def test_every_module_is_in_a_list_or_on_the_page() -> None:
    scripts = {str(found.relative_to(STATIC)) for found in STATIC.glob("webchat/**/*.js")}
    others = {one for one in scripts if one.startswith(("webchat/legacy/", "webchat/flex-ui/"))}
    assert PAGE.union(*listed().values()) == scripts - others | {SDK}


def test_what_the_page_takes_stands_on_it() -> None:
    """In one file, into which the build puts the others."""
    tags = re.findall(r'<script type="module" src="{% static "([^"]+)" %}"', (TEMPLATES / "_assets.html").read_text())
    assert tags == ["webchat/web-chat.js"]
    assert len(PAGE) > 1
    minify()
    digest = hashlib.sha256((STATIC / "webchat/web-chat.js").read_bytes()).hexdigest()
    built = (settings.MINIFIED / f"{digest}.js").read_text()
    assert not re.search(r"\bimport\b(?! *\()|\bexport\b", built)
    assert len(built) > 3000


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
