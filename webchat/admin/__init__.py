"""Webchats and their forms for staff to compose; chat sessions and messages for them to read."""

from __future__ import annotations

from webchat.admin.messages import MessageAdmin
from webchat.admin.sessions import ChatSessionAdmin
from webchat.admin.webchats import WebchatAdmin

__all__ = ["ChatSessionAdmin", "MessageAdmin", "WebchatAdmin"]
