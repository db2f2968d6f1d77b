"""Chromium, Firefox and WebKit behind one small interface, for tests that must hold in all three.

Firefox speaks WebDriver BiDi by itself. WebKitGTK, the engine of Safari on Linux, is driven by WebKitWebDriver.
Playwright drives Chromium, but neither of the other two as Debian and Ubuntu ship them.

`python -m tests.support.engines` installs Firefox and WebKit where they are missing and apt may be used.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

import aiohttp
import requests
from playwright.sync_api import Page

from tests.support.missing import apt_install
from tests.support.site import free_port

TIMEOUT = 30  # seconds, for a condition of the page; a command to a browser may take twice as long
# Keys without a character, as WebDriver writes them (https://www.w3.org/TR/webdriver2/#keyboard-actions).
TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"

MIDDLE_IN_VIEW = """
const element = document.querySelector(%s);
element.scrollIntoView({ block: "nearest", behavior: "instant" });
const { x, y, width, height } = element.getBoundingClientRect();
return [Math.round(x + width / 2), Math.round(y + height / 2)];
"""
RECORD_PROBLEMS = """
window.recordedProblems = [];
const record = (text) => window.recordedProblems.push(String(text));
addEventListener("error", (event) => record(event.message));
addEventListener("unhandledrejection", (event) => record(event.reason));
document.addEventListener("securitypolicyviolation", (event) => record(`policy: ${event.violatedDirective}`));
"""


class Engine(ABC):
    """A visitor with one window and a profile of their own."""

    @property
    @abstractmethod
    def problems(self) -> list[str]:
        """The messages of uncaught errors and of violations of the Content-Security-Policy so far."""

    @abstractmethod
    def goto(self, url: str) -> None:
        """Returns when the page has loaded, as `reload` does."""

    @abstractmethod
    def reload(self) -> None: ...

    @abstractmethod
    def evaluate(self, body: str) -> Any:
        """What the body of a function returns in the page, as JSON. Raises RuntimeError with what it throws."""

    @abstractmethod
    def click_at(self, x: int, y: int) -> None: ...

    @abstractmethod
    def press(self, keys: str) -> None:
        """Presses the key of each character; TAB, ENTER and ESCAPE are characters too."""

    @abstractmethod
    def screenshot(self) -> bytes:
        """The window as PNG."""

    def wait(self, expression: str) -> Any:
        """The first true value of the expression."""
        deadline, found = time.monotonic() + TIMEOUT, None
        while time.monotonic() < deadline:
            try:
                if found := self.evaluate(f"return {expression}"):
                    return found
            except RuntimeError as error:  # an element is missing yet, or the page is just being left
                found = error
            time.sleep(0.05)
        raise AssertionError(f"never true in {type(self).__name__}: {expression} ({found})")

    def click(self, css: str) -> None:
        """Clicks the middle of the first element that the selector finds, as soon as it is on the page."""
        self.wait(f"document.querySelector({json.dumps(css)})?.getClientRects().length")
        self.click_at(*self.evaluate(MIDDLE_IN_VIEW % json.dumps(css)))

    def fill(self, css: str, text: str) -> None:
        """Clicks a field and types; what was in it stays."""
        self.click(css)
        self.press(text)


class Chromium(Engine):
    """The page of the other browser tests, whose fixture fails the test on a problem."""

    problems: list[str] = []
    KEYS = {TAB: "Tab", ENTER: "Enter", ESCAPE: "Escape"}

    def __init__(self, page: Page) -> None:
        self.page = page

    def goto(self, url: str) -> None:
        self.page.goto(url)

    def reload(self) -> None:
        self.page.reload()

    def evaluate(self, body: str) -> Any:
        try:
            return self.page.evaluate(f"() => {{ {body} }}")
        except Exception as error:
            raise RuntimeError(str(error)) from error

    def click_at(self, x: int, y: int) -> None:
        self.page.mouse.click(x, y)

    def press(self, keys: str) -> None:
        for key in keys:
            if name := self.KEYS.get(key):
                self.page.keyboard.press(name)
            else:
                self.page.keyboard.type(key)

    def screenshot(self) -> bytes:
        return self.page.screenshot()


def pointer_click(x: int, y: int) -> dict[str, Any]:
    """The input source of a click, for `performActions` of both protocols."""
    move = {"type": "pointerMove", "x": x, "y": y}
    return {
        "type": "pointer",
        "id": "mouse",
        "actions": [move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}],
    }


def key_presses(keys: str) -> dict[str, Any]:
    """The input source of a row of keys, for `performActions` of both protocols."""
    steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
    return {"type": "key", "id": "keyboard", "actions": steps}


class FirefoxProcess:
    """A running Firefox without windows on a screen, and a connection to it. `with FirefoxProcess() as process:`"""

    PACKAGES = ("firefox-esr",)
    PREFERENCES = {
        # Without a screen Firefox reports no pointer: the widget then takes the visitor to be without a mouse.
        "ui.primaryPointerCapabilities": 6,
        "ui.allPointerCapabilities": 6,
        # Firefox 153 crashes when a page's script and one from outside it read `ariaLabelledByElements` of one element, as
        # Playwright and axe do. Without this no script has it, and both read the attribute in its place.
        "accessibility.ARIAElementReflection.enabled": False,
        "app.normandy.enabled": False,
    }

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []  # the window, and what its console says
        self._numbers = itertools.count(1)

    @staticmethod
    def installed() -> str | None:
        """Its path: that of the environment variable FIREFOX, or the machine's own."""
        return os.environ.get("FIREFOX") or shutil.which("firefox-esr")

    def __enter__(self) -> Self:
        self._profile = Path(tempfile.mkdtemp(prefix="firefox-"))
        lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in self.PREFERENCES.items()]
        (self._profile / "user.js").write_text("".join(lines))
        command = [self.installed(), "--headless", "--no-remote", "--remote-debugging-port", "0"]
        command += ["--profile", str(self._profile)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        found = next(filter(None, (re.search(r"BiDi listening on (ws://\S+)", line) for line in self._process.stderr)))
        # Nobody reads what it says from here on, but a full pipe would stop it.
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._drain.start()
        # The connection has an event loop in a thread of its own, since Playwright keeps one running in this thread.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._result(self._connect(f"{found[1]}/session"))
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.send("browser.close")
            self._result(self._http.close())
            self._process.wait(TIMEOUT)
        finally:
            self._process.kill()
            self._process.wait()
            self._drain.join()
            assert self._process.stderr
            self._process.stderr.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            shutil.rmtree(self._profile, ignore_errors=True)

    def send(self, command: str, **parameters: Any) -> Any:
        """The result of a command (https://www.w3.org/TR/webdriver-bidi/). Raises RuntimeError when it fails."""
        return self._result(self._send(command, parameters))

    def _result(self, step: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(2 * TIMEOUT)

    async def _connect(self, url: str) -> None:
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(url, max_msg_size=0)

    async def _send(self, command: str, parameters: dict[str, Any]) -> Any:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": command, "params": parameters})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("method") == "log.entryAdded" and answer["params"]["level"] == "error":
                entry = answer["params"]
                self.errors.append((entry["source"].get("context", ""), str(entry["text"])))
            if answer.get("id") != number:
                continue
            if answer["type"] == "error":
                raise RuntimeError(f"{command}: {answer['message']}")
            return answer["result"]


class Firefox(Engine):
    """A window of a Firefox, with cookies and storage of its own. `with Firefox(process) as engine:`"""

    def __init__(self, process: FirefoxProcess) -> None:
        self._process = process

    def __enter__(self) -> Self:
        self._profile = self._process.send("browser.createUserContext")["userContext"]
        window = self._process.send("browsingContext.create", type="window", userContext=self._profile)
        self._window = window["context"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send("browser.removeUserContext", userContext=self._profile)

    @property
    def problems(self) -> list[str]:
        self.evaluate("")  # what was logged until now arrives before the answer
        return [text for window, text in self._process.errors if window == self._window]

    def _send(self, command: str, **parameters: Any) -> Any:
        return self._process.send(command, context=self._window, **parameters)

    def goto(self, url: str) -> None:
        self._send("browsingContext.navigate", url=url, wait="complete")

    def reload(self) -> None:
        self._send("browsingContext.reload", wait="complete")

    def evaluate(self, body: str) -> Any:
        answer = self._process.send(
            "script.callFunction",
            functionDeclaration=f"() => JSON.stringify((() => {{ {body} }})() ?? null)",
            target={"context": self._window},
            awaitPromise=False,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def click_at(self, x: int, y: int) -> None:
        self._send("input.performActions", actions=[pointer_click(x, y)])

    def press(self, keys: str) -> None:
        self._send("input.performActions", actions=[key_presses(keys)])

    def screenshot(self) -> bytes:
        return base64.b64decode(self._send("browsingContext.captureScreenshot")["data"])


class WebKit(Engine):
    """A WebKitGTK browser, on a screen of its own where there is none. `with WebKit() as engine:`

    Its console is not to be had: `problems` are those since a page has loaded, by events.
    """

    PACKAGES = ("webkit2gtk-driver", "xvfb", "xauth")

    @staticmethod
    def installed() -> str | None:
        """The path of its driver, where it has a screen as well."""
        return shutil.which("WebKitWebDriver") if os.environ.get("DISPLAY") or shutil.which("xvfb-run") else None

    def __enter__(self) -> Self:
        self._problems: list[str] = []
        browser = next(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
        port = free_port()
        command = [self.installed(), f"--port={port}"]
        if not os.environ.get("DISPLAY"):
            command = ["xvfb-run", "--auto-servernum", "--server-args=-screen 0 1280x900x24", *command]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._http = requests.Session()
        self._http.trust_env = False
        self._url = f"http://127.0.0.1:{port}"
        self._wait_for_driver()
        options = {"binary": str(browser), "args": ["--automation"]}
        answer = self._send("POST", "/session", capabilities={"alwaysMatch": {"webkitgtk:browserOptions": options}})
        self._url += f"/session/{answer['sessionId']}"
        return self

    def _wait_for_driver(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                self._http.get(f"{self._url}/status", timeout=TIMEOUT)
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def __exit__(self, *_: object) -> None:
        try:
            self._send("DELETE", "")
        finally:
            self._http.close()
            os.killpg(self._process.pid, 15)
            self._process.wait(TIMEOUT)

    def _send(self, method: str, path: str, **data: Any) -> Any:
        """The value of a command's answer (https://www.w3.org/TR/webdriver2/). Raises RuntimeError when it fails."""
        body = data if method == "POST" else None
        answer = self._http.request(method, self._url + path, json=body, timeout=2 * TIMEOUT)
        value = answer.json()["value"]
        if not answer.ok:
            raise RuntimeError(f"{path}: {value}")
        return value

    @property
    def problems(self) -> list[str]:
        self._collect_problems()
        return self._problems

    def _collect_problems(self) -> None:
        self._problems += self.evaluate("return (window.recordedProblems ?? []).splice(0)")

    def goto(self, url: str) -> None:
        self._collect_problems()
        self._send("POST", "/url", url=url)
        self.evaluate(RECORD_PROBLEMS)

    def reload(self) -> None:
        self._collect_problems()
        self._send("POST", "/refresh")
        self.evaluate(RECORD_PROBLEMS)

    def evaluate(self, body: str) -> Any:
        return self._send("POST", "/execute/sync", script=body, args=[])

    def click_at(self, x: int, y: int) -> None:
        self._send("POST", "/actions", actions=[pointer_click(x, y)])

    def press(self, keys: str) -> None:
        self._send("POST", "/actions", actions=[key_presses(keys)])

    def screenshot(self) -> bytes:
        return base64.b64decode(self._send("GET", "/screenshot"))


if __name__ == "__main__":
    for engine in (FirefoxProcess, WebKit):
        if not engine.installed():
            apt_install(*engine.PACKAGES)
