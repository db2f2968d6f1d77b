"""A message that was left reaches staff by mail. How the outbox sends it, and when again, is in tests/mail/."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from tests.support.factories import ANSWERS, change, make_field, make_webchat
from tests.support.mail_server import MailServer
from tests.support.visitor import VisitorClient
from webchat.mail import send_due
from webchat.models import Message, OutgoingMail

pytestmark = pytest.mark.django_db

STAFF = "one@staff.example\n  two@staff.example\n"


@pytest.fixture
def server(settings):
    with MailServer() as server:
        for name, value in server.settings.items():
            setattr(settings, name, value)
        yield server


def leave(**answers):
    assert VisitorClient().leave({**ANSWERS, **answers}).status_code == 201
    return Message.objects.first()


def test_staff_get_the_message_and_their_answer_goes_to_the_visitor(server):
    webchat = make_webchat(when_closed="message", message_recipients=STAFF)
    make_field(webchat, "number", label="Order number")
    message = leave(number="A-17", question="Où est-il?\n.\nSubject: x")
    assert send_due() == 1
    [(recipients, mail)] = server.messages
    assert recipients == ["one@staff.example", "two@staff.example"]
    assert mail["Reply-To"] == ANSWERS["email"]
    assert mail["Subject"].strip() == "A message was left in the webchat “Support”"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    body = mail.get_content()
    assert "José Müller <jose@example.com>" in body
    assert "Où est-il?\n.\nSubject: x" in body.replace("\r\n", "\n")
    assert "Order number: A-17" in body
    assert f"/admin/webchat/message/{message.pk}/change/" in body


def test_nobody_but_staff_gets_it(server):
    make_webchat(when_closed="message", message_recipients=STAFF)
    leave()
    send_due()
    [(recipients, mail)] = server.messages
    assert ANSWERS["email"] not in recipients
    assert {mail["Cc"], mail["Bcc"]} == {None}


def test_one_message_is_one_mail_however_often_its_form_is_sent(server):
    make_webchat(when_closed="message", message_recipients=STAFF)
    visitor = VisitorClient()
    for _ in range(3):
        visitor.leave(ANSWERS)
    send_due()
    visitor.leave(ANSWERS)
    send_due()
    assert len(server.messages) == 1


def test_a_message_whose_limit_is_reached_leaves_no_mail():
    make_webchat(when_closed="message", message_recipients=STAFF, daily_cap=1)
    leave()
    assert VisitorClient().leave(ANSWERS).status_code == 429
    assert OutgoingMail.objects.count() == 1


def test_without_addresses_of_staff_there_is_no_mail():
    make_webchat(when_closed="message")
    leave()
    assert not OutgoingMail.objects.exists()


def test_the_addresses_are_those_of_the_moment_when_it_is_sent(server):
    webchat = make_webchat(when_closed="message", message_recipients=STAFF)
    leave()
    change(webchat, message_recipients="three@staff.example")
    send_due()
    assert [recipients for recipients, _mail in server.messages] == [["three@staff.example"]]


def test_a_message_that_is_forgotten_meanwhile_is_not_sent(server):
    make_webchat(when_closed="message", message_recipients=STAFF)
    leave()
    Message.objects.update(text="", email="")
    send_due()
    assert server.messages == []


def test_a_name_in_two_lines_makes_one_subject(server):
    change(make_webchat(when_closed="message", message_recipients=STAFF), name="Support\nBcc: all@example.com")
    leave()
    send_due()
    [(recipients, mail)] = server.messages
    assert mail["Subject"].strip() == "A message was left in the webchat “Support Bcc: all@example.com”"
    assert len(recipients) == 2


def test_the_row_of_the_mail_holds_no_word_of_the_visitors():
    make_webchat(when_closed="message", message_recipients=STAFF)
    message = leave()
    assert OutgoingMail.objects.get().about == {"message": str(message.pk)}


def test_check_warns_of_messages_without_a_mail_server(settings):
    webchat = make_webchat(when_closed="message", message_recipients=STAFF)
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

    def found():
        return [each.hint for each in run_checks(databases=["default"]) if each.id == "webchat.W003"]

    assert found() == ["Set EMAIL_URL to your mail server."]
    change(webchat, message_recipients="")
    assert found() == []
