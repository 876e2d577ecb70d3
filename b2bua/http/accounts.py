"""The accounts of console and API as the store has them: users with a password, programs with a token."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import TypeVar

from b2bua.http.grants import Grant
from b2bua.http.routes import Role
from b2bua.log.events import Say
from b2bua.store.console_user_record import CONSOLE_USER_VERSION, ConsoleUserRecord
from b2bua.store.record_text import decode_record
from b2bua.store.records import BadRecord
from b2bua.store.token_record import TOKEN_VERSION, TokenRecord, token_hash

_Account = TypeVar("_Account", ConsoleUserRecord, TokenRecord)


class Accounts:
    """`changed(name)` hears of each user whose account is another now, or gone; `on()` when the first account is there.

    As soon as there is one, nobody gets in without. A record that cannot be read opens nothing, and keeps the door shut.
    """

    def __init__(self, changed: Callable[[str], None], on: Callable[[], None], log: Say) -> None:
        self._changed = changed
        self._on = on
        self._log = log
        self._users: dict[str, ConsoleUserRecord] = {}
        self._tokens: dict[str, tuple[TokenRecord, Grant]] = {}
        self._owner: tuple[str, Grant] | None = None
        self._rows = {"users": 0, "tokens": 0}

    @property
    def needed(self) -> bool:
        """Whether who asks has to say who he is."""
        return any(self._rows.values())

    def user(self, name: str) -> ConsoleUserRecord | None:
        """The account of this name."""
        return self._users.get(name)

    def of_token(self, token: str) -> Grant | None:
        """Whose token this is."""
        if self._owner is not None and hmac.compare_digest(self._owner[0].encode(), token.encode("utf-8", "surrogatepass")):
            return self._owner[1]
        found = self._tokens.get(token_hash(token))
        return None if found is None else found[1]

    @property
    def owner_token(self) -> str:
        """What `take_owner` was told; "" before."""
        return "" if self._owner is None else self._owner[0]

    def take_owner(self, token: str) -> None:
        """The token that who owns the server's files finds among them."""
        self._owner = token, Grant("owner", Role.OPERATOR)

    def take_users(self, rows: Iterable[tuple[str, str]]) -> None:
        """All users, as the store has them now."""
        read = {one.name: one for one in self._read("users", rows, ConsoleUserRecord, CONSOLE_USER_VERSION)}
        before, self._users = self._users, read
        for name, account in before.items():
            if read.get(name) != account:
                self._changed(name)

    def take_tokens(self, rows: Iterable[tuple[str, str]]) -> None:
        """All tokens, as the store has them now; what a token that is gone was reading ends."""
        before, self._tokens = self._tokens, {}
        for one in self._read("tokens", rows, TokenRecord, TOKEN_VERSION):
            known = before.get(one.hash)
            if known is not None and known[0] == one:
                self._tokens[one.hash] = before.pop(one.hash)
            else:
                self._tokens[one.hash] = one, Grant(one.name, Role(one.role))
        for _, grant in before.values():
            grant.end()

    def _read(self, what: str, rows: Iterable[tuple[str, str]], kind: type[_Account], version: int) -> list[_Account]:
        rows, was_needed = list(rows), self.needed
        self._rows[what] = len(rows)
        if self.needed and not was_needed:
            self._on()
        found = []
        for key, text in rows:
            try:
                found.append(_decoded(key, text, kind, version))
            except BadRecord as error:
                self._log("account_unreadable", kind=what, name=key, reason=str(error))
        return found


def _decoded(key: str, text: str, kind: type[_Account], version: int) -> _Account:
    record: _Account = decode_record(text, kind, version)
    if record.name != key:
        raise BadRecord(f"the record is of {record.name!r}")
    return record


