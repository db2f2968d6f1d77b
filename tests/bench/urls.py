"""The site's addresses, and a view that does nothing."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@csrf_exempt
def bare(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"token": "x" * 480})


urlpatterns = [path("bench/bare/", bare), *urlpatterns]
