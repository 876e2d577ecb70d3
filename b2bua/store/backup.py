"""A copy of the database while a server uses it, and back again while none does."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from b2bua.store.console_user_record import CONSOLE_USER
from b2bua.store.interface import StoreError
from b2bua.store.mailbox_record import MAILBOX
from b2bua.store.schema import BUSY_SECONDS, version_of
from b2bua.store.secret_record import SECRET
from b2bua.store.setting_record import SETTING
from b2bua.store.token_record import TOKEN

_LASTING: Final = (SECRET, SETTING, MAILBOX, CONSOLE_USER, TOKEN)
"""Kinds of records that somebody chose, or that phones hold something of: as good in an old copy as users are.
Without its accounts a server would be open to its whole machine."""


def back_up(path: Path, target: Path) -> None:
    """Copy the database at `path` as it stands at one moment to the new file `target`, mode 0600: it holds HA1s.

    StoreError when there is no database, when `target` exists, or when the copy fails; then nothing is left of it.
    """
    with closing(_open(path, "ro")) as source:
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StoreError(f"{target}: {error.strerror}") from None
        try:
            with closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole in itself
            _sync(target)
        except (sqlite3.Error, OSError) as error:
            target.unlink(missing_ok=True)
            raise StoreError(f"{target}: {error}") from None


def restore(backup: Path, path: Path, stamp: str) -> Path | None:
    """Put a copy in the place of the database at `path`; the old one is kept as `PATH.STAMP`, which is returned.

    StoreError, and nothing has changed, when the copy is damaged, another program's or from a newer version, or while a
    server or a command has the database open.
    """
    with closing(_open(backup, "ro")) as database:
        try:
            (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{backup}: {error}") from None
    if verdict != "ok":
        raise StoreError(f"{backup}: damaged: {verdict}")
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        shutil.copyfile(backup, draft)
        _forget_what_went_on(draft)
        _sync(draft)
        kept = _set_aside(path, stamp)
        draft.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    finally:
        draft.unlink(missing_ok=True)
    return kept


def _open(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to a database of ours that exists; StoreError otherwise."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
    try:
        version = version_of(database, path)
        if not version:
            raise StoreError(f"{path}: an empty database")
    except sqlite3.Error as error:
        database.close()
        raise StoreError(f"{path}: {error}") from None
    except StoreError:
        database.close()
        raise
    return database


def _set_aside(path: Path, stamp: str) -> Path | None:
    """Give the old database another name, its write-ahead log taken in; None when there was none. StoreError while it is
    open elsewhere: only its last user can leave the write-ahead log (sqlite.org/pragma.html#pragma_journal_mode)."""
    if not path.exists():
        return None
    kept = path.with_name(f"{path.name}.{stamp}")
    if kept.exists():
        raise StoreError(f"{kept}: File exists")
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
            if database.execute("PRAGMA journal_mode=DELETE").fetchone() != ("delete",):
                raise StoreError(f"{path}: in use; stop the server first")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise StoreError(f"{path}: in use; stop the server first") from None
        raise StoreError(f"{path}: {error}") from None
    except sqlite3.DatabaseError:
        # Damaged: the very reason to restore. It is kept as it is, with its logs.
        for suffix in ("-wal", "-shm"):
            log = path.with_name(path.name + suffix)
            if log.exists():
                log.rename(f"{kept}{suffix}")
    path.rename(kept)
    return kept


def _forget_what_went_on(path: Path) -> None:
    """Of an old copy calls, subscriptions and publications would come back that nobody knows any more, with numbers that are
    too low; what was chosen stays, and the secret, for it belongs to what phones hold of ours."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'records'").fetchone():
            places = ", ".join("?" * len(_LASTING))
            database.execute(f"DELETE FROM records WHERE kind NOT IN ({places})", _LASTING)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
