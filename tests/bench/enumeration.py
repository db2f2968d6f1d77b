"""Whether the time of an answer tells that an address is an account's: `python -m tests.bench.enumeration`.

A known and an unknown address by turns, over the network, among 100,000 accounts. The test of Mann and Whitney asks whether either kind tends to
be slower: p is the chance of a difference as large as this among answers that do not differ.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from pathlib import Path

from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.site_visitor import ANSWERS, SiteVisitor

TRIES = {"annotate": 300, "require": 500}
STATUS = {"annotate": 201, "require": 400}
ACCOUNTS = 100_000
ADDRESSES = {"known": "ada@example.com", "unknown": "eve@example.com"}


def compare(site: SiteServer, mode: str) -> None:
    site.shell(
        "PreEngagementField.objects.filter(webchat__slug='support', name='email')"
        f".update(match='{mode}', user_lookup='email', audience='');"
        "PreEngagementField.objects.filter(webchat__slug='support', name='customer_number')"
        f".update(match='{mode}', user_lookup='customer_number', required=False)"
    )
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(TRIES[mode]):
        for kind, email in ADDRESSES.items():
            visitor = SiteVisitor(site.url)
            answers = {**ANSWERS, "email": email, "customer_number": "C-9999"}
            began = time.perf_counter()
            response = visitor.start(answers=answers)
            seconds[kind].append(time.perf_counter() - began)
            assert response.status_code == STATUS[mode], response.text
    known, unknown = (statistics.median(times) * 1000 for times in seconds.values())
    print(
        f"{mode:8}  {TRIES[mode]} each: median {known:.2f} ms for a known address, {unknown:.2f} ms for an unknown one, "
        f"p = {mann_whitney(*seconds.values()):.2f}"
    )


def mann_whitney(one: list[float], other: list[float]) -> float:
    """The two-sided p, by the normal approximation; times have no ties."""
    ranks = {value: rank for rank, value in enumerate(sorted([*one, *other]), 1)}
    sizes = len(one) * len(other)
    u = sum(ranks[value] for value in one) - len(one) * (len(one) + 1) / 2
    deviation = math.sqrt(sizes * (len(one) + len(other) + 1) / 12)
    return math.erfc(abs(u - sizes / 2) / deviation / math.sqrt(2))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, SandboxServer() as sandbox, SiteServer(Path(folder), sandbox) as site:
        site.shell(
            "from django.contrib.auth import get_user_model\nUser = get_user_model()\n"
            "User.objects.bulk_create((User(username=f'user{n}', email=f'user{n}@example.com', customer_number=f'N-{n}') "
            f"for n in range({ACCOUNTS})), batch_size=5000)"
        )
        for mode in TRIES:
            compare(site, mode)


if __name__ == "__main__":
    main()
