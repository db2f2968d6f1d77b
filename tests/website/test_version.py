"""The project, its schema and its changelog have one version."""

from __future__ import annotations

import re
import tomllib

from django.test import Client

from tests.support.site import ROOT


def test_the_schema_and_the_changelog_have_the_projects_version(client: Client) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert client.get("/api/schema/", {"format": "json"}).json()["info"]["version"] == version
    newest = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == version
