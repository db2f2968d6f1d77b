"""Rows and their states. They call nobody: what needs Twilio is in chats/."""

from __future__ import annotations

from webchat.models.counts import HourlyCount
from webchat.models.field import PreEngagementField
from webchat.models.hours import OpeningHours, Span, SpecialDay
from webchat.models.mail import OutgoingMail
from webchat.models.message import Message
from webchat.models.protection import LimitCounter, Outage, RefusedWebchat
from webchat.models.queue import QueueFigures
from webchat.models.rating import Rating
from webchat.models.session import ChatSession, RetiredKey
from webchat.models.webchat import Closure, Webchat, WhenClosed, WhenNobody
from webchat.models.words import ChatWord
from webchat.models.worker import Work, WorkerPass

__all__ = [
    "ChatSession",
    "ChatWord",
    "Closure",
    "HourlyCount",
    "LimitCounter",
    "Message",
    "OpeningHours",
    "Outage",
    "OutgoingMail",
    "PreEngagementField",
    "QueueFigures",
    "Rating",
    "RefusedWebchat",
    "RetiredKey",
    "Span",
    "SpecialDay",
    "Webchat",
    "WhenClosed",
    "WhenNobody",
    "Work",
    "WorkerPass",
]
