r"""Twilsock's framing: `TWILSOCK V3.0 <H>\r\n<header JSON, H bytes>\r\n<payload, header.payload_size bytes>`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

_PREFIX = re.compile(rb"TWILSOCK V3\.0 (\d{1,7})\r\n")


class FrameError(ValueError):
    """Bytes that are no Twilsock frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    header: dict[str, Any]
    payload: bytes

    @property
    def id(self) -> str:
        return str(self.header.get("id"))

    def body(self) -> dict[str, Any]:
        """The payload as an object: JSON, or a form's fields. Raises FrameError."""
        if not self.payload:
            return {}
        if str(self.header.get("payload_type", "")).startswith("application/x-www-form-urlencoded"):
            return {name: values[0] for name, values in parse_qs(self.payload.decode("utf-8", "replace")).items()}
        body = _json(self.payload)
        if not isinstance(body, dict):
            raise FrameError("payload is not an object")
        return body


def decode(data: bytes) -> Frame:
    """Raises FrameError. Bytes behind the payload are tolerated, as by Twilio."""
    prefix = _PREFIX.match(data)
    if prefix is None:
        raise FrameError("no Twilsock frame")
    end = prefix.end() + int(prefix[1])
    header = _json(data[prefix.end() : end])
    if not isinstance(header, dict) or data[end : end + 2] != b"\r\n":
        raise FrameError("no Twilsock header")
    payload_size = header.get("payload_size") or 0
    payload = data[end + 2 :]
    if type(payload_size) is not int or not 0 <= payload_size <= len(payload):
        raise FrameError("wrong payload size")
    return Frame(header, payload[:payload_size])


def encode(header: Mapping[str, Any], payload: Any = None) -> bytes:
    """JSON is written in ASCII: half a surrogate pair, which JSON may escape, has no UTF-8."""
    body = b"" if payload is None else json.dumps(payload).encode()
    described = {**header, "payload_size": len(body)}
    if body:
        described["payload_type"] = "application/json"
    head = json.dumps(described).encode()
    return b"TWILSOCK V3.0 %d\r\n%b\r\n%b" % (len(head), head, body)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FrameError("no JSON") from error
