"""The trace on disk: a SQLite file of its own, mode 0600, that holds messages for a given time and up to a given size.

Rows are plain values: whoever writes and reads them (trace/kept.py) knows what they mean. Not for two threads at once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from b2bua.log.events import Say, quiet

Row = tuple[float, str, str, str, str, bytes, str, str, str]
"""Time, direction, transport, peer (two values), bytes, call, Call-ID, decisions as JSON."""
Name = tuple[str, str, int, int]
"""Name, host, port, whether it is an element."""

VERSION: Final = 1
MOST_READ: Final = 100_000
"""Rows of one reading, the newest."""
_TABLES: Final = """
CREATE TABLE messages (time REAL, direction TEXT, transport TEXT, peer TEXT, other TEXT, data BLOB, call TEXT, call_id TEXT,
                       why TEXT);
CREATE INDEX by_time ON messages (time);
CREATE TABLE names (name TEXT, host TEXT, port INTEGER, element INTEGER, PRIMARY KEY (name, host, port));
"""


class TraceFile:
    """Opened at once: OSError or sqlite3.Error when that cannot be. A file that is none of ours is set aside, not overwritten."""

    def __init__(self, path: Path, most_bytes: int, log: Say = quiet) -> None:
        self._most_bytes = most_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _opened(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, or no room: nothing is wrong with the file
                raise
            aside = path.with_name(f"{path.name}.damaged")
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
            log("trace_file_damaged", path=str(path), aside=str(aside), reason=str(error))
            self._database = _opened(path)

    def append(self, rows: Sequence[Row], names: Sequence[Name]) -> None:
        """One transaction; sqlite3.Error leaves nothing of it."""
        with self._database:
            self._database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._database.executemany("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)", names)

    def forget_before(self, time: float) -> None:
        """What is older goes; and of the rest, where it has too many octets, the oldest tenth."""
        with self._database:
            self._database.execute("DELETE FROM messages WHERE time < ?", (time,))
        if self.octets() > self._most_bytes:
            with self._database:
                oldest = "SELECT rowid FROM messages ORDER BY rowid LIMIT (SELECT count(*) / 10 + 1 FROM messages)"
                self._database.execute(f"DELETE FROM messages WHERE rowid IN ({oldest})")

    def octets(self) -> int:
        """What is in use of the file; what was freed in it is used again."""
        size, pages, free = (
            self._database.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_size", "page_count", "freelist_count")
        )
        return int(size * (pages - free))

    def read(self, since: float) -> tuple[list[Row], list[Name]]:
        """What is from this time on, oldest first, and all names."""
        newest = "SELECT * FROM messages WHERE time >= ? ORDER BY rowid DESC LIMIT ?"
        rows = self._database.execute(newest, (since, MOST_READ)).fetchall()[::-1]
        return rows, self._database.execute("SELECT * FROM names").fetchall()

    def close(self) -> None:
        self._database.close()


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    database = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")  # it is no promise to anybody: what a power cut takes is lost
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            database.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"not a kept trace of version {VERSION}")
    except sqlite3.Error:
        database.close()
        raise
    return database
