"""Opening hours in the admin: plans, public holidays, and webchats that are closed by hand."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
import time_machine

from tests.admin.test_admin import webchat_form
from tests.support.factories import change, make_hours, make_user, make_webchat
from tests.support.page_form import as_shown
from webchat.checks import check_webchats
from webchat.models import OpeningHours, Webchat

pytestmark = pytest.mark.django_db

PLANS = "/admin/webchat/openinghours/"
OFFICE = [(day, "09:00", "18:00") for day in range(5)]
MONDAY = datetime.fromisoformat("2026-11-30 10:00+00:00")


def rows(prefix, *given):
    data = {f"{prefix}-TOTAL_FORMS": len(given), f"{prefix}-INITIAL_FORMS": 0}
    for number, row in enumerate(given):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def plan_form(spans=(), special_days=(), **values):
    return {
        "name": "Office",
        "time_zone": "Europe/Berlin",
        **rows("spans", *spans),
        **rows("special_days", *special_days),
        **values,
    }


def html_of(response):
    assert response.status_code == 200
    return response.content.decode()


def test_staff_compose_a_plan(admin_client):
    spans = [
        {"weekday": "0", "opens": "09:00", "closes": "12:00"},
        {"weekday": "0", "opens": "13:00", "closes": "18:00"},
        {"weekday": "4", "opens": "22:00", "closes": "02:00"},
    ]
    days = [
        {"first": "2026-12-24", "last": "2027-01-03", "note": "Winter break"},
        {"first": "2026-12-30", "times": "10-12"},
    ]
    response = admin_client.post(f"{PLANS}add/", plan_form(spans, days))
    assert response.status_code == 302, response.context["errors"]
    plan = OpeningHours.objects.get()
    assert plan.times_on(date(2026, 11, 30)) == [(time(9), time(12)), (time(13), time(18))]
    assert plan.times_on(date(2026, 12, 25)) == []
    assert plan.times_on(date(2026, 12, 30)) == [(time(10), time(12))]


@pytest.mark.parametrize(
    "values",
    [
        {"time_zone": "Europe/Atlantis"},
        {"name": ""},
        {"spans": [{"weekday": "7", "opens": "09:00", "closes": "12:00"}]},
        {"spans": [{"weekday": "0", "opens": "25:00", "closes": "12:00"}]},
        {"spans": [{"weekday": "0", "opens": "09:00", "closes": at} for at in ("12:00", "13:00")]},
        {"special_days": [{"first": "2026-12-24", "last": "2026-12-23"}]},
        {"special_days": [{"first": "", "last": ""}, {"first": "tomorrow"}]},
        {"special_days": [{"first": "2026-12-24", "times": "all day"}]},
        {"special_days": [{"first": "2026-12-24"}, {"first": "2026-12-24", "last": "2026-12-24"}]},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_in_words(admin_client, values):
    response = admin_client.post(f"{PLANS}add/", plan_form(**values))
    assert "Please correct the error" in html_of(response)
    assert not OpeningHours.objects.exists()


@time_machine.travel(MONDAY, tick=False)
def test_a_plan_says_its_state_and_draws_two_weeks(admin_client):
    plan = make_hours(*OFFICE)
    plan.special_days.create(first=date(2026, 12, 1), last=date(2026, 12, 1), times="10:00–12:00", note="Party <1>")
    make_webchat(hours=plan)
    html = html_of(admin_client.get(f"{PLANS}{plan.pk}/change/"))
    assert "Open until Monday, November 30, 6 p.m. (Berlin time)." in html
    assert '<rect class="webchat-days-open" x="540" y="2" width="540" height="12"/>' in html
    assert '<rect class="webchat-days-open" x="600" y="2" width="120" height="12"/>' in html
    assert "10:00–12:00 · Party &lt;1&gt;" in html
    assert html.count("<rect") == 10
    assert "style=" not in html[html.index("webchat-days") : html.index("</table>")]
    assert "Support" in html_of(admin_client.get(PLANS))


def test_a_day_that_lacks_an_hour_is_drawn_by_its_clock(admin_client):
    plan = make_hours(*[(day, "00:00", "00:00") for day in range(6)], (6, "01:00", "04:00"))
    with time_machine.travel(datetime.fromisoformat("2026-10-24 10:00+00:00"), tick=False):
        html = html_of(admin_client.get(f"{PLANS}{plan.pk}/change/"))
    assert 'x="60" y="2" width="180"' in html
    assert 'x="0" y="2" width="1440"' in html


# --- Public holidays -------------------------------------------------------------------------------------------------


def test_staff_look_at_public_holidays_and_add_those_they_want(admin_client):
    plan = make_hours(*OFFICE)
    plan.special_days.create(first=date(2026, 12, 25), last=date(2026, 12, 25), times="10:00–12:00", note="Open!")
    listed = admin_client.post(PLANS, {"action": "add_public_holidays", "_selected_action": [plan.pk]})
    page = f"{PLANS}{plan.pk}/holidays/"
    assert listed["Location"] == page
    assert "Germany" in html_of(admin_client.get(page))
    chosen = f"{page}?country=DE&region=BY&year=2026&language=de"
    html = html_of(admin_client.get(chosen))
    assert "Fronleichnam" in html
    assert "is there already" in html
    assert not plan.special_days.filter(first=date(2026, 6, 4)).exists()
    response = admin_client.post(chosen, {"day": ["2026-06-04", "2026-12-25", "2026-12-26", "2026-07-07", "<x>"]})
    assert response.status_code == 302
    added = plan.special_days.values_list("first", "last", "times", "note")
    assert list(added) == [
        (date(2026, 6, 4), date(2026, 6, 4), "", "Fronleichnam"),
        (date(2026, 12, 25), date(2026, 12, 25), "10:00–12:00", "Open!"),
        (date(2026, 12, 26), date(2026, 12, 26), "", "Zweiter Weihnachtstag"),
    ]
    swiss = make_hours(name="Zug")
    admin_client.post(f"{PLANS}{swiss.pk}/holidays/?country=CH&year=2026&language=en_US", {"day": ["2026-08-01"]})
    day = swiss.special_days.get()
    assert day.translations == {"de": {"note": "Nationalfeiertag"}, "fr": {"note": "Fête nationale"}}, (
        "in the site's languages"
    )


@pytest.mark.parametrize(
    "query",
    [
        "?country=DE&region=BY",
        "?country=XX&year=2026",
        "?country=DE&year=1",
        "?country=CH&region=BY&year=2026&language=xx",
        "?country=&region=&year=&language=",
        "?year=2026",
        "?country=JP&year=2099",
    ],
)
def test_a_choice_that_does_not_fit_is_shown_again(admin_client, query):
    html_of(admin_client.get(f"{PLANS}{make_hours().pk}/holidays/{query}"))


def test_holidays_are_added_by_staff_who_may_change_plans_alone(client):
    plan = make_hours()
    client.force_login(make_user(is_staff=True))
    page = f"{PLANS}{plan.pk}/holidays/?country=DE&year=2026"
    assert client.post(page, {"day": ["2026-12-25"]}).status_code == 403
    assert client.get(page).status_code == 403
    assert not plan.special_days.exists()


def test_an_action_on_several_plans_changes_none(admin_client):
    plans = [make_hours().pk, make_hours(name="Night").pk]
    response = admin_client.post(PLANS, {"action": "add_public_holidays", "_selected_action": plans}, follow=True)
    assert "Choose one plan." in html_of(response)


def test_a_plan_that_a_webchat_needs_cannot_be_deleted(admin_client):
    plan = make_hours()
    make_webchat(hours=plan)
    admin_client.post(f"{PLANS}{plan.pk}/delete/", {"post": "yes"})
    assert OpeningHours.objects.exists()


# --- The webchat -----------------------------------------------------------------------------------------------------


@time_machine.travel(MONDAY, tick=False)
def test_staff_close_a_webchat_by_the_clock_of_its_plan(admin_client):
    plan = make_hours(*OFFICE)
    closing = {"closure": "until", "closed_until_0": "2026-11-30", "closed_until_1": "14:00"}
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(hours=plan.pk, **closing))
    assert response.status_code == 302, response.context["errors"]
    webchat = Webchat.objects.get()
    assert webchat.closed_until == datetime.fromisoformat("2026-11-30 14:00+01:00")
    assert webchat.closed_since == MONDAY
    change(webchat, draft=False)
    html = html_of(admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/change/"))
    assert "Closed until Monday, November 30, 2 p.m. (Berlin time): closed by hand." in html
    assert 'value="14:00:00"' in html
    assert "closed by hand" in html_of(admin_client.get("/admin/webchat/webchat/"))


def test_a_closure_begins_anew_when_it_is_changed_and_not_with_another_field(admin_client):
    webchat = make_webchat(hours=make_hours(*OFFICE), slug="sales", fields=False)
    page = f"/admin/webchat/webchat/{webchat.pk}/change/"
    closing = {"hours": webchat.hours.pk, "closure": "next_opening"}
    for hour, values, since in (
        (10, closing, 10),
        (11, {**closing, "title": "Help"}, 10),
        (12, {**closing, "closure": "reopened"}, 12),
        (13, {**closing, "closure": ""}, None),
    ):
        with time_machine.travel(MONDAY.replace(hour=hour), tick=False):
            response = admin_client.post(page, webchat_form(**values) | as_shown(admin_client, page))
        assert response.status_code == 302, response.context["errors"]
        webchat.refresh_from_db()
        assert webchat.closed_since == (since and MONDAY.replace(hour=since))


@pytest.mark.parametrize(
    "values",
    [
        {"closure": "until"},
        {"closure": "next_opening"},
        {"closure": "until", "closed_until_0": "9999-12-31", "closed_until_1": "23:59"},
        {"closure": "until", "closed_until_0": "2026-11-30"},
        {"hours": "77"},
        {"stop_before_close": "721"},
    ],
    ids=str,
)
def test_a_closure_that_cannot_be_meant_is_refused_in_words(admin_client, values):
    response = admin_client.post("/admin/webchat/webchat/add/", webchat_form(**values))
    assert "Please correct the error" in html_of(response)
    assert not Webchat.objects.exists()


def test_a_closure_before_the_first_year_is_refused_in_words(admin_client):
    """By the clock of Berlin it has no time in UTC."""
    closing = {"closure": "until", "closed_until_0": "0001-01-01", "closed_until_1": "00:00"}
    form = webchat_form(hours=make_hours().pk, **closing)
    assert "Please correct the error" in html_of(admin_client.post("/admin/webchat/webchat/add/", form))


def test_the_check_names_a_plan_whose_zone_this_machine_does_not_know():
    plan = make_hours()
    OpeningHours.objects.filter(pk=plan.pk).update(time_zone="Europe/Atlantis")
    [problem] = check_webchats(None, databases=["default"])
    assert (problem.id, "Office" in problem.msg) == ("webchat.E011", True)
    OpeningHours.objects.filter(pk=plan.pk).update(time_zone="Europe/Berlin")
    assert check_webchats(None, databases=["default"]) == []
