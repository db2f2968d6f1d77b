"""The site's addresses, and views that do nothing: JSON, and a page without and with the chat."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

PAGE = "<!doctype html><html lang=en><title>Page</title>{}</html>"
TEMPLATES = {
    "plain": engines["django"].from_string(PAGE.format("")),
    "chat": engines["django"].from_string("{% load webchat %}" + PAGE.format("{% webchat %}")),
}


@csrf_exempt
def bare(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"token": "x" * 480})


def page(request: HttpRequest, template: str) -> HttpResponse:
    return HttpResponse(TEMPLATES[template].render({}, request))


urlpatterns = [path("bench/bare/", bare), path("bench/<template>/", page), *urlpatterns]
