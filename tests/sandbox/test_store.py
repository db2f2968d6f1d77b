"""The sandbox's memory stays bounded."""

from __future__ import annotations

import pytest

from webchat.sandbox import limits
from webchat.sandbox.entities import Conversation
from webchat.sandbox.errors import TwilioError
from webchat.sandbox.events import REST
from webchat.sandbox.store import Store


def open_webchat(store: Store, identity: str) -> Conversation:
    return store.open_webchat(
        "conversations", identity=identity, customer_friendly_name=None, friendly_name=None, attributes="{}"
    )


def test_oldest_closed_conversation_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONVERSATIONS_KEPT", 3)
    store = Store()
    first, second, third = (open_webchat(store, f"guest-{number}") for number in range(3))
    store.set_state(second, "closed", REST)
    fourth = open_webchat(store, "guest-3")
    assert list(store.conversations) == [first.sid, third.sid, fourth.sid]
    fifth = open_webchat(store, "guest-4")
    assert list(store.conversations) == [third.sid, fourth.sid, fifth.sid]
    assert store.sync.find(first.document.sid, "guest-0") is None


def test_text_is_bounded_over_all_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHARACTERS_KEPT", 1000)
    store = Store()
    first = open_webchat(store, "one")
    for _ in range(2):
        store.add_message(first, REST, author="one", body="x" * 600)
    second = open_webchat(store, "two")
    assert list(store.conversations) == [second.sid]


def test_oldest_messages_make_room_and_keep_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MESSAGES_KEPT", 3)
    store = Store()
    conversation = open_webchat(store, "chatty")
    for number in range(5):
        store.add_message(conversation, REST, author="chatty", body=str(number))
    assert list(conversation.messages) == list(conversation.message_list.items) == [2, 3, 4]
    assert conversation.size == sum(message.size for message in conversation.messages.values())


def test_unused_users_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "USERS_KEPT", 2)
    store = Store()
    for identity in ("a", "b", "c"):
        store.users.get_or_create(identity)
    assert [user.identity for user in store.users] == ["b", "c"]
    conversation = open_webchat(store, "b")
    store.users.get_or_create("d")
    assert [user.identity for user in store.users] == ["b", "d"]
    store.delete_conversation(conversation, REST)
    store.users.get_or_create("e")
    assert [user.identity for user in store.users] == ["d", "e"]
    assert store.sync.find("b.info", "b") is None


def test_participants_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PARTICIPANTS", 2)
    store = Store()
    conversation = open_webchat(store, "a")
    store.add_participant(conversation, "b", REST)
    with pytest.raises(TwilioError):
        store.add_participant(conversation, "c", REST)
    assert store.users.get("c") is None


def test_refused_message_changes_nothing() -> None:
    store = Store()
    conversation = open_webchat(store, "a")
    before = conversation.document.last_event_id, conversation.message_list.last_event_id
    with pytest.raises(TwilioError):
        store.add_message(conversation, REST, author="a", body="x", attributes="{")
    assert (conversation.document.last_event_id, conversation.message_list.last_event_id) == before
    assert (conversation.messages, conversation.next_index, conversation.size) == ({}, 0, 0)
