"""The site's addresses, and one whose view has a bug that every exception could have: it quotes what it was given."""

from __future__ import annotations

from typing import NoReturn

from django.conf import settings
from django.http import HttpRequest
from django.urls import path

from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as site_urls

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def bug(request: HttpRequest) -> NoReturn:
    answer, secret = request.POST.get("question", ""), settings.TWILIO_AUTH_TOKEN
    try:
        int(answer)
    except ValueError as error:
        raise RuntimeError(f"cannot handle {answer} of {request.COOKIES} with {secret}") from error
    raise AssertionError


urlpatterns = [*site_urls, path("bug/", bug), path("api/bug/", bug)]
