"""What Schemathesis needs to get past the door: without it nearly every request would end at an address that is not
there, or at the first field. Loaded as its hooks: `SCHEMATHESIS_HOOKS=tests.security.fuzzing`."""

from __future__ import annotations

import os
from typing import Any
from zlib import crc32

import schemathesis

from tests.support.site_visitor import ANSWERS

# Schemathesis loads this without Django.
SESSION_ID = os.environ.get("FUZZED_SESSION", "")


def _one_in(number: int, value: Any) -> bool:
    """The same for the same value: a run with a seed can be repeated."""
    return crc32(repr(value).encode()) % number == 0


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Most requests meet a webchat that is there, and a chat session of their own."""
    if isinstance(path_parameters, dict) and not _one_in(4, path_parameters):
        known = {"slug": "support", "session_id": SESSION_ID}
        return {name: known.get(name) or value for name, value in path_parameters.items()}
    return path_parameters


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    """Most starts have a sound key, often one that was there before."""
    if isinstance(headers, dict) and "Idempotency-Key" in headers and not _one_in(4, headers):
        return {**headers, "Idempotency-Key": f"fuzzed-key-{crc32(repr(headers).encode()) % 50}"}
    return headers


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Most objects have sound answers, and some of those nothing else."""
    if not isinstance(body, dict) or _one_in(4, body):
        return body
    return dict(ANSWERS) if _one_in(3, str(body)) else {**ANSWERS, **body}
