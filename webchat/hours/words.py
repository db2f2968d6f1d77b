"""Opening times as people read them: by the business's clock, and with its place."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from webchat.hours.state import Reason, State
from webchat.models import Webchat


def zone_of(webchat: Webchat) -> ZoneInfo:
    return webchat.hours.zone if webchat.hours else ZoneInfo(settings.TIME_ZONE)


def time_in_words(instant: datetime, zone: ZoneInfo) -> str:
    """Like “Monday, December 7, 9 a.m. (Berlin time)”."""
    local = instant.astimezone(zone)
    return _("%(weekday)s, %(date)s, %(time)s (%(place)s time)") % {
        "weekday": date_format(local, "l"),
        "date": date_format(local, "MONTH_DAY_FORMAT"),
        "time": date_format(local, "TIME_FORMAT"),
        "place": zone.key.rpartition("/")[2].replace("_", " "),
    }


def closed_in_words(webchat: Webchat, state: State) -> str:
    """For visitors: that it is closed, why, and when somebody is back."""
    sentences = [webchat.texts["closed_text"], state.note]
    if state.until:
        sentences.append(_("We are back on %(when)s.") % {"when": time_in_words(state.until, zone_of(webchat))})
    return " ".join(filter(None, sentences))


def state_in_words(state: State, zone: ZoneInfo) -> str:
    """For staff."""
    when = {"when": time_in_words(state.until, zone)} if state.until else {}
    if state.is_open:
        return _("Open until %(when)s.") % when if when else _("Open, and no closing in the next 14 days.")
    reason = {
        Reason.SWITCHED_OFF: _("switched off"),
        Reason.BY_HAND: _("closed by hand"),
        Reason.SPECIAL_DAY: state.note or _("special day"),
        Reason.HOURS: _("outside of the opening hours"),
    }[state.reason or Reason.HOURS]
    text = _("Closed until %(when)s") % when if when else _("Closed, and no opening is known")
    return f"{text}: {reason}."
