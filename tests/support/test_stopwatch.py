"""A bar in seconds fails code that is slow, and not a machine that is busy."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.support.stopwatch import Stopwatch, at_most


def test_what_waits_too_long_or_too_short_fails():
    with at_most(10, at_least=0.1):
        time.sleep(0.1)
    with pytest.raises(AssertionError), at_most(0.01):
        time.sleep(3)
    with pytest.raises(AssertionError), at_most(10, at_least=0.1):
        pass


def test_time_in_which_the_process_was_halted_does_not_count():
    shell = f"kill -STOP {os.getpid()}; sleep 1; kill -CONT {os.getpid()}"
    with Stopwatch() as watch, subprocess.Popen(["sh", "-c", shell]) as halting:
        halting.wait()
    assert halting.returncode == 0, signal.Signals(-halting.returncode)
    assert watch.elapsed >= 1
    assert watch.seconds < watch.elapsed - 0.9
