"""What the site logs: one JSON object a line that holds no secret and no word of a visitor, by one rule.

Our own events have a fixed name and known fields (FIELDS), whose values are ours too. What other people's code logs is
written by its template, without the arguments: it cannot quote anybody. A traceback tells where and what kind of error,
but not its message. docs/security.md lists the names.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable
from functools import lru_cache, partial
from ipaddress import ip_address, ip_network
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

FIELDS = frozenset(
    {
        "time", "level", "logger", "event", "request_id", "network", "method", "path", "status", "ms", "user", "reason",
        "code", "limit", "webchat", "session", "by", "state", "sid", "seconds", "failures", "counts", "error", "trace",
        "sandbox", "kind", "message_id",
    }
)  # fmt: skip
TRACE_MAX = 12  # frames, the innermost

# Django's security log by our names; its messages quote Host, Origin and Referer.
_DJANGO_SECURITY = {
    "django.security.csrf": "csrf_refused",
    "django.security.DisallowedHost": "host_refused",
}


def configure(*, human: bool) -> dict[str, Any]:
    """Sets structlog up and returns Django's LOGGING: JSON lines on standard error, or lines for a developer's eye."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            *before_the_line(human=human),
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
                "()": formatter,
                "human": human,
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # Without Django's own handlers: its mails quote requests. Each request has one line of ours already.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.request": {"level": "CRITICAL"},
            "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # runserver's own line for each request.
            "django.server": {"handlers": [], "level": "CRITICAL", "propagate": True},
            # It logs URLs and headers at INFO.
            "twilio.http_client": {"level": "WARNING"},
        },
    }


def before_the_line(*, human: bool) -> list[Processor]:
    """What decides whether an event becomes a line at all."""
    return [_none_for_static_files] if human else []


def formatter(*, human: bool) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, _name_security_events],
        use_get_message=False,  # of other people's records the template alone
        pass_foreign_args=True,
        processors=for_eyes() if human else for_machines(),
    )


def for_machines() -> list[Processor]:
    return [
        *_common(),
        _where_it_failed,
        _only_known_fields,
        structlog.processors.JSONRenderer(serializer=partial(json.dumps, separators=(",", ":")), default=str),
    ]


def for_eyes() -> list[Processor]:
    """The same fields, in colour on a terminal, and tracebacks whole: for DEBUG."""
    keep = FIELDS | {"exc_info"}
    return [
        *_common(),
        partial(_only_known_fields, fields=keep),
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="time"
        ),
    ]


def _common() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]


def _none_for_static_files(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A developer's eye looks for the other lines. A file that is missing is said."""
    path, status = str(event.get("path", "")), event.get("status", 500)
    if event.get("event") == "request_finished" and path.startswith("/static/") and status < 400:
        raise structlog.DropEvent
    return event


def _name_security_events(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Gives an event of Django's security log the name of ours, and the kind of the refusal."""
    args = event.pop("positional_args")
    name = event["_record"].name
    if name.startswith("django.security."):
        kind = name.rpartition(".")[2]
        event["event"] = _DJANGO_SECURITY.get(name, "request_refused")
        # A CSRF refusal's words before what they quote: "Origin checking failed - https://…".
        event["reason"] = str(args[0]).partition(" - ")[0] if kind == "csrf" and args else kind
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
    known = {name: value for name, value in event.items() if name in fields}
    if sid := known.get("sid"):
        known["sid"] = f"{sid[:2]}…{sid[-4:]}"
    return known


@lru_cache(maxsize=1024)
def network_in_log(address: str) -> str:
    """An address, or a network as limits count it, cut to its /24 or /48; "" for what is none."""
    try:
        ip = ip_address(address.partition("/")[0])
    except ValueError:
        return ""
    return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))
