"""A write-ahead log that was cut at any byte: the store opens with a state that had been acknowledged, and loses none before."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2bua.store.records import encode_binding
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


def grouped(path, groups):
    """The same where several writes are ordered at once: the states between two of them, and how many of those had been
    acknowledged when the log had which size. A write is a record (text), a drop (None) or the bindings of a user (a list)."""
    path.parent.mkdir(parents=True)
    reactor = Reactor()
    SqliteStore(path, REALM, reactor.post, lambda: NOW).close()
    store = SqliteStore(path, REALM, reactor.post, lambda: NOW)
    log = path.with_name(f"{path.name}-wal")
    state, states, acknowledged = {}, [{}], [(0, 0)]
    for group in groups:
        heard = []
        for key, what in group:
            if isinstance(what, list):
                store.save_bindings(key, what, heard.append)
                state = {**state, (key, "bindings"): [encode_binding(one) for one in what]}
            elif what is None:
                store.drop("call", key, heard.append)
                state = {name: value for name, value in state.items() if name != key}
            else:
                store.keep("call", key, what, NOW + 60, heard.append)
                state = {**state, key: what}
            states.append(state)
        while len(heard) < len(group):
            reactor.turn()
        assert heard == [None] * len(group)
        acknowledged.append((log.stat().st_size, len(states) - 1))
    dead = path.parent / "dead"
    dead.mkdir()
    shutil.copy(path, dead / "b2bua.db")
    shutil.copy(log, dead / "b2bua.db-wal")
    store.close()
    return dead, states, acknowledged


def all_of(dead, directory, cut):
    """Records that are not dropped, and bindings, of a copy whose log ends after `cut` bytes."""
    opened(dead, directory, cut)
    with closing(sqlite3.connect(directory / "b2bua.db")) as database:
        found = dict(database.execute("SELECT key, record FROM records WHERE expires_at > ?", (NOW,)))
        for aor, record in database.execute("SELECT aor, record FROM bindings ORDER BY aor, position"):
            found.setdefault((aor, "bindings"), []).append(record)
    return found


WRITES = st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 3000), st.integers(-2, 0)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.lists(WRITES, min_size=1, max_size=40), min_size=1, max_size=8), data=st.data())
def test_groups_of_writes_of_all_sorts(tmp_path_factory, binding, plan, data):
    """Whatever the cut: the state between two writes in their order, and none that was acknowledged is missing."""
    here = tmp_path_factory.mktemp("groups")

    def what(key, number):
        if number is None:
            return None
        return f"text {number} " * (number // 10) if number > 0 else [binding(aor=key, cseq=2 + one) for one in range(-number)]

    groups = [[(key, what(key, number)) for key, number in group] for group in plan]
    dead, states, acknowledged = grouped(here / "var" / "b2bua.db", groups)
    for cut in data.draw(st.lists(st.integers(0, acknowledged[-1][0]), min_size=1, max_size=10)):
        least = [number for size, number in acknowledged if size <= cut][-1]
        found = all_of(dead, here, cut)
        allowed = [{name: value for name, value in state.items() if value != []} for state in states[least:]]
        assert found in allowed, (cut, least, found)
