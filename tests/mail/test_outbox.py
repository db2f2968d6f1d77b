"""The outbox of mail against a mail server that works, fails, hangs or is not there."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import connection, transaction

from tests.support.mail_server import MailServer
from tests.support.waiting import until
from webchat import mail
from webchat.chats import retention
from webchat.mail import queue_mail, register_mail, send_due
from webchat.management.commands import webchat_worker
from webchat.models import OutgoingMail

pytestmark = pytest.mark.django_db


def write(row: OutgoingMail) -> EmailMessage:
    return EmailMessage(row.about["subject"], "Hello", to=["staff@example.com"], reply_to=["ada@example.com"])


@pytest.fixture(autouse=True)
def greeting():
    register_mail("greeting", write)


@pytest.fixture
def server(settings):
    with MailServer() as server:
        settings.EMAIL_TIMEOUT = 0.2
        for name, value in server.settings.items():
            setattr(settings, name, value)
        yield server


def greet(key: str = "1", subject: str = "Hello") -> None:
    queue_mail("greeting", key, subject=subject)


def later(span: timedelta):
    return time_machine.travel(datetime.now(UTC) + span)


def subjects(server: MailServer) -> list[str]:
    return [message["Subject"] for _recipients, message in server.messages]


def test_a_message_is_sent_once_and_says_that_no_person_sent_it(server):
    greet()
    assert send_due() == 1
    assert send_due() == 0
    [(recipients, message)] = server.messages
    assert recipients == ["staff@example.com"]
    assert message["Reply-To"] == "ada@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    row = OutgoingMail.objects.get()
    assert message["Message-ID"] == f"<{row.pk.hex}@127.0.0.1>"
    assert row.sent_at
    assert row.due_at is None
    assert row.about == {}  # what it was about is not kept


def test_the_same_key_again_is_the_same_message(server):
    greet("7", "First")
    greet("7", "Second")
    send_due()
    greet("7", "Third")
    send_due()
    assert subjects(server) == ["First"]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_never_sent(server):
    with transaction.atomic():
        greet()
        transaction.set_rollback(True)
    assert send_due() == 0


def test_a_server_that_is_down_is_asked_again_ever_later_until_the_mail_is_given_up(settings, log):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    greet()
    with time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False) as clock:
        OutgoingMail.objects.update(due_at=datetime.now(UTC))
        pauses = []
        for _attempt in range(mail.MOST_ATTEMPTS):
            assert send_due() == 1
            assert send_due() == 0
            due_at = OutgoingMail.objects.get().due_at
            if due_at:
                pauses.append((due_at - datetime.now(UTC)).total_seconds() / 60)
                clock.move_to(due_at)
        assert pauses == [1, 4, 16, 64, 256, 360, 360, 360, 360]
    row = OutgoingMail.objects.get()
    assert (row.due_at, row.sent_at, row.failure) == (None, None, "ConnectionRefusedError")
    [given_up] = log.lines("mail_given_up")
    assert (given_up["level"], given_up["kind"]) == ("error", "greeting")


def test_a_server_that_is_down_costs_a_pass_one_try_and_not_one_for_each_message(server):
    server.faults["hang"] = ""
    for number in range(5):
        greet(str(number))
    assert send_due() == 1
    assert server.connections == 1


def test_all_that_waits_goes_over_one_connection_once_the_server_is_back(server):
    server.faults["hang"] = ""
    greet("0", "late")
    send_due()
    server.faults.clear()
    greet("1", "prompt")
    send_due()
    assert subjects(server) == ["prompt"]
    with later(mail.FIRST_PAUSE):
        greet("2", "last")
        assert send_due() == 2
    assert sorted(subjects(server)) == ["last", "late", "prompt"]
    assert server.connections == 3


def test_a_message_whose_fate_is_unknown_is_sent_again_as_the_same_message(server):
    server.faults["drop"] = ""
    greet()
    send_due()
    server.faults.clear()
    with later(mail.FIRST_PAUSE):
        send_due()
        assert send_due() == 0
    first, second = (message for _recipients, message in server.messages)
    assert first["Message-ID"] == second["Message-ID"]


def test_a_worker_that_was_killed_between_mail_and_mark_leaves_it_to_another(server):
    greet()
    [waiting] = OutgoingMail.objects.values()
    send_due()
    # As that worker leaves the row: reserved, and not marked.
    OutgoingMail.objects.update(**{**waiting, "attempts": 1, "due_at": datetime.now(UTC) + mail.HOLD})
    assert send_due() == 0
    with later(mail.HOLD):
        assert send_due() == 1
        assert send_due() == 0
    assert len(server.messages) == 2
    assert len({message["Message-ID"] for _recipients, message in server.messages}) == 1


def test_a_recipient_that_is_refused_for_good_ends_it_and_the_others_go_on(server, log):
    server.faults["recipient"] = "550 no such user"
    greet("1")
    greet("2")
    assert send_due() == 2
    assert set(OutgoingMail.objects.values_list("due_at", "failure")) == {(None, "recipients refused (550)")}
    assert "staff@example.com" not in log.text


@pytest.mark.parametrize("fault", [{"recipient": "451 later"}, {"data": "452 full"}])
def test_what_is_refused_for_now_is_tried_again(server, fault):
    server.faults |= fault
    greet()
    send_due()
    server.faults.clear()
    with later(mail.FIRST_PAUSE):
        send_due()
    assert OutgoingMail.objects.get().sent_at


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: everybody@example.com", "Hello\nX: y"])
def test_a_header_cannot_be_injected_and_stops_nobody_else(server, log, subject):
    greet("1", subject)
    greet("2", "Sound")
    assert send_due() == 2
    assert subjects(server) == ["Sound"]
    assert OutgoingMail.objects.get(key="1").failure == "BadHeaderError"
    assert "everybody" not in log.text


@pytest.mark.django_db(transaction=True)
def test_several_workers_send_each_message_once(server):
    for number in range(12):
        greet(str(number), f"no. {number}")
    threads = [threading.Thread(target=send_and_leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_due()
    assert sorted(subjects(server)) == sorted(f"no. {number}" for number in range(12))


def send_and_leave() -> None:
    send_due()
    connection.close()


def test_done_rows_go_with_retention(server):
    greet("1")
    send_due()
    greet("2")
    with later(timedelta(days=31)):
        assert retention.prune() == 1
        assert OutgoingMail.objects.get().key == "2"  # still to be sent


@pytest.fixture
def signals():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.django_db(transaction=True)
def test_the_worker_sends_mail_and_ends_also_while_the_server_hangs(server, signals, settings, monkeypatch):
    settings.EMAIL_TIMEOUT = 60
    # Four threads that ask SQLite without a pause leave no room for this test's own writing.
    monkeypatch.setattr(webchat_worker, "PAUSE", 0.2)
    monkeypatch.setattr(webchat_worker, "LAST_SECONDS", 0.01)
    greet("1")

    def follow() -> None:
        try:
            until(lambda: server.messages)
            server.faults["hang"] = ""
            greet("2")
            # On a line of its own, or on the first message's, if that pass found the second one, too.
            until(server.hanging.is_set)
        finally:
            connection.close()
            os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as thread:
        follower = thread.submit(follow)
        call_command("webchat_worker")
        follower.result()
    assert subjects(server) == ["Hello"]
