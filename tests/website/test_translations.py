"""Every language that the site offers is complete, compiled, and chosen by the visitor's browser."""

from __future__ import annotations

import ast
import gettext
import re

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

from tests.support.factories import ANSWERS, make_webchat
from tests.support.site import ROOT
from tests.support.visitor import VisitorClient

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


# What `makemessages` would collect, without the gettext tools that it needs: Django turns a template into calls like
# those of Python, and Python reads its own.
_CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
_STRING = r"u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_TEMPLATE_CALL = re.compile(rf"\b(_|n?p?gettext)\(\s*({_STRING}(?:\s*,\s*{_STRING})*)")


def extracted():
    """(context or "", source text) -> the file that it is in. A plural's singular stands for both."""
    found = {}
    for folder in ("config", "webchat"):
        for module in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                name = isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in _CALLS and "migrations" not in module.parts:
                    strings = [one.value for one in node.args if isinstance(one, ast.Constant)]
                    note(found, name, strings, module)
    for template in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt")]:
        for name, arguments in _TEMPLATE_CALL.findall(templatize(template.read_text())):
            note(found, name, list(ast.literal_eval(f"[{arguments}]")), template)
    return found


def note(found, name, strings, file):
    if strings and isinstance(strings[0], str):
        context, text = strings[:2] if name.startswith("pgettext") else ("", strings[0])
        found[context, text] = str(file.relative_to(ROOT))


def test_every_text_in_the_code_and_the_templates_is_in_the_catalogues():
    """A string that nobody extracted would stay English without a sound."""
    known = set()
    for key in catalogue("de"):
        context, _separator, text = (key if isinstance(key, str) else key[0]).rpartition("\x04")
        known.add((context, text))
    found = extracted()
    assert len(found) > 300, "the search finds too little"
    missing = {text: file for text, file in found.items() if text not in known}
    assert missing == {}, "run makemessages, and translate"
    assert known - found.keys() == set(), "in no source any more"


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


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "word", "foreign"),
    [
        ("en", "E-mail address", "Email"),
        ("de", "E-Mail-Adresse", "Email"),
        ("fr", "Adresse e-mail", "électronique"),
        ("es", "Correo electrónico", "Email"),
        ("ar", "البريد الإلكتروني", "Email"),
    ],
)
def test_djangos_pages_write_of_mail_as_ours_do(admin_client, code, word, foreign):
    asked = admin_client.get("/accounts/password_reset/", headers={"Accept-Language": code}).content.decode()
    refused = admin_client.post("/accounts/password_reset/", {"email": "nobody"}, headers={"Accept-Language": code})
    users = admin_client.get("/admin/accounts/user/", headers={"Accept-Language": code}).content.decode()
    for html in (asked, refused.content.decode(), users):
        assert word.casefold() in html.casefold()
        assert foreign not in re.sub(r"<[^>]*>", "", html)
