from __future__ import annotations

from tests.security.conftest import log

__all__ = ["log"]
