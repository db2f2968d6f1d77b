"""The users of the chat service. They outlive their conversations, as long as there is room."""

from __future__ import annotations

from collections.abc import Iterator

from . import limits
from .clock import now
from .entities import User
from .sync import Sync, SyncMap


class Users:
    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._users: dict[str, User] = {}

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def get(self, identity: str) -> User | None:
        return self._users.get(identity)

    def get_or_create(self, identity: str, friendly_name: str | None = None) -> User:
        """The user of that identity, made if there is none; `friendly_name`, if given, is taken over."""
        user = self._users.get(identity)
        if user is None:
            return self._create(identity, friendly_name)
        if friendly_name is not None and friendly_name != user.friendly_name:
            self.update(user, friendly_name=friendly_name)
        return user

    def update(self, user: User, *, friendly_name: str | None = None, attributes: str | None = None) -> None:
        limits.text("FriendlyName", friendly_name)
        if attributes is not None:
            user.attributes = limits.attributes(attributes, limits.USER_ATTRIBUTES)
        if friendly_name is not None:
            user.friendly_name = friendly_name
        user.updated = now()
        user.write_info()

    def delete(self, user: User) -> None:
        del self._users[user.identity]
        self._sync.forget(user.info)
        self._sync.forget(user.my_conversations)

    def _create(self, identity: str, friendly_name: str | None) -> User:
        if len(self._users) >= limits.USERS_KEPT:
            self._forget_one()
        user = User(
            identity=identity,
            friendly_name=friendly_name,
            info=self._sync.add(SyncMap(f"{identity}.info", lambda reader: self._know_each_other(reader, identity))),
            my_conversations=self._sync.add(SyncMap(f"{identity}.channels", lambda reader: reader == identity)),
        )
        self._users[identity] = user
        user.write_info()
        return user

    def _know_each_other(self, one: str, other: str) -> bool:
        user = self._users.get(one)
        return one == other or (user is not None and any(other in c.participants for c in user.conversations.values()))

    def _forget_one(self) -> None:
        """Drops the oldest who is in no conversation and not online, if there is one."""
        unused = next((user for user in self if not user.conversations and not user.online), None)
        if unused:
            self.delete(unused)
