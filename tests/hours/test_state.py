"""Open until, closed until: against a slow model that looks at the clock each quarter of an hour."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time

import pytest
from django.core.exceptions import ValidationError
from django.db.models import prefetch_related_objects
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.hours.slow_model import DAY, TICK, WallClock, takes_chats
from tests.support.factories import change, make_hours, make_webchat
from webchat.hours import DAYS_AHEAD, Interval, Reason, State, Takes, chat_intervals, state_of, what_is_taken
from webchat.models import OpeningHours, Span, SpecialDay, Webchat, WhenClosed
from webchat.models.hours import read_times, write_times

pytestmark = pytest.mark.django_db

# Where and when clocks change, on both halves of the earth, by an hour, by half an hour, at midnight, and by a whole day.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/Santiago", date(2026, 9, 6)),
    ("America/Santiago", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 12, 31)),
]
_numbers = itertools.count()

quarters = st.integers(0, 95).map(lambda number: time(*divmod(number * 15, 60)))
times = st.tuples(quarters, quarters)
spans = st.lists(st.tuples(st.integers(0, 6), quarters, quarters), max_size=8, unique_by=lambda one: one[:2])
special_days = st.lists(
    st.tuples(st.integers(-4, 15), st.integers(0, 5), st.lists(times, max_size=2)),
    max_size=3,
    unique_by=lambda one: one[:2],
)


def plan_of(zone: str, around: date, weekly: list, special: list) -> OpeningHours:
    plan = OpeningHours.objects.create(name=f"Plan {next(_numbers)}", time_zone=zone)
    Span.objects.bulk_create(
        Span(hours=plan, weekday=weekday, opens=opens, closes=closes) for weekday, opens, closes in weekly
    )
    SpecialDay.objects.bulk_create(
        SpecialDay(hours=plan, first=around + start * DAY, last=around + (start + length) * DAY, times=write_times(own))
        for start, length, own in special
    )
    prefetch_related_objects([plan], "spans", "special_days")
    return plan


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def runs(ticks: list[datetime], is_open: list[bool]) -> list[Interval]:
    found = [
        [tick for tick, _open in group]
        for key, group in itertools.groupby(zip(ticks, is_open, strict=True), lambda one: one[1])
        if key
    ]
    return [Interval(group[0], group[-1] + TICK) for group in found]


@settings(max_examples=25, deadline=None)
@given(
    where=st.sampled_from(CHANGES),
    weekly=spans,
    special=special_days,
    stop=st.sampled_from([0, 0, 15, 60, 720]),
    closure=st.sampled_from(["", "", "until", "next_opening", "reopened"]),
    since=st.integers(-200, 200),
    length=st.integers(0, 500),
    asked=st.lists(st.integers(-96, 96), min_size=4, max_size=4),
)
@example(CHANGES[0], [(6, time(2, 30), time(5))], [], 0, "", 0, 0, [0, 4, 5, 6])
@example(CHANGES[0], [(6, time(1), time(2, 30))], [], 0, "", 0, 0, [0, 4, 5, 6])
@example(CHANGES[1], [(6, time(2, 30), time(2, 45))], [], 0, "", 0, 0, [1, 2, 6, 8])
@example(CHANGES[1], [(5, time(22), time(6))], [(0, 0, [])], 0, "", 0, 0, [-10, 0, 10, 30])
@example(CHANGES[0], [(6, time(), time())], [], 0, "until", 0, 0, [0, 1, 2, 3])
@example(CHANGES[2], [(day, time(), time()) for day in range(7)], [], 15, "until", 0, 8, [0, 1, 8, 9])
def test_it_is_open_when_the_clock_on_the_wall_says_so(where, weekly, special, stop, closure, since, length, asked):
    zone, day = where
    closed_since = midnight(day) + since * TICK
    webchat = Webchat(
        hours=plan_of(zone, day, weekly, special),
        stop_before_close=stop,
        closure=closure,
        closed_since=closed_since if closure else None,
        closed_until=closed_since + length * TICK if closure == "until" else None,
    )
    clock = WallClock(webchat.hours, midnight(day - 7 * DAY), midnight(day + 20 * DAY))
    takes = takes_chats(webchat, clock)

    first, last = midnight(day - 4 * DAY), midnight(day + 12 * DAY)
    shown = [(tick, is_open) for tick, is_open in zip(clock.ticks, takes, strict=True) if first <= tick < last]
    expected = runs(*map(list, zip(*shown, strict=True)))
    cut = [Interval(max(start, first), min(end, last)) for start, end in chat_intervals(webchat, first, last)]
    assert [one for one in cut if one.start < one.end] == expected

    for number in asked:
        now = midnight(day) + number * TICK
        index = clock.ticks.index(now)
        state = state_of(webchat, now)
        assert state.is_open == takes[index]
        changes = [
            tick for tick, is_open in zip(clock.ticks[index:], takes[index:], strict=True) if is_open != takes[index]
        ]
        if changes and changes[0] <= now + DAYS_AHEAD:
            assert state.until == changes[0]
        elif not (closure == "until" and closed_since <= now):
            assert state.until is None


# --- By example ------------------------------------------------------------------------------------------------------

OFFICE = [(day, "09:00", "18:00") for day in range(5)]


def at(text: str) -> datetime:
    """2026-11-30 is a Monday."""
    return datetime.fromisoformat(f"{text}+00:00")


def test_without_a_plan_it_is_always_open():
    assert state_of(make_webchat(), at("2026-11-30 03:00")) == State(is_open=True)


def test_an_office_is_open_until_its_evening_and_closed_until_its_next_morning():
    webchat = make_webchat(hours=make_hours(*OFFICE))
    assert state_of(webchat, at("2026-11-30 08:00")) == State(is_open=True, until=at("2026-11-30 17:00"))
    closed = State(is_open=False, until=at("2026-12-07 08:00"), reason=Reason.HOURS)
    assert state_of(webchat, at("2026-12-04 17:00")) == closed
    assert state_of(webchat, at("2026-12-07 07:59")) == closed


def test_a_special_day_replaces_the_week_and_says_why():
    plan = make_hours(*OFFICE)
    plan.special_days.create(first=date(2026, 12, 24), last=date(2027, 1, 3), note="Winter break")
    plan.special_days.create(first=date(2026, 12, 30), last=date(2026, 12, 30), times="10:00–12:00", note="Stocktaking")
    webchat = make_webchat(hours=plan)
    state = state_of(webchat, at("2026-12-24 10:00"))
    assert state == State(is_open=False, until=at("2026-12-30 09:00"), reason=Reason.SPECIAL_DAY, note="Winter break")
    assert state_of(webchat, at("2026-12-30 10:00")).is_open
    state = state_of(webchat, at("2026-12-30 11:00"))
    assert (state.until, state.note) == (at("2027-01-04 08:00"), "Stocktaking")


def test_a_special_day_removes_the_night_that_begins_on_it_and_no_other():
    plan = make_hours(*[(day, "22:00", "02:00") for day in range(7)])
    plan.special_days.create(first=date(2026, 12, 24), last=date(2026, 12, 24))
    webchat = make_webchat(hours=plan)
    assert state_of(webchat, at("2026-12-24 00:30")) == State(is_open=True, until=at("2026-12-24 01:00"))
    assert state_of(webchat, at("2026-12-24 01:00")).until == at("2026-12-25 21:00")


def test_a_plan_that_stays_closed_for_more_than_14_days_names_no_time():
    plan = make_hours(*OFFICE)
    plan.special_days.create(first=date(2026, 12, 1), last=date(2027, 1, 31))
    assert state_of(make_webchat(hours=plan), at("2026-12-10 10:00")) == State(is_open=False, reason=Reason.SPECIAL_DAY)


def test_a_day_and_night_plan_is_open_without_an_end():
    plan = make_hours(*[(day, "00:00", "00:00") for day in range(7)])
    assert state_of(make_webchat(hours=plan), at("2026-12-31 22:59")) == State(is_open=True)


def test_another_time_zone_counts_at_once():
    plan = make_hours(*OFFICE)
    webchat = make_webchat(hours=plan)
    assert state_of(webchat, at("2026-11-30 07:00")).until == at("2026-11-30 08:00")
    change(plan, time_zone="Asia/Tokyo")
    assert state_of(webchat, at("2026-11-30 07:00")) == State(is_open=True, until=at("2026-11-30 09:00"))


@pytest.mark.parametrize("hours", [None, OFFICE])
def test_closed_by_hand_until_a_time(hours):
    webchat = make_webchat(
        hours=hours and make_hours(*hours),
        closure="until",
        closed_since=at("2026-11-30 10:00"),
        closed_until=at("2026-11-30 14:00"),
    )
    assert state_of(webchat, at("2026-11-30 09:59")).is_open
    closed = state_of(webchat, at("2026-11-30 10:00"))
    assert closed == State(is_open=False, until=at("2026-11-30 14:00"), reason=Reason.BY_HAND)
    assert state_of(webchat, at("2026-11-30 14:00")).is_open


def test_closed_by_hand_until_a_night_opens_in_the_morning():
    webchat = make_webchat(
        hours=make_hours(*OFFICE),
        closure="until",
        closed_since=at("2026-11-30 10:00"),
        closed_until=at("2026-12-02 20:00"),
    )
    assert state_of(webchat, at("2026-11-30 20:00")).until == at("2026-12-03 08:00")


def test_closed_by_hand_for_weeks_still_names_the_time():
    with_time = make_webchat(closure="until", closed_since=at("2026-11-30 10:00"), closed_until=at("2027-02-01 08:00"))
    assert state_of(with_time, at("2026-12-01 10:00")).until == at("2027-02-01 08:00")


def test_closed_by_hand_until_the_next_opening_ends_with_it_and_follows_the_plan():
    plan = make_hours(*OFFICE)
    webchat = make_webchat(hours=plan, closure="next_opening", closed_since=at("2026-11-30 10:00"))
    closed = state_of(webchat, at("2026-11-30 12:00"))
    assert closed == State(is_open=False, until=at("2026-12-01 08:00"), reason=Reason.BY_HAND)
    change(plan.spans.get(weekday=1), opens=time(8))
    assert state_of(webchat, at("2026-11-30 12:00")).until == at("2026-12-01 07:00")
    assert state_of(webchat, at("2026-12-01 07:00")).is_open
    assert state_of(webchat, at("2026-12-08 10:00")).is_open


def test_a_closure_until_the_next_opening_that_was_forgotten_costs_no_more_than_a_new_one(monkeypatch):
    def days_looked_at(since):
        seen = []
        webchat = make_webchat(slug=since.strftime("y%Y"), hours=hours, closure="next_opening", closed_since=since)
        monkeypatch.setattr(
            webchat.hours, "times_on", lambda day: seen.append(day) or OpeningHours.times_on(hours, day)
        )
        assert state_of(webchat, at("2026-11-30 10:00")).is_open
        return len(seen)

    hours = make_hours(*OFFICE)
    assert days_looked_at(at("2016-11-25 10:00")) == days_looked_at(at("2026-11-25 10:00"))


def test_closed_by_hand_until_it_is_changed():
    webchat = make_webchat(hours=make_hours(*OFFICE), closure="reopened", closed_since=at("2026-11-30 10:00"))
    assert state_of(webchat, at("2027-05-03 10:00")) == State(is_open=False, reason=Reason.BY_HAND)


def test_switched_off_is_closed_without_an_end_and_takes_nothing():
    webchat = make_webchat(enabled=False, when_closed=WhenClosed.MESSAGE)
    state = state_of(webchat, at("2026-11-30 10:00"))
    assert state == State(is_open=False, reason=Reason.SWITCHED_OFF)
    assert what_is_taken(webchat, state) is Takes.CLOSED


def test_what_is_taken_follows_hours_choice_and_credentials(settings, sandbox):
    webchat = make_webchat(hours=make_hours(*OFFICE), when_closed=WhenClosed.MESSAGE)
    closed, is_open = (state_of(webchat, at(text)) for text in ("2026-11-30 20:00", "2026-11-30 10:00"))
    assert what_is_taken(webchat, is_open) is Takes.CHATS
    assert what_is_taken(webchat, closed) is Takes.MESSAGES
    settings.TWILIO_API_KEY_SECRET = ""
    assert what_is_taken(webchat, is_open) is Takes.UNAVAILABLE
    assert what_is_taken(webchat, closed) is Takes.MESSAGES
    webchat.when_closed = WhenClosed.SAY
    assert what_is_taken(webchat, closed) is Takes.CLOSED


def test_the_last_chats_start_so_many_minutes_before_closing():
    webchat = make_webchat(hours=make_hours(*OFFICE), stop_before_close=15)
    assert state_of(webchat, at("2026-11-30 16:44")) == State(is_open=True, until=at("2026-11-30 16:45"))
    assert state_of(webchat, at("2026-11-30 16:45")).until == at("2026-12-01 08:00")


# --- What staff may write --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", ""),
        ("9-12", "09:00–12:00"),
        ("9.30 - 12:00; 13—24", "09:30–12:00, 13:00–00:00"),
        ("22:00–02:00", "22:00–02:00"),
    ],
)
def test_spans_are_read_as_people_write_them(text, means):
    assert write_times(read_times(text)) == means


@pytest.mark.parametrize(
    "text", ["9", "25-26", "9:60-10", "closed", "9-12-13", "24-25", "9 12", "9:00:00-10:00:00", "١-٢x"]
)
def test_what_is_no_span_is_refused(text):
    with pytest.raises(ValidationError):
        read_times(text)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"closure": "until"}, "closed_until"),
        ({"closure": "until", "closed_until": datetime(9999, 12, 31, tzinfo=UTC)}, "closed_until"),
        ({"closure": "next_opening"}, "closure"),
        ({"closure": "whatever"}, "closure"),
        ({"stop_before_close": 721}, "stop_before_close"),
        ({"when_closed": "vanish"}, "when_closed"),
    ],
)
def test_what_cannot_be_meant_is_refused(values, wrong):
    with pytest.raises(ValidationError) as refused:
        make_webchat(**values)
    assert set(refused.value.message_dict) == {wrong}


def test_a_time_zone_that_is_none_is_refused():
    for zone in ("Europe/Atlantis", "../../etc/passwd", "+02:00", ""):
        with pytest.raises(ValidationError):
            make_hours(time_zone=zone)


def test_a_special_day_may_not_end_before_it_begins():
    plan = make_hours()
    with pytest.raises(ValidationError):
        SpecialDay(hours=plan, first=date(2026, 12, 2), last=date(2026, 12, 1)).full_clean()
    one_day = SpecialDay(hours=plan, first=date(2026, 12, 2), times="9-12")
    one_day.full_clean()
    assert (one_day.last, one_day.times) == (date(2026, 12, 2), "09:00–12:00")
