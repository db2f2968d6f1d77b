"""What a start, a renewal and a page view cost: `make bench`. docs/costs.md says how to read it.

The site under gunicorn gthread with one worker on one core; Twilio, the database server and the load on the other. Every
visitor comes with a new connection and a browser of their own, without cookies. Twilio is the sandbox over TLS.

Times and CPU depend on the machine and on who else uses it, so the same run measures what they are compared to: one call
to Twilio at the same number at once, and a view that only answers JSON, before and after each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import aiohttp

from tests.bench.upstream import make_certificate
from tests.support import postgres
from tests.support.sandbox import basic_auth
from tests.support.site import ROOT, SiteServer, free_port
from webchat.sandbox import account

ANSWERS = {"name": "José Müller", "email": "jose@example.com", "customer_number": "", "question": "Where is my parcel?"}
TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
DELAY_MS = 150
AT_ONCE = (1, 16, 64)

Job = Callable[[], Awaitable[None]]


@dataclass
class Visitor:
    headers: dict[str, str]
    token_url: str = ""


class Worker:
    """The gunicorn worker of a site, as the kernel sees it."""

    def __init__(self, master: int) -> None:
        self.pid = int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found[1]) / 1024

    def connections_to(self, port: int) -> int:
        """Established connections whose other end is that port of this machine."""
        lines = Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]
        ends = [(line.split()[2], line.split()[3]) for line in lines]
        return sum(remote.endswith(f":{port:04X}") and state == "01" for remote, state in ends)


class Figures:
    """Of one load: seconds of each job, seconds in all, and the worker's CPU seconds for a job."""

    def __init__(self, latencies: Sequence[float], seconds: float, cpu: float) -> None:
        ordered = sorted(latencies)
        self.p50 = statistics.median(ordered)
        self.p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        self.rate = len(ordered) / seconds
        self.cpu = cpu / len(ordered)


