"""Exact limits, shared by every thread and process: one SQL statement takes one, or finds that none is left.

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
from django.db import connection
from django.db.models import F
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from webchat.models.counter import LimitCounter


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    allowed: int
    seconds: float

    def take(self, key: str) -> int | None:
        """Takes one from the key's allowance: None. Or says in how many seconds there will be one."""
        now, each = time.time(), self.seconds / self.allowed
        row, tolerance = _row(self.name, key), self.seconds - each
        if _advance(row, now, each, tolerance) is not None:
            return None
        used_until = LimitCounter.objects.values_list("used_until", flat=True).get(key=row)
        return max(1, math.ceil(used_until - tolerance - now))

    def give_back(self, key: str) -> None:
        """Undoes one take."""
        each = self.seconds / self.allowed
        LimitCounter.objects.filter(key=_row(self.name, key)).update(used_until=F("used_until") - each)


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
    """Takes one of `cap` a day (UTC), or says in how many seconds the next day begins."""
    # The same statement counts when time stands still and each one takes a unit.
    if _advance(f"{name}:{_today()}", 0, 1, cap - 1) is not None:
        return None
    return max(1, 86_400 - int(time.time()) % 86_400)


def wait_for_turn() -> bool:
    """Waits until the whole site may create its next channel at Twilio; False when that would take too long."""
    now = time.time()
    used_until = _advance("pace", now, PACE_EACH, PACE_LONGEST)
    if used_until is None:
        return False
    time.sleep(max(0.0, used_until - PACE_EACH - now))
    return True


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


def _advance(row: str, now: float, each: float, tolerance: float) -> float | None:
    """Moves the row's time on by `each`, from now at the earliest, unless it is more than `tolerance` ahead already.
    Returns the new time, or None."""
    greatest = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    table = LimitCounter._meta.db_table
    sql = f"""
        INSERT INTO {table} (key, used_until) VALUES (%s, %s)
        ON CONFLICT (key) DO UPDATE SET used_until = {greatest}({table}.used_until, %s) + %s
        WHERE {table}.used_until <= %s
        RETURNING used_until
    """  # noqa: S608  (no value of anybody's is part of the text)
    with connection.cursor() as cursor:
        cursor.execute(sql, [row, now + each, now, each, now + tolerance + 1e-6])
        found = cursor.fetchone()
    return float(found[0]) if found else None
