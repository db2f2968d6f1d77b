"""The statistics in the admin: a page, and its days as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
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
from webchat.counters import ANSWER_SECONDS, LASTED_SECONDS, counters
from webchat.flex.failures import FAILURES
from webchat.models import Rating, Webchat
from webchat.models.counts import Event
from webchat.statistics.figures import HOURS, Day, Figures, read_by_webchat, read_figures

PERMISSION = "webchat.view_statistics"
# The size of the pictures, in their own units.
BAR_HEIGHT = 100
BAR_WIDTH = 100
SHADES = 4
# What a spreadsheet takes for the beginning of a formula. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_FAILED = tuple(event for event in Event if event.startswith("failed_"))
ENDED_OTHERWISE = (Event.ENDED_STAFF, Event.ENDED_SIGN_IN, Event.ENDED_LOGOUT, Event.ENDED_ACCOUNT, Event.ENDED_AGE)


@dataclass(frozen=True, slots=True)
class Figure:
    """`width`: of its bar."""

    label: str
    number: int
    width: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    figures: list[Figure]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    day: Day
    x: int
    y: int
    height: int


def page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """`webchat` in the address is a slug; without it the figures are of all. `format=csv` is the table of the days."""
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
    now = database_now()
    counters.flush()  # those of this process
    if request.GET.get("format") == "csv":
        return _as_csv(read_by_webchat([webchat] if webchat else webchats, zone, now), slug)
    found = read_figures(webchat, zone, now)
    columns = _columns()
    context = {
        **site.each_context(request),
        "title": _("Chat statistics"),
        "webchats": webchats,
        "webchat": webchat,
        "zone": zone,
        "compared": [(label, _sum(found.today, events), _sum(found.week_ago, events)) for label, events in columns],
        "bars": _bars(found.days),
        "most": max(day.counts[Event.STARTED] for day in found.days),
        "weekdays": _weekdays(found),
        "hours": HOURS,
        "columns": [label for label, _events in columns],
        "rows": [(day, [_sum(day, events) for _label, events in columns]) for day in reversed(found.days)],
        "tables": _tables(found.counts),
    }
    return render(request, "admin/webchat/statistics.html", context)


def _columns() -> list[tuple[str, tuple[Event, ...]]]:
    """What stands in the table of the days, by its label."""
    return [
        (_("Forms shown"), (Event.OPENED,)),
        (_("Started"), (Event.STARTED,)),
        (_("Failed"), _FAILED),
        (_("Answered"), (Event.ANSWERED,)),
        (_("Unanswered"), (Event.UNANSWERED,)),
        (_("Ended by the visitor"), (Event.ENDED_VISITOR,)),
        (_("Ended by the agent or Flex"), (Event.ENDED_AGENT,)),
        (_("Ended otherwise"), ENDED_OTHERWISE),
        (_("Messages left"), (Event.MESSAGE,)),
    ]


def _refused() -> list[tuple[str, Event]]:
    """Why no chat began, though a form was shown or sent."""
    return [
        (_("An answer was not valid"), Event.INVALID),
        (_("Too many from one browser"), Event.REFUSED_BROWSER),
        (_("Too many from one address"), Event.REFUSED_ADDRESS),
        (_("Too many of one user"), Event.REFUSED_USER),
        (_("Too many in this webchat"), Event.REFUSED_WEBCHAT),
        (_("The cap of the day was reached"), Event.REFUSED_DAY),
        (_("Too many further attempts"), Event.REFUSED_RETRY),
        (_("Too many guesses at accounts"), Event.REFUSED_MEMBER),
        (_("The form was out of date"), Event.REFUSED_FORM),
        (_("The proof of work was missing"), Event.REFUSED_PROOF),
        (_("Closed"), Event.CLOSED),
        (_("Nobody was there"), Event.NOBODY),
    ]


def _sum(day: Day, events: Iterable[Event]) -> int:
    return sum(day.counts[event] for event in events)


def _tables(counts: Mapping[str, int]) -> list[Table]:
    """What became of forms and chats, each as a picture in its table."""
    way = [(_("Forms shown"), Event.OPENED), (_("Started"), Event.STARTED), (_("Answered"), Event.ANSWERED)]
    failed = [(str(words), Event(f"failed_{failure}")) for failure, words in FAILURES.items()]
    rated = [(f"{score}: {score.label}", Event(f"rated_{score}")) for score in reversed(Rating.Score)]
    number_of_ratings = sum(counts[event] for _label, event in rated)
    stars = sum(score * counts[Event(f"rated_{score}")] for score in Rating.Score)
    return [
        Table(_("From the form to the first answer"), _figures(counts, way)),
        Table(_("Why no chat began"), _occurring(counts, _refused())),
        Table(_("Failed starts of the last 30 days"), _occurring(counts, failed)),
        *(_seconds_table(caption, counts, what, buckets) for caption, what, buckets in _durations()),
        Table(_("Ratings"), _figures(counts, rated), _average(stars, number_of_ratings)),
    ]


def _figures(counts: Mapping[str, int], rows: Iterable[tuple[str, Event]]) -> list[Figure]:
    rows = list(rows)
    most = max(1, *(counts[event] for _label, event in rows))
    return [Figure(label, counts[event], max(0, counts[event]) * BAR_WIDTH // most) for label, event in rows]


def _occurring(counts: Mapping[str, int], rows: Iterable[tuple[str, Event]]) -> list[Figure]:
    """The most frequent first."""
    figures = [figure for figure in _figures(counts, rows) if figure.number]
    return sorted(figures, key=lambda figure: -figure.number)


def _durations() -> list[tuple[str, str, tuple[int, ...]]]:
    """The caption, the beginning of the events' names, and the buckets in seconds."""
    return [
        (_("Time to the first answer"), "answer", ANSWER_SECONDS),
        (_("How long chats lasted"), "lasted", LASTED_SECONDS),
    ]


