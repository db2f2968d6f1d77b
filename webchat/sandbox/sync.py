"""Twilio Sync as far as the Conversations SDK uses it: documents, lists and maps that are read, subscribed and replayed.

Every event carries the complete value of what it is about. So no event log is kept: an object's present content plus
the last removals is all that a client which missed something needs, and memory stays bounded by the content.
"""

from __future__ import annotations

import operator
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from .account import ACCOUNT_SID, CHAT_SERVICE_SID
from .clock import now, timestamp

ORIGIN = "https://cds.us1.twilio.com"  # a string inside frames only: the browser never resolves it
REMOVALS_KEPT = 200

Kind = Literal["document", "list", "map"]
SyncEvent = tuple[str, dict[str, Any]]


class Subscriber(Protocol):
    """A connection that was told to follow an object."""

    identity: str

    def notify(self, message_type: str, payload: Mapping[str, Any]) -> None: ...


class SyncObject:
    """What documents and collections share: names, revision, event counter, subscribers.

    `may_read` is asked at every read and at every event, so who leaves a conversation hears no more of it.
    """

    kind: Kind
    prefix: str
    plural: str

    def __init__(self, unique_name: str, may_read: Callable[[str], bool]) -> None:
        self.sid = self.prefix + uuid.uuid4().hex
        self.unique_name = unique_name
        self.may_read = may_read
        self.last_event_id = 1  # its creation
        self.created = self.updated = now()
        self.subscribers: set[Subscriber] = set()

    @property
    def url(self) -> str:
        return f"{ORIGIN}/v3/{self.plural}/{self.sid}"

    def root(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "unique_name": self.unique_name,
            "account_sid": ACCOUNT_SID,
            "service_sid": CHAT_SERVICE_SID,
            "type": self.kind,
            "url": self.url,
            "revision": f"{self.last_event_id:x}",
            "last_event_id": self.last_event_id,
            "date_expires": None,
            "date_created": timestamp(self.created),
            "date_updated": timestamp(self.updated),
            "created_by": "system",
        }

    def replay(self, since: int) -> Iterator[SyncEvent]:
        """The events that bring a client which knows everything up to event `since` up to date, oldest first."""
        raise NotImplementedError

    def removed(self) -> None:
        """Tells the subscribers that the object is gone."""
        self._next_event()
        self._publish(f"{self.kind}_removed", self._event(self.last_event_id, self.updated))

    def _next_event(self) -> int:
        self.last_event_id += 1
        self.updated = now()
        return self.last_event_id

    def _event(self, event_id: int, at: datetime) -> dict[str, Any]:
        return {
            "id": event_id,
            "date_created": timestamp(at),
            f"{self.kind}_sid": self.sid,
            f"{self.kind}_unique_name": self.unique_name,
            f"{self.kind}_revision": f"{event_id:x}",
        }

    def _publish(self, event_type: str, event: dict[str, Any]) -> None:
        payload = {"event_type": event_type, "event_protocol_version": 4, "events": [event]}
        for subscriber in tuple(self.subscribers):
            if self.may_read(subscriber.identity):
                subscriber.notify(f"com.twilio.rtd.cds.{self.kind}", payload)


class Document(SyncObject):
    kind = "document"
    prefix = "ET"
    plural = "Documents"

    def __init__(self, unique_name: str, may_read: Callable[[str], bool], data: dict[str, Any]) -> None:
        super().__init__(unique_name, may_read)
        self.data = data

    def root(self) -> dict[str, Any]:
        return super().root() | {"data": self.data}

    def set(self, data: dict[str, Any]) -> None:
        self.data = data
        self._next_event()
        self._publish("document_updated", self._updated())

    def replay(self, since: int) -> Iterator[SyncEvent]:
        if self.last_event_id > since:
            yield "document_updated", self._updated()

    def _updated(self) -> dict[str, Any]:
        return self._event(self.last_event_id, self.updated) | {"document_data": self.data}


@dataclass(slots=True)
class Item:
    key: str | int
    data: dict[str, Any]
    added_id: int
    event_id: int
    created: datetime
    updated: datetime
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    items: list[dict[str, Any]]
    has_previous: bool
    has_next: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One read of a collection's items. `start` is inclusive."""

    only: str | int | None = None
    start: str | int | None = None
    descending: bool = False
    size: int = 50


