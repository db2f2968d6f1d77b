"""Chat sessions in the admin, of which there may be a million."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from tests.support.factories import ANSWERS, make_field, make_user, make_webchat
from tests.support.plans import count_rows, plans, prefer_indexes
from tests.support.visitor import VisitorClient
from webchat.admin.tools import BoundedPaginator
from webchat.chats import worker
from webchat.models import ChatSession, ChatWord, Message, Webchat
from webchat.models.session import new_identity
from webchat.models.words import words_told

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["chat", "message"])
def test_deleting_a_webchat_that_was_used_is_refused_and_loads_no_chat(admin_client, sandbox, kind):
    webchat = make_webchat()
    if kind == "chat":
        VisitorClient().start(ANSWERS)
    else:
        Message.objects.create(webchat=webchat, answers={}, text="Hello")
    action = {"action": "delete_selected", "_selected_action": webchat.pk, "post": "yes"}
    with CaptureQueriesContext(connection) as captured:
        pages = [
            admin_client.get(f"/admin/webchat/webchat/{webchat.pk}/delete/"),
            admin_client.post(f"/admin/webchat/webchat/{webchat.pk}/delete/", {"post": "yes"}),
            admin_client.post("/admin/webchat/webchat/", action),
        ]
        with pytest.raises(ProtectedError), transaction.atomic():
            webchat.delete()
        with pytest.raises(ProtectedError), transaction.atomic():
            Webchat.objects.all().delete()
    for page in pages:
        assert page.status_code == 200
        assert "Support: chat sessions · messages" in page.content.decode()
    assert Webchat.objects.exists()
    for model in (ChatSession, Message):
        table = model._meta.db_table
        read = [query["sql"] for query in captured if f'FROM "{table}"' in query["sql"]]
        assert all(statement.endswith("LIMIT 1") for statement in read), read
    assert f'"{ChatSession._meta.db_table}"' in str(captured.captured_queries)


def test_one_that_nobody_used_is_deleted(admin_client):
    webchat = make_webchat()
    admin_client.post(f"/admin/webchat/webchat/{webchat.pk}/delete/", {"post": "yes"})
    assert not Webchat.objects.exists()


# --- Among many ------------------------------------------------------------------------------------------------------


LIST = "/admin/webchat/chatsession/"


def told(number: int) -> dict[str, str]:
    return {
        "email": f"Visitor{number}@Example.com", "number": f"C-{number:04}", "phone": f"+4144668{number:04}",
        "question": f"Where is my refund for “Zoë”? {'Ça urgent!' if number % 100 == 0 else ''} {number}",
        "location": "https://www.example.com/secret-page", "locale": "en", "verified": ["email"],
    }  # fmt: skip


@pytest.fixture
def many() -> list[ChatSession]:
    """Eight pages of chats, of which a list counts six here."""
    now, webchat = datetime.now(UTC), make_webchat()
    users = [make_user(), make_user("bob")]
    made = ChatSession.objects.bulk_create(
        ChatSession(
            webchat=webchat, api=webchat.api, browser=uuid4().hex, owner=uuid4().hex, key=str(number), status="ended",
            identity=new_identity(), channel_sid=f"CH{uuid4().hex}", customer_friendly_name=f"Visitor {number:04}",
            answers=told(number), created_at=now - timedelta(minutes=number), lease_until=now,
            user=users[number] if number < len(users) else None,
        )
        for number in range(400)
    )  # fmt: skip
    while worker.note_words():
        pass
    return made


def names(page) -> list[str]:
    return [row.customer_friendly_name for row in page.context["cl"].result_list]


def test_the_list_counts_and_reads_no_more_than_it_shows(admin_client, many, monkeypatch):
    monkeypatch.setattr(BoundedPaginator, "MOST", 300)
    count_rows()
    with plans() as found:
        pages = [admin_client.get(LIST, {"p": number}) for number in (1, 5)]
        admin_client.get(LIST, {"status__exact": "failed"})
        admin_client.get(LIST, {"webchat__id__exact": many[0].webchat_id})
    assert [names(page)[0] for page in pages] == ["Visitor 0000", "Visitor 0200"]
    assert pages[0].context["cl"].paginator.num_pages == 6
    counts = [text for text in found.texts if text.startswith("SELECT COUNT") and "webchat_chatsession" in text]
    assert len(counts) == 4
    assert all("LIMIT 300" in text for text in counts)
    assert len([text for text in found.of_whole("webchat_chatsession") if text not in counts]) == 0


@pytest.mark.parametrize("table", ["webchat_message", "accounts_user"])
def test_other_long_lists_count_no_more_than_that_either(admin_client, table):
    with plans() as found:
        admin_client.get(f"/admin/{table.replace('_', '/')}/")
    counts = [text for text in found.texts if text.startswith("SELECT COUNT") and table in text]
    assert len(counts) == 1
    assert "LIMIT 10001" in counts[0]


def test_a_search_finds_by_an_index(admin_client, many, subtests):
    cases = {
        "visitor 000": [f"Visitor {number:04}" for number in range(10)],
        "VISITOR 0399": ["Visitor 0399"],
        "ada@EXAMPLE.com": ["Visitor 0000"],
        "isitor": [],
        "%": [],
        # What was typed into the form.
        "visitor77@example.COM": ["Visitor 0077"],
        "c-0300": ["Visitor 0300"],
        "+41 44 668 03 00": ["Visitor 0300"],
        "urgent, ca zoe": [f"Visitor {number:04}" for number in range(0, 400, 100)],
        "refund 200?": ["Visitor 0200"],
        "refund missing": [],
        "secret-page": [],
        # What the account says.
        "bob": ["Visitor 0001"],
        "lovelace": ["Visitor 0000", "Visitor 0001"],
        # What Twilio knows.
        f" {many[7].channel_sid} ": ["Visitor 0007"],
        f" {many[7].identity} ": ["Visitor 0007"],
    }
    prefer_indexes()
    for term, found in cases.items():
        with subtests.test(term):
            with plans() as how:
                page = admin_client.get(LIST, {"q": term})
            assert names(page) == found
            assert how.of_whole("webchat_chatsession", "webchat_chatword", "accounts_user") == []


def test_a_word_that_all_told_finds_the_latest_and_no_more_than_the_list_shows(admin_client, many, monkeypatch):
    monkeypatch.setattr("webchat.models.words.MOST_FOUND", 30)
    page = admin_client.get(LIST, {"q": "refund"})
    assert names(page) == [f"Visitor {number:04}" for number in range(30)]
    # A rare word leads: the old ones are found too.
    assert names(admin_client.get(LIST, {"q": "refund 399"})) == ["Visitor 0399"]


def test_a_name_or_an_account_of_many_chats_finds_the_latest_and_no_more(many, monkeypatch, subtests):
    """All chats of visitors who tell no name may have the webchat's: the database joins no million of them."""
    for term, most in {"visitor": 300, "lovelace": 1}.items():
        with subtests.test(term):
            monkeypatch.setattr(BoundedPaginator, "MOST", most)
            found, _repeats = site.get_model_admin(ChatSession).get_search_results(
                None, ChatSession.objects.all(), term
            )
            assert [session.pk for session in found] == [session.pk for session in many[:most]]


