"""The site's settings, and the hosts' pages."""

from __future__ import annotations

from pathlib import Path

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.e2e.hosts.urls"
TEMPLATES[0]["DIRS"].append(Path(__file__).resolve().parent / "templates")  # noqa: F405
