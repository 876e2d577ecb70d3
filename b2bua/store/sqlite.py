"""The durable store: SQLite with a write-ahead log, users mirrored in memory, every access on the writer's thread."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from b2bua.log.events import Say, quiet
from b2bua.sip.digest_algorithms import DIGITS, MD5
from b2bua.store.claim import Claim
from b2bua.store.interface import Done, StoreError
from b2bua.store.promises import Promises
from b2bua.store.record_writes import RecordWrite, dropped, purge
from b2bua.store.records import BadRecord, BindingRecord, User, decode_binding, encode_binding
from b2bua.store.schema import look_into, open_database, version_of
from b2bua.store.writer import Defer, Post, Writer, at_once

MANY_DROPPED = 1000
"""Dropped records after which they are taken away: that reads the whole table."""

_HEX = re.compile(r"[0-9a-f]+")


class SqliteStore:
    """Users and bindings of one realm in the file `path`; see `Store` for what each method promises.

    `post` is the reactor's `call_soon_threadsafe`, `defer` its `callLater(0, …)`; `now` gives Unix seconds. The constructor
    raises StoreError.
    """

    durable = True

    def __init__(
        self, path: Path, realm: str, post: Post, now: Callable[[], float], monotonic: Callable[[], float] = time.monotonic,
        synchronous: str = "NORMAL", log: Say = quiet, defer: Defer = at_once,
    ) -> None:
        self._path = path
        self._realm = realm
        self._post = post
        self._now = now
        self._log = log
        self._claim: Claim | None = None
        self._generation = 0
        self._poll_waits = False
        self._dropped = 0
        """Records dropped since those were taken away."""
        self._watched: dict[str, Callable[[Sequence[tuple[str, str]]], None]] = {}
        self._seen_version = 0  # Writer's thread only.
        self._writer = Writer(open_database(path, synchronous), str(path), post, log, defer)
        self._promises = Promises(self._writer, str(path), post, monotonic, log)
        try:
            self._users = self._writer.run(self._load_users)
        except StoreError:
            self._writer.close()
            raise

    def claim(self) -> None:
        if self._claim is None:
            self._claim = Claim(self._path, self._realm)

    def user(self, name: str) -> User | None:
        return self._users.get(name)

    def users(self) -> Iterable[User]:
        return tuple(self._users.values())

    def put_users(self, users: Sequence[User]) -> None:
        """StoreError also for a user of another realm, whose HA1 could never match here."""
        if strangers := [user.name for user in users if user.realm != self._realm]:
            raise StoreError(f"{self._path}: user {strangers[0]} is not of the realm {self._realm}")
        changed = [user for user in users if self._users.get(user.name) != user]
        if not changed:
            return

        def write(database: sqlite3.Connection) -> None:
            for user in changed:
                # All of them: an H(A1) of the last password must not stay behind.
                database.execute("DELETE FROM users WHERE realm = ? AND name = ?", (user.realm, user.name))
                rows = [(user.realm, user.name, algorithm, ha1) for algorithm, ha1 in user.ha1s.items()]
                database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", rows)

        self._writer.run(write)
        self._generation += 1
        self._users |= {user.name: user for user in changed}

    def remove_user(self, name: str) -> bool:
        statement = "DELETE FROM users WHERE realm = ? AND name = ?"
        removed = self._writer.run(lambda database: database.execute(statement, (self._realm, name)).rowcount)
        self._generation += 1
        self._users.pop(name, None)
        return removed > 0

    def bindings(self) -> Iterable[BindingRecord]:
        return self._writer.run(self._load_bindings)

    def save_bindings(self, aor: str, records: Sequence[BindingRecord], done: Done) -> None:
        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM bindings WHERE realm = ? AND aor = ?", (self._realm, aor))
            for position, record in enumerate(records):
                row = (self._realm, aor, position, record.expires_at, encode_binding(record))
                database.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?)", row)

        self._promises.write(("binding", aor), write, done)

    def keep(self, kind: str, key: str, text: str, expires_at: float, done: Done | None = None) -> None:
        self._promises.write((kind, key), RecordWrite(self._realm, kind, key, expires_at, text), done)

    def drop(self, kind: str, key: str, done: Done | None = None) -> None:
        self._dropped += 1
        write = dropped(self._realm, kind, key)
        if done is None:
            self._promises.put_off((kind, key), write)
        else:
            self._promises.write((kind, key), write, done)

    def records(self, kind: str) -> Sequence[tuple[str, str]]:
        self._promises.flush()
        return self._writer.run(lambda database: self._load_records(database, kind))

    def set_aside(self, kind: str, key: str, reason: str) -> None:
        self._log("record_set_aside", path=str(self._path), kind=kind, key=key, reason=reason)
        row = (self._realm, kind, key)

        def move(database: sqlite3.Connection) -> None:
            here = "FROM records WHERE realm = ? AND kind = ? AND key = ?"
            copied = f"INSERT INTO records_set_aside SELECT realm, kind, key, record, ?, ? {here}"
            database.execute(copied, (reason, self._now(), *row))
            database.execute(f"DELETE {here}", row)

        self._promises.write((kind, key), move)

    def watch(self, kind: str, changed: Callable[[Sequence[tuple[str, str]]], None]) -> None:
        self._watched[kind] = changed

    def poll(self) -> None:
        """The change shows in `user` once the writer's thread has looked, a moment later."""
        self._promises.look()
        if self._dropped >= MANY_DROPPED and not self._promises.down:
            self._dropped = 0
            self._promises.write(("purge",), partial(purge, now=self._now()))
        if self._poll_waits:  # The disk hangs: one look at a time is enough.
            return
        self._poll_waits = True
        generation = self._generation
        found: list[dict[str, User]] = []
        records: dict[str, list[tuple[str, str]]] = {}
        kinds = tuple(self._watched)

        def look(database: sqlite3.Connection) -> None:
            if self._data_version(database) != self._seen_version:
                records.update({kind: self._read_records(database, kind) for kind in kinds})
                found.append(self._load_users(database))

        def looked(_error: StoreError | None) -> None:  # An error is in the writer's log already.
            self._poll_waits = False
            if found and generation == self._generation:
                self._users = found[0]
            for kind, rows in records.items():
                self._watched[kind](rows)

        self._writer.submit(look, looked, writes=False)

    @property
    def up(self) -> bool:
        return not (self._promises.down or self._writer.failing)

    @property
    def waiting(self) -> int:
        return self._writer.waiting

    def close(self) -> None:
        self._promises.close()
        self._writer.close()
        if self._claim is not None:  # behind the last write
            self._claim.close()
            self._claim = None

    def _data_version(self, database: sqlite3.Connection) -> int:
        """Changes when another connection commits, never for our own commits (https://www.sqlite.org/pragma.html)."""
        (version,) = database.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _load_users(self, database: sqlite3.Connection) -> dict[str, User]:
        self._seen_version = self._data_version(database)
        return load_users(database, self._path, self._realm)

    def _load_bindings(self, database: sqlite3.Connection) -> list[BindingRecord]:
        now = self._now()
        database.execute("DELETE FROM bindings WHERE realm = ? AND expires_at <= ?", (self._realm, now))
        # As bytes: text that is no UTF-8 would otherwise fail the whole query.
        rows = database.execute(
            "SELECT CAST(aor AS BLOB), position, CAST(record AS BLOB) FROM bindings"
            " WHERE realm = ? ORDER BY aor, position",
            (self._realm,),
        ).fetchall()
        records = []
        for aor, position, text in rows:
            try:
                record = decode_binding(text)
                if record.aor.encode() != aor:
                    raise BadRecord(f"the record is of {record.aor!r}")
                records.append(record)
            except (BadRecord, UnicodeError) as error:
                self._log("binding_set_aside", path=str(self._path), user=aor, reason=str(error))
                self._set_aside(database, aor, position, str(error))
        return [record for record in records if record.expires_at > now]

    def _load_records(self, database: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
        row = (self._realm, kind, self._now())
        database.execute("DELETE FROM records WHERE realm = ? AND kind = ? AND expires_at <= ?", row)
        return self._read_records(database, kind)

    def _read_records(self, database: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
        # As bytes: text that is no UTF-8 would otherwise fail the whole query.
        rows = database.execute(
            "SELECT CAST(key AS BLOB), CAST(record AS BLOB) FROM records WHERE realm = ? AND kind = ? AND expires_at > ?",
            (self._realm, kind, self._now()),
        ).fetchall()
        return [(key.decode("utf-8", "replace"), text.decode("utf-8", "replace")) for key, text in rows]

    def _set_aside(self, database: sqlite3.Connection, aor: bytes, position: int, reason: str) -> None:
        """Move a row out of the way, as it is, for whoever wants to look into it."""
        here = "FROM bindings WHERE realm = ? AND CAST(aor AS BLOB) = ? AND position = ?"
        row = (self._realm, aor, position)
        database.execute(f"INSERT INTO set_aside SELECT realm, aor, record, ?, ? {here}", (reason, self._now(), *row))
        database.execute(f"DELETE {here}", row)


def load_users(database: sqlite3.Connection, path: Path, realm: str, log: Say = quiet) -> dict[str, User]:
    """The users of a realm by name; a bad row is passed over with a line in the log."""
    found: dict[str, dict[str, str]] = {}
    for name, algorithm, ha1 in database.execute("SELECT name, algorithm, ha1 FROM users WHERE realm = ?", (realm,)):
        if isinstance(name, str) and isinstance(ha1, str) and len(ha1) == DIGITS.get(algorithm, 0) and _HEX.fullmatch(ha1):
            found.setdefault(name, {})[algorithm] = ha1
        else:
            log("user_ignored", path=str(path), user=name)
    return {name: User(name, realm, ha1s) for name, ha1s in found.items()}


def peek_database(path: Path, realm: str) -> dict[str, User]:
    """The users in a database as it stands, without changing it; none when there is no file. StoreError as on opening."""
    if not path.exists():
        return {}
    try:
        with closing(look_into(path)) as database:
            version = version_of(database, path)
            if version == 1:
                rows = database.execute("SELECT name, ha1_md5 FROM users WHERE realm = ?", (realm,))
                return {name: User(name, realm, {MD5: ha1}) for name, ha1 in rows}
            return load_users(database, path, realm) if version else {}
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from None
