"""A write-ahead log that was cut at any byte: the store opens with a state that had been acknowledged, and loses none before."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2bua.store.schema import open_database
from b2bua.store.sqlite import SqliteStore
from tests.store.conftest import NOW, REALM, Reactor


def states_of(path, writes, page_size):
    """What the database and its log hold after each commit, acknowledged one by one; the store dies as by SIGKILL."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size={page_size}")
        database.execute("VACUUM")
    reactor = Reactor()
    SqliteStore(path, REALM, reactor.post, lambda: NOW).close()
    store = SqliteStore(path, REALM, reactor.post, lambda: NOW)
    log = path.with_name(f"{path.name}-wal")
    state, states = {}, [(0, {})]
    for key, text in writes:
        store.keep("call", key, text, NOW + 60, lambda error: None)
        reactor.turn()
        state = state | {key: text}
        states.append((log.stat().st_size, state))
    dead = path.parent / "dead"
    dead.mkdir()
    shutil.copy(path, dead / "b2bua.db")
    shutil.copy(log, dead / "b2bua.db-wal")
    store.close()
    return dead, states


def opened(dead, directory, cut):
    """The records of a copy whose log ends after `cut` bytes."""
    shutil.copy(dead / "b2bua.db", directory / "b2bua.db")
    (directory / "b2bua.db-wal").write_bytes((dead / "b2bua.db-wal").read_bytes()[:cut])
    (directory / "b2bua.db-shm").unlink(missing_ok=True)
    with closing(open_database(directory / "b2bua.db")) as database:
        return dict(database.execute("SELECT key, record FROM records"))


def right(states, cut):
    """All that was acknowledged before the cut, and nothing that was not."""
    return [state for size, state in states if size <= cut][-1]


@pytest.fixture
def directory(tmp_path):
    made = tmp_path / "copy"
    made.mkdir()
    return made


def test_every_byte_of_a_small_log(tmp_path, directory):
    dead, states = states_of(tmp_path / "var" / "b2bua.db", [("c1", "one"), ("c2", "two"), ("c1", "three")], 512)
    size = states[-1][0]
    assert 1000 < size < 10_000
    for cut in range(size + 1):
        assert opened(dead, directory, cut) == right(states, cut), cut


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_of_a_larger_log(tmp_path_factory, data):
    here = tmp_path_factory.mktemp("log")
    if not hasattr(test_any_byte_of_a_larger_log, "made"):
        writes = [(f"c{number % 17}", f"text {number} " * (number % 400)) for number in range(200)]
        test_any_byte_of_a_larger_log.made = states_of(here / "var" / "b2bua.db", writes, 4096)
    dead, states = test_any_byte_of_a_larger_log.made
    cut = data.draw(st.integers(0, states[-1][0]))
    assert opened(dead, here, cut) == right(states, cut)
