"""What every store offers. What was acknowledged on the wire is in the store: `done` comes after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from b2bua.store.records import BindingRecord, User


class StoreError(Exception):
    """The store cannot be opened, read or written; the text is one line for the user, without secrets."""


Done = Callable[[StoreError | None], None]
"""Called once: with None when the write is committed; else, within a few seconds, with why that cannot be said. What was
ordered is owed then: a durable store writes it as soon as it can, unless another state of the same thing is ordered."""


class Records(Protocol):
    """What outlives a restart beside users and bindings: texts by kind and key. Whoever keeps a kind knows its texts."""

    @property
    def durable(self) -> bool:
        """Whether it outlives the process; if not, nobody need make a record."""

    def keep(self, kind: str, key: str, text: str, expires_at: float, done: Done | None = None) -> None:
        """Add a record or replace it. `text` is ASCII, `expires_at` Unix seconds; `done` is called after the commit."""

    def drop(self, kind: str, key: str, done: Done | None = None) -> None:
        """Remove a record, or do nothing where there is none. Where nobody waits for it, with the next write, or within a
        second."""

    def records(self, kind: str) -> Sequence[tuple[str, str]]:
        """Key and text of every record that has not expired, for the start. StoreError when it cannot be read."""

    def set_aside(self, kind: str, key: str, reason: str) -> None:
        """A record that its owner cannot understand: moved out of the way, with a line in the log."""


class Store(Records, Protocol):
    """Users, bindings and records of one realm. All methods are called on one thread, the reactor's once it runs."""

    def claim(self) -> None:
        """For a server: let no other process run one on this realm. StoreError when one does. A second call does nothing."""

    def user(self, name: str) -> User | None:
        """A user by name, from memory, O(1): asked for with every request."""

    def users(self) -> Iterable[User]:
        """All users of the realm."""

    def put_users(self, users: Sequence[User]) -> None:
        """Add users, or replace those of the same name; returns after the commit. StoreError when it fails."""

    def remove_user(self, name: str) -> bool:
        """Remove a user; False if there was none. Returns after the commit. StoreError when it fails."""

    def bindings(self) -> Iterable[BindingRecord]:
        """The unexpired bindings, for the start. A bad record is set aside with a line in the log."""

    def save_bindings(self, aor: str, records: Sequence[BindingRecord], done: Done) -> None:
        """Replace all bindings of an AoR (its user part); `done` is called on the caller's thread after the commit."""

    def watch(self, kind: str, changed: Callable[[Sequence[tuple[str, str]]], None]) -> None:
        """Once another process has changed anything, `changed` is called on the caller's thread with all records of this kind,
        after each `done` of a write of ours that was committed before."""

    def poll(self) -> None:
        """Look whether another process changed users or a kind of records that is watched; called once a second, never blocks,
        never raises."""

    @property
    def up(self) -> bool:
        """Whether the last write and the last look succeeded; both only tell after they were tried."""

    @property
    def waiting(self) -> int:
        """Jobs that have not been taken up yet."""

    def close(self) -> None:
        """Write what is waiting and let go of the files. A second call does nothing."""
