"""What a command asks before it does what cannot be undone."""

from __future__ import annotations


def agrees(question: str) -> bool:
    """Whether the person at the terminal says yes. Where there is nobody, they do not."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