class Bench:
    """One site, one Twilio, and the visitors that load them."""

    def __init__(self, site: SiteServer, twilio: str, tls: ssl.SSLContext) -> None:
        self.site, self.twilio, self.tls = site, twilio, tls
        self.worker = Worker(site.process.pid)
        self.refusals = 0

    async def __aenter__(self) -> Bench:
        no_cookies = aiohttp.DummyCookieJar()
        # A new connection for each request of a visitor; to Twilio they are kept, as the site keeps its own.
        visiting = aiohttp.TCPConnector(limit=0, force_close=True)
        self.http = aiohttp.ClientSession(connector=visiting, cookie_jar=no_cookies)
        kept = aiohttp.TCPConnector(limit=0, ssl=self.tls)
        self.to_twilio = aiohttp.ClientSession(
            connector=kept, cookie_jar=aiohttp.DummyCookieJar(), headers={"Authorization": basic_auth()}
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.to_twilio.close()

    # --- What a visitor does ------------------------------------------------------------------------------------

    async def open_panels(self, count: int) -> list[Visitor]:
        """Visitors who have the form before them, each with cookies and a CSRF token of their own."""
        visitors = []
        for _ in range(count):
            async with self.http.get(f"{self.site.url}/webchat/support/panel/") as response:
                html = await response.text()
                cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in response.cookies.items())
            token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', html)
            assert token, html
            visitors.append(Visitor({"Cookie": cookies, "X-CSRFToken": token[1]}))
        return visitors

    def start(self, visitor: Visitor) -> Job:
        async def job() -> None:
            headers = visitor.headers | {"Idempotency-Key": uuid4().hex}
            address = f"{self.site.url}/api/webchat/support/sessions/"
            while True:
                async with self.http.post(address, json=ANSWERS, headers=headers) as response:
                    body = await response.json()
                if response.status not in (409, 503):
                    break
                # Too many wait for Twilio, or this start waits for it still: asked again, as the widget does.
                self.refusals += 1
                await asyncio.sleep(0.1)
            assert response.status == 201, body
            visitor.token_url = f"{self.site.url}/api/webchat/sessions/{body['session_id']}/token/"

        return job

    def request(self, method: str, address: str, headers: dict[str, str] | None = None) -> Job:
        async def job() -> None:
            async with self.http.request(method, address, headers=headers) as response:
                await response.read()
                assert response.status == 200, response.status

        return job

    # --- Twilio -------------------------------------------------------------------------------------------------

    async def call_twilio(self) -> None:
        """What a start waits for, without the site."""
        form = {"AddressSid": account.ADDRESS_SID, "Identity": uuid4().hex}
        async with self.to_twilio.post(f"{self.twilio}/v2/WebChats", data=form) as response:
            assert response.status == 201, await response.text()

    async def set_delay(self, milliseconds: int) -> None:
        """Of the calls that a start makes: the channel's creation, and the first message."""
        async with self.to_twilio.delete(f"{self.twilio}/faults") as response:
            assert response.ok
        for path in ("/v2/WebChats", "/v1/Conversations/*") if milliseconds else ():
            fault = {"method": "POST", "path": path, "delay_ms": milliseconds, "times": 1_000_000}
            async with self.to_twilio.post(f"{self.twilio}/faults", json=fault) as response:
                assert response.ok

    async def forget_calls(self) -> None:
        async with self.to_twilio.delete(f"{self.twilio}/log") as response:
            assert response.ok

    async def wait_for_messages(self, count: int) -> None:
        """Until Twilio has so many first messages: a start may post it after the answer has left."""
        deadline = time.monotonic() + 60
        while True:
            async with self.to_twilio.get(f"{self.twilio}/log") as response:
                calls = (await response.json())["calls"]
            if sum(call["path"].endswith("/Messages") for call in calls) >= count:
                return
            assert time.monotonic() < deadline, "first messages are missing"
            await asyncio.sleep(0.05)

    # --- Figures ------------------------------------------------------------------------------------------------

    async def load(self, jobs: Sequence[Job], at_once: int, over: float = 0.0, messages: int = 0) -> Figures:
        """Runs the jobs, so many at once. The first of them begin spread over so many seconds: visitors do not all
        click in one instant, and p99 would be that of the instant alone."""
        waiting, latencies = list(reversed(jobs)), []

        async def lane(number: int) -> None:
            await asyncio.sleep(over * number / at_once)
            while waiting:
                job = waiting.pop()
                began = time.perf_counter()
                await job()
                latencies.append(time.perf_counter() - began)

        cpu, began = self.worker.cpu_seconds(), time.perf_counter()
        await asyncio.gather(*map(lane, range(at_once)))
        seconds = time.perf_counter() - began
        if messages:
            await self.wait_for_messages(messages)
        return Figures(latencies, seconds, self.worker.cpu_seconds() - cpu)

    async def bare(self, count: int) -> Figures:
        return await self.load([self.request("POST", f"{self.site.url}/bench/bare/")] * count, 16)

    async def starts(self, count: int) -> list[Visitor]:
        await self.load([self.start(visitor) for visitor in await self.open_panels(20)], 4)
        print("| At once | Twilio takes | p50 | p99 | × one call: p50 | p99 | CPU | × bare view | Refused at first |")
        print("|---|---|---|---|---|---|---|---|---|")
        for delay in (0, DELAY_MS):
            await self.set_delay(delay)
            for at_once in AT_ONCE:
                number = 40 if delay and at_once == 1 else max(count, 4 * at_once)
                visitors = await self.open_panels(number)
                spread = 2 * delay / 1000
                call = await self.load([self.call_twilio] * number, at_once, spread)
                before = await self.bare(count)
                await self.forget_calls()
                self.refusals = 0
                start = await self.load([self.start(visitor) for visitor in visitors], at_once, spread, number)
                bare = (before.cpu + (await self.bare(count)).cpu) / 2
                print(
                    f"| {at_once} | {delay} ms | {start.p50 * 1000:.0f} ms | {start.p99 * 1000:.0f} ms"
                    f" | {start.p50 / call.p50:.2f} | {start.p99 / call.p99:.2f}"
                    f" | {start.cpu * 1000:.1f} ms | {start.cpu / bare:.1f} | {self.refusals} of {number} |",
                    flush=True,
                )
        kept = self.worker.connections_to(int(self.twilio.rpartition(":")[2]))
        print(f"\nMemory {self.worker.memory_mb():.0f} MB. Connections kept to Twilio: {kept}")
        await self.set_delay(0)
        return visitors

    async def requests(self, visitors: list[Visitor], count: int) -> None:
        """Everything that calls nobody, 16 at once."""
        site = self.site.url
        kinds: dict[str, list[Job]] = {
            "page without the chat": [self.request("GET", f"{site}/bench/plain/")],
            "page with the chat": [self.request("GET", f"{site}/bench/chat/")],
            "panel, a new visitor": [self.request("GET", f"{site}/webchat/support/panel/")],
            "panel, a running chat": [
                self.request("GET", f"{site}/webchat/support/panel/", visitor.headers) for visitor in visitors
            ],
            "renewal": [self.request("POST", visitor.token_url, visitor.headers) for visitor in visitors],
        }
        print("\n| Request | CPU | × bare view | Requests per second, × bare view |")
        print("|---|---|---|---|")
        for name, jobs in kinds.items():
            repeated = [jobs[number % len(jobs)] for number in range(2 * count)]
            before, figures, after = await self.bare(count), await self.load(repeated, 16), await self.bare(count)
            cpu, rate = (before.cpu + after.cpu) / 2, (before.rate + after.rate) / 2
            print(
                f"| {name} | {figures.cpu * 1000:.2f} ms | {figures.cpu / cpu:.2f} | {figures.rate / rate:.2f} |",
                flush=True,
            )


