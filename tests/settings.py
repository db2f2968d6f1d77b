"""The site's settings for tests: the sandbox's account, plain static files, a fast password hasher."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SECRET_KEY", "tests-only-" + "0" * 50)
os.environ.setdefault("WEBCHAT_LEGACY", "on")

from config.settings import *  # noqa: F403
from webchat.sandbox import account

TWILIO_ACCOUNT_SID = account.ACCOUNT_SID
TWILIO_AUTH_TOKEN = account.AUTH_TOKEN
TWILIO_API_KEY_SID = account.API_KEY_SID
TWILIO_API_KEY_SECRET = account.API_KEY_SECRET
TWILIO_REGION = "us1"
# A test that needs Twilio starts a sandbox and points this at it; nothing else can be reached.
TWILIO_SANDBOX_URL = "http://127.0.0.1:9"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # In a file, as on a real machine: threads of one process lock each other out of a shared in-memory database.
    folder = tempfile.mkdtemp(prefix="webchat-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    DATABASES["default"]["TEST"] = {"NAME": str(Path(folder) / "test.sqlite3")}  # noqa: F405
