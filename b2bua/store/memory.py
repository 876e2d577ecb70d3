"""The store that promises nothing: it ends with the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from b2bua.store.interface import Done
from b2bua.store.records import BindingRecord, User


class MemoryStore:
    """Users and bindings in two dicts. `now` gives Unix seconds."""

    durable = False
    up = True
    waiting = 0

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._users: dict[str, User] = {}
        self._bindings: dict[str, tuple[BindingRecord, ...]] = {}

    def user(self, name: str) -> User | None:
        return self._users.get(name)

    def users(self) -> Iterable[User]:
        return tuple(self._users.values())

    def put_users(self, users: Sequence[User]) -> None:
        self._users |= {user.name: user for user in users}

    def remove_user(self, name: str) -> bool:
        return self._users.pop(name, None) is not None

    def bindings(self) -> Iterable[BindingRecord]:
        now = self._now()
        return tuple(record for group in self._bindings.values() for record in group if record.expires_at > now)

    def save_bindings(self, aor: str, records: Sequence[BindingRecord], done: Done) -> None:
        """`done` is called before this returns."""
        if records:
            self._bindings[aor] = tuple(records)
        else:
            self._bindings.pop(aor, None)
        done(None)

    def keep(self, kind: str, key: str, text: str, expires_at: float, done: Done | None = None) -> None:
        """Nothing is kept, as nobody could read it: it would end with its owner."""
        if done is not None:
            done(None)

    def drop(self, kind: str, key: str, done: Done | None = None) -> None:
        if done is not None:
            done(None)

    def records(self, kind: str) -> Sequence[tuple[str, str]]:
        return ()

    def set_aside(self, kind: str, key: str, reason: str) -> None:
        """There is nothing to set aside."""

    def watch(self, kind: str, changed: Callable[[Sequence[tuple[str, str]]], None]) -> None:
        """Nothing changes but by its owner."""

    def poll(self) -> None:
        """Nobody else can reach this memory."""

    def claim(self) -> None:
        """Nobody else can reach this memory."""

    def close(self) -> None:
        """There is nothing to write."""
