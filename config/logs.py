"""What the site logs: one JSON object a line, made of fields that hold no secret and no word of a visitor.

Every line passes here, Django's own and those of libraries too. What is not in FIELDS is left out, a traceback tells
where and what kind of error but not its message, and text is cleaned of what a message may quote after all.
docs/security.md lists the security events.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Iterable
from functools import lru_cache, partial
from ipaddress import ip_address, ip_network
from types import TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.core.signals import setting_changed
from structlog.typing import EventDict, Processor, WrappedLogger

FIELDS = frozenset(
    {
        "time", "level", "logger", "event", "request_id", "network", "method", "path", "status", "ms", "user", "reason",
        "code", "limit", "webchat", "sid", "error", "trace", "sandbox",
    }
)  # fmt: skip
TEXT_MAX = 500
TRACE_MAX = 12  # frames, the innermost

# Django's security log by our names; its messages quote Host, Origin and Referer.
_DJANGO_SECURITY = {
    "django.security.csrf": "csrf_refused",
    "django.security.DisallowedHost": "host_refused",
}
_CSRF_REASON = re.compile(r"Forbidden \((.{1,80}?)(?: - |\): )")

_IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")
_CLEANED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\beyJ[\w-]{8,}\.[\w.-]+"), "[token]"),
    (re.compile(r"\b([A-Z]{2})[0-9a-fA-F]{28}([0-9a-fA-F]{4})\b"), r"\1…\2"),
    (re.compile(r"\bw_[0-9a-f]{28}([0-9a-f]{4})\b"), r"w_…\1"),
    (re.compile(r"[\w.+%-]{1,64}@[\w.-]{1,255}"), "[e-mail]"),
    (re.compile(r"\b(?!127\.)(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}\b(?!/)"), r"\1.0/24"),
)
# What every text has that any of these could change: one look spares the others for most.
_SUSPECT = re.compile(r"eyJ|[A-Z]{2}[0-9a-fA-F]{28}|w_|@|\d\.\d|:")


def configure(*, human: bool) -> dict[str, Any]:
    """Sets structlog up and returns Django's LOGGING: JSON lines on standard error, or lines for a developer's eye."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            _one_line_a_request,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [structlog.contextvars.merge_contextvars],
                "processors": for_eyes() if human else for_machines(),
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # Without Django's own handlers: its mails quote requests. Each request has one line of ours already.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.request": {"level": "CRITICAL"},
            "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # It logs URLs and headers at INFO.
            "twilio.http_client": {"level": "WARNING"},
        },
    }


def for_machines() -> list[Processor]:
    return [
        *_common(),
        _where_it_failed,
        _only_known_fields,
        _clean,
        structlog.processors.JSONRenderer(serializer=partial(json.dumps, separators=(",", ":"))),
    ]


def for_eyes() -> list[Processor]:
    """The same fields, in colour on a terminal, and tracebacks whole: for DEBUG."""
    keep = FIELDS | {"exc_info"}
    return [
        *_common(),
        partial(_only_known_fields, fields=keep),
        _clean,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="time"
        ),
    ]


def _common() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _name_security_events,
    ]


def _one_line_a_request(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """None for a health check, and not two more for each file that is sent in pieces."""
    name = event.get("event")
    is_health_check = name == "request_finished" and str(event.get("path", "")).startswith("/health/")
    if is_health_check or name in ("streaming_started", "streaming_finished"):
        raise structlog.DropEvent
    return event


def _name_security_events(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    name = str(event.get("logger", ""))
    if name.startswith("django.security."):
        if reason := _CSRF_REASON.match(str(event["event"])):
            event["reason"] = reason[1]
        else:
            event["reason"] = name.rpartition(".")[2]
        event["event"] = _DJANGO_SECURITY.get(name, "request_refused")
        event.pop("exc_info", None)
    return event


def _where_it_failed(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    error = found if isinstance(found, BaseException) else found[1] if isinstance(found, tuple) else None
    if error is None and found:
        error = sys.exc_info()[1]
    if error is not None:
        event["error"] = " < ".join(type(each).__name__ for each in _causes(error))
        event["trace"] = _frames(error.__traceback__)
    return event


def _causes(error: BaseException) -> Iterable[BaseException]:
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen and len(seen) < 5:
        seen.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return seen


def _frames(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-TRACE_MAX:]
    return ["{}:{} {}".format("/".join(each.filename.split("/")[-3:]), each.lineno, each.name) for each in frames]


def _only_known_fields(
    logger: WrappedLogger, method: str, event: EventDict, *, fields: frozenset[str] = FIELDS
) -> EventDict:
    return {name: value for name, value in event.items() if name in fields}


# Made by us, or checked before they got here: nobody else's text is in them.
_CLEAN = frozenset({"exc_info", "time", "level", "logger", "request_id", "network"})


def _clean(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {name: value if name in _CLEAN else clean(value) for name, value in event.items()}


def clean(value: Any) -> Any:
    """The value as a log may hold it: text on one line, without secrets, addresses and whole identifiers."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [clean(each) for each in value]
    text = str(value)[: 4 * TEXT_MAX]
    for secret in _secrets() if settings.configured else ():
        text = text.replace(secret, "[secret]")
    if _SUSPECT.search(text):
        for pattern, substitute in _CLEANED:
            text = pattern.sub(substitute, text)
        text = _IPV6.sub(lambda found: network_in_log(found[0]) or found[0], text)
    if not text.isprintable():
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text[:TEXT_MAX]


@lru_cache(maxsize=1024)
def network_in_log(address: str) -> str:
    """An address, or a network as limits count it, cut to its /24 or /48; "" for what is none."""
    try:
        ip = ip_address(address.partition("/")[0])
    except ValueError:
        return ""
    return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


@lru_cache(maxsize=1)
def _secrets() -> tuple[str, ...]:
    names = ("SECRET_KEY", "TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN_SECONDARY", "TWILIO_API_KEY_SECRET")
    values = [*(getattr(settings, name) for name in names), *settings.SECRET_KEY_FALLBACKS]
    return tuple(value for value in values if len(value) >= 8)


def _forget_secrets(**kwargs: Any) -> None:
    _secrets.cache_clear()


setting_changed.connect(_forget_secrets)
