"""Exact limits, shared by every thread and process: one step takes one, or finds that none is left.

A limit of `allowed` in `seconds` lets that many through at once and then one each `seconds / allowed`: the generic cell
rate algorithm, whose only state is a time. Nothing fails open: without the database no chat starts anyway.
"""

from __future__ import annotations

import ipaddress
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from webchat.models.counter import LimitCounter
from webchat.protection import counters


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    allowed: int
    seconds: float

    def take(self, key: str) -> int | None:
        """Takes one from the key's allowance: None. Or says in how many seconds there will be one."""
        now, each = time.time(), self.seconds / self.allowed
        tolerance = self.seconds - each
        taken, used_until = counters.advance(_row(self.name, key), now, each, tolerance)
        return None if taken else max(1, math.ceil(used_until - tolerance - now))

    def give_back(self, key: str) -> None:
        """Undoes one take."""
        counters.go_back(_row(self.name, key), self.seconds / self.allowed)


def take_each(*wanted: tuple[Limit, str]) -> int | None:
    """Takes one from each allowance: None. Or takes none, and says in how many seconds to try again."""
    for number, (limit, key) in enumerate(wanted):
        if wait := limit.take(key):
            for earlier, its_key in wanted[:number]:
                earlier.give_back(its_key)
            return wait
    return None


# An address may be a whole company or a mobile network, so the narrow limit is that of one browser at one address.
# Who throws the cookie away each time still meets the wide one.
PER_BROWSER = Limit("start:browser", 5, 600)
PER_ADDRESS = Limit("start:address", 40, 600)
PER_USER = Limit("start:user", 20, 86_400)
PER_WEBCHAT = Limit("start:webchat", 120, 60)
# Details on a members-only form that are no account's, by address and by value: guessing must not pay.
MEMBER_BY_ADDRESS = Limit("member:address", 20, 600)
MEMBER_BY_VALUE = Limit("member:value", 5, 600)

# Twilio takes 5 creates a second from the whole account, then answers 429.
# https://www.twilio.com/docs/flex/developer/conversations/limits
PACE_EACH = 1 / 4
PACE_LONGEST = 2.0


def are_on() -> bool:
    return bool(settings.WEBCHAT_LIMITS != "off")


def take_day(name: str, cap: int) -> int | None:
    """Takes one of `cap` a day (UTC), or says in how many seconds the next day begins.

    It stands for money, so it is counted where the chats are, and never in a cache that may forget it.
    """
    # The same step counts when time stands still and each one takes a unit.
    taken, _ = counters.advance_in_database(f"{name}:{_today()}", 0, 1, cap - 1)
    return None if taken else max(1, 86_400 - int(time.time()) % 86_400)


def wait_for_turn() -> bool:
    """Waits until the whole site may create its next channel at Twilio; False when that would take too long."""
    now = time.time()
    taken, used_until = counters.advance("pace", now, PACE_EACH, PACE_LONGEST)
    if taken:
        time.sleep(max(0.0, used_until - PACE_EACH - now))
    return taken


def forget_past() -> int:
    """Deletes the rows that no longer limit anybody; how many. What a row says is past as soon as its time is, but for
    the counts of a day, which hold until it ends."""
    past = LimitCounter.objects.filter(used_until__lt=time.time()).exclude(key__endswith=_today())
    done = 0
    while keys := list(past.values_list("key", flat=True)[:1000]):
        # Once more by its time: it may have been used since.
        done += past.filter(key__in=keys).delete()[0]
    return done


def network_of(request: HttpRequest) -> str:
    """The client's address as limits count it: IPv4 whole, IPv6 by its /64, "unknown" when it is none.

    X-Forwarded-For is read from the right, past TRUSTED_PROXY_COUNT proxies of ours: what is further left was written
    by anybody.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    if settings.TRUSTED_PROXY_COUNT:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        if len(forwarded) >= settings.TRUSTED_PROXY_COUNT:
            address = forwarded[-settings.TRUSTED_PROXY_COUNT].strip()
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _row(name: str, key: str) -> str:
    # Keyed: what people typed cannot be guessed back from the table.
    return f"{name}:{salted_hmac('webchat.limits', key, algorithm='sha256').hexdigest()[:32]}"