def _spans(what: str, buckets: tuple[int, ...]) -> list[tuple[str, Event]]:
    rows = [(f"≤ {_span(most)}", Event(f"{what}_{most}")) for most in buckets]
    return [*rows, (f"> {_span(buckets[-1])}", Event(f"{what}_longer"))]


def _seconds_table(caption: str, counts: Mapping[str, int], what: str, buckets: tuple[int, ...]) -> Table:
    rows = _spans(what, buckets)
    number = sum(counts[event] for _label, event in rows)
    seconds = counts[Event(f"{what}_sum")]
    average = _("Average: %(average)s") % {"average": _span(round(seconds / number))} if number else ""
    return Table(caption, _figures(counts, rows), average)


def _span(seconds: int) -> str:
    """In units that need no translation."""
    minutes, rest = divmod(seconds, 60)
    return " ".join(
        part for part in (f"{minutes} min" if minutes else "", f"{rest} s" if rest or not minutes else "") if part
    )


def _average(total: int, number: int) -> str:
    return _("Average: %(average)s") % {"average": f"{total / number:.1f}"} if number else ""


def _bars(days: list[Day]) -> list[Bar]:
    most = max(1, *(day.counts[Event.STARTED] for day in days))
    heights = [day.counts[Event.STARTED] * BAR_HEIGHT // most for day in days]
    return [
        Bar(day, number * 10 + 1, BAR_HEIGHT - height, height)
        for number, (day, height) in enumerate(zip(days, heights, strict=True))
    ]


def _weekdays(found: Figures) -> list[tuple[str, list[tuple[int, int]]]]:
    """The name of each weekday, with number and shade (0 to 4) of each hour."""
    most = max(found.by_hour.values(), default=1)
    return [
        (str(name), [(number, -(-number * SHADES // most)) for number in (found.by_hour[day, hour] for hour in HOURS)])
        for day, name in WEEKDAYS.items()
    ]


def _as_csv(found: Iterable[tuple[Webchat, list[Day]]], slug: str) -> HttpResponse:
    """A row for each webchat and day."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    today = timezone.localdate()
    response["Content-Disposition"] = f'attachment; filename="{slug or "webchats"}-{today:%Y-%m-%d}.csv"'
    response["Cache-Control"] = "no-store"
    writer = csv.writer(response)
    columns = _columns()
    failures = [(str(words), (Event(f"failed_{failure}"),)) for failure, words in FAILURES.items()]
    ratings = [(f"{_('Ratings')} {score}", (Event(f"rated_{score}"),)) for score in Rating.Score]
    refusals = [(label, (event,)) for label, event in _refused()]
    columns += [*refusals, *failures, *ratings]
    for caption, what, buckets in _durations():
        columns += [(f"{caption} {span}", (event,)) for span, event in _spans(what, buckets)]
        columns.append((f"{caption} (s)", (Event(f"{what}_sum"),)))
    writer.writerow([_cell(text) for text in (_("Webchat"), _("Day"), *(label for label, _events in columns))])
    for webchat, days in found:
        for day in days:
            numbers = [_sum(day, events) for _label, events in columns]
            writer.writerow([_cell(each) for each in (webchat.name, day.date, *numbers)])
    return response


def _cell(value: Any) -> str:
    """As no spreadsheet calculates it."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
