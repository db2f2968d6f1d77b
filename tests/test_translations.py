"""Every language that the site offers is complete, compiled, and chosen by the visitor's browser."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings

from tests.factories import ANSWERS, make_webchat
from tests.visiting import VisitorClient

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%[sd]")


def catalogue(code):
    with (ROOT / "locale" / code / "LC_MESSAGES" / "django.mo").open("rb") as compiled:
        return {key: text for key, text in gettext.GNUTranslations(compiled)._catalog.items() if key}


def sources(code):
    """The msgids of the source file, as one text each."""
    text = (ROOT / "locale" / code / "LC_MESSAGES" / "django.po").read_text()
    assert "#, fuzzy" not in text
    return set(re.findall(r'^msgid "(.+)"$', text, re.MULTILINE))


def texts(code):
    """The source texts that the compiled catalogue knows, without contexts and plural numbers."""
    keys = (key if isinstance(key, str) else key[0] for key in catalogue(code))
    return {key.rpartition("\x04")[2] for key in keys}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_is_complete_and_compiled(code):
    assert texts(code) == texts("de")
    compiled = {key.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for key in texts(code)}
    assert sources(code) <= compiled


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_translation_loses_a_placeholder(code):
    for key, text in catalogue(code).items():
        if isinstance(key, str):
            assert sorted(_PLACEHOLDER.findall(key)) == sorted(_PLACEHOLDER.findall(text)), key


def test_the_words_of_the_widget_are_those_of_the_templates_and_models():
    """A string that nobody extracted would stay English without a sound."""
    ids = texts("de")
    for template in (ROOT / "templates").rglob("*.html"):
        for text in re.findall(r'{% translate "([^"]+)"', template.read_text()):
            assert text in ids, (template.name, text)
    for model in (ROOT / "webchat" / "models").glob("*.py"):
        for text in re.findall(r'\b(?:_|gettext_noop)\(\s*"([^"\\]+)"\s*\)', model.read_text()):
            assert text in ids, (model.name, text)


@pytest.mark.django_db
@pytest.mark.parametrize("code", LANGUAGES)
def test_the_chat_speaks_the_visitors_language(client, sandbox, code):
    make_webchat(intro="Staff wrote this.")
    headers = {"Accept-Language": code}
    html = client.get("/", headers=headers).content.decode()
    assert f'lang="{code}"' in html
    assert ('dir="rtl"' in html) == (code == "ar")
    panel = client.get("/webchat/support/panel/", headers=headers).content.decode()
    assert "Start chat" not in panel
    assert "Staff wrote this." in panel
    visitor = VisitorClient()
    english = visitor.start({**ANSWERS, "email": "a@"}).json()
    other = visitor.start({**ANSWERS, "email": "a@"}, **headers).json()
    assert english["detail"] != other["detail"]
    assert english["code"] == other["code"]
