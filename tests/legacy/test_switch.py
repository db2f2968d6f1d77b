"""Switched off, nothing of the legacy API is loaded, and no page can carry its weaker policy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from tests.support.site import demo_database

# One process each, as the switch decides what Django loads.
PROBE = """
import json, sys
import django
django.setup()
from django.test import Client
from django.test.utils import setup_test_environment
from webchat.admin.webchats import WebchatAdmin
from webchat.models import Webchat
Webchat.objects.exclude(slug="legacy").delete()
setup_test_environment()
client = Client()
home = client.get("/")
from django.core.checks import run_checks
print(json.dumps({
    "loaded": sorted(name for name in sys.modules if name.startswith("webchat.legacy")),
    "policy": home.headers["Content-Security-Policy"],
    "home": home.content.decode(),
    "page": client.get("/legacy/").status_code,
    "token": client.post("/webchat/legacy/flex-ui/token", HTTP_ORIGIN="http://testserver").status_code,
    "chat": client.get("/webchat/legacy/panel/").content.decode(),
    "checks": [message.id for message in run_checks(databases=["default"])],
    "fields": WebchatAdmin.more_fields,
    "actions": [one.__name__ for one in WebchatAdmin.actions if "legacy" in getattr(one, "__module__", "")],
}))
"""


def probe(switch: str, tmp_path) -> dict:
    shutil.copy(demo_database(), tmp_path / "db.sqlite3")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DJANGO_ALLOWED_HOSTS": "testserver",
        "WEBCHAT_LEGACY": switch,
    }
    command = [sys.executable, "-c", PROBE]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def test_switched_off_nothing_of_it_is_there(tmp_path):
    found = probe("off", tmp_path)
    assert found["loaded"] == []
    assert "unsafe-eval" not in found["policy"]
    assert "flex-webchat-ui" not in found["home"]
    assert (found["page"], found["token"]) == (404, 404)
    assert "not available at the moment" in found["chat"]
    assert "webchat.E010" in found["checks"]
    assert (found["fields"], found["actions"]) == ([], [])


def test_switched_on_it_is_all_there(tmp_path):
    found = probe("on", tmp_path)
    assert "webchat.legacy.gateway" in found["loaded"]
    assert "unsafe-eval" in found["policy"]
    assert "flex-webchat-ui" in found["home"]
    assert (found["page"], found["token"]) == (200, 200)
    assert "webchat.E010" not in found["checks"]
    assert (found["fields"], found["actions"]) == (["widget", "flex_flow_sid"], ["move_to_conversations"])
