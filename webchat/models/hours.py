"""Opening hours as staff keep them: wall times in a named time zone. webchat/hours computes from them what is open.

No instant and no offset from UTC is kept, so nothing is to be repaired when a clock changes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date, time
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from webchat.fields.person_names import validate_line
from webchat.models.translations import Translated

# From opening to closing, on the clock of the plan. Closing at or before opening is on the next day.
Times = tuple[time, time]

_SPAN = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*[-–—]\s*(\d{1,2})(?:[:.](\d{2}))?")


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("This is no time zone of the IANA list, like Europe/Berlin."))


def read_times(text: str) -> list[Times]:
    """The spans of a text like “9-12, 13:30-18:00”, in its order; none for an empty one. 24:00 is midnight.

    Raises ValidationError.
    """
    return [_read_span(part.strip()) for part in re.split(r"[,;\n]", text) if part.strip()]


def write_times(spans: Iterable[Times]) -> str:
    return ", ".join(f"{opens:%H:%M}–{closes:%H:%M}" for opens, closes in spans)


def validate_times(text: str) -> None:
    read_times(text)


def _read_span(text: str) -> Times:
    found = _SPAN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        opens, opens_minute, closes, closes_minute = (int(number or 0) for number in found.groups())
        is_midnight = (closes, closes_minute) == (24, 0)
        return time(opens, opens_minute), time(0) if is_midnight else time(closes, closes_minute)
    except ValueError as error:
        raise ValidationError(
            _("“%(text)s” is no span of time, like 09:00-12:30."), params={"text": text[:40]}
        ) from error


class OpeningHoursQuerySet(models.QuerySet["OpeningHours"]):
    def get_by_natural_key(self, name: str) -> OpeningHours:
        return self.get(name=name)


class OpeningHours(models.Model):
    """A named plan: spans of the week, and special days that replace them."""

    name = models.CharField(_("name"), max_length=80, unique=True, validators=[validate_line])
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        validators=[validate_time_zone],
        help_text=_("Of all times here, like Europe/Berlin. The changes of its clock are followed."),
    )

    objects = OpeningHoursQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.name,)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def special_day_on(self, day: date) -> SpecialDay | None:
        """The one that counts: of several the shortest, then the one that begins last."""
        covering = [special for special in self.special_days.all() if special.first <= day <= special.last]
        return min(covering, key=lambda one: (one.last - one.first, -one.first.toordinal()), default=None)

    def times_on(self, day: date) -> list[Times]:
        """The spans that begin on this day."""
        if special_day := self.special_day_on(day):
            return read_times(special_day.times)
        return [(span.opens, span.closes) for span in self.spans.all() if span.weekday == day.weekday()]


class Span(models.Model):
    """From opening to closing, every week. The whole of it belongs to the day on which it begins."""

    hours = models.ForeignKey(OpeningHours, related_name="spans", on_delete=models.CASCADE)
    weekday = models.PositiveSmallIntegerField(_("day"), choices=list(WEEKDAYS.items()))
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(
        _("closes"), help_text=_("At or before the opening: on the next day. 00:00 to 00:00 is the whole day.")
    )

    class Meta:
        ordering = ["weekday", "opens", "closes"]
        verbose_name = _("span")
        verbose_name_plural = _("spans of the week")
        constraints = [
            models.UniqueConstraint(
                fields=["hours", "weekday", "opens"],
                name="webchat_span_unique",
                violation_error_message=_("Another span opens at that time."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {write_times([(self.opens, self.closes)])}"


class SpecialDay(Translated):
    """A date, or a range of dates, that replaces what the week says."""

    TEXTS = ("note",)

    hours = models.ForeignKey(OpeningHours, related_name="special_days", on_delete=models.CASCADE)
    first = models.DateField(_("day"))
    last = models.DateField(_("to"), blank=True, help_text=_("The last day of a range. Empty: one day."))
    times = models.CharField(
        _("open"),
        max_length=120,
        blank=True,
        validators=[validate_times],
        help_text=_("Like 09:00-12:00, 13:00-16:00. Empty: closed."),
    )
    note = models.CharField(
        _("note for visitors"), max_length=120, blank=True, validators=[validate_line], help_text=_("Why it is closed.")
    )

    class Meta:
        ordering = ["first", "last"]
        verbose_name = _("special day")
        verbose_name_plural = _("special days (of several that cover a day, the shortest counts)")
        constraints = [
            models.UniqueConstraint(
                fields=["hours", "first", "last"],
                name="webchat_special_day_unique",
                violation_error_message=_("Another row has these days."),
            ),
            models.CheckConstraint(
                condition=Q(last__gte=F("first")),
                name="webchat_special_day_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} – {self.last}"

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields(exclude=exclude)
        self.last = self.last or self.first
        self.times = write_times(read_times(self.times))
