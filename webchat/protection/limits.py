"""Exact limits, shared by every thread, process and machine: one statement takes from an allowance, or finds it empty.

A limit of `allowed` in `seconds` lets that many through at once and then one each `seconds / allowed`: the generic cell
rate algorithm, whose only state is a time. Each allowance is counted in the database alone, by the database's clock.
Without the database no chat starts anyway.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from webchat.clock import database_now
from webchat.conf import conf
from webchat.errors import ChatRefused, Code
from webchat.fields.lookups import normal_form
from webchat.models import LimitCounter, Webchat
from webchat.visitors import Visitor

# What a time may lose to rounding.
ROUNDING_SECONDS = 1e-6
# A statement may reach the database this much later than its time was read. What is stored further ahead than that and
# its limit allow was written by a wrong clock, and counts as nothing.
LATE_SECONDS = 60
DAY_SECONDS = 86_400
UNCAPPED = 2**53
MOST_MINUTES = 120


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `allowed` at once, and as many in `seconds`: at most a day."""

    name: str
    allowed: int
    seconds: float

    @property
    def each(self) -> float:
        return self.seconds / self.allowed

    def row(self, key: str) -> str:
        # Keyed: what people typed cannot be guessed back from the table.
        return f"{self.name}:{salted_hmac('webchat.limits', key, algorithm='sha256').hexdigest()[:32]}"

    def take(self, key: str) -> int | None:
        """Takes one from the key's allowance: None. Or says in how many seconds there will be one."""
        empty = take_each((self, key))
        return empty and empty.seconds


class Empty(NamedTuple):
    """An allowance that is empty: in how many seconds to try again, and the name of its limit."""

    seconds: int
    limit: str


def take_each(*wanted: tuple[Limit, str]) -> Empty | None:
    """Takes one from each allowance: None. Or takes none, and says which is empty for the longest time."""
    now = database_now().timestamp()
    limits = {limit.row(key): limit for limit, key in wanted}
    taken = _advance(now, limits)
    if taken.keys() == limits.keys():
        return None
    _undo(now, {row: limits[row] for row in taken})
    missed = limits.keys() - taken.keys()
    empty = LimitCounter.objects.filter(key__in=missed).values_list("room_at", "key")
    room_at, row = max(empty, default=(now, min(missed)))
    return Empty(max(1, math.ceil(room_at - now)), limits[row].name)


def give_back(*taken: tuple[Limit, str]) -> None:
    """Undoes take_each()."""
    _undo(database_now().timestamp(), {limit.row(key): limit for limit, key in taken})


# A provider gives one customer a /56 or a /48, which is up to 65,536 networks of a /64.
PREFIX_BITS = 48
PREFIX_FACTOR = 4


def by_network(limit: Limit, network: str, beside: str = "") -> list[tuple[Limit, str]]:
    """What to take for a network, as Visitor.network names it; of IPv6 also four times as much of its /48. `beside` is a
    value that is counted together with it. An address that cannot be read is no network: visitors without one would
    share it."""
    if not network and not beside:
        return []
    wanted = [(limit, f"{beside} {network}".strip())]
    if ":" in network:
        prefix = ip_network(network).supernet(new_prefix=PREFIX_BITS)
        wide = Limit(f"{limit.name}:48", limit.allowed * PREFIX_FACTOR, limit.seconds)
        wanted.append((wide, f"{beside} {prefix}".strip()))
    return wanted


# An address may be a whole company or a mobile network, so the narrow limit is that of one browser at one address.
# A visitor who throws the cookie away each time still meets the wide one.
PER_BROWSER = Limit("start:browser", 5, 600)
PER_ADDRESS = Limit("start:address", 40, 600)
PER_USER = Limit("start:user", 20, DAY_SECONDS)
PER_WEBCHAT = Limit("start:webchat", 120, 60)
# Further attempts at a start that failed, as far as they come to Twilio.
RETRY_BY_BROWSER = Limit("retry:browser", 10, 600)
RETRY_BY_ADDRESS = Limit("retry:address", 40, 600)
# Pages of conversations that are over.
READ_BY_BROWSER = Limit("read:browser", 60, 600)
READ_BY_ADDRESS = Limit("read:address", 240, 600)
# Details on a members-only form that are no account's, by address, and by value and address together: guessing must not
# pay, and who guesses locks no member out elsewhere.
MEMBER_BY_ADDRESS = Limit("member:address", 20, 600)
MEMBER_BY_VALUE = Limit("member:value", 5, 600)

