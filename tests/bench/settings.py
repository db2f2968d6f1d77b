"""The site's settings, with bare views beside it to compare with, and trust in the bench's own Twilio."""

from __future__ import annotations

import os

import certifi

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.urls"
certifi.where = lambda: os.environ["BENCH_CERTIFICATE"]
