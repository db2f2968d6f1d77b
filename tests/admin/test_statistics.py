"""What staff see of the chats of the last weeks, and who of them."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client

from tests.support.factories import make_hours, make_user, make_webchat
from tests.support.plans import count_rows, plans
from webchat.counters import counters
from webchat.models import ChatSession, HourlyCount, Rating
from webchat.models.counts import Event, hour_of
from webchat.statistics.page import ENDED_OTHERWISE

# Django's admin has templates with variables that are not there.
pytestmark = [pytest.mark.django_db, pytest.mark.ignore_template_errors]

ADDRESS = "/admin/webchat/statistics/"
# A Monday; in New York it is 7 in the morning.
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


def staff(*permissions: str) -> Client:
    user = make_user(f"staff-{uuid4().hex}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def count(webchat, at=NOW, **numbers):
    for name, number in numbers.items():
        counters.count(webchat.pk, Event(name), number, at)


def cells_of(html: str, caption: str) -> dict[str, list[str]]:
    """The rows of a table, by their heads."""
    table = html.partition(caption)[2].partition("</table>")[0].partition("<tbody>")[2]
    rows = re.findall(r"<tr><th scope=\"row\">(.+?)</th>(.*?)</tr>", table)
    return {re.sub("<.+?>", "", head): re.findall(r"<td[^>]*>(.*?)</td>", row) for head, row in rows}


def show(**query: str) -> str:
    response = staff("view_statistics").get(ADDRESS, query)
    assert response.status_code == 200
    return response.content.decode()


CHAT, RATING, STATISTICS = "view_chatsession", "view_rating", "view_statistics"


@pytest.mark.parametrize(
    ("permissions", "sees"),
    [
        ([], set()),
        ([CHAT], {"chat"}),
        ([RATING], set()),
        ([STATISTICS], {"statistics"}),
        ([CHAT, RATING], {"chat", "rating"}),
        ([CHAT, STATISTICS], {"chat", "statistics"}),
        ([CHAT, RATING, STATISTICS], {"chat", "rating", "statistics"}),
    ],
)
def test_each_permission_shows_its_own(permissions, sees):
    """A rating stands at its chat. The statistics have the numbers of ratings, and no comment."""
    webchat = make_webchat()
    chat = ChatSession.objects.create(
        webchat=webchat, api=webchat.api, browser="b", owner="o", key="k", answers_digest="", status="ended", answers={},
        customer_friendly_name="Ada", lease_until=NOW, started_at=NOW, ended_at=NOW,
    )  # fmt: skip
    Rating.objects.create(session=chat, score=2, comment="Never again")
    count(webchat, rated_2=1)
    client = staff(*permissions)
    of_chat = client.get(f"/admin/webchat/chatsession/{chat.pk}/change/")
    assert of_chat.status_code == (200 if "chat" in sees else 403)
    assert ("Never again" in of_chat.content.decode()) == ("rating" in sees)
    for query in ({}, {"format": "csv"}):
        statistics = client.get(ADDRESS, query)
        assert statistics.status_code == (200 if "statistics" in sees else 403)
        for told in ("Ada", "Never again"):
            assert told not in statistics.content.decode()
    assert (ADDRESS in client.get("/admin/").content.decode()) == ("statistics" in sees)


def test_it_changes_nothing():
    assert staff(STATISTICS).post(ADDRESS).status_code == 405


def test_today_stands_beside_the_same_weekday_a_week_ago():
    webchat = make_webchat()
    count(
        webchat,
        opened=20,
        started=10,
        failed_not_there=4,
        failed_unclear=1,
        ended_visitor=2,
        ended_agent=3,
        ended_age=1,
    )
    count(webchat, answered=7, unanswered=2, message=1)
    count(webchat, at=NOW - timedelta(days=7), started=6, ended_agent=6)
    count(webchat, at=NOW - timedelta(days=31), started=7)
    html = show()
    assert cells_of(html, "Today, and the same weekday") == {
        "Forms shown": ["20", "0"],
        "Started": ["10", "6"],
        "Failed": ["5", "0"],
        "Answered": ["7", "0"],
        "Unanswered": ["2", "0"],
        "Ended by the visitor": ["2", "0"],
        "Ended by the agent or Flex": ["3", "6"],
        "Ended otherwise": ["1", "0"],
        "Messages left": ["1", "0"],
    }
    days = cells_of(html, "<caption>Chats by day")
    assert next(iter(days.values())) == ["20", "10", "5", "7", "2", "2", "3", "1", "1"]
    assert len(days) == 30
    assert sum(int(row[1]) for row in days.values()) == 16
    heights = [int(height) for height in re.findall(r'width="8" height="(\d+)"', html)]
    assert (len(heights), heights[-1], heights[-8]) == (30, 100, 60)


def test_the_way_to_the_answer_and_what_was_in_it():
    webchat = make_webchat()
    count(webchat, opened=40, started=20, answered=10, invalid=3, refused_browser=5, closed=1)
    count(webchat, failed_not_there=2, failed_credentials=3, rated_5=3, rated_1=1)
    count(webchat, answer_30=4, answer_60=6, answer_sum=300, lasted_300=1, lasted_longer=1, lasted_sum=4000)
    html = show()

    def numbers(caption):
        return {head: row[0] for head, row in cells_of(html, caption).items()}

    assert numbers("From the form to the first answer") == {"Forms shown": "40", "Started": "20", "Answered": "10"}
    way = html.partition("From the form to the first answer")[2].partition("</table>")[0]
    assert re.findall(r'<rect width="(\d+)"', way) == ["100", "50", "25"]
    assert list(numbers("Why no chat began").items()) == [
        ("Too many from one browser", "5"), ("An answer was not valid", "3"), ("Closed", "1"),
    ]  # fmt: skip
    assert list(numbers("Failed starts").items()) == [
        ("Twilio does not accept the credentials.", "3"),
        ("Twilio does not find one of the webchat&#x27;s SIDs.", "2"),
    ]
    assert numbers("Ratings") == {
        "5: Very good": "3",
        "4: Good": "0",
        "3: Fair": "0",
        "2: Bad": "0",
        "1: Very bad": "1",
    }
    assert "Average: 4.0" in html
    assert numbers("Time to the first answer") == {
        "≤ 30 s": "4",
        "≤ 1 min": "6",
        "≤ 2 min": "0",
        "≤ 5 min": "0",
        "&gt; 5 min": "0",
    }
    assert "Average: 30 s" in html
    assert numbers("How long chats lasted") == {
        "≤ 1 min": "0", "≤ 5 min": "1", "≤ 15 min": "0", "≤ 30 min": "0", "&gt; 30 min": "1",
    }  # fmt: skip
    assert "Average: 33 min 20 s" in html


def test_without_a_count_every_table_with_rows_is_there_and_no_empty_one():
    make_webchat()
    html = show()
    assert html.count("<caption>") == html.count("<table") == 7
    for table in html.split("<table")[1:]:
        assert '<th scope="row">' in table.partition("</table>")[0]
    for caption in ("Why no chat began", "Failed starts of the last 30 days"):
        assert f"<strong>{caption}</strong><br>None." in html
    assert "Average" not in html


def test_days_and_hours_are_those_of_the_opening_hours():
    hours = make_hours(time_zone="America/New_York")
    webchat, other = make_webchat(hours=hours), make_webchat(slug="other")
    count(webchat, at=datetime(2026, 11, 23, 3, tzinfo=UTC), started=3)  # Sunday, 22:00
    count(other, started=4)
    html = show(webchat="support")
    assert "America/New_York" in html
    assert cells_of(html, "Today, and the same weekday")["Started"] == ["0", "0"]
    by_hour = cells_of(html, "<caption>Started chats by weekday")
    assert by_hour["Sunday"][22] == "3"
    assert sum(int(number) for row in by_hour.values() for number in row) == 3
    assert cells_of(show(), "Today, and the same weekday")["Started"] == ["7", "0"]


@pytest.mark.parametrize("code", [code for code, _name in settings.LANGUAGES])
def test_it_speaks_every_language(code):
    count(make_webchat(), failed_not_there=1, refused_browser=1)
    html = staff(STATISTICS).get(ADDRESS, headers={"Accept-Language": code}).content.decode()
    assert f'lang="{code}"' in html
    assert ('dir="rtl"' in html) == (code == "ar")
    own = ("Forms shown", "Too many from one browser", "From the form to the first answer", "Twilio does not find one")
    assert [text for text in own if (text in html) != (code == "en")] == []


def test_an_unknown_webchat_is_not_there():
    assert staff(STATISTICS).get(ADDRESS, {"webchat": "nope"}).status_code == 404


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x"])
def test_no_spreadsheet_calculates_the_csv(name):
    webchat, other = make_webchat(name=name), make_webchat(slug="other", name="Other")
    count(webchat, started=2, failed_not_there=5, rated_4=1)
    count(other, started=9)
    response = staff(STATISTICS).get(ADDRESS, {"format": "csv", "webchat": "support"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="support-2026-11-23.csv"'
    rows = list(csv.DictReader(response.content.decode().splitlines()))
    assert len(rows) == 30
    last = {head: value for head, value in rows[-1].items() if value != "0"}
    assert last == {
        "Webchat": f"'{name}", "Day": "2026-11-23", "Started": "2", "Failed": "5", "Ratings 4": "1",
        "Twilio does not find one of the webchat's SIDs.": "5",
    }  # fmt: skip
    both = list(csv.DictReader(staff(STATISTICS).get(ADDRESS, {"format": "csv"}).content.decode().splitlines()))
    assert [(row["Webchat"], row["Started"]) for row in both if row["Started"] != "0"] == [
        (f"'{name}", "2"),
        ("Other", "9"),
    ]


def test_the_csv_has_each_number_that_is_counted():
    webchat = make_webchat()
    numbers = {event: 1_000 + number for number, event in enumerate(Event)}
    count(webchat, **numbers)
    response = staff(STATISTICS).get(ADDRESS, {"format": "csv"})
    row = list(csv.DictReader(response.content.decode().splitlines()))[-1]
    assert {str(number) for event, number in numbers.items() if event not in ENDED_OTHERWISE} <= set(row.values())
    assert row["Too many from one browser"] == str(numbers[Event.REFUSED_BROWSER])
    assert row["Time to the first answer ≤ 1 min"] == str(numbers[Event.ANSWER_60])
    assert row["How long chats lasted (s)"] == str(numbers[Event.LASTED_SUM])


def test_counts_before_the_last_weeks_are_not_read():
    """So it is the same whether there are a thousand or a million of them."""
    webchat = make_webchat()
    old = hour_of(NOW - timedelta(days=40))
    HourlyCount.objects.bulk_create(
        HourlyCount(webchat=webchat, hour=old - number, name=event, number=1)
        for number in range(500)
        for event in (Event.OPENED, Event.STARTED, Event.ENDED_AGENT)
    )
    count(webchat, opened=1)
    count_rows()
    client = staff(STATISTICS)
    with plans() as found:
        client.get(ADDRESS)
        client.get(ADDRESS, {"webchat": "support"})
        client.get(ADDRESS, {"format": "csv"})
    # Also not in the order of an index.
    whole = re.compile(r"(Seq Scan on|SCAN) webchat_(hourlycount|chatsession|message)\b")
    assert [text for text in found.texts if whole.search(text)] == []
    assert found.use("webchat_hourly_count_hour")