# Twilio takes 5 creates a second from the whole account, then answers 429.
# https://www.twilio.com/docs/flex/developer/conversations/limits
PACE = Limit("pace", 9, 2.25)


def are_on() -> bool:
    return bool(conf.WEBCHAT_LIMITS != "off")


def take_day(name: str, cap: int | None) -> int | None:
    """Takes one of `cap` a day (UTC), or says in how many seconds the next day begins. Without a cap it is counted too:
    one that staff set in the middle of a day holds for all of it."""
    now = database_now()
    table = LimitCounter._meta.db_table
    sql = f"""
        INSERT INTO {table} (key, room_at, each) VALUES (%s, 1, 1)
        ON CONFLICT (key) DO UPDATE SET room_at = {table}.room_at + 1
        WHERE {table}.room_at < %s
        RETURNING room_at
    """  # noqa: S608  (no value of anybody's is part of the text)
    with connection.cursor() as cursor:
        cursor.execute(sql, [f"{name}:{_day_of(now)}", UNCAPPED if cap is None else cap])
        taken = cursor.fetchone()
    return None if taken else max(1, DAY_SECONDS - int(now.timestamp()) % DAY_SECONDS)


def wait_for_turn() -> bool:
    """Waits until the whole site may create its next channel at Twilio; False when that would take too long."""
    now = database_now().timestamp()
    row = PACE.row("")
    taken = _advance(now, {row: PACE})
    if taken:
        # Its place in the queue: the first goes at once.
        time.sleep(max(0.0, taken[row] + PACE.seconds - 2 * PACE.each - now))
    return bool(taken)


def by_place(browser: Limit, address: Limit, visitor: Visitor) -> list[tuple[Limit, str]]:
    """The limits of one browser at one address, and of the address."""
    return [(browser, f"{visitor.browser} {visitor.network}"), *by_network(address, visitor.network)]


def try_again_in(seconds: int) -> str:
    """In minutes, and in hours where they would be many."""
    minutes = math.ceil(seconds / 60)
    if minutes <= MOST_MINUTES:
        return ngettext("Please try again in %(count)d minute.", "Please try again in %(count)d minutes.", minutes) % {
            "count": minutes
        }
    hours = math.ceil(minutes / 60)
    return ngettext("Please try again in %(count)d hour.", "Please try again in %(count)d hours.", hours) % {
        "count": hours
    }


def _too_many_chats(empty: Empty) -> ChatRefused:
    detail = f"{_('Too many chats were started from here.')} {try_again_in(empty.seconds)}"
    return ChatRefused(Code.TOO_MANY, detail, retry_after=empty.seconds, limit=empty.limit)


def take_start(webchat: Webchat, visitor: Visitor) -> None:
    """Counts one start. Raises ChatRefused(TOO_MANY), with the seconds after which there is room again."""
    if empty := _take_of_webchat("start", webchat, visitor):
        raise _too_many_chats(empty)


def take_message(webchat: Webchat, visitor: Visitor) -> None:
    """Counts one message that is left, by the limits of starts: neither gets room by the other. Raises
    ChatRefused(TOO_MANY)."""
    if empty := _take_of_webchat("message", webchat, visitor):
        detail = f"{_('Too many messages were left from here.')} {try_again_in(empty.seconds)}"
        raise ChatRefused(Code.TOO_MANY, detail, retry_after=empty.seconds, limit=empty.limit)


def _take_of_webchat(what: str, webchat: Webchat, visitor: Visitor) -> Empty | None:
    """The cap of a day counts each kind for itself."""
    if not are_on():
        return None
    wanted = [*by_place(PER_BROWSER, PER_ADDRESS, visitor), (PER_WEBCHAT, str(webchat.pk))]
    if visitor.user_id:
        wanted.append((PER_USER, str(visitor.user_id)))
    if wait := take_day(f"{what}:day:{webchat.pk}", webchat.daily_cap):
        return Empty(wait, "day")
    return take_each(*wanted)


def take_retry(webchat: Webchat, visitor: Visitor) -> None:
    """Counts a further attempt at a start, as many as it gets. Raises ChatRefused(TOO_MANY)."""
    if are_on() and (empty := take_each(*_retry(webchat, visitor))):
        raise _too_many_chats(empty)


