"""A disk that is full, read-only or hangs: whoever waits is told in time, and what is owed is written once it can be."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

import pytest

from b2bua.store.interface import StoreError
from b2bua.store.promises import PATIENCE
from b2bua.store.sqlite import SqliteStore
from tests.log_lines import kept_log
from tests.store.conftest import NOW, REALM

BIG = "x" * 100_000


class Scene:
    """A store in a file, its clock, and what its callers hear."""

    def __init__(self, tmp_path, reactor):
        self.path = tmp_path / "var" / "b2bua.db"
        self.reactor = reactor
        self.monotonic = 100.0
        self.logged: list[str] = []
        self.store = SqliteStore(self.path, REALM, reactor.post, lambda: NOW, lambda: self.monotonic, log=kept_log(self.logged))
        self.heard = []

    def keep(self, key, text="text"):
        self.store.keep("call", key, text, NOW + 60, self.heard.append)

    def turn_until(self, condition):
        for _ in range(1000):
            if condition():
                return
            self.reactor.turn()
        raise AssertionError("it never came")

    def pragma(self, text):
        # Not through the writer: in one commit with what fails it would fail with it.
        return self.store._writer._database.execute(f"PRAGMA {text}").fetchone()

    def recover(self):
        for _ in range(5):
            self.second()
            if self.store.up:
                return
        raise AssertionError("still down")

    def second(self):
        """As each second: a look, and what comes of it."""
        self.store.poll()
        self.store.records("call")  # the writer has come this far
        self.turn_until(self.reactor.idle)

    def kept(self):
        return dict(self.store.records("call"))


@pytest.fixture
def scene(tmp_path, reactor):
    made = Scene(tmp_path, reactor)
    yield made
    made.store.close()


@contextmanager
def locked(path):
    """Another process that writes and does not come to an end: to the writer a disk that hangs."""
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.execute("ROLLBACK")
        lock.close()


def full(scene):
    (pages,) = scene.pragma("page_count")
    scene.pragma(f"max_page_count={pages}")


def room(scene):
    scene.pragma("max_page_count=1073741823")


def read_only(scene):
    scene.pragma("query_only=1")


def writable(scene):
    scene.pragma("query_only=0")


@pytest.mark.parametrize(("broken", "mended"), [(full, room), (read_only, writable)])
def test_what_the_disk_does_not_take_is_told_and_written_later(scene, broken, mended):
    scene.keep("c0", "before")
    scene.turn_until(lambda: scene.heard == [None])
    broken(scene)
    scene.keep("c1", BIG)
    scene.turn_until(lambda: len(scene.heard) == 2)
    assert isinstance(scene.heard[1], StoreError) and not scene.store.up
    scene.keep("c2")  # at once, without the disk
    scene.turn_until(lambda: len(scene.heard) == 3)
    assert isinstance(scene.heard[2], StoreError)
    scene.store.keep("call", "c0", "newer", NOW + 60)
    scene.store.poll()
    scene.reactor.turn()
    mended(scene)
    scene.recover()
    assert scene.kept() == {"c0": "newer", "c1": BIG, "c2": "text"}
    scene.keep("c3")
    scene.turn_until(lambda: len(scene.heard) == 4)
    assert scene.heard[3] is None


def test_what_was_refused_and_dropped_is_not_written_later(scene):
    full(scene)
    scene.keep("c1", BIG)
    scene.turn_until(lambda: scene.heard)
    scene.store.drop("call", "c1")
    room(scene)
    scene.recover()
    assert scene.kept() == {}


def test_the_newest_of_each_thing_is_what_is_owed(scene, binding):
    full(scene)
    for text in ("one", "two", "three"):
        scene.keep("c1", BIG + text)
    for port in (1, 2):
        scene.store.save_bindings("6001", [binding(flow_remote=f"192.0.2.9:{port}", contact=BIG)], scene.heard.append)
    scene.turn_until(lambda: len(scene.heard) == 5)
    assert all(isinstance(error, StoreError) for error in scene.heard)
    room(scene)
    scene.recover()
    assert scene.kept() == {"c1": BIG + "three"}
    assert [record.flow_remote for record in scene.store.bindings()] == ["192.0.2.9:2"]


def test_a_disk_that_hangs_is_given_up_after_a_while(scene):
    with locked(scene.path):
        scene.keep("c1", "one")
        scene.store.poll()
        assert scene.heard == []
        scene.monotonic += PATIENCE
        scene.store.poll()
        scene.turn_until(lambda: scene.heard)
        assert isinstance(scene.heard[0], StoreError) and "no commit" in str(scene.heard[0])
        scene.keep("c1", "two")
        scene.keep("c2")
        scene.turn_until(lambda: len(scene.heard) == 3)
    scene.turn_until(lambda: scene.store.up)  # without another look: what hung went through
    assert scene.kept() == {"c1": "two", "c2": "text"}
    assert len(scene.heard) == 3 and None not in scene.heard


def test_an_outage_is_two_lines_in_the_log(scene):
    full(scene)
    for number in range(50):
        scene.keep(f"c{number}", BIG)
    scene.turn_until(lambda: len(scene.heard) == 50)
    for _ in range(5):
        scene.second()
    room(scene)
    scene.recover()
    assert [line.split()[0] for line in scene.logged] == ["store_down", "store_up"]
    assert "full" in scene.logged[0] and str(scene.path) in scene.logged[0]


def test_a_short_record_that_would_fit_does_not_end_the_outage(scene):
    """Else it would begin anew with the next one, second by second."""
    scene.keep("c0", BIG)
    scene.store.drop("call", "c0")  # leaves a few free pages behind
    scene.store.records("call")
    (pages,) = scene.pragma("page_count")
    scene.pragma(f"max_page_count={pages}")
    scene.keep("c1", BIG + BIG)
    scene.turn_until(lambda: any(isinstance(error, StoreError) for error in scene.heard))
    scene.store.drop("call", "c1")
    scene.keep("c2", BIG + BIG)
    for _ in range(3):
        scene.second()
        assert not scene.store.up
    room(scene)
    scene.recover()
    assert list(scene.kept()) == ["c2"]


def test_what_is_wrong_in_itself_takes_nothing_else_with_it(scene):
    with locked(scene.path):  # so that all of them are one group
        scene.keep("c0")
        scene.keep("c1")
        scene.keep("c2", "\udcff")  # no text that SQLite could keep
        scene.keep("c3")
    scene.turn_until(lambda: len(scene.heard) == 4)
    assert [error is None for error in scene.heard] == [True, True, False, True]
    assert scene.store.up
    assert sorted(scene.kept()) == ["c0", "c1", "c3"]


def test_the_end_of_the_process_is_a_last_try(scene):
    full(scene)
    scene.keep("c1", BIG)
    scene.turn_until(lambda: scene.heard)
    room(scene)
    scene.store.close()
    again = SqliteStore(scene.path, REALM, scene.reactor.post, lambda: NOW)
    assert again.records("call") == [("c1", BIG)]
    again.close()


def test_no_outage_is_told_of_a_store_that_was_closed(scene):
    scene.store.close()
    scene.keep("c1")
    scene.turn_until(lambda: scene.heard)
    assert isinstance(scene.heard[0], StoreError) and scene.logged == []


def raw(scene):
    """What is in the file, by another connection."""
    with sqlite3.connect(scene.path) as database:
        return dict(database.execute("SELECT key, record FROM records WHERE kind = 'call' AND expires_at > 0"))


def dropped_of(scene):
    """c0 is on disk; then it is dropped, and nobody waits for that."""
    scene.keep("c0")
    scene.turn_until(lambda: scene.heard == [None])
    scene.store.drop("call", "c0")
    assert scene.store.waiting == 0 and raw(scene) == {"c0": "text"}, "nothing is written for it alone"


def test_what_nobody_waits_for_goes_with_the_next_write(scene):
    dropped_of(scene)
    scene.keep("c1")
    scene.turn_until(lambda: len(scene.heard) == 2)
    assert raw(scene) == {"c1": "text"}


def test_what_nobody_waits_for_goes_with_the_next_look(scene):
    dropped_of(scene)
    scene.second()
    assert raw(scene) == {}


def test_what_nobody_waits_for_goes_before_the_end(scene):
    dropped_of(scene)
    scene.store.close()
    assert raw(scene) == {}


def test_a_record_that_is_there_again_stays(scene):
    dropped_of(scene)
    scene.keep("c0", "again")
    scene.turn_until(lambda: len(scene.heard) == 2)
    scene.second()
    assert raw(scene) == {"c0": "again"}


def test_whoever_reads_does_not_see_what_was_dropped(scene):
    dropped_of(scene)
    assert scene.kept() == {}


def test_what_nobody_waited_for_is_owed_while_the_disk_takes_nothing(scene):
    dropped_of(scene)
    read_only(scene)
    scene.keep("c1")
    scene.turn_until(lambda: len(scene.heard) == 2)
    assert not scene.store.up
    scene.store.drop("call", "c1")
    writable(scene)
    scene.recover()
    scene.second()
    assert raw(scene) == {}
