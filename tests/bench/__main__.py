"""What a start and a renewal cost: `make bench`.

The site under gunicorn gthread with one worker on one core, the sandbox and the load on the other. CPU is the worker's
own, from the kernel's accounting; but on a machine that others use too, a second of CPU does more at some times than at
others. So each figure comes with the machine's pace: what one access token took just before and after, on the worker's
core, against the 31 microseconds of the machine that the bars were set on. Wall-clock figures depend on everything.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import aiohttp
import requests
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import ChatGrant

from tests.support.site import ROOT, SiteServer, free_port

ANSWERS = {"name": "José Müller", "email": "jose@example.com", "customer_number": "", "question": "Where is my parcel?"}
TICKS = os.sysconf("SC_CLK_TCK")
CREATE, MESSAGE = "/v2/WebChats", "/v1/Conversations/*"
CORES = sorted(os.sched_getaffinity(0))
TOKEN_SECONDS = 31e-6


def pace() -> float:
    """How long a token takes now on the worker's core, as a multiple of what it took where the bars were set."""
    elsewhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES[:1])
    began = time.process_time()
    for _ in range(2000):
        AccessToken("AC" + "0" * 32, "SK" + "0" * 32, "s" * 32, [ChatGrant("IS" + "0" * 32)], identity="w_").to_jwt()
    seconds = (time.process_time() - began) / 2000
    os.sched_setaffinity(0, elsewhere)
    return seconds / TOKEN_SECONDS


@dataclass
class Visitor:
    headers: dict[str, str]
    token_url: str = ""


@dataclass
class Figures:
    done: int
    seconds: float
    cpu_ms: float
    latencies: list[float]
    pace: float

    def row(self) -> str:
        ordered = sorted(self.latencies)
        p50, p99 = statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        rate = self.done / self.seconds
        return (
            f"{rate:8.0f}/s  p50 {p50 * 1000:7.1f} ms  p99 {p99 * 1000:7.1f} ms  CPU {self.cpu_ms:5.2f} ms"
            f" at pace {self.pace:.2f}: {self.cpu_ms / self.pace:5.2f} ms"
        )


class Worker:
    """The gunicorn worker of a site, as the kernel sees it."""

    def __init__(self, master: int) -> None:
        self.pid = int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024  # type: ignore[index]

    def connections_to(self, port: int) -> int:
        # Only established ones of this machine to the sandbox; both ends are listed, one of them has it as remote.
        wanted = f":{port:04X}"
        lines = Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]
        return sum(line.split()[2].endswith(wanted) and line.split()[3] == "01" for line in lines)


async def open_panels(http: aiohttp.ClientSession, url: str, count: int) -> list[Visitor]:
    """Visitors with their cookies and CSRF tokens, ready to submit."""
    visitors = []
    for _ in range(count):
        async with http.get(f"{url}/webchat/support/panel/") as response:
            html = await response.text()
            cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in response.cookies.items())
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', html)[1]  # type: ignore[index]
        visitors.append(Visitor({"Cookie": cookies, "X-CSRFToken": token}))
    return visitors


async def load(jobs: list[Any], concurrency: int, worker: Worker, over: float = 0.0) -> Figures:
    """Runs the jobs (functions that make a coroutine), so many at once. The first of them begin spread over so many
    seconds: visitors do not all click in one instant, and p99 would be that of the instant alone."""
    queue, latencies = list(reversed(jobs)), []

    async def lane(number: int) -> None:
        await asyncio.sleep(over * number / concurrency)
        while queue:
            job = queue.pop()
            began = time.perf_counter()
            await job()
            latencies.append(time.perf_counter() - began)

    before = pace()
    cpu, began = worker.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*map(lane, range(concurrency)))
    seconds = time.perf_counter() - began
    cpu_ms = (worker.cpu_seconds() - cpu) / len(jobs) * 1000
    return Figures(len(jobs), seconds, cpu_ms, latencies, (before + pace()) / 2)


def starting(http: aiohttp.ClientSession, url: str, visitor: Visitor) -> Any:
    async def start() -> None:
        headers = visitor.headers | {"Idempotency-Key": uuid4().hex}
        while True:
            async with http.post(f"{url}/api/webchat/support/sessions/", json=ANSWERS, headers=headers) as response:
                body = await response.json()
            if response.status != 503:  # past the bulkhead: refused at once, and tried again as the widget would
                break
            await asyncio.sleep(0.1)
        assert response.status == 201, body
        visitor.token_url = f"{url}/api/webchat/sessions/{body['session_id']}/token/"

    return start


def posting(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> Any:
    async def post() -> None:
        async with http.post(url, headers=headers) as response:
            await response.read()
            assert response.status == 200, response.status

    return post


async def measure(site: SiteServer, sandbox_url: str, chats: int) -> None:
    worker = Worker(site.process.pid)
    sandbox_port = int(sandbox_url.rpartition(":")[2])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        warm = await open_panels(http, site.url, 20)
        await load([starting(http, site.url, one) for one in warm], 4, worker)
        print(f"Starts: row, channel, first message, token. RSS before {worker.rss_mb():.0f} MB")
        for delay in (0, 150):
            requests.delete(f"{sandbox_url}/faults", timeout=5)
            for path in (CREATE, MESSAGE) if delay else ():
                fault = {"method": "POST", "path": path, "delay_ms": delay, "times": 1_000_000}
                requests.post(f"{sandbox_url}/faults", json=fault, timeout=5).raise_for_status()
            for concurrency in (1, 16, 64, 256):
                count = min(chats, 40) if delay and concurrency == 1 else max(chats, 10 * concurrency)
                visitors = await open_panels(http, site.url, count)
                jobs = [starting(http, site.url, one) for one in visitors]
                figures = await load(jobs, concurrency, worker, 2 * delay / 1000)
                print(
                    f"  {delay:3d} ms upstream, {concurrency:3d} at once: {figures.row()}  RSS {worker.rss_mb():4.0f} MB"
                    f"  connections to Twilio {worker.connections_to(sandbox_port):3d} for {count} chats",
                    flush=True,
                )
        requests.delete(f"{sandbox_url}/faults", timeout=5)
        print("Renewals, ownership and state read from the database, and a bare JSON view")
        repeated = [visitors[number % len(visitors)] for number in range(4 * chats)]
        for _ in range(2):
            jobs = [posting(http, one.token_url, one.headers) for one in repeated]
            renewals = await load(jobs, 16, worker)
            bare = await load([posting(http, f"{site.url}/bench/bare/", {}) for _ in repeated], 16, worker)
            ratio = (renewals.done / renewals.seconds) / (bare.done / bare.seconds)
            print(
                f"  renewal  {renewals.row()}\n  bare     {bare.row()}\n  ratio    {ratio:.2f} of the bare view",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=400, help="chats for each figure")
    options = parser.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "webchat.sandbox", "--port", str(port), "--no-auto-agent"]
    sandbox_url = f"http://127.0.0.1:{port}"
    sandbox = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "WEBCHAT_THREADS": "128",  # half of them may wait for Twilio
        "GUNICORN_CMD_ARGS": "--max-requests 0",  # one worker from first to last
    }
    if url := os.environ.get("BENCH_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.sched_setaffinity(0, CORES[:1])
            with SiteServer(Path(folder), SimpleNamespace(url=sandbox_url), environment=environment) as site:  # type: ignore[arg-type]
                os.sched_setaffinity(0, CORES[-1:])
                os.sched_setaffinity(sandbox.pid, CORES[-1:])
                asyncio.run(measure(site, sandbox_url, options.chats))
    finally:
        sandbox.terminate()


if __name__ == "__main__":
    main()
