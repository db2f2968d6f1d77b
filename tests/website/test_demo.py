"""`make run` and `make dev`, as far as no server is started; and what `make help` says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.demo import __main__ as demo
from tests.support.site import ROOT


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo would keep what it makes."""
    monkeypatch.setattr(demo, "STATE", tmp_path / "demo")
    return tmp_path / "demo"


@pytest.mark.parametrize("which", ["--port", "--sandbox-port"])
def test_a_port_that_is_taken_is_named_and_nothing_is_touched(state, capsys, which) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as unused:
        taken, free = other.getsockname()[1], unused.getsockname()[1]
        unused.close()
        ports = {"--port": free, "--sandbox-port": free} | {which: taken}
        status = demo.main([str(part) for pair in ports.items() for part in pair])
    assert status == 1
    assert f"Port {taken}:" in capsys.readouterr().err
    assert not state.exists()


def test_make_looks_at_the_ports_before_it_builds() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("run", "dev"):
        assert re.search(rf"^{target}: free-ports\b", makefile, re.MULTILINE), target


def test_static_files_are_collected_again_when_one_has_changed(tmp_path, monkeypatch) -> None:
    source = tmp_path / "static" / "a.js"
    for folder in ("static", "config"):
        (tmp_path / folder).mkdir()
    for name in ("static/a.js", "requirements.txt", "config/storage.py"):
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    first = demo.digest_of_sources({})
    assert demo.digest_of_sources({}) == first
    source.write_text("22")
    changed = demo.digest_of_sources({})
    assert changed != first
    (tmp_path / "staticfiles").mkdir()
    (tmp_path / "staticfiles" / "staticfiles.json").write_text("{}")  # as `collectstatic` leaves it
    assert demo.digest_of_sources({}) not in (first, changed)


def test_enter_asks_for_the_banner_until_there_is_no_more_input(monkeypatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        console = demo.Console()
        assert not console.wait_for_enter(0)
        os.write(writer, b"\n")
        assert console.wait_for_enter(0)
        os.close(writer)
        assert not console.wait_for_enter(0)
        assert not console.is_open


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = {name for line in said.splitlines() for name in line.partition("  ")[0].removeprefix("make ").split(", ")}
    assert set(phony) - {"help", "free-ports"} <= listed
