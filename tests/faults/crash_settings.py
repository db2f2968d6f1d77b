"""The site's own settings, in processes that can be killed at chosen points of a start."""

from __future__ import annotations

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.crash_points.CrashPoints"]  # noqa: F405
