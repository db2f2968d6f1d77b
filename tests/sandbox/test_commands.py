"""The two ways to start the sandbox, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import requests

ENVIRONMENT = {**os.environ, "DJANGO_SECRET_KEY": "tests-only-" + "0" * 50, "SANDBOX_PORT": "0"}


@pytest.mark.parametrize("command", [["-m", "webchat.sandbox", "--port", "0"], ["manage.py", "flexsandbox"]], ids=str)
def test_serves_until_interrupted(command: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores it, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Sandbox and agent desk: http://127.0.0.1:"), process.communicate()
        assert requests.get(line.rpartition(" ")[2].strip(), timeout=60).status_code == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