class Collection(SyncObject):
    """Lists and maps: they differ in nothing but what an item is called by, an index or a key."""

    name_of_key: Literal["index", "key"]

    def __init__(self, unique_name: str, may_read: Callable[[str], bool]) -> None:
        super().__init__(unique_name, may_read)
        self.items: dict[str | int, Item] = {}
        self._removals: deque[Item] = deque(maxlen=REMOVALS_KEPT)

    def root(self) -> dict[str, Any]:
        return super().root() | {"links": {"items": f"{self.url}/Items"}}

    def put(self, key: str | int, data: dict[str, Any]) -> None:
        """Adds the item, or replaces its value."""
        event_id = self._next_event()
        item = self.items.get(key)
        if item is None:
            item = self.items[key] = Item(key, data, event_id, event_id, self.updated, self.updated)
            self._publish(f"{self.kind}_item_added", self._item_event(item))
        else:
            item.data, item.event_id, item.updated = data, event_id, self.updated
            item.revision += 1
            self._publish(f"{self.kind}_item_updated", self._item_event(item))

    def remove(self, key: str | int) -> None:
        item = self.items.pop(key, None)
        if item is None:
            return
        item.event_id, item.updated = self._next_event(), self.updated
        self._removals.append(item)
        self._publish(f"{self.kind}_item_removed", self._item_event(item))

    def forget(self, key: str | int) -> None:
        """Drops an item to save memory: no event, nobody is told."""
        self.items.pop(key, None)

    def replay(self, since: int) -> Iterator[SyncEvent]:
        missed: list[tuple[Item, str]] = [(item, "removed") for item in self._removals]
        missed += [(item, "added" if item.added_id > since else "updated") for item in self.items.values()]
        missed = [(item, what) for item, what in missed if item.event_id > since]
        for item, what in sorted(missed, key=lambda entry: entry[0].event_id):
            yield f"{self.kind}_item_{what}", self._item_event(item)

    def page(self, query: Query) -> Page:
        if query.only is not None:
            item = self.items.get(query.only)
            return Page([self._item(item)] if item else [], False, False)
        keys: list[Any] = sorted(self.items, reverse=query.descending)
        first = 0
        if query.start is not None:
            outside = operator.gt if query.descending else operator.lt
            first = sum(1 for key in keys if outside(key, query.start))
        chosen = keys[first : first + query.size]
        return Page([self._item(self.items[key]) for key in chosen], first > 0, first + query.size < len(keys))

    def all_items(self) -> list[dict[str, Any]]:
        return [self._item(self.items[key]) for key in sorted(self.items, key=str)]

    def _item(self, item: Item) -> dict[str, Any]:
        return {
            self.name_of_key: item.key,
            "url": f"{self.url}/Items/{item.key}",
            "revision": f"{item.revision:x}",
            "last_event_id": item.event_id,
            "date_created": timestamp(item.created),
            "date_updated": timestamp(item.updated),
            "date_expires": None,
            "data": item.data,
        }

    def _item_event(self, item: Item) -> dict[str, Any]:
        return self._event(item.event_id, item.updated) | {
            f"item_{self.name_of_key}": item.key,
            "item_url": f"{self.url}/Items/{item.key}",
            "item_revision": f"{item.revision:x}",
            "item_data": item.data,
            "date_expires": None,
        }


class SyncList(Collection):
    kind = "list"
    prefix = "ES"
    plural = "Lists"
    name_of_key = "index"


class SyncMap(Collection):
    kind = "map"
    prefix = "MP"
    plural = "Maps"
    name_of_key = "key"


AnySyncObject = TypeVar("AnySyncObject", bound=SyncObject)


class Sync:
    """All Sync objects of the chat service, found by SID or by unique name."""

    def __init__(self) -> None:
        self._objects: dict[str, SyncObject] = {}

    def add(self, sync_object: AnySyncObject) -> AnySyncObject:
        self._objects[sync_object.sid] = self._objects[sync_object.unique_name] = sync_object
        return sync_object

    def remove(self, sync_object: SyncObject) -> None:
        sync_object.removed()
        self.forget(sync_object)

    def forget(self, sync_object: SyncObject) -> None:
        self._objects.pop(sync_object.sid, None)
        self._objects.pop(sync_object.unique_name, None)

    def find(self, name: str, identity: str) -> SyncObject | None:
        """The object, or None if there is none or `identity` may not read it: a caller cannot tell which."""
        sync_object = self._objects.get(name)
        return sync_object if sync_object and sync_object.may_read(identity) else None
