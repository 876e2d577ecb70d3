"""Writes of records, many in one statement: what a thread pays beside a busy reactor is not the disk but Python's lock, which
it gives up and must win back around each step of a statement. So a group of writes is one step, and needs no BEGIN.

A record that is dropped becomes an empty one that has expired; `purge` takes those away now and then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

ROWS: Final = 32
"""Most rows in one statement: as many statements are prepared once and kept."""
DROPPED_AT: Final = 0.0
"""When a dropped record has expired, in Unix seconds."""

_STATEMENTS: Final = tuple(
    "INSERT OR REPLACE INTO records VALUES " + ", ".join(["(?, ?, ?, ?, ?)"] * rows) for rows in range(ROWS + 1)
)


class RecordWrite:
    """A row of the table `records`; a job of the writer."""

    __slots__ = ("row",)

    def __init__(self, realm: str, kind: str, key: str, expires_at: float, text: str) -> None:
        self.row = (realm, kind, key, expires_at, text)

    def __call__(self, database: sqlite3.Connection) -> object:
        return database.execute(_STATEMENTS[1], self.row)


def dropped(realm: str, kind: str, key: str) -> RecordWrite:
    """The write after which there is no such record."""
    return RecordWrite(realm, kind, key, DROPPED_AT, "")


def write_all(database: sqlite3.Connection, writes: Sequence[RecordWrite]) -> None:
    """Write them in order, a later one of the same key over an earlier. Within `ROWS` it is one statement, and so atomic."""
    for start in range(0, len(writes), ROWS):
        rows = writes[start : start + ROWS]
        database.execute(_STATEMENTS[len(rows)], [value for write in rows for value in write.row])


def purge(database: sqlite3.Connection, now: float) -> object:
    """Take away what has expired."""
    return database.execute("DELETE FROM records WHERE expires_at <= ?", (now,))