def give_retry_back(webchat: Webchat, visitor: Visitor) -> None:
    """An attempt that only waited for its turn is none."""
    if are_on():
        give_back(*_retry(webchat, visitor))


def _retry(webchat: Webchat, visitor: Visitor) -> list[tuple[Limit, str]]:
    return [*by_place(RETRY_BY_BROWSER, RETRY_BY_ADDRESS, visitor), (PER_WEBCHAT, str(webchat.pk))]


def take_reading(visitor: Visitor) -> None:
    """Counts a page of a conversation that is read again. Raises ChatRefused(TOO_MANY)."""
    if are_on() and (empty := take_each(*by_place(READ_BY_BROWSER, READ_BY_ADDRESS, visitor))):
        raise _too_many_tries(empty)


def _too_many_tries(empty: Empty) -> ChatRefused:
    text = _("Too many tries. Please wait a while and try again.")
    return ChatRefused(Code.TOO_MANY, text, retry_after=empty.seconds, limit=empty.limit)


def take_guess(answers: Mapping[str, str], network: str) -> None:
    """Counts a try at a members-only form, given by user lookup, before it is looked up: by address, alone and
    with each value.
    Raises ChatRefused(TOO_MANY) the same way whether the values are anybody's or not."""
    if are_on() and (empty := take_each(*_guess(answers, network))):
        raise _too_many_tries(empty)


def give_guess_back(answers: Mapping[str, str], network: str) -> None:
    """A member's own details are no guess."""
    if are_on():
        give_back(*_guess(answers, network))


def _guess(answers: Mapping[str, str], network: str) -> list[tuple[Limit, str]]:
    values = [f"{path}={normal_form(value)}" for path, value in sorted(answers.items())]
    by_value = [each for value in values for each in by_network(MEMBER_BY_VALUE, network, value)]
    return [*by_network(MEMBER_BY_ADDRESS, network), *by_value]


def forget_past() -> int:
    """Deletes the rows that no longer limit anybody; how many. No limit is longer than a day, and the counts of a day
    hold until it ends."""
    now = database_now()
    past = LimitCounter.objects.filter(room_at__lt=now.timestamp() - DAY_SECONDS).exclude(key__endswith=_day_of(now))
    done = 0
    while keys := list(past.values_list("key", flat=True)[:1000]):
        # Once more by its time: it may have been used since.
        done += past.filter(key__in=keys).delete()[0]
    return done


def _advance(now: float, limits: dict[str, Limit]) -> dict[str, float]:
    """Takes one from each row's allowance that has room. Returns what it took: row → when there is room again."""
    greatest = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    table = LimitCounter._meta.db_table
    values: list[Any] = []
    # In one order for everybody: two statements that lock rows in different orders would wait for each other.
    for row, limit in sorted(limits.items()):
        values += [row, now - limit.seconds + 2 * limit.each, limit.each]
    sql = f"""
        INSERT INTO {table} (key, room_at, each) VALUES {", ".join(["(%s, %s, %s)"] * len(limits))}
        ON CONFLICT (key) DO UPDATE SET each = excluded.each, room_at = CASE
            WHEN {table}.room_at > %s + excluded.each THEN excluded.room_at
            ELSE {greatest}({table}.room_at + excluded.each, excluded.room_at) END
        WHERE {table}.room_at <= %s OR {table}.room_at > %s + excluded.each
        RETURNING key, room_at
    """  # noqa: S608  (no value of anybody's is part of the text)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, now + LATE_SECONDS, now + ROUNDING_SECONDS, now + LATE_SECONDS])
        return {row: float(room_at) for row, room_at in cursor.fetchall()}


def _undo(now: float, limits: dict[str, Limit]) -> None:
    """Gives one back to each row, and deletes those that say no more than no row does: what is refused leaves none."""
    if not limits:
        return
    LimitCounter.objects.filter(key__in=limits).update(room_at=F("room_at") - F("each"))
    whole = Q()
    for row, limit in limits.items():
        whole |= Q(key=row, room_at__lte=now - limit.seconds + limit.each + ROUNDING_SECONDS)
    LimitCounter.objects.filter(whole).delete()


def _day_of(now: datetime) -> str:
    return f"{now:%Y-%m-%d}"
