"""The legacy wing: WebChannels v1 and Flex Webchat UI 2.x, for accounts that still have them.

`WEBCHAT_LEGACY` installs this app; without it nothing here is loaded. What else knows of it, and goes with it, is listed in
docs/decisions/end-of-the-legacy-api.md.
"""

from __future__ import annotations

from django.apps import AppConfig


class LegacyConfig(AppConfig):
    name = "webchat.legacy"
    label = "webchat_legacy"

    def ready(self) -> None:
        from webchat.flex import GATEWAYS
        from webchat.legacy import admin, page
        from webchat.legacy.gateway import WebChannels
        from webchat.models import Webchat
        from webchat.templatetags.webchat import LAUNCHERS

        GATEWAYS[Webchat.Api.WEB_CHANNELS] = WebChannels
        LAUNCHERS[Webchat.Widget.FLEX_UI] = page.render_launcher
        admin.install()
