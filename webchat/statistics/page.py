"""The statistics in the admin: a page, and the same days as CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from webchat.clock import database_now
from webchat.models import Webchat
from webchat.statistics.chats import HOURS, Day, Statistics, count_chats

PERMISSION = "webchat.view_statistics"
# Of the picture, in its own units.
BAR_HEIGHT = 100
SHADES = 4
# What a spreadsheet takes for the beginning of a formula. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    of_day: str  # the name in Day
    today: int = 0
    week_ago: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    day: Day
    x: int
    y: int
    height: int


def page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """`webchat` in the address is a slug; without it the figures are of all. `format=csv` is the table."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    webchats = list(Webchat.objects.select_related("hours"))
    slug = request.GET.get("webchat", "")
    webchat = next((each for each in webchats if each.slug == slug), None)
    if slug and webchat is None:
        raise Http404
    zone = webchat.hours.zone if webchat and webchat.hours else timezone.get_default_timezone()
    found = count_chats(webchat, zone, database_now())
    if request.GET.get("format") == "csv":
        return _as_csv(found, slug)
    context = {
        **site.each_context(request),
        "title": _("Chat statistics"),
        "webchats": webchats,
        "webchat": webchat,
        "zone": zone,
        "figures": [
            Figure(label, name, getattr(found.today, name), getattr(found.week_ago, name)) for name, label in _labels()
        ],
        "found": found,
        "bars": _bars(found.days),
        "most": max(day.started for day in found.days),
        "weekdays": _weekdays(found),
        "hours": HOURS,
        "columns": [label for _name, label in _labels()],
        "rows": [(day, [getattr(day, name) for name, _label in _labels()]) for day in reversed(found.days)],
    }
    return render(request, "admin/webchat/statistics.html", context)


def _labels() -> list[tuple[str, str]]:
    """The columns by their names in Day."""
    return [
        ("started", _("Started")),
        ("failed", _("Failed")),
        ("ended_by_visitor", _("Ended by the visitor")),
        ("ended_by_agent", _("Ended by the agent or Flex")),
        ("ended_otherwise", _("Ended otherwise")),
        ("messages", _("Messages left")),
    ]


def _bars(days: list[Day]) -> list[Bar]:
    most = max(1, *(day.started for day in days))
    heights = [day.started * BAR_HEIGHT // most for day in days]
    return [
        Bar(day, number * 10 + 1, BAR_HEIGHT - height, height)
        for number, (day, height) in enumerate(zip(days, heights, strict=True))
    ]


def _weekdays(found: Statistics) -> list[tuple[str, list[tuple[int, int]]]]:
    """The name of each weekday, with number and shade (0 to 4) of each hour."""
    most = max(found.by_hour.values(), default=1)
    return [
        (str(name), [(number, -(-number * SHADES // most)) for number in (found.by_hour[day, hour] for hour in HOURS)])
        for day, name in WEEKDAYS.items()
    ]


def _as_csv(found: Statistics, slug: str) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug or "webchats"}-{found.today.date:%Y-%m-%d}.csv"'
    response["Cache-Control"] = "no-store"
    writer = csv.writer(response)
    writer.writerow([_cell(text) for text in (_("Day"), *(label for _name, label in _labels()))])
    for day in found.days:
        writer.writerow([_cell(each) for each in (day.date, *(getattr(day, name) for name, _label in _labels()))])
    writer.writerow([])
    writer.writerow([_cell(text) for text in (_("Failure"), _("Number"))])
    writer.writerows([_cell(failure), _cell(number)] for failure, number in found.failures)
    return response


def _cell(value: Any) -> str:
    """As no spreadsheet calculates it."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
