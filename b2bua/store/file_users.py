"""The users of `--users`: read at the start and once more on demand, and whether everybody has the HA1s that are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from b2bua.sip.digest_offer import DigestOffer
from b2bua.store.interface import Store, StoreError
from b2bua.store.records import User
from b2bua.store.users_file import read_users


class FileUsers:
    """Keeps a store as the file says: who is in it is put, who was in it at the last reading and no longer is goes.

    Users who were never in the file since the start are none of its business.
    """

    def __init__(self, store: Store, realm: str) -> None:
        self._store = store
        self._realm = realm
        self._names: frozenset[str] = frozenset()

    def holds(self, name: str) -> bool:
        """Whether this user stood in the file at its last reading."""
        return name in self._names

    def read(self, path: Path, offer: DigestOffer) -> list[User]:
        """The users in the file; changes nothing. StoreError names setting, file and line."""
        return read_file_users(path, self._realm, offer)

    def after(self, users: Sequence[User]) -> list[User]:
        """Everybody that the store would have after `take(users)`."""
        there = {user.name: user for user in self._store.users() if user.name not in self._names}
        return list((there | {user.name: user for user in users}).values())

    def take(self, users: Sequence[User]) -> None:
        """Put these users into the store and take out whom the file no longer has. StoreError when that fails."""
        names = frozenset(user.name for user in users)
        self._store.put_users(users)
        for name in sorted(self._names - names):
            self._store.remove_user(name)
        self._names = names


def read_file_users(path: Path, realm: str, offer: DigestOffer) -> list[User]:
    """`read_users` for the setting `users`, with the HA1s that are asked for."""
    try:
        return read_users(path, realm, offer.of)
    except StoreError as error:
        raise StoreError(f"users: {error}") from None


def check_ha1s(users: Iterable[User], offer: DigestOffer) -> None:
    """StoreError when a user lacks an HA1 by an algorithm that he is offered: nothing but the password can make one."""
    lacking = [(user.name, missing[0]) for user in users if (missing := user.lacks(offer.of(user.name)))]
    if not lacking:
        return
    lacking.sort()
    name, algorithm = lacking[0]
    others = f" ({len(lacking) - 1} more users lack one)" if len(lacking) > 1 else ""
    raise StoreError(
        f"digest_algorithms: user {name} has no HA1 by {algorithm}{others}; give the password again: b2bua user add {name}"
    )
