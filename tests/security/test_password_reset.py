"""Attacks on the password reset: who has an account, floods of mail, a mail server that hangs."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config import password_reset
from tests.support.factories import make_user
from tests.support.mail_server import MailServer
from webchat.mail import send_due
from webchat.models import OutgoingMail

pytestmark = pytest.mark.django_db
URL = "/accounts/password_reset/"


def ask(client, email: str, address: str = "192.0.2.1"):
    return client.post(URL, {"email": email}, REMOTE_ADDR=address)


def test_a_known_and_an_unknown_address_are_the_same_work(client):
    ada = make_user("ada")
    statements = []
    for email in (ada.email, "nobody@example.com"):
        with CaptureQueriesContext(connection) as queries:
            assert ask(client, email).status_code == 302
        statements.append([query["sql"].split("VALUES")[0].split("WHERE")[0] for query in queries])
    assert statements[0] == statements[1]
    assert not any("accounts_user" in statement for statement in statements[0])


def test_a_mail_server_that_hangs_holds_no_request(client, settings):
    make_user("ada")
    with MailServer() as server:
        server.faults["hang"] = ""
        for name, value in server.settings.items():
            setattr(settings, name, value)
        for number in range(5):
            assert ask(client, "ada@example.com", f"192.0.2.{number}").status_code == 302
        assert server.connections == 0


def test_nobody_gets_a_flood_of_mails_however_the_address_is_written(client, mailoutbox):
    make_user("ada")
    for number in range(40):
        spelling = ["ada@example.com", "ADA@example.com", "Ada@EXAMPLE.com"][number % 3]
        answer = ask(client, spelling, f"192.0.2.{number}")
        assert answer.status_code == 302  # the same answer, so that nobody learns of other people's tries
    send_due()
    assert len(mailoutbox) == password_reset.BY_ADDRESS.allowed


def test_an_account_gets_no_flood_by_addresses_that_lead_to_it(client, mailoutbox):
    """The same person may have changed the address meanwhile."""
    ada = make_user("ada")
    for number in range(8):
        ada.email = f"ada{number}@example.com"
        ada.save()
        ask(client, ada.email, f"192.0.2.{number}")
        send_due()
    assert len(mailoutbox) == password_reset.BY_ACCOUNT.allowed


def test_a_network_that_tries_many_addresses_is_told_to_wait(client):
    answers = [ask(client, f"somebody{number}@example.com") for number in range(password_reset.BY_NETWORK.allowed + 1)]
    assert [answer.status_code for answer in answers] == [302] * password_reset.BY_NETWORK.allowed + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert "Too many tries" in answers[-1].content.decode()
    assert ask(client, "ada@example.com", "198.51.100.1").status_code == 302


def test_the_database_holds_no_link_that_opens_an_account(client, mailoutbox):
    make_user("ada")
    ask(client, "ada@example.com")
    send_due()
    [mail] = mailoutbox
    token = mail.body.split("/accounts/reset/")[1].split("/")[1]
    assert token not in str(list(OutgoingMail.objects.values()))
    assert "ada@example.com" not in str(list(OutgoingMail.objects.values()))


def test_an_account_that_was_closed_meanwhile_gets_no_link(client, mailoutbox):
    ada = make_user("ada")
    ask(client, ada.email)
    ada.is_active = False
    ada.save()
    send_due()
    assert mailoutbox == []


def test_each_of_several_accounts_with_one_address_gets_its_link(client, mailoutbox):
    make_user("ada")
    make_user("lovelace", email="ada@example.com")
    ask(client, "ada@example.com")
    send_due()
    assert {mail.body.split("forgot it: ")[1].split()[0] for mail in mailoutbox} == {"ada", "lovelace"}


def test_the_mail_is_in_the_language_of_the_page(client, mailoutbox):
    make_user("ada")
    client.post(URL, {"email": "ada@example.com"}, headers={"Accept-Language": "de"})
    send_due()
    [mail] = mailoutbox
    assert "Passwort" in mail.body
