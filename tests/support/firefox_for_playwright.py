"""Starts a Firefox of the distribution so that Playwright can drive it, by the channel "moz-firefox".

Playwright speaks WebDriver BiDi, and ends where a Firefox does not know one of its commands yet. This answers such commands
in the place of Firefox as if they had been done. Tests that rely on one are in tests/e2e/not_in_firefox.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from aiohttp import ClientSession, ClientWebSocketResponse, web
from playwright.sync_api import Browser, Playwright

from tests.support.engines import FirefoxProcess
from tests.support.site import ROOT

LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


def launch(playwright: Playwright, folder: Path) -> Browser:
    """The folder keeps the small program that Playwright takes for the browser."""
    program = folder / "firefox"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {__spec__.name} "$@"\n')
    program.chmod(0o755)
    return playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=program,
        firefox_user_prefs=FirefoxProcess.PREFERENCES,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def pass_on(browser: ClientWebSocketResponse, playwright: web.WebSocketResponse) -> None:
    methods: dict[int, str] = {}

    async def commands() -> None:
        async for message in playwright:
            command = json.loads(message.data)
            methods[command["id"]] = command["method"]
            await browser.send_str(message.data)
        await browser.close()

    async def answers() -> None:
        async for message in browser:
            answer = json.loads(message.data)
            if answer.get("error") == "unknown command":
                result = {"collector": "none"} if "Collector" in methods[answer["id"]] else {}
                await playwright.send_json({"type": "success", "id": answer["id"], "result": result})
            else:
                await playwright.send_str(message.data)
        await playwright.close()

    await asyncio.gather(commands(), answers())


async def main() -> int:
    path = FirefoxProcess.installed()
    assert path, "Firefox is not installed"
    firefox = await asyncio.create_subprocess_exec(path, *sys.argv[1:], stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr
    address = ""
    while not address and (line := await firefox.stderr.readline()):
        if found := LISTENING.search(line.decode()):
            address = found[1]

    async def session(request: web.Request) -> web.WebSocketResponse:
        playwright = web.WebSocketResponse(max_msg_size=0)
        await playwright.prepare(request)
        async with ClientSession() as http, http.ws_connect(f"{address}/session", max_msg_size=0) as browser:
            await pass_on(browser, playwright)
        return playwright

    application = web.Application()
    application.router.add_get("/session", session)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{runner.addresses[0][1]}\n")
    while line := await firefox.stderr.readline():
        sys.stderr.write(line.decode())
    return await firefox.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
