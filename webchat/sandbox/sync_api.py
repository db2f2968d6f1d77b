"""Sync through Twilsock: reading objects and items, subscribing, and the replay of what a client missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .errors import invalid, not_found, sync_object_not_found
from .sync import Collection, Document, Query, Sync, SyncList, SyncMap, SyncObject
from .tunnel import Call, Route
from .twilsock import Answer

TYPES = {"Documents": Document, "Lists": SyncList, "Maps": SyncMap}


class SyncApi:
    def __init__(self, sync: Sync) -> None:
        self.sync = sync

    def routes(self) -> list[Route]:
        return [
            ("GET", "/v3/{kind}/{name}", self.root),
            ("GET", "/v3/{kind}/{name}/Items", self.items),
            ("POST", "/v4/Subscriptions", self.subscriptions),
        ]

    def root(self, call: Call, kind: str, name: str) -> Answer:
        found = self._find(call, kind, name)
        root = found.root()
        if call.params.get("Include") == "items" and isinstance(found, Collection):
            root["items"] = found.all_items()
        return 200, root

    def items(self, call: Call, kind: str, name: str) -> Answer:
        found = self._find(call, kind, name)
        if not isinstance(found, Collection):
            raise not_found(call.path)
        key: Callable[[str], str | int] = int if isinstance(found, SyncList) else str
        try:
            only, start = (
                key(call.params[name]) if name in call.params else None
                for name in ("Index" if isinstance(found, SyncList) else "Key", "From")
            )
            size = int(call.params.get("PageSize", 50))
        except ValueError as error:
            raise invalid("Invalid query") from error
        descending = call.params.get("Order") == "desc"
        page = found.page(Query(only, start, descending, size=min(max(size, 1), 100)))
        return 200, {
            "items": page.items,
            "meta": {
                "previous_token": "previous" if page.has_previous else None,
                "next_token": "next" if page.has_next else None,
            },
        }

    def subscriptions(self, call: Call) -> Answer:
        requests = call.body.get("requests")
        if not isinstance(requests, list) or len(requests) > 1000:
            raise invalid("requests must be a list")
        call.connection.one_event_each = call.body.get("event_protocol_version") == 3
        follow = self._subscribe if call.body.get("action") == "establish" else self._cancel
        for wanted in requests:
            if isinstance(wanted, dict):
                # After the reply, which the SDK expects first.
                asyncio.get_running_loop().call_soon(follow, call, wanted)
        return 202, {"estimated_delivery_in_ms": 10000, "max_batch_size": 1000, "ttl_in_s": 86400}

    def _subscribe(self, call: Call, wanted: dict[str, Any]) -> None:
        """Replays what was missed, confirms, and from then on delivers live events."""
        name, kind, since = str(wanted.get("object_sid")), wanted.get("object_type"), wanted.get("last_event_id")
        found = self.sync.find(name, call.identity)
        if found is None or found.kind != kind:
            error = {"status": 404, "code": 54300, "message": "Sync object not found"}
            return self._notify(call, "subscription_failed", wanted, error=error)
        for event_type, event in found.replay(since) if type(since) is int else ():
            payload = {"event_type": event_type, "event_protocol_version": 4, "events": [event]}
            call.connection.notify("twilio.sync.event", payload | {"correlation_id": call.body.get("correlation_id")})
        self._notify(
            call, "subscription_established", wanted, replay_status="completed", last_event_id=found.last_event_id
        )
        found.subscribers.add(call.connection)
        call.connection.subscriptions.add(found)
        return None

    def _cancel(self, call: Call, wanted: dict[str, Any]) -> None:
        found = self.sync.find(str(wanted.get("object_sid")), call.identity)
        if found:
            found.subscribers.discard(call.connection)
            call.connection.subscriptions.discard(found)
        self._notify(call, "subscription_canceled", wanted)

    def _notify(self, call: Call, event_type: str, wanted: dict[str, Any], **fields: Any) -> None:
        event = {"object_sid": wanted.get("object_sid"), "object_type": wanted.get("object_type"), **fields}
        call.connection.notify(
            "twilio.sync.event",
            {
                "event_type": event_type,
                "correlation_id": call.body.get("correlation_id"),
                "event_protocol_version": 4,
                "events": [event],
            },
        )

    def _find(self, call: Call, kind: str, name: str) -> SyncObject:
        found = self.sync.find(name, call.identity)
        if found is None or not isinstance(found, TYPES.get(kind, ())):
            raise sync_object_not_found()
        return found