def test_a_filter_by_what_is_known_of_the_customer(admin_client, many, subtests):
    ChatSession.objects.filter(pk=many[5].pk).update(account_matches=["email"])
    prefer_indexes()
    kinds = {
        "verified": ["Visitor 0000", "Visitor 0001"],
        "matched": ["Visitor 0005"],
        "unknown": [f"Visitor {number:04}" for number in range(2, 54) if number != 5][:50],
    }
    for value, found in kinds.items():
        with subtests.test(value):
            with plans() as how:
                page = admin_client.get(LIST, {"customer": value})
            assert names(page) == found
            if value != "unknown":  # whose first page is soon together
                assert how.of_whole("webchat_chatsession") == []


# --- What the search knows -------------------------------------------------------------------------------------------


@pytest.fixture
def chat(sandbox) -> ChatSession:
    make_webchat()
    VisitorClient().start(ANSWERS)
    return ChatSession.objects.get()


def found_by(client, term: str) -> int:
    return len(client.get(LIST, {"q": term}).context["cl"].result_list)


def test_a_chat_is_found_once_the_worker_has_noted_its_words(admin_client, chat):
    assert found_by(admin_client, ANSWERS["email"]) == 0
    assert worker.note_words() == 1
    assert found_by(admin_client, ANSWERS["email"]) == 1
    assert worker.note_words() == 0


def test_what_retention_blanks_is_found_no_more(admin_client, chat):
    worker.note_words()
    assert ChatWord.objects.exists()
    ChatSession.objects.filter(pk=chat.pk).forget_answers()
    assert not ChatWord.objects.exists()
    assert found_by(admin_client, ANSWERS["email"]) == 0
    assert worker.note_words() == 0


