from __future__ import annotations

from django.apps import AppConfig

from webchat.flex import GATEWAYS
from webchat.legacy.gateway import WebChannels


class LegacyConfig(AppConfig):
    name = "webchat.legacy"
    label = "webchat_legacy"

    def ready(self) -> None:
        GATEWAYS["web_channels"] = WebChannels
