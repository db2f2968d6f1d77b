"""Webchats, their forms and opening hours for staff to compose; chat sessions and messages for them to read."""

from __future__ import annotations

from webchat.admin.hours import OpeningHoursAdmin
from webchat.admin.messages import MessageAdmin
from webchat.admin.sessions import ChatSessionAdmin
from webchat.admin.webchats import WebchatAdmin

__all__ = ["ChatSessionAdmin", "MessageAdmin", "OpeningHoursAdmin", "WebchatAdmin"]
