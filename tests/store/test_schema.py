"""A database of the earlier version: converted on opening, and left alone by a mere look."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from b2bua.store.interface import StoreError
from b2bua.store.opening import peek_users
from b2bua.store.records import User, encode_binding
from b2bua.store.schema import APPLICATION_ID, SCHEMA_VERSION
from tests.store.conftest import NOW, REALM

VERSION_1 = (
    "CREATE TABLE schema (version INTEGER NOT NULL)",
    "CREATE TABLE users (realm TEXT NOT NULL, name TEXT NOT NULL, ha1_md5 TEXT NOT NULL, PRIMARY KEY (realm, name))"
    " WITHOUT ROWID",
    "CREATE TABLE bindings (realm TEXT NOT NULL, aor TEXT NOT NULL, position INTEGER NOT NULL, expires_at REAL"
    " NOT NULL, record TEXT NOT NULL, PRIMARY KEY (realm, aor, position)) WITHOUT ROWID",
    "CREATE TABLE set_aside (realm TEXT, aor TEXT, record TEXT, reason TEXT NOT NULL, at REAL NOT NULL)",
    "INSERT INTO schema VALUES (1)",
    f"PRAGMA application_id={APPLICATION_ID}",
    "PRAGMA journal_mode=WAL",
)
"""As that version made it."""

VERSION_2 = (
    VERSION_1[0],
    "CREATE TABLE users (realm TEXT NOT NULL, name TEXT NOT NULL, algorithm TEXT NOT NULL, ha1 TEXT NOT NULL,"
    " PRIMARY KEY (realm, name, algorithm)) WITHOUT ROWID",
    *VERSION_1[2:4],
    "INSERT INTO schema VALUES (2)",
    *VERSION_1[5:],
)


@pytest.fixture
def earlier(tmp_path, binding):
    """A database of version 1 with two users, one of them of another realm, and a binding."""
    path = tmp_path / "var" / "b2bua.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in VERSION_1:
            database.execute(statement)
        for realm, name, digit in ((REALM, "6001", "1"), ("other.example.com", "6001", "2")):
            database.execute("INSERT INTO users VALUES (?, ?, ?)", (realm, name, digit * 32))
        row = (REALM, "6001", 0, NOW + 60, encode_binding(binding()))
        database.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?)", row)
    return path


def version_in(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT version FROM schema").fetchall()


def test_an_earlier_database_keeps_its_users_and_bindings(open_sqlite, earlier, binding):
    store = open_sqlite(earlier)
    assert list(store.users()) == [User("6001", REALM, {"MD5": "1" * 32})]
    assert list(store.bindings()) == [binding()]
    store.close()
    assert version_in(earlier) == [(SCHEMA_VERSION,)]
    other = open_sqlite(earlier, realm="other.example.com")
    assert list(other.users()) == [User("6001", "other.example.com", {"MD5": "2" * 32})]
    with closing(sqlite3.connect(earlier)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"schema", "users", "bindings", "set_aside", "records", "records_set_aside"}


def test_a_database_of_version_2_keeps_all_that_it_has(open_sqlite, tmp_path, binding):
    path = tmp_path / "b2bua.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in VERSION_2:
            database.execute(statement)
        database.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (REALM, "6001", "SHA-256", "3" * 64))
        row = (REALM, "6001", 0, NOW + 60, encode_binding(binding()))
        database.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?)", row)
    store = open_sqlite(path)
    assert list(store.users()) == [User("6001", REALM, {"SHA-256": "3" * 64})]
    assert list(store.bindings()) == [binding()]
    store.keep("call", "c1", "text", NOW + 60)
    store.close()
    assert version_in(path) == [(SCHEMA_VERSION,)]
    assert open_sqlite(path).records("call") == [("c1", "text")]


def test_a_converted_database_takes_stronger_ha1s(open_sqlite, earlier):
    store = open_sqlite(earlier)
    changed = User("6001", REALM, {"SHA-256": "3" * 64, "MD5": "4" * 32})
    store.put_users([changed])
    store.close()
    assert list(open_sqlite(earlier).users()) == [changed]


def test_a_conversion_that_fails_leaves_the_earlier_one(open_sqlite, earlier):
    with closing(sqlite3.connect(earlier, isolation_level=None)) as database:
        database.execute("CREATE TABLE users_of_1 (name TEXT)")
    with pytest.raises(StoreError, match="users_of_1"):
        open_sqlite(earlier)
    assert version_in(earlier) == [(1,)]
    assert list(peek_users(f"sqlite:{earlier}", REALM)) == ["6001"]


def test_a_look_changes_nothing(open_sqlite, earlier, tmp_path):
    assert peek_users(f"sqlite:{earlier}", REALM) == {"6001": User("6001", REALM, {"MD5": "1" * 32})}
    assert version_in(earlier) == [(1,)]
    open_sqlite(earlier).put_users([User("6002", REALM, {"SHA-256": "5" * 64})])
    assert sorted(peek_users(f"sqlite:{earlier}", REALM)) == ["6001", "6002"]
    assert peek_users(f"sqlite:{tmp_path}/nowhere/b2bua.db", REALM) == {}
    assert not (tmp_path / "nowhere").exists()
    assert peek_users("memory:", REALM) == {}


def test_a_look_at_what_is_no_store_is_one_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to have a header\n" * 100)
    with pytest.raises(StoreError, match=r"notes\.txt: file is not a database"):
        peek_users(f"sqlite:{path}", REALM)
    with pytest.raises(StoreError, match="is not supported"):
        peek_users("redis://192.0.2.1", REALM)
