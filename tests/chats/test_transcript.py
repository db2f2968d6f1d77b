"""The text of a chat by mail: to its own user, at the address of the account, once, as often as the limits allow."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, change, make_user, make_webchat
from tests.support.log import Log
from tests.support.mail_server import MailServer
from tests.support.sandbox import SandboxServer
from tests.support.visitor import VisitorClient
from webchat import mail
from webchat.chats.transcript import A_USERS_DAY
from webchat.mail import send_due
from webchat.models import ChatSession, OutgoingMail, Webchat

pytestmark = pytest.mark.django_db


def yes(*, user: Any) -> bool:
    return True


def no(*, user: Any) -> bool:
    return False


def verified(*, user: Any) -> bool:
    return user.username == "ada"


in_transaction: list[bool] = []


def watching(*, user: Any) -> bool:
    """Asked just before the conversation is read."""
    in_transaction.append(connection.in_atomic_block)
    return True


def failing(*, user: Any) -> bool:
    raise RuntimeError("broken")


@pytest.fixture(autouse=True)
def on(settings: Any, sandbox: SandboxServer) -> None:
    settings.WEBCHAT_MAY_MAIL = f"{__name__}.verified"
    settings.WEBCHAT_HISTORY = True
    make_webchat(title="Help")


@pytest.fixture
def server(settings: Any):
    with MailServer() as server:
        for name, value in server.settings.items():
            setattr(settings, name, value)
        yield server


@pytest.fixture
def ada() -> VisitorClient:
    return signed_in("ada", "ada@example.com")


def signed_in(name: str, email: str) -> VisitorClient:
    visitor = VisitorClient()
    visitor.client.force_login(make_user(name, email=email))
    visitor.open_panel()
    return visitor


def chat(visitor: VisitorClient, *, ends: bool = True, question: str = "Where is my parcel?") -> ChatSession:
    visitor.open_panel()
    started = visitor.start({**ANSWERS, "question": question}).json()
    if ends:
        visitor.end(started["session_id"])
    return ChatSession.objects.get(pk=started["session_id"])


def ask(visitor: VisitorClient, session: ChatSession) -> Any:
    address = f"/api/webchat/sessions/{session.pk}/transcript/"
    return visitor.client.post(address, headers={"X-CSRFToken": visitor.csrf})


def test_the_worker_mails_it_to_the_address_that_the_account_has_then(ada, sandbox, server):
    session = chat(ada, ends=False)
    sandbox.say(session.channel_sid, "agent_robin", "<b>Here</b>\n.\nSubject: x")
    ada.end(str(session.pk))
    answer = ask(ada, session)
    assert (answer.status_code, answer.json()) == (202, {"session_id": str(session.pk)})
    session.user.email = "new@example.com"
    session.user.save()
    assert send_due() == 1
    [(recipients, sent)] = server.messages
    assert recipients == ["new@example.com"]
    assert sent["Subject"].strip() == "Your conversation: Help"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert sent["Reply-To"] is None
    assert sent.get_content_type() == "text/plain"
    body = sent.get_content().replace("\r\n", "\n")
    assert "Times are those of UTC." in body
    assert f"[{session.created_at:%Y-%m-%d} " in body
    assert "You: Where is my parcel?" in body
    assert "Our team: <b>Here</b>\n.\nSubject: x" in body
    assert body.index("Where is my parcel?") < body.index("Here")
    assert "agent_robin" not in body
    assert session.identity not in body
    assert ANSWERS["email"] not in str(sent)
    assert OutgoingMail.objects.get().about == {}


def test_no_words_of_the_chat_wait_in_the_database(ada):
    ask(ada, chat(ada))
    assert set(OutgoingMail.objects.get().about) == {"session", "language"}


def test_it_is_mailed_once_however_often_it_is_asked_for(ada, server):
    session = chat(ada)
    assert [ask(ada, session).status_code for _time in range(3)] == [202] * 3
    send_due()
    OutgoingMail.objects.all().delete()  # as retention does
    assert ask(ada, session).status_code == 202
    assert send_due() == 0
    assert len(server.messages) == 1


def test_it_is_written_in_the_language_of_who_asked(ada, server):
    session = chat(ada)
    change(session.webchat, title="Talk to us", translations={"de": {"title": "Reden wir"}})
    address = f"/api/webchat/sessions/{session.pk}/transcript/"
    ada.client.post(address, headers={"X-CSRFToken": ada.csrf, "Accept-Language": "de"})
    send_due()
    [(_recipients, sent)] = server.messages
    assert "Sie: Where is my parcel?" in sent.get_content()
    assert sent["Subject"].endswith("Reden wir")


def test_a_chat_that_goes_on_is_not_mailed(ada):
    session = chat(ada, ends=False)
    refused = ask(ada, session)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_early")
    assert not OutgoingMail.objects.exists()


def test_nobody_has_anothers_chat_mailed(ada):
    session, guest = chat(ada), VisitorClient()
    guests = chat(guest)
    bob = signed_in("bob", "bob@example.com")
    missing = ask(ada, ChatSession(pk="00000000-0000-4000-8000-000000000000"))
    answers = [ask(bob, session), ask(guest, guests), ask(ada, guests), ask(guest, session), missing]
    assert {answer.status_code for answer in answers} == {404}
    assert len({str({**answer.json(), "request_id": ""}) for answer in answers}) == 1
    assert not OutgoingMail.objects.exists()


@pytest.mark.parametrize("hook", ["", f"{__name__}.no", f"{__name__}.failing", "tests.absent.hook"])
def test_whom_the_site_does_not_mail_is_offered_nothing_and_sent_nothing(ada, settings, hook):
    session = chat(ada)
    assert "Mail me the conversation" in ada.open_panel()
    settings.WEBCHAT_MAY_MAIL = hook
    assert "Mail me the conversation" not in ada.open_panel()
    assert "Mail me the conversation" not in ada.client.get(f"/webchat/history/{session.pk}/").content.decode()
    assert ask(ada, session).status_code == 404
    assert not OutgoingMail.objects.exists()


def test_an_account_without_an_address_is_offered_nothing(ada):
    session = chat(ada)
    session.user.email = ""
    session.user.save()
    assert "Mail me the conversation" not in ada.open_panel()
    assert ask(ada, session).status_code == 404


def test_nobody_who_is_signed_out_is_offered_it():
    assert "Mail me the conversation" not in VisitorClient().open_panel()


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"email": ""},
        {"username": "other"},  # whom the site does not mail
    ],
)
def test_who_may_no_longer_be_mailed_when_it_is_sent_gets_nothing(ada, server, change):
    session = chat(ada)
    ask(ada, session)
    type(session.user).objects.update(**change)
    send_due()
    assert server.messages == []
    assert OutgoingMail.objects.get().failure == "nothing to send"


def test_the_site_is_asked_only_where_a_chat_may_end_or_be_shown_after_its_end(ada, settings):
    settings.WEBCHAT_MAY_MAIL = f"{__name__}.watching"
    webchat = Webchat.objects.get()

    def is_asked() -> bool:
        in_transaction.clear()
        offers = 'data-webchat-template="transcript-mail"' in ada.open_panel()
        assert offers is bool(in_transaction)
        return offers

    assert is_asked(), "the form is that of a chat"
    change(webchat, closure="reopened")
    assert not is_asked(), "closed"
    change(webchat, closure="")
    ada.open_panel()
    chat(ada)
    change(webchat, closure="reopened")
    assert is_asked(), "the tab may show the chat that has ended"


def test_the_last_chat_is_looked_up_once_for_its_rating_and_for_its_mail(ada):
    change(Webchat.objects.get(), ask_rating=True)
    session = chat(ada)
    change(Webchat.objects.get(), closure="reopened")
    with CaptureQueriesContext(connection) as found:
        panel = ada.open_panel()
    assert f'data-webchat-unrated="{session.pk}"' in panel
    assert 'data-webchat-template="transcript-mail"' in panel
    assert len([query for query in found if "webchat_rating" in query["sql"]]) == 1


def test_a_site_that_cannot_say_whom_it_mails_is_asked_again(ada, server, settings, log: Log):
    ask(ada, chat(ada))
    works, settings.WEBCHAT_MAY_MAIL = settings.WEBCHAT_MAY_MAIL, f"{__name__}.failing"
    send_due()
    row = OutgoingMail.objects.get()
    assert (row.failure, row.due_at is None) == ("the site's function failed", False)
    assert log.lines("may_mail_failed")
    settings.WEBCHAT_MAY_MAIL = works
    with time_machine.travel(row.due_at, tick=False):
        send_due()
    assert len(server.messages) == 1


def test_a_deleted_user_gets_nothing(ada, server):
    session = chat(ada)
    ask(ada, session)
    session.user.delete()
    send_due()
    assert server.messages == []


def test_a_user_has_five_a_day(ada, settings, log):
    settings.WEBCHAT_LIMITS = "off"  # of starts
    noon = datetime.now(UTC).replace(hour=12)
    with time_machine.travel(noon):
        sessions = [chat(ada, question=str(number)) for number in range(A_USERS_DAY + 1)]
        settings.WEBCHAT_LIMITS = "on"
        answers = [ask(ada, session) for session in sessions]
        assert [answer.status_code for answer in answers] == [202] * 5 + [429]
        assert answers[-1].json()["code"] == "too_many"
        assert "tomorrow" in answers[-1].json()["detail"]
        [said] = log.lines("limit_hit")
        assert (said["webchat"], said["limit"]) == ("support", "transcript:user")
        assert 0 < int(answers[-1]["Retry-After"]) <= 12 * 3600
        assert ask(ada, sessions[0]).status_code == 202  # again costs nothing
    assert OutgoingMail.objects.count() == 5
    ada.client.force_login(sessions[0].user)
    with time_machine.travel(noon + timedelta(days=1)):
        ada.open_panel()
        assert ask(ada, sessions[-1]).status_code == 202


def test_the_site_has_its_cap_and_who_meets_it_spends_nothing(ada, settings):
    settings.WEBCHAT_TRANSCRIPTS_A_DAY = 1
    settings.WEBCHAT_MAY_MAIL = f"{__name__}.yes"
    assert ask(ada, chat(ada)).status_code == 202
    bob = signed_in("bob", "bob@example.com")
    session = chat(bob)
    for _time in range(A_USERS_DAY + 1):
        assert ask(bob, session).status_code == 429
    session.refresh_from_db()
    assert session.transcript_asked_at is None
    settings.WEBCHAT_TRANSCRIPTS_A_DAY = 2
    assert ask(bob, session).status_code == 202


def test_while_twilio_does_not_answer_it_is_tried_again_ever_later_and_given_up(ada, sandbox, server, log: Log):
    ask(ada, chat(ada))
    sandbox.fault("GET", "/v1/Conversations/*", status=500, times=mail.MOST_ATTEMPTS)
    with time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False) as clock:
        OutgoingMail.objects.update(due_at=datetime.now(UTC))
        for _attempt in range(mail.MOST_ATTEMPTS):
            assert send_due() == 1
            if due_at := OutgoingMail.objects.get().due_at:
                clock.move_to(due_at)
    row = OutgoingMail.objects.get()
    assert row.due_at is None
    assert "HTTP 500" in row.failure
    assert log.lines("mail_given_up")
    assert not log.lines("mail_not_made")
    assert server.messages == []


def test_others_are_mailed_while_twilio_does_not_answer(ada, sandbox, server):
    sessions = [chat(ada, question=str(number)) for number in range(2)]
    for session in sessions:
        ask(ada, session)
    sandbox.fault("GET", f"/v1/Conversations/{sessions[0].channel_sid}/Messages", status=500)
    assert send_due() == 2
    assert len(server.messages) == 1


def test_what_twilio_keeps_no_more_is_said(ada, sandbox, server):
    session = chat(ada)
    ask(ada, session)
    sandbox.rest("DELETE", f"/v1/Conversations/{session.channel_sid}")
    send_due()
    [(_recipients, sent)] = server.messages
    assert "This conversation is no longer kept." in sent.get_content()


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_twilio_is_asked(ada, server, settings):
    ask(ada, chat(ada))
    settings.WEBCHAT_MAY_MAIL = f"{__name__}.watching"
    in_transaction.clear()
    send_due()
    assert in_transaction == [False]
    assert len(server.messages) == 1


def test_the_page_of_a_past_chat_asks_for_it_without_javascript(ada, server):
    session = chat(ada)
    page = f"/webchat/history/{session.pk}/"
    assert "Mail me the conversation" in ada.client.get(page).content.decode()
    assert ada.client.post(page).status_code == 403
    html = ada.client.post(page, {"csrfmiddlewaretoken": ada.csrf}, follow=True).content.decode()
    assert "it goes to the e-mail address of your account" in html
    assert "Mail me the conversation" not in html
    send_due()
    assert len(server.messages) == 1
    bob = signed_in("bob", "bob@example.com")
    assert bob.client.post(page, {"csrfmiddlewaretoken": bob.csrf}).status_code == 404


def test_the_page_says_when_a_limit_is_reached(ada, settings):
    settings.WEBCHAT_TRANSCRIPTS_A_DAY = 1
    first, second = chat(ada, question="1"), chat(ada, question="2")
    ask(ada, first)
    page = ada.client.post(f"/webchat/history/{second.pk}/", {"csrfmiddlewaretoken": ada.csrf})
    assert page.status_code == 429
    assert "No more conversations are mailed today." in page.content.decode()
    assert "Where" not in page.content.decode()


def test_a_long_conversation_is_read_page_after_page(ada, sandbox, server):
    session = chat(ada, ends=False)
    for number in range(60):
        sandbox.say(session.channel_sid, "agent_robin", f"Line {number}.")
    ada.end(str(session.pk))
    ask(ada, session)
    send_due()
    [(_recipients, sent)] = server.messages
    body = sent.get_content()
    assert [body.count(f"Line {number}.") for number in range(60)] == [1] * 60
    assert "Later messages are not included." not in body


def test_a_half_of_a_pair_harms_neither_page_nor_mail(ada, sandbox, server):
    session = chat(ada, ends=False)
    sandbox.say(session.channel_sid, "agent_robin", "Odd")
    ada.end(str(session.pk))
    ask(ada, session)
    path = f"/v1/Conversations/{session.channel_sid}/Messages"
    broken = json.dumps(sandbox.rest("GET", path)).replace("Odd", "Odd \\ud800 end")
    sandbox.fault("GET", path, status=200, body=broken, times=2)
    assert "Odd ? end" in ada.client.get(f"/webchat/history/{session.pk}/").content.decode()
    send_due()
    [(_recipients, sent)] = server.messages
    assert "Odd ? end" in sent.get_content()