@contextlib.contextmanager
def running_twilio(certificate: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.upstream", str(port), str(certificate)], cwd=ROOT)
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def measure(site: SiteServer, twilio: str, certificate: Path, count: int) -> None:
    async with Bench(site, twilio, ssl.create_default_context(cafile=certificate)) as bench:
        await bench.requests(await bench.starts(count), count)


def databases(stack: contextlib.ExitStack, folder: Path) -> Iterator[tuple[str, str]]:
    """Names and URLs. PostgreSQL runs where the load does."""
    yield "SQLite", f"sqlite:///{folder / 'site.sqlite3'}"
    if postgres.is_there():
        os.sched_setaffinity(0, CORES[-1:])
        server = stack.enter_context(postgres.server())
        yield "PostgreSQL", stack.enter_context(postgres.new_database(server))
    else:
        print(f"\nNot measured: {postgres.NAME}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=400, help="chats for each figure")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = make_certificate(folder)
        for name, url in databases(stack, folder):
            os.sched_setaffinity(0, CORES[-1:])
            environment: dict[str, str | None] = {
                "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
                "DATABASE_URL": url,
                "BENCH_CERTIFICATE": str(certificate),
                # Half of them may wait for Twilio: a start, and the first message of the one before it, whose visitor has
                # left. With fewer the visitors meet refusals and come back, and that would be what is measured.
                "WEBCHAT_THREADS": str(4 * max(AT_ONCE)),
                "GUNICORN_CMD_ARGS": "--max-requests 0",  # one worker from first to last
            }
            with running_twilio(certificate) as twilio:
                # A process inherits the core that this one is on.
                os.sched_setaffinity(0, CORES[:1])
                with SiteServer(folder, SimpleNamespace(url=twilio), environment=environment) as site:  # type: ignore[arg-type]
                    os.sched_setaffinity(0, CORES[-1:])
                    print(f"\n{name}")
                    asyncio.run(measure(site, twilio, certificate, options.chats))


if __name__ == "__main__":
    main()
