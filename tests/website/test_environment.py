"""The README's table, .env.example and the code name the same variables of the environment."""

from __future__ import annotations

import ast
import os
import re
import runpy

import pytest
from environ import Env

from tests.support.site import ROOT

NAME = re.compile(r"[A-Z][A-Z0-9_]+")
# What is commented out is a variable too.
LINE = re.compile(r'^(?:# )?([A-Z][A-Z0-9_]+)=(?:"(.*)"|(.*))$', re.MULTILINE)


def read_by(path: str) -> set[str]:
    """The variables that a module reads: `env.str("NAME")`, `_number("NAME", …)`, `os.environ.get("NAME")` …"""
    readers = re.compile(r"(env|os\.environ)\.\w+|_read|_number")
    calls = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.Call)]
    arguments = [each for call in calls if readers.fullmatch(ast.unparse(call.func)) for each in call.args]
    constants = [each.value for each in arguments if isinstance(each, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and NAME.fullmatch(value)}


def in_code() -> set[str]:
    return read_by("config/settings.py") | read_by("config/gunicorn.py")


def in_readme() -> set[str]:
    table = (ROOT / "README.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row)}


def in_example() -> dict[str, str]:
    found = LINE.findall((ROOT / ".env.example").read_text())
    values = {name: quoted or bare for name, quoted, bare in found}
    assert len(values) == len(found), "a variable stands twice"
    return values


def test_every_variable_is_in_the_readme_and_in_the_example() -> None:
    assert in_code() == in_readme()
    assert in_code() == in_example().keys()


def test_the_example_holds_no_secret() -> None:
    secrets = re.compile(r"SECRET|TOKEN|_SID$")
    assert {name: value for name, value in in_example().items() if secrets.search(name) and value} == {}


def test_the_settings_understand_every_value_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in in_example().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DJANGO_SECRET_KEY", os.urandom(40).hex())
    settings = runpy.run_path(str(ROOT / "config/settings.py"))
    assert settings["SERVED_OVER_TLS"]
    assert settings["ALLOWED_HOSTS"] == ["www.example.com"]
    assert not settings["DEBUG"]


@pytest.mark.django_db
def test_a_cache_of_several_hosts_that_are_all_away_stops_nothing(client, settings):
    """The site and the chat keep nothing there."""
    settings.CACHES = {"default": Env.cache_url_config("rediscache://127.0.0.1:9,127.0.0.1:10/0")}
    assert [client.get(path).status_code for path in ("/", "/accounts/login/", "/admin/login/")] == [200] * 3
    assert client.post("/accounts/login/", {"username": "ada", "password": "x"}).status_code == 200
