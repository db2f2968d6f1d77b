"""What the company's monitoring reads, for whom, and that its files name nothing else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.support.factories import change, make_user, make_webchat
from tests.support.plans import count_rows, plans
from tests.support.site import ROOT
from webchat.counters import counters
from webchat.models import (
    ChatSession,
    HourlyCount,
    Message,
    Outage,
    OutgoingMail,
    Rating,
    RefusedWebchat,
    Work,
    WorkerPass,
)
from webchat.models.counts import Event, hour_of
from webchat.models.session import new_identity
from webchat.protection.outage import breaker
from webchat.statistics.figures import read_figures

pytestmark = pytest.mark.django_db

TOKEN = "monitoring-" + "0" * 20
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAME = re.compile(r"\bwebchat_[a-z_]+\b")


@pytest.fixture(autouse=True)
def token(settings):
    settings.METRICS_TOKEN = TOKEN
    breaker.forget()
    yield
    breaker.forget()


def read() -> dict[tuple[str, ...], float]:
    """The figures by their names and the values of their labels."""
    response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def make_chat(webchat, **values):
    defaults = {
        "webchat": webchat, "api": webchat.api, "browser": uuid4().hex, "owner": uuid4().hex, "key": uuid4().hex,
        "status": "active", "identity": new_identity(), "channel_sid": f"CH{uuid4().hex}", "answers": {},
        "created_at": NOW, "started_at": NOW, "lease_until": NOW + timedelta(seconds=30),
    }  # fmt: skip
    return ChatSession(**defaults | values)


# --- For whom ----------------------------------------------------------------------------------------------------------


def test_the_bearer_of_the_token_reads_them_and_nothing_keeps_them():
    response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


@pytest.mark.parametrize("sent", ["", TOKEN, f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", "Bearer é"])
def test_for_everybody_else_there_is_nothing(client, sent):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    response = client.get("/metrics", headers={"Authorization": sent} if sent else {})
    assert response.status_code == 404
    assert response.templates[0].name == "404.html"


@pytest.mark.parametrize("sent", ["Bearer ", "Bearer", ""])
def test_without_a_token_there_is_no_such_address(client, settings, sent):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": sent}).status_code == 404


@pytest.mark.parametrize(("sent", "expected"), [("", False), ("x", True), ("x" * 19, True), ("x" * 20, False)])
def test_a_token_that_is_easily_guessed_is_warned_of(settings, sent, expected):
    settings.METRICS_TOKEN = sent
    assert ("config.W003" in {message.id for message in run_checks()}) is expected


def test_the_token_travels_over_tls_and_to_this_host_alone(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/metrics", headers=headers).status_code == 301
    assert client.get("/metrics", headers=headers | {"Host": "10.0.0.7"}).status_code == 400


# --- What they say -----------------------------------------------------------------------------------------------------


def test_an_idle_site_has_every_figure():
    make_webchat()
    found = read()
    assert {value for name, value in found.items() if "worker" not in name[0]} == {0}
    assert ("webchat_running_chats", "support") in found
    assert not [name for name in found if "last_pass" in name[0]], "no worker has run"


def test_each_figure_counts_what_it_says():
    webchat, other = make_webchat(), make_webchat(slug="sales")
    with time_machine.travel(NOW, tick=False):
        ChatSession.objects.bulk_create(
            [
                make_chat(webchat, question="Hello", lease_until=NOW - timedelta(seconds=40)),
                make_chat(webchat, question="Hello", question_sent_at=NOW),
                make_chat(other),
                make_chat(other, lease_until=NOW - timedelta(minutes=20)),
                make_chat(webchat, status="ended", close_pending=True, lease_until=NOW - timedelta(seconds=70)),
                make_chat(webchat, status="ended", question="Hello"),
                make_chat(webchat, status="starting", lease_until=NOW - timedelta(minutes=3)),
            ]
        )
        OutgoingMail.objects.create(key="due", kind="x", due_at=NOW - timedelta(seconds=90))
        OutgoingMail.objects.create(key="later", kind="x", due_at=NOW + timedelta(seconds=90))
        OutgoingMail.objects.create(key="sent", kind="x", due_at=None)
        Message.objects.create(
            webchat=webchat, key="1", text="Hello", answers={}, task_due_at=NOW - timedelta(seconds=5)
        )
        Outage.objects.create(since=NOW.timestamp(), failures=5, open_until=NOW.timestamp() + 10)
        RefusedWebchat.objects.create(webchat=other, configuration="x", failure="x", probe_at=0)
        WorkerPass.note(Work.MAIL)
        found = read()
    expected = {
        ("webchat_running_chats", "support"): 2,
        ("webchat_running_chats", "sales"): 2,
        ("webchat_unsent_questions",): 1,
        ("webchat_pending_closes",): 1,
        ("webchat_unsent_mails",): 2,
        ("webchat_unmade_tasks",): 1,
        ("webchat_breaker_open",): 1,
        ("webchat_refused_webchats",): 1,
        ("webchat_oldest_due_age_seconds", "starts"): 60,
        ("webchat_oldest_due_age_seconds", "questions"): 40,
        ("webchat_oldest_due_age_seconds", "closes"): 70,
        ("webchat_oldest_due_age_seconds", "looks"): 300,
        ("webchat_oldest_due_age_seconds", "mail"): 90,
        ("webchat_oldest_due_age_seconds", "tasks"): 5,
        ("webchat_worker_last_pass_timestamp_seconds", "mail"): NOW.timestamp(),
    }
    assert {name: value for name, value in found.items() if name[0] != "webchat_events_total"} == expected


def test_what_was_counted_today_is_a_counter():
    webchat, other = make_webchat(), make_webchat(slug="sales")
    midnight = NOW.replace(hour=0)
    for at, number in ((midnight - timedelta(seconds=1), 100), (midnight, 3), (NOW, 4)):
        counters.count(webchat.pk, Event.STARTED, number, at)
    counters.count(other.pk, Event.FAILED_UNCLEAR, at=NOW)
    counters.flush()
    with time_machine.travel(NOW, tick=False):
        found = {name[1:]: value for name, value in read().items() if name[0] == "webchat_events_total"}
    assert {name: value for name, value in found.items() if value} == {
        ("started", "support"): 7,
        ("failed_unclear", "sales"): 1,
    }
    # A series that is there before its first event: else nobody sees that it grows.
    assert len(found) == 2 * (len(Event) - len(Rating.Score))


def test_what_is_kept_after_midnight_of_the_day_before_is_not_lost():
    webchat = make_webchat()
    before_midnight = NOW.replace(hour=0) - timedelta(seconds=3)
    counters.count(webchat.pk, Event.STARTED, 5, before_midnight)
    with time_machine.travel(before_midnight + timedelta(seconds=10), tick=False):
        assert read()["webchat_events_total", "started", "support"] == 0
        counters.count(webchat.pk, Event.STARTED, 2)
        counters.flush()
        assert read()["webchat_events_total", "started", "support"] == 7
    kept = HourlyCount.objects.filter(hour=hour_of(before_midnight), name=Event.STARTED)
    assert kept.get().number == 5, "the statistics have it in its own hour"
    with time_machine.travel(NOW, tick=False):
        [today] = [day.counts for day in read_figures(None, UTC, NOW).days[-1:]]
    assert today[Event.STARTED] == 2


def test_none_reads_a_table_of_a_million_chats():
    webchat = make_webchat()
    ago = timedelta(minutes=1)
    ChatSession.objects.bulk_create(
        make_chat(webchat, status="ended", created_at=NOW - number * ago, lease_until=NOW - number * ago)
        for number in range(1000)
    )
    ChatSession.objects.bulk_create([make_chat(webchat, question="Hello"), make_chat(webchat, status="starting")])
    Message.objects.bulk_create(
        Message(webchat=webchat, key=str(number), text="Hello", answers={}, received_at=NOW) for number in range(1000)
    )
    OutgoingMail.objects.bulk_create(
        OutgoingMail(key=str(number), kind="x", due_at=None, created_at=NOW) for number in range(1000)
    )
    HourlyCount.objects.bulk_create(
        HourlyCount(webchat=webchat, hour=hour_of(NOW) - number, name=Event.OPENED, number=1) for number in range(1000)
    )
    count_rows()
    with plans() as found:
        read()
    tables = [model._meta.db_table for model in (ChatSession, Message, OutgoingMail, HourlyCount)]
    # Also not in the order of an index.
    whole = re.compile(rf"(Seq Scan on|SCAN) ({'|'.join(tables)})\b(?! USING (COVERING )?INDEX webchat_mail_due)")
    assert [text for text in found.texts if whole.search(text)] == []
    for index in ("webchat_session_status", "webchat_session_to_close", "webchat_mail_due"):
        assert found.use(index), index


# --- The files for the monitoring --------------------------------------------------------------------------------------


def names_in(text: str) -> set[str]:
    return set(NAME.findall(text))


def test_the_dashboard_and_the_documented_alerts_name_what_there_is():
    make_webchat()
    WorkerPass.note(Work.CHATS)
    there = {name[0] for name in read()}
    dashboard = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    queries = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert names_in(queries) == there
    page = (ROOT / "docs/operations.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    table, _, alerts = page.partition("| Alert |")
    assert names_in(table) == there
    assert names_in(alerts) <= there
    assert len(names_in(alerts)) > 5


def test_the_dashboards_panels_do_not_overlap():
    places = [panel["gridPos"] for panel in json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())["panels"]]
    taken = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _y in taken) < 24


# --- A worker that stands still ----------------------------------------------------------------------------------------


def front_page():
    client = Client()
    client.force_login(make_user(f"root-{uuid4().hex}", is_staff=True, is_superuser=True))
    return client.get("/admin/").content.decode()


def test_staff_are_told_of_a_worker_that_never_ran_and_of_one_that_stands_still():
    assert "The worker has not run yet" in front_page()
    call_command("webchat_worker", "--once")
    assert set(WorkerPass.last()) == set(Work)
    page = front_page()
    assert "The worker lives" in page
    assert "The worker has not run" not in page
    assert "The worker stands still" not in page
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        page = front_page()
        assert "The worker stands still (chats, mail, figures of queues) since" in page
        assert Client().get("/health/ready").status_code == 200
    change(WorkerPass.objects.get(work=Work.MAIL), at=datetime.now(UTC) - timedelta(minutes=11))
    assert "The worker stands still (mail) since" in front_page()


def test_staff_without_rights_to_webchats_are_not_told():
    client = Client()
    client.force_login(make_user("clerk", is_staff=True))
    page = client.get("/admin/")
    assert page.status_code == 200
    assert "The worker" not in page.content.decode()
