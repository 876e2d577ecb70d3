"""From the setting `store` to a store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from b2bua.log.events import Say, quiet
from b2bua.store.damage import Damage, mend
from b2bua.store.interface import Store, StoreError
from b2bua.store.memory import MemoryStore
from b2bua.store.records import User
from b2bua.store.sqlite import SqliteStore, peek_database
from b2bua.store.writer import Defer, Post, at_once

SYNCHRONOUS: Final = {"process": "NORMAL", "power": "FULL"}
"""The setting `durability` → what SQLite calls it."""


def open_store(
    url: str, realm: str, call_soon_threadsafe: Post, now: Callable[[], float] = time.time, durability: str = "process",
    log: Say = quiet, defer: Defer = at_once,
) -> Store:
    """Open `memory:` or `sqlite:PATH`; StoreError in one line when that fails.

    `call_soon_threadsafe(function, *arguments)` runs a function later on the caller's thread, where `done` is called;
    `defer(function)` runs one when that thread's turn ends.
    """
    if url == "memory:":
        return MemoryStore(now)
    if url.startswith("sqlite:"):
        safe = SYNCHRONOUS[durability]
        return SqliteStore(database_path(url), realm, call_soon_threadsafe, now, synchronous=safe, log=log, defer=defer)
    raise _unsupported(url)


def mend_store(url: str, stamp: str) -> Damage | None:
    """Before a server opens its store: what was wrong with it and done about it; None for nothing. StoreError as below."""
    return mend(database_path(url), stamp) if url.startswith("sqlite:") else None


def open_mended(
    url: str, realm: str, call_soon_threadsafe: Post, durability: str, log: Say, defer: Defer,
    now: Callable[[], float] = time.time,
) -> Store:
    """As `open_store`, for who runs: a damaged database is set aside first, with a line in `log`."""
    damage = mend_store(url, time.strftime("%Y%m%dT%H%M%S"))
    if damage is not None:
        found = {"path": str(damage.kept), "reason": damage.verdict, "rows_taken_over": damage.saved}
        log("database_damaged", **found)
    return open_store(url, realm, call_soon_threadsafe, now, durability, log, defer)


def peek_users(url: str, realm: str) -> dict[str, User]:
    """The users in the store that `open_store` would open, which is left as it is; StoreError as there."""
    if url == "memory:":
        return {}
    if url.startswith("sqlite:"):
        return peek_database(database_path(url), realm)
    raise _unsupported(url)


def _unsupported(url: str) -> StoreError:
    return StoreError(f"store: {without_password(url)} is not supported; supported: memory:, sqlite:PATH")


def database_path(url: str) -> Path:
    """The file of a `sqlite:PATH`; StoreError when there is no path."""
    path = url.removeprefix("sqlite:")
    if not path or path.startswith(":"):
        raise StoreError(f"store: {url!r} names no file; write sqlite:PATH")
    return Path(path).expanduser()


def without_password(url: str) -> str:
    """A store's URL for messages: `redis://user:secret@host` loses its credentials."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if slashes else url
