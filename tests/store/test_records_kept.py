"""Records of any kind: kept by key, gone when dropped or expired, set aside when nobody understands them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from b2bua.store.interface import StoreError
from b2bua.store.memory import MemoryStore
from tests.store.conftest import NOW


def test_a_record_outlives_the_store_until_it_is_dropped(open_sqlite, reactor):
    store = open_sqlite()
    heard = []
    store.keep("call", "c1", "one", NOW + 60)
    store.keep("call", "c1", "two", NOW + 60, heard.append)
    store.keep("call", "c2", "three", NOW + 60, heard.append)
    store.keep("other", "c1", "four", NOW + 60, heard.append)
    store.drop("call", "c2", heard.append)
    store.drop("call", "never there", heard.append)
    store.close()
    while not reactor.idle():
        reactor.turn()
    assert heard == [None] * 5
    again = open_sqlite()
    assert again.durable
    assert again.records("call") == [("c1", "two")]
    assert again.records("other") == [("c1", "four")]
    assert again.records("third") == []


def test_an_expired_record_is_gone(open_sqlite):
    store = open_sqlite()
    store.keep("call", "c1", "one", NOW + 60)
    store.close()  # what it has to write is in the file then
    assert open_sqlite().records("call") == [("c1", "one")]
    assert open_sqlite(now=lambda: NOW + 60).records("call") == []


def test_realms_do_not_meet(open_sqlite):
    open_sqlite().keep("call", "c1", "one", NOW + 60)
    assert open_sqlite(realm="other.example.com").records("call") == []


def test_a_record_set_aside_is_kept_for_whoever_looks(open_sqlite, tmp_path):
    store = open_sqlite()
    store.keep("call", "c1", "nonsense", NOW + 60)
    store.set_aside("call", "c1", "no version")
    assert store.records("call") == []
    with closing(sqlite3.connect(tmp_path / "var" / "b2bua.db")) as database:
        found = database.execute("SELECT kind, key, record, reason FROM records_set_aside").fetchall()
    assert found == [("call", "c1", "nonsense", "no version")]


def test_what_the_disk_did_not_take_is_told(open_sqlite, reactor, tmp_path):
    store = open_sqlite()
    with closing(sqlite3.connect(tmp_path / "var" / "b2bua.db", isolation_level=None)) as database:
        database.execute("DROP TABLE records")
    heard = []
    store.keep("call", "c1", "one", NOW + 60)
    store.keep("call", "c1", "one", NOW + 60, heard.append)
    reactor.turn()
    assert isinstance(heard[0], StoreError)


def test_memory_promises_nothing_and_answers_at_once():
    store = MemoryStore(lambda: NOW)
    heard = []
    store.keep("call", "c1", "one", NOW + 60, heard.append)
    store.drop("call", "c1", heard.append)
    assert heard == [None, None]
    assert not store.durable and store.records("call") == ()
