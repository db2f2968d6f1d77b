"""Where migrations have it from."""

from __future__ import annotations

from webchat.clock import database_now

__all__ = ["database_now"]
