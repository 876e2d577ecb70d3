"""The secret that outlives the process."""

from __future__ import annotations

from b2bua.store.memory import MemoryStore
from b2bua.store.secret_record import SECRET, derived, stored_secret
from tests.store.conftest import NOW


def counted(*values):
    made = list(values)
    return lambda size: made.pop(0) * size


def test_it_is_made_once(open_sqlite):
    assert stored_secret(open_sqlite(), counted(b"1")) == b"1" * 32
    assert stored_secret(open_sqlite(), counted(b"2")) == b"1" * 32


def test_memory_makes_a_new_one_each_time():
    store = MemoryStore(lambda: NOW)
    make = counted(b"1", b"2")
    assert stored_secret(store, make) == b"1" * 32
    assert stored_secret(store, make) == b"2" * 32


def test_one_that_is_none_is_set_aside(open_sqlite):
    for bad in ("zz", "00" * 31, ""):
        store = open_sqlite()
        store.keep(SECRET, "server", bad, NOW + 1)
        assert stored_secret(store, counted(b"3")) == b"3" * 32
        store.close()  # what it has to write is in the file then
        assert stored_secret(open_sqlite(), counted(b"4")) == b"3" * 32


def test_each_purpose_has_a_key_of_its_own():
    keys = {derived(b"1" * 32, "one"), derived(b"1" * 32, "two"), derived(b"2" * 32, "one"), b"1" * 32}
    assert len(keys) == 4 and all(len(key) == 32 for key in keys)