def test_words_of_a_chat_that_was_blanked_first_are_not_noted(chat):
    """A worker that read the row before takes what it says now."""
    before = ChatSession.objects.get()
    ChatSession.objects.filter(pk=chat.pk).forget_answers()
    before.note_words()
    assert not ChatWord.objects.exists()


def test_words_go_with_their_chat(chat):
    worker.note_words()
    ChatSession.objects.update(status="ended", close_pending=False)
    ChatSession.objects.get().delete()
    assert not ChatWord.objects.exists()


def test_a_long_question_pushes_no_address_out_and_a_word_is_noted_once():
    answers = {"question": " ".join(f"word{number} again" for number in range(500)), "email": "ada@example.com"}
    words = words_told(answers)
    assert words[0] == "ada@example.com"
    assert len(words) == len(set(words)) == 80


# --- One chat --------------------------------------------------------------------------------------------------------


def address(session: ChatSession, what: str = "change") -> str:
    return f"{LIST}{session.pk}/{what}/"


def test_the_page_of_a_chat_says_who_asked_what_and_what_is_known_by_whom(admin_client, chat, settings):
    settings.TIME_ZONE = "Europe/Zurich"
    ChatSession.objects.update(account_matches=["email"], created_at=datetime(2026, 7, 1, 10, 0, tzinfo=UTC))
    make_field(chat.webchat, "size", label="Your size")
    ChatSession.objects.update(answers={**chat.answers, "size": "<XL>", "verified": ["name"]})
    page = admin_client.get(address(chat)).content.decode()
    rows = [re.sub(r"<[^>]+>|\s+", " ", row).split() for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    said = {" ".join(row) for row in rows}
    assert f"Name {ANSWERS['name']} verified" in said
    assert f"Email {ANSWERS['email']} matches an account, not verified" in said
    assert "Your size &lt;XL&gt; typed" in said
    assert "July 1, 2026, noon CEST" in page
    assert f'href="{settings.TWILIO_SANDBOX_URL}/#{chat.channel_sid}"' in page
    assert "icon-no" not in page  # a red cross beside what is fine
    assert 'name="rating-0-score"' not in page  # nobody rated it


def test_without_the_sandbox_the_links_lead_to_flex_and_the_console(admin_client, chat, settings):
    settings.TWILIO_SANDBOX_URL = ""
    page = admin_client.get(address(chat)).content.decode()
    assert 'href="https://flex.twilio.com/agent-desktop/"' in page
    assert f"conversations%2F{chat.channel_sid}" in page


def test_a_chat_that_never_began_says_why(admin_client):
    webchat = make_webchat()
    now = datetime.now(UTC)
    session = ChatSession.objects.create(
        webchat=webchat, api=webchat.api, key="k", status="failed", failure="unreachable", answers={}, lease_until=now
    )
    page = admin_client.get(address(session)).content.decode()
    assert "The chat could not be started: Twilio cannot be reached" in page
    assert "No channel was opened." in page
    assert "End this chat" not in page


# --- Its end by staff ------------------------------------------------------------------------------------------------


def test_staff_end_a_chat_here_and_at_twilio(admin_client, chat, sandbox):
    assert address(chat, "end") in admin_client.get(address(chat)).content.decode()
    assert admin_client.get(address(chat, "end")).status_code == 200
    assert ChatSession.objects.running().exists()
    answer = admin_client.post(address(chat, "end"), follow=True)
    chat.refresh_from_db()
    assert (chat.status, chat.ended_by, chat.close_pending) == ("ended", "staff", False)
    assert sandbox.desk(chat.channel_sid)["state"] == "closed"
    page = answer.content.decode()
    assert "Ended by: staff" in page
    assert address(chat, "end") not in page
    assert "had ended already" in admin_client.post(address(chat, "end"), follow=True).content.decode()


@pytest.mark.parametrize(("permissions", "status"), [(["view"], 403), (["end"], 403), (["view", "end"], 302)])
def test_ending_needs_its_own_permission_and_the_one_to_look(client, chat, permissions, status):
    user = make_user("grace", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{one}_chatsession" for one in permissions]))
    client.force_login(user)
    assert client.post(address(chat, "end")).status_code == status
    assert ChatSession.objects.running().exists() == (status == 403)
    if "view" in permissions:
        page = client.get(address(chat)).content.decode()
        assert "End this chat" not in page


def test_no_chat_has_no_end(admin_client):
    assert admin_client.post(f"{LIST}{uuid4()}/end/").status_code == 404
