"""A damaged database at the start: set aside as it is, what can still be read taken over into a new one, and the server starts.

Only a file that says in its header that it is ours is touched; anything else is refused as before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from b2bua.store.interface import StoreError
from b2bua.store.schema import APPLICATION_ID, SCHEMA_VERSION, open_database

_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_AT: Final = 68
"""Where the application's number stands in the file (sqlite.org/fileformat2.html §1.3)."""
_COLUMNS: Final = {"users": 4, "bindings": 5, "records": 5}
"""Table → its columns, of those that are taken over."""


class Damage(NamedTuple):
    """What was found and done."""

    kept: Path
    """Where the damaged file lies now, its log beside it."""
    verdict: str
    """What SQLite says is wrong with it."""
    saved: int
    """Rows that were taken over."""


def mend(path: Path, stamp: str) -> Damage | None:
    """Look the database at `path` over, before anybody opens it; None when there is none, or nothing wrong with it.

    `stamp` goes behind the name of the damaged file. StoreError when it cannot be set aside.
    """
    if not _is_ours(path):
        return None
    verdict = _verdict(path)
    if not verdict:
        return None
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        if kept.exists():
            raise StoreError(f"{kept}: File exists")
        for suffix in ("", "-wal", "-shm"):
            file = path.with_name(path.name + suffix)
            if file.exists():
                file.rename(f"{kept}{suffix}")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return Damage(kept, verdict, _take_over(kept, path))


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError:
        return False
    number = head[_APPLICATION_AT : _APPLICATION_AT + 4]
    return head.startswith(_MAGIC) and number == APPLICATION_ID.to_bytes(4, "big")


def _verdict(path: Path) -> str:
    """What is wrong, in one line; "" for nothing, and for what is no damage: opening it will say that."""
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as database:
            (version,) = database.execute("SELECT max(version) FROM schema").fetchone()
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        return "" if "no such table" not in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    if not isinstance(version, int):
        return "the schema version is missing"
    return "" if verdict == "ok" else str(verdict).splitlines()[0]


def _take_over(kept: Path, path: Path) -> int:
    """Make a new database and copy into it what can be read of the old one."""
    saved = 0
    with closing(open_database(path)) as new, closing(sqlite3.connect(kept, timeout=1.0)) as old:
        if not _same_schema(old):
            return 0
        for table, columns in _COLUMNS.items():
            into = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * columns)})"
            for row in _rows(old, table):
                saved += new.execute(into, row).rowcount
    return saved


def _same_schema(old: sqlite3.Connection) -> bool:
    """Whether its tables are today's: an older database that is damaged as well is not converted."""
    try:
        (version,) = old.execute("SELECT max(version) FROM schema").fetchone()
        return bool(version == SCHEMA_VERSION)
    except sqlite3.Error:
        return True  # the page of the version itself is gone: rows that do not fit are not readable either


def _rows(old: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """From both ends up to the damage, so that one bad page does not hide all behind it."""
    for order in ("ASC", "DESC"):
        try:
            yield from old.execute(f"SELECT * FROM {table} ORDER BY 1 {order}, 2 {order}, 3 {order}")
        except sqlite3.Error:
            continue
