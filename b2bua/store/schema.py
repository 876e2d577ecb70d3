"""Opening the database file: its mode, its journal, and whether it is ours and not from a newer program."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from b2bua.store.interface import StoreError

APPLICATION_ID: Final = 0x62326275
"""`b2bu` in the file's header (sqlite.org/fileformat2.html §1.3.14): another program's database is refused."""

SCHEMA_VERSION: Final = 3

BUSY_SECONDS: Final = 5.0
"""How long to wait for another process's write (`b2bua user add`), which takes milliseconds."""

_TABLES: Final = (
    "CREATE TABLE schema (version INTEGER NOT NULL)",
    "CREATE TABLE users (realm TEXT NOT NULL, name TEXT NOT NULL, algorithm TEXT NOT NULL, ha1 TEXT NOT NULL,"
    " PRIMARY KEY (realm, name, algorithm)) WITHOUT ROWID",
    "CREATE TABLE bindings (realm TEXT NOT NULL, aor TEXT NOT NULL, position INTEGER NOT NULL, expires_at REAL"
    " NOT NULL, record TEXT NOT NULL, PRIMARY KEY (realm, aor, position)) WITHOUT ROWID",
    "CREATE TABLE set_aside (realm TEXT, aor TEXT, record TEXT, reason TEXT NOT NULL, at REAL NOT NULL)",
    "CREATE TABLE records (realm TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, expires_at REAL NOT NULL,"
    " record TEXT NOT NULL, PRIMARY KEY (realm, kind, key)) WITHOUT ROWID",
    "CREATE TABLE records_set_aside (realm TEXT, kind TEXT, key TEXT, record TEXT, reason TEXT NOT NULL, at REAL NOT NULL)",
)

_MIGRATIONS: Final = {
    # Version 1 had MD5 alone: a column of its own in the row of the user.
    1: (
        "ALTER TABLE users RENAME TO users_of_1",
        _TABLES[1],
        "INSERT INTO users SELECT realm, name, 'MD5', ha1_md5 FROM users_of_1",
        "DROP TABLE users_of_1",
    ),
    # Version 2 had users and bindings alone.
    2: (_TABLES[4], _TABLES[5]),
}
"""Version → what makes the next one of it. All that lie before ours run in one transaction with the new version."""


def open_database(path: Path, synchronous: str = "NORMAL") -> sqlite3.Connection:
    """A connection in autocommit mode that may change threads; the file and its directory are made when missing.

    `synchronous`: NORMAL survives the death of the process, while a power cut may take the last commits; with FULL each
    commit waits until the disk has it (sqlite.org/pragma.html#pragma_synchronous).

    StoreError in one line when the file cannot be used. Mode 0600, as HA1s are as good as passwords.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.exists() and file.stat().st_mode & 0o077:
                file.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    try:
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
    try:
        _prepare(database, path, synchronous)
    except sqlite3.Error as error:
        database.close()
        raise StoreError(f"{path}: {error}") from None
    except StoreError:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path, synchronous: str) -> None:
    """Check before the first change: a file that is not ours stays as it was."""
    version_of(database, path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(database, path)  # Once more under the lock: two processes may start at the same time.
        if not version:
            for statement in _TABLES:
                database.execute(statement)
            database.execute("INSERT INTO schema VALUES (?)", (SCHEMA_VERSION,))
            database.execute(f"PRAGMA application_id={APPLICATION_ID}")
        elif version < SCHEMA_VERSION:
            for older in range(version, SCHEMA_VERSION):
                for statement in _MIGRATIONS[older]:
                    database.execute(statement)
            database.execute("UPDATE schema SET version = ?", (SCHEMA_VERSION,))
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def look_into(path: Path) -> sqlite3.Connection:
    """A connection to a database that exists, which it does not change; sqlite3.Error when that cannot be."""
    # A log beside it: somebody has it open, and we read along. None: not even the files of a reader shall be left behind.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS)


def integrity_of(path: Path) -> str:
    """What SQLite finds wrong with the database at `path`, "" for nothing; StoreError when it is none of ours."""
    try:
        with closing(look_into(path)) as database:
            version_of(database, path)
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
    return "" if verdict == "ok" else str(verdict)


def version_of(database: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for an empty database; StoreError for another program's or a newer one."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: a database of another program")
    row = database.execute("SELECT max(version) FROM schema").fetchone()
    version = row[0]
    if not isinstance(version, int) or version < 1:
        raise StoreError(f"{path}: the schema version is missing")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{path}: schema version {version} is newer than this program's {SCHEMA_VERSION}")
    return version
