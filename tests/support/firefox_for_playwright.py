"""Starts a Firefox of the distribution so that Playwright can drive it, by the channel "moz-firefox".

Playwright speaks WebDriver BiDi, and ends where a Firefox does not know one of its commands yet. This answers such commands
in the place of Firefox as if they had been done, and `run_inside` does what Playwright has no command for: it runs a script
in the window of Firefox itself (https://firefox-source-docs.mozilla.org/remote/Security.html, --remote-allow-system-access).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import requests
from aiohttp import ClientSession, ClientWebSocketResponse, web
from playwright.sync_api import Browser, Playwright

from tests.support.engines import FirefoxProcess
from tests.support.site import ROOT, free_port

LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
PORT = "FIREFOX_FOR_PLAYWRIGHT_PORT"
ports: dict[Browser, int] = {}


def launch(playwright: Playwright, folder: Path) -> Browser:
    """The folder keeps the small program that Playwright takes for the browser."""
    program = folder / "firefox"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {__spec__.name} "$@" --remote-allow-system-access\n')
    program.chmod(0o755)
    port = free_port()
    browser = playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=program,
        firefox_user_prefs=FirefoxProcess.PREFERENCES,
        env={**os.environ, "PYTHONPATH": str(ROOT), PORT: str(port)},
    )
    ports[browser] = port
    return browser


def run_inside(browser: Browser, script: str) -> None:
    """Runs a script with the rights of Firefox itself. Raises RuntimeError with what it throws."""
    answer = requests.post(f"http://127.0.0.1:{ports[browser]}/inside", data=script.encode(), timeout=60)
    if not answer.ok:
        raise RuntimeError(answer.text)


class Session:
    """What Playwright and Firefox say to each other, and what is asked of Firefox beside it."""

    FIRST_OWN_ID = 2**40  # Playwright counts from 1

    def __init__(self, browser: ClientWebSocketResponse, playwright: web.WebSocketResponse) -> None:
        self._browser, self._playwright = browser, playwright
        self._methods: dict[int, str] = {}
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def run(self) -> None:
        await asyncio.gather(self._pass_commands(), self._pass_answers())

    async def _pass_commands(self) -> None:
        async for message in self._playwright:
            command = json.loads(message.data)
            self._methods[command["id"]] = command["method"]
            await self._browser.send_str(message.data)
        await self._browser.close()

    async def _pass_answers(self) -> None:
        async for message in self._browser:
            answer = json.loads(message.data)
            number = answer.get("id")
            if number in self._asked:
                self._asked.pop(number).set_result(answer)
            elif answer.get("error") == "unknown command":
                result = {"collector": "none"} if "Collector" in self._methods[number] else {}
                await self._playwright.send_json({"type": "success", "id": number, "result": result})
            elif (
                str(answer.get("method")).startswith("browsingContext.download") and not answer["params"]["navigation"]
            ):
                # What a page makes itself has an address of its own, and Playwright asks for a number.
                answer["params"]["download"] = answer["params"]["url"]
                await self._playwright.send_json(answer)
            else:
                await self._playwright.send_str(message.data)
        await self._playwright.close()

    async def ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The result of a command of our own. Raises RuntimeError when it fails."""
        number = self.FIRST_OWN_ID + len(self._methods)
        self._methods[number] = method
        self._asked[number] = asyncio.get_running_loop().create_future()
        answer = self._asked[number]
        await self._browser.send_json({"id": number, "method": method, "params": parameters})
        if "error" in (found := await answer):
            raise RuntimeError(f"{method}: {found['message']}")
        return dict(found["result"])

    async def run_inside(self, script: str) -> None:
        windows = await self.ask("browsingContext.getTree", {"moz:scope": "chrome"})
        target = {"context": windows["contexts"][0]["context"]}
        found = await self.ask(
            "script.evaluate", {"expression": f"{{ {script} }}", "target": target, "awaitPromise": False}
        )
        if found["type"] == "exception":
            raise RuntimeError(found["exceptionDetails"]["text"])


async def main() -> int:
    path = FirefoxProcess.installed()
    assert path, "Firefox is not installed"
    firefox = await asyncio.create_subprocess_exec(path, *sys.argv[1:], stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr
    address = ""
    while not address and (line := await firefox.stderr.readline()):
        if found := LISTENING.search(line.decode()):
            address = found[1]

    sessions: list[Session] = []

    async def session(request: web.Request) -> web.WebSocketResponse:
        playwright = web.WebSocketResponse(max_msg_size=0)
        await playwright.prepare(request)
        async with ClientSession() as http, http.ws_connect(f"{address}/session", max_msg_size=0) as browser:
            sessions.append(Session(browser, playwright))
            await sessions[-1].run()
        return playwright

    async def inside(request: web.Request) -> web.Response:
        try:
            await sessions[-1].run_inside(await request.text())
        except RuntimeError as error:
            return web.Response(status=400, text=str(error))
        return web.Response()

    application = web.Application()
    application.router.add_get("/session", session)
    application.router.add_post("/inside", inside)
    runner = web.AppRunner(application)
    await runner.setup()
    port = int(os.environ[PORT])
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{port}\n")
    while line := await firefox.stderr.readline():
        sys.stderr.write(line.decode())
    return await firefox.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
