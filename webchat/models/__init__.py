from __future__ import annotations

from webchat.models.counter import LimitCounter
from webchat.models.field import PreEngagementField
from webchat.models.outage import Outage
from webchat.models.session import ChatSession
from webchat.models.webchat import Webchat

__all__ = ["ChatSession", "LimitCounter", "Outage", "PreEngagementField", "Webchat"]
