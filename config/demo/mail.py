"""Whom the demo mails."""

from __future__ import annotations

from typing import Any


def may_mail(*, user: Any) -> bool:
    """Everybody: nobody but whoever runs the demo makes its accounts."""
    return True
