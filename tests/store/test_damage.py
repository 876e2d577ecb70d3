"""A database with pages that cannot be read: the file stays for whoever looks into it, what is readable goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random

import pytest

from b2bua.store.damage import mend
from b2bua.store.interface import StoreError
from b2bua.store.records import User
from tests.store.conftest import NOW, REALM

USERS = 400


@pytest.fixture
def database(open_sqlite, tmp_path):
    """The path of a database with users and records over many pages, closed."""
    store = open_sqlite()
    store.put_users([User(f"{6001 + number}", REALM, {"MD5": f"{number:032x}"}) for number in range(USERS)])
    for number in range(USERS):
        store.keep("call", f"c{number}", "x" * 300, NOW + 60)
    store.close()
    path = tmp_path / "var" / "b2bua.db"
    with closing(sqlite3.connect(path)) as whole:
        assert whole.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    return path


def spoil(path, pages):
    content = bytearray(path.read_bytes())
    for page in pages:
        content[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def test_a_sound_database_is_left_alone(database):
    before = database.read_bytes()
    assert mend(database, "now") is None
    assert database.read_bytes() == before and [file.name for file in database.parent.iterdir()] == ["b2bua.db"]


def test_nothing_there_is_no_damage(tmp_path):
    assert mend(tmp_path / "b2bua.db", "now") is None
    (tmp_path / "empty.db").touch()
    assert mend(tmp_path / "empty.db", "now") is None


def test_another_file_is_never_touched(tmp_path, database):
    notes = tmp_path / "notes.txt"
    notes.write_text("SQLite format 3 is what I read about\n" * 100)
    assert mend(notes, "now") is None and notes.exists()
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE things (name TEXT)")
    spoil(other, [1])
    assert mend(other, "now") is None and other.exists()


def test_what_can_be_read_is_taken_over(database, open_sqlite):
    pages = database.stat().st_size // 4096
    for seed in range(30):
        spoiled = database.parent / f"spoiled{seed}.db"
        spoiled.write_bytes(database.read_bytes())
        spoil(spoiled, [Random(seed).randrange(1, pages)])
        before = spoiled.read_bytes()
        damage = mend(spoiled, "now")
        assert damage is not None and damage.verdict, seed
        assert damage.kept.read_bytes() == before and damage.kept.name == f"spoiled{seed}.db.damaged-now"
        store = open_sqlite(spoiled)
        users, calls = len(list(store.users())), len(store.records("call"))
        assert damage.saved >= users + calls  # the two leaves that hold the users, or the calls
        assert max(users, calls) == USERS, (seed, users, calls)  # one page is of one table
        store.keep("call", "new", "text", NOW + 60)
        store.close()
        assert mend(spoiled, "later") is None
        assert spoiled.stat().st_mode & 0o077 == 0


def test_a_database_without_its_root_pages_starts_empty(database, open_sqlite):
    spoil(database, range(1, database.stat().st_size // 4096))
    damage = mend(database, "now")
    assert damage is not None and damage.saved == 0
    assert list(open_sqlite(database).users()) == []


def test_a_cut_file(database, open_sqlite):
    database.write_bytes(database.read_bytes()[: 4096 * 3 + 100])
    assert mend(database, "now") is not None
    open_sqlite(database).close()


def test_its_place_is_taken(database):
    spoil(database, [5])
    (database.parent / "b2bua.db.damaged-now").touch()
    with pytest.raises(StoreError, match="File exists"):
        mend(database, "now")
