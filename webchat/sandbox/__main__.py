"""`python -m webchat.sandbox`: the sandbox without Django."""

from __future__ import annotations

import argparse

from .server import run

parser = argparse.ArgumentParser(prog="python -m webchat.sandbox", description=__doc__)
parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
parser.add_argument("--port", type=int, default=8001)
parser.add_argument("--no-auto-agent", action="store_true", help="leave every chat to the people at the agent desk")
options = parser.parse_args()
run(
    options.host,
    options.port,
    auto_agent=not options.no_auto_agent,
    ready=lambda url: print(f"Sandbox and agent desk: {url}", flush=True),  # noqa: T201
)
