"""One of several processes that take from the same limits at the same moments: prints how many it got in each round.

Run as `python -m tests.protection.limit_burst START ROUNDS THREADS`, START in seconds since the epoch.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
ALLOWED, SECONDS, GAP = 5, 600, 0.25


def main(start: float, rounds: int, threads: int) -> None:
    django.setup()
    from django.db import connection

    from webchat.protection.limits import Limit

    limit = Limit("burst", ALLOWED, SECONDS)
    got = [0] * rounds
    lock = threading.Lock()

    def take() -> None:
        for number in range(rounds):
            time.sleep(max(0.0, start + number * GAP - time.time()))
            if limit.take(f"round {number}") is None:
                with lock:
                    got[number] += 1
        connection.close()

    workers = [threading.Thread(target=take) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(*got)  # noqa: T201


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
