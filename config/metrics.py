"""`/metrics`, for the company's own monitoring."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from webchat.statistics.metrics import DatabaseCollector

registry = CollectorRegistry()
registry.register(DatabaseCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For the bearer of METRICS_TOKEN. To everybody else there is nothing here."""
    sent = request.headers.get("Authorization", "")
    if not (settings.METRICS_TOKEN and constant_time_compare(sent, f"Bearer {settings.METRICS_TOKEN}")):
        raise Http404
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
