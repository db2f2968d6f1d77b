"""Where the limits are counted: in the database, or in Redis if CACHE_URL names one.

Both keep one number for each row, a time, and change it in one atomic step, so a limit is exact across threads and
processes. While Redis does not answer, the database counts: a caller gets at most the allowance of each, and none is
let through uncounted.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import redis
from django.conf import settings
from django.db import connection
from django.db.models import F
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from webchat.models.counter import LimitCounter

logger = logging.getLogger(__name__)

T = TypeVar("T")

REDIS = "django.core.cache.backends.redis.RedisCache"
# Seconds: what a start may wait for Redis, and for how long this process does without one that failed.
PATIENCE, PAUSE = 0.25, 5.0
# What a time may be off by, for having been a text meanwhile.
EPSILON = 1e-6
_PREFIX = "webchat:limit:"

_ADVANCE = """
local used_until = tonumber(redis.call('GET', KEYS[1]) or '0')
local now, each, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if used_until > now + tolerance then
    return {0, string.format('%.6f', used_until)}
end
used_until = math.max(used_until, now) + each
local lives = math.ceil((used_until - now) * 1000)
redis.call('SET', KEYS[1], string.format('%.6f', used_until), 'PX', lives)
return {1, string.format('%.6f', used_until)}
"""

_down_until = -math.inf


def advance(row: str, now: float, each: float, tolerance: float) -> tuple[bool, float]:
    """Moves the row's time on by `each`, from `now` at the earliest, unless it is more than `tolerance` ahead already.

    Returns whether it did, and the row's time, all in seconds since the epoch.
    """

    def in_redis(script: Script) -> tuple[bool, float]:
        done, used_until = script(keys=[_PREFIX + row], args=[now, each, tolerance + EPSILON])
        return bool(done), float(used_until)

    return _counted(in_redis, lambda: advance_in_database(row, now, each, tolerance))


def go_back(row: str, each: float) -> None:
    """Undoes one advance()."""

    def in_redis(script: Script) -> None:
        client = script.registered_client
        if client.exists(_PREFIX + row):
            client.incrbyfloat(_PREFIX + row, -each)

    def in_database() -> None:
        LimitCounter.objects.filter(key=row).update(used_until=F("used_until") - each)

    _counted(in_redis, in_database)


def advance_in_database(row: str, now: float, each: float, tolerance: float) -> tuple[bool, float]:
    greatest = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    table = LimitCounter._meta.db_table
    sql = f"""
        INSERT INTO {table} (key, used_until) VALUES (%s, %s)
        ON CONFLICT (key) DO UPDATE SET used_until = {greatest}({table}.used_until, %s) + %s
        WHERE {table}.used_until <= %s
        RETURNING used_until
    """  # noqa: S608  (no value of anybody's is part of the text)
    with connection.cursor() as cursor:
        cursor.execute(sql, [row, now + each, now, each, now + tolerance + EPSILON])
        found = cursor.fetchone()
    if found:
        return True, float(found[0])
    return False, LimitCounter.objects.values_list("used_until", flat=True).get(key=row)


def _counted(in_redis: Callable[[Script], T], in_database: Callable[[], T]) -> T:
    global _down_until
    cache = settings.CACHES["default"]
    if cache["BACKEND"] != REDIS or time.monotonic() < _down_until:
        return in_database()
    try:
        return in_redis(_script(str(cache["LOCATION"])))
    except redis.RedisError as error:
        _down_until = time.monotonic() + PAUSE
        logger.error("limits are counted in the database, as Redis fails: %s", type(error).__name__)
        return in_database()


@lru_cache(maxsize=1)
def _script(url: str) -> Script:
    client = redis.Redis.from_url(
        url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
    )
    return client.register_script(_ADVANCE)
