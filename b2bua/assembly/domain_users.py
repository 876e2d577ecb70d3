"""The users of the domain as the API lists and changes them: what `b2bua user` does, at a running server."""

from __future__ import annotations

from typing import Any

from b2bua.assembly.settings_parts import digest_offer
from b2bua.config.settings import Settings
from b2bua.feature_server.user_settings import UserSettings
from b2bua.store.file_users import FileUsers
from b2bua.store.interface import Store
from b2bua.store.users_file import make_user


class NotOurs(Exception):
    """A user of the settings' file, which is read again with every reload: it is changed there."""


class DomainUsers:
    """Of one server. Changing one returns after the commit; StoreError when the store takes nothing."""

    def __init__(self, settings: Settings, store: Store, file_users: FileUsers, users: UserSettings | None) -> None:
        """`users`: what they have set, where a feature server of this process goes by it."""
        self._settings = settings
        self._store = store
        self._file_users = file_users
        self._users = users

    def list(self) -> list[dict[str, Any]]:
        """By name, without anything that is as good as a password."""
        settings = self._users
        return [
            {"name": user.name, "algorithms": sorted(user.ha1s), "settings": {} if settings is None else settings.of(user.name)}
            for user in sorted(self._store.users(), key=lambda one: one.name)
        ]

    def put(self, name: str, password: str) -> None:
        """Add a user, or change one's password. ValueError for what is no name or no password, NotOurs."""
        self._check(name)
        settings = self._settings
        self._store.put_users([make_user(name, settings.domain, password, digest_offer(settings).of(name))])

    def remove(self, name: str) -> bool:
        """Remove a user and what he has set; False if there was none. NotOurs."""
        self._check(name)
        if not self._store.remove_user(name):
            return False
        if (settings := self._users) is not None:
            for key in settings.of(name):
                settings.put(name, key, "")
        return True

    def _check(self, name: str) -> None:
        if self._file_users.holds(name):
            raise NotOurs(f"user {name} stands in {self._settings.users}, which counts with each reload: change it there")
