"""Whether the time of an answer tells that a value is an account's: `python -m tests.bench.enumeration`.

A known and an unknown value by turns, over the network, among 100,000 accounts: of an e-mail address, a customer number, and a
phone number. The test of Mann and Whitney asks whether either kind tends to be slower: p is the chance of a difference as large
as this among answers that do not differ.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path

from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.site_visitor import ANSWERS, SiteVisitor

TRIES = {"annotate": 200, "require": 300}
STATUS = {"annotate": 201, "require": 400}
ACCOUNTS = 100_000
# One of the accounts, and nobody. Each value is asked about among others that are nobody's.
KNOWN = {"email": "ada@example.com", "customer_number": "C-1001", "phone": "+41446681800"}
UNKNOWN = {"email": "eve@example.com", "customer_number": "C-9999", "phone": "+41446681899"}


def compare(site: SiteServer, mode: str, column: str) -> None:
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(TRIES[mode]):
        for kind, values in {"known": KNOWN, "unknown": UNKNOWN}.items():
            visitor = SiteVisitor(site.url)
            answers = ANSWERS | UNKNOWN | {column: values[column]}
            began = time.perf_counter()
            response = visitor.start(answers=answers)
            seconds[kind].append(time.perf_counter() - began)
            assert response.status_code == STATUS[mode], response.text
    known, unknown = (statistics.median(times) * 1000 for times in seconds.values())
    print(
        f"{mode:8}  {column:15}  {TRIES[mode]} each: median {known:.2f} ms for a known one, {unknown:.2f} ms for an unknown one, "
        f"p = {mann_whitney(*seconds.values()):.2f}",
        flush=True,
    )


def mann_whitney(one: list[float], other: list[float]) -> float:
    """The two-sided p, by the normal approximation; times have no ties."""
    ranks = {value: rank for rank, value in enumerate(sorted([*one, *other]), 1)}
    sizes = len(one) * len(other)
    u = sum(ranks[value] for value in one) - len(one) * (len(one) + 1) / 2
    deviation = math.sqrt(sizes * (len(one) + len(other) + 1) / 12)
    return math.erfc(abs(u - sizes / 2) / deviation / math.sqrt(2))


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder, SandboxServer() as sandbox, SiteServer(Path(folder), sandbox) as site:
        site.shell(
            "from django.contrib.auth import get_user_model\nUser = get_user_model()\n"
            "User.objects.bulk_create((User(username=f'user{n}', email=f'user{n}@example.com', customer_number=f'N-{n}', "
            f"phone=f'+4179{{n:07}}') for n in range({ACCOUNTS})), batch_size=5000)\n"
            f"assert User.objects.filter(email='{KNOWN['email']}', customer_number='{KNOWN['customer_number']}')"
            f".update(phone='{KNOWN['phone']}') == 1\n"
            "fields = Webchat.objects.get(slug='support').fields\n"
            "fields.get_or_create(name='phone', defaults={'label': 'Phone', 'type': 'phone', 'position': 90})"
        )
        for mode in TRIES:
            for column in KNOWN:
                site.shell(
                    f"PreEngagementField.objects.filter(webchat__slug='support', name='{column}')"
                    f".update(match='{mode}', user_lookup='{column}', audience='', required=False)"
                )
            for column in KNOWN:
                compare(site, mode, column)


if __name__ == "__main__":
    main()
