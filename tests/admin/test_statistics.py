"""What staff see of the chats of the last weeks, and who of them."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client

from tests.support.factories import make_hours, make_user, make_webchat
from tests.support.plans import count_rows, plans
from webchat.models import ChatSession, Message
from webchat.models.session import new_identity

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


def make_chats(webchat, number, at=NOW, status="ended", **values):
    return ChatSession.objects.bulk_create(
        ChatSession(
            webchat=webchat, api=webchat.api, browser=uuid4().hex, owner=uuid4().hex, key=uuid4().hex, status=status,
            identity=new_identity(), answers={}, customer_friendly_name="Ada", created_at=at, lease_until=at, **values,
        )
        for _ in range(number)
    )  # fmt: skip


def cells(html: str, caption: str) -> dict[str, list[str]]:
    """The rows of a table, by their heads."""
    table = html.partition(caption)[2].partition("</table>")[0].partition("<tbody>")[2]
    rows = re.findall(r"<tr><th scope=\"row\">(.+?)</th>(.*?)</tr>", table)
    return {re.sub("<.+?>", "", head): re.findall(r"<td[^>]*>(.*?)</td>", row) for head, row in rows}


def show(**query: str) -> str:
    response = staff("view_statistics").get(ADDRESS, query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("permissions", "status"),
    [(["view_statistics"], 200), (["view_chatsession", "view_webchat", "view_message"], 403), ([], 403)],
)
def test_who_sees_them_by_a_permission_of_its_own(permissions, status):
    client = staff(*permissions)
    assert client.get(ADDRESS).status_code == status
    assert client.get(ADDRESS, {"format": "csv"}).status_code == status
    assert (ADDRESS in client.get("/admin/").content.decode()) == (status == 200)


def test_who_sees_them_sees_no_chat():
    webchat = make_webchat()
    [chat] = make_chats(webchat, 1)
    client = staff("view_statistics")
    assert "Ada" not in client.get(ADDRESS).content.decode()
    assert client.get(f"/admin/webchat/chatsession/{chat.pk}/change/").status_code == 403
    assert client.post(ADDRESS).status_code == 405


def test_today_stands_beside_the_same_weekday_a_week_ago():
    webchat = make_webchat()
    make_chats(webchat, 2, ended_by="visitor")
    make_chats(webchat, 3, ended_by="agent")
    make_chats(webchat, 1, ended_by="age")
    make_chats(webchat, 4, status="active")
    make_chats(webchat, 5, status="failed", failure="refused (HTTP 404)")
    make_chats(webchat, 6, at=NOW - timedelta(days=7), ended_by="agent")
    make_chats(webchat, 7, at=NOW - timedelta(days=31), ended_by="agent")
    Message.objects.create(webchat=webchat, key="1", text="Hello", answers={}, received_at=NOW)
    html = show()
    assert cells(html, "Today, and the same weekday") == {
        "Started": ["10", "6"],
        "Failed": ["5", "0"],
        "Ended by the visitor": ["2", "0"],
        "Ended by the agent or Flex": ["3", "6"],
        "Ended otherwise": ["1", "0"],
        "Messages left": ["1", "0"],
    }
    days = cells(html, "<caption>Chats by day")
    assert next(iter(days.values())) == ["10", "5", "2", "3", "1", "1"]
    assert len(days) == 30
    assert sum(int(row[0]) for row in days.values()) == 16
    assert cells(html, "Failed starts") == {"refused (HTTP 404)": ["5"]}
    heights = [int(height) for height in re.findall(r'width="8" height="(\d+)"', html)]
    assert (len(heights), heights[-1], heights[-8]) == (30, 100, 60)


def test_days_and_hours_are_those_of_the_opening_hours():
    hours = make_hours(time_zone="America/New_York")
    webchat, other = make_webchat(hours=hours), make_webchat(slug="other")
    make_chats(webchat, 3, at=datetime(2026, 11, 23, 3, tzinfo=UTC))  # Sunday, 22:00
    make_chats(other, 4)
    html = show(webchat="support")
    assert "America/New_York" in html
    assert cells(html, "Today, and the same weekday")["Started"] == ["0", "0"]
    by_hour = cells(html, "<caption>Started chats by weekday")
    assert by_hour["Sunday"][22] == "3"
    assert sum(int(number) for row in by_hour.values() for number in row) == 3
    assert cells(show(), "Today, and the same weekday")["Started"] == ["7", "0"]


def test_an_unknown_webchat_is_not_there():
    assert staff("view_statistics").get(ADDRESS, {"webchat": "nope"}).status_code == 404


def test_no_spreadsheet_calculates_the_csv():
    webchat = make_webchat()
    for failure in ("=1+1", "+1", "-1", "@x", "refused (HTTP 404)"):
        make_chats(webchat, 1, status="failed", failure=failure)
    make_chats(webchat, 2, status="active")
    response = staff("view_statistics").get(ADDRESS, {"format": "csv", "webchat": "support"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="support-2026-11-23.csv"'
    rows = list(csv.reader(response.content.decode().splitlines()))
    assert rows[30] == ["2026-11-23", "2", "5", "0", "0", "0", "0"]
    assert {row[0] for row in rows[33:]} == {"'=1+1", "'+1", "'-1", "'@x", "refused (HTTP 404)"}


def test_rows_before_the_last_weeks_are_not_read():
    webchat = make_webchat()
    old = NOW - timedelta(days=80)
    make_chats(webchat, 1000, at=old)
    Message.objects.bulk_create(
        Message(webchat=webchat, key=str(number), text="Hello", answers={}, received_at=old) for number in range(1000)
    )
    count_rows()
    client = staff("view_statistics")
    with plans() as found:
        client.get(ADDRESS)
        client.get(ADDRESS, {"webchat": "support"})
    whole = re.compile(r"(Seq Scan on|SCAN) (webchat_chatsession|webchat_message)\b")
    assert [text for text in found.texts if whole.search(text)] == []
    assert found.use("webchat_session_webchat")
