from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.store.interface import Store, StoreError
from b2bua.store.memory import MemoryStore
from b2bua.store.opening import database_path, open_store
from b2bua.store.sqlite import SqliteStore


def post(function, *arguments):
    function(*arguments)


def test_memory():
    store: Store = open_store("memory:", "example.com", post)
    assert isinstance(store, MemoryStore)


def test_sqlite(tmp_path):
    store: Store = open_store(f"sqlite:{tmp_path}/b2bua.db", "example.com", post)
    assert isinstance(store, SqliteStore)
    store.close()


@pytest.mark.parametrize("url", ["", "memory", "memory:x", "postgres:x", "sqlite", "sqlite:", "sqlite::memory:"])
def test_what_is_no_store_is_refused(url):
    with pytest.raises(StoreError) as caught:
        open_store(url, "example.com", post)
    assert "\n" not in str(caught.value)


def test_a_password_in_the_url_is_not_shown():
    with pytest.raises(StoreError) as caught:
        open_store("redis://user:secret@192.0.2.1:6379/0", "example.com", post)
    assert str(caught.value) == "store: redis://192.0.2.1:6379/0 is not supported; supported: memory:, sqlite:PATH"


def test_the_path_of_a_database():
    assert database_path("sqlite:var/b2bua.db") == Path("var/b2bua.db")
    assert database_path("sqlite:/srv/b2bua.db") == Path("/srv/b2bua.db")


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_what_is_acknowledged_survives_what_was_asked_for(tmp_path, durability, synchronous):
    """1 is NORMAL, 2 is FULL: each commit is on the disk before it counts (sqlite.org/pragma.html#pragma_synchronous)."""
    store = open_store(f"sqlite:{tmp_path}/b2bua.db", "example.com", post, durability=durability)
    assert isinstance(store, SqliteStore)
    assert store._writer.run(lambda database: database.execute("PRAGMA synchronous").fetchone()) == (synchronous,)
    store.close()
