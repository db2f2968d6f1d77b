from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from webchat.flex import GATEWAYS
from webchat.legacy.gateway import WebChannels


class LegacyConfig(AppConfig):
    name = "webchat.legacy"
    label = "webchat_legacy"
    verbose_name = _("Webchat: legacy API")

    def ready(self) -> None:
        GATEWAYS["web_channels"] = WebChannels
