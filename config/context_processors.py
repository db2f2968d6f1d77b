"""The company's name, tagline and colour, and what its menu has, for every page."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from config.theme import theme


def company(request: HttpRequest) -> dict[str, str | bool]:
    return {
        "company_name": settings.COMPANY_NAME,
        "company_tagline": settings.COMPANY_TAGLINE,
        "theme_version": theme(settings.COMPANY_COLOUR).version,
        "sandbox_url": settings.TWILIO_SANDBOX_URL,
        "shows_history": settings.WEBCHAT_HISTORY,
    }
