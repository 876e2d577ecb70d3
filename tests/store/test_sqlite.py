from __future__ import annotations

import sqlite3
import stat
from math import inf

import pytest

from b2bua.store.interface import StoreError
from b2bua.store.records import User
from tests.store.conftest import NOW, REALM

ALICE = User("6001", REALM, {"MD5": "1" * 32})
BOB = User("6002", REALM, {"MD5": "2" * 32})


def statement(path, text, *values):
    """One statement from another connection, as another process would make it."""
    database = sqlite3.connect(path)
    with database:
        rows = database.execute(text, values).fetchall()
    database.close()
    return rows


# ---- users


def test_users_outlive_the_store(open_sqlite):
    store = open_sqlite()
    store.put_users([ALICE, BOB])
    store.put_users([User("6001", REALM, {"MD5": "3" * 32})])
    assert store.remove_user("6002")
    assert not store.remove_user("6002")
    store.close()
    assert list(open_sqlite().users()) == [User("6001", REALM, {"MD5": "3" * 32})]


def test_all_ha1s_of_a_user_are_replaced_together(open_sqlite):
    """One of the last password must not stay behind: it would still open the door."""
    store = open_sqlite()
    store.put_users([User("6001", REALM, {"MD5": "1" * 32, "SHA-256": "2" * 64})])
    store.put_users([User("6001", REALM, {"SHA-512-256": "3" * 64})])
    store.close()
    assert list(open_sqlite().users()) == [User("6001", REALM, {"SHA-512-256": "3" * 64})]


def test_users_belong_to_their_realm(open_sqlite):
    open_sqlite().put_users([ALICE])
    other = open_sqlite(realm="other.example.com")
    assert other.user("6001") is None
    assert not other.remove_user("6001")
    with pytest.raises(StoreError, match="user 6001 is not of the realm other"):
        other.put_users([ALICE])


def test_a_change_by_another_process_is_seen_after_a_poll(open_sqlite, reactor):
    store, other = open_sqlite(), open_sqlite()
    other.put_users([ALICE])
    assert store.user("6001") is None
    store.poll()
    reactor.turn()
    assert store.user("6001") == ALICE
    other.remove_user("6001")
    store.poll()
    reactor.turn()
    assert store.user("6001") is None


def test_records_of_a_watched_kind_are_told_when_another_process_changed_anything(open_sqlite, reactor):
    store, other, told = open_sqlite(), open_sqlite(), []
    store.watch("setting", told.append)
    store.keep("setting", "a", "mine", inf, lambda error: told.append("committed"))
    reactor.turn()
    store.poll()
    reactor.turn()
    assert told == ["committed"]
    other.keep("setting", "b", "another's", inf)
    other.keep("call", "c", "not watched", inf)
    other.keep("setting", "d", "expired", NOW - 1)
    other.close()
    store.poll()
    while len(told) < 2:
        reactor.turn()
    assert told[1:] == [[("a", "mine"), ("b", "another's")]]


def test_own_writes_do_not_cause_a_reload(open_sqlite, reactor, binding):
    store = open_sqlite()
    store.put_users([ALICE])
    users = store._users
    store.save_bindings("6001", [binding()], lambda error: None)
    reactor.turn()
    store.poll()
    reactor.turn()
    assert store._users is users


def test_a_poll_that_was_overtaken_by_a_change_does_not_undo_it(open_sqlite, reactor):
    store, other = open_sqlite(), open_sqlite()
    other.put_users([ALICE])
    store.poll()
    store.put_users([BOB])
    reactor.turn()
    assert store.user("6002") == BOB


def test_a_bad_user_record_is_passed_over(open_sqlite, tmp_path):
    store = open_sqlite()
    store.put_users([ALICE])
    store.close()
    path = tmp_path / "var" / "b2bua.db"
    statement(path, "INSERT INTO users VALUES (?, '6002', 'MD5', 'short')", REALM)
    statement(path, "INSERT INTO users VALUES (?, '6001', 'SHA-256', ?)", REALM, "1" * 32)
    statement(path, "INSERT INTO users VALUES (?, '6001', 'SHA-3', ?)", REALM, "1" * 64)
    assert list(open_sqlite().users()) == [ALICE]


# ---- bindings


def test_bindings_outlive_the_store_in_their_order(open_sqlite, reactor, binding):
    store = open_sqlite()
    heard = []
    first, second = binding(reg_id=2), binding(reg_id=1, contact="undecodable \udcff")
    store.save_bindings("6001", [binding()], heard.append)
    store.save_bindings("6001", [first, second], heard.append)
    store.save_bindings("6002", [binding("6002")], heard.append)
    store.save_bindings("6002", [], heard.append)
    store.close()
    while not reactor.idle():
        reactor.turn()
    assert heard == [None] * 4
    assert list(open_sqlite().bindings()) == [first, second]


def test_done_comes_on_the_callers_thread_after_the_commit(open_sqlite, reactor, binding, tmp_path):
    store = open_sqlite()
    heard = []
    store.save_bindings("6001", [binding()], heard.append)
    assert heard == []
    reactor.turn()
    assert heard == [None]
    assert statement(tmp_path / "var" / "b2bua.db", "SELECT aor FROM bindings") == [("6001",)]


def test_what_gathers_during_a_commit_goes_into_one_group(open_sqlite, reactor, binding, tmp_path):
    store = open_sqlite()
    heard = []
    lock = sqlite3.connect(tmp_path / "var" / "b2bua.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")  # The writer waits for this one, and the rest waits for the writer.
    for number in range(100):
        store.save_bindings(str(number), [binding(str(number))], heard.append)
    lock.execute("COMMIT")
    lock.close()
    while len(heard) < 100:
        reactor.turn()
    assert heard == [None] * 100
    assert reactor.turns < 100


def test_a_failed_write_is_told_and_the_next_one_works(open_sqlite, reactor, binding, tmp_path):
    store = open_sqlite()
    heard = []
    statement(tmp_path / "var" / "b2bua.db", "ALTER TABLE bindings RENAME TO elsewhere")
    store.save_bindings("6001", [binding()], heard.append)
    reactor.turn()
    assert isinstance(heard[0], StoreError)
    assert "no such table" in str(heard[0])
    statement(tmp_path / "var" / "b2bua.db", "ALTER TABLE elsewhere RENAME TO bindings")
    store.poll()
    while not store.up:
        reactor.turn()
    store.save_bindings("6001", [binding()], heard.append)
    while len(heard) < 2:
        reactor.turn()
    assert heard[1] is None


def test_a_callback_that_raises_does_not_stop_the_others(open_sqlite, reactor, binding):
    store = open_sqlite()
    heard = []
    store.save_bindings("6001", [binding()], lambda error: heard.append(1 / 0))
    store.save_bindings("6002", [binding("6002")], heard.append)
    while not heard:
        reactor.turn()
    assert heard == [None]


def test_expired_bindings_are_dropped(open_sqlite, binding, tmp_path):
    store = open_sqlite()
    store.save_bindings("6001", [binding(expires_at=NOW), binding(expires_at=NOW + 1)], lambda error: None)
    assert [record.expires_at for record in store.bindings()] == [NOW + 1]
    assert len(statement(tmp_path / "var" / "b2bua.db", "SELECT * FROM bindings")) == 1


@pytest.mark.parametrize(
    ("aor", "record"),
    [("6001", "{"), ("6001", '{"version": 99}'), ("6001", b"\xff\xfe"), (b"\xff", "{}"), ("6001", 5)],
)
def test_a_bad_binding_is_set_aside(open_sqlite, reactor, binding, tmp_path, aor, record):
    path = tmp_path / "var" / "b2bua.db"
    store = open_sqlite()
    store.save_bindings("6002", [binding("6002")], lambda error: None)
    reactor.turn()
    text = "INSERT INTO bindings VALUES (?, CAST(? AS TEXT), 0, ?, CAST(? AS TEXT))"
    statement(path, text, REALM, aor, NOW + 60, record)
    assert [kept.aor for kept in store.bindings()] == ["6002"]
    assert statement(path, "SELECT count(*) FROM bindings") == [(1,)]
    ((moved, reason),) = statement(path, "SELECT CAST(record AS BLOB), reason FROM set_aside")
    assert moved == (record if isinstance(record, bytes) else str(record).encode())
    assert reason


def test_a_binding_of_another_aor_is_set_aside(open_sqlite, reactor, binding):
    store = open_sqlite()
    store.save_bindings("6002", [binding("6001")], lambda error: None)
    assert list(store.bindings()) == []


# ---- opening and closing


def test_the_file_and_its_directory_are_made_for_the_owner_only(open_sqlite, tmp_path, binding, reactor):
    store = open_sqlite()
    store.save_bindings("6001", [binding()], lambda error: None)
    reactor.turn()
    files = list((tmp_path / "var").iterdir())
    assert {path.name for path in files} >= {"b2bua.db", "b2bua.db-wal"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(open_sqlite, tmp_path):
    open_sqlite().close()
    path = tmp_path / "var" / "b2bua.db"
    path.chmod(0o644)
    open_sqlite()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_journal_is_a_write_ahead_log(open_sqlite, tmp_path):
    open_sqlite()
    assert statement(tmp_path / "var" / "b2bua.db", "PRAGMA journal_mode") == [("wal",)]


def test_a_file_that_is_no_database_is_refused_and_kept(open_sqlite, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to have a header\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"notes\.txt: file is not a database"):
        open_sqlite(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_kept(open_sqlite, tmp_path):
    path = tmp_path / "other.db"
    statement(path, "CREATE TABLE things (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"other\.db: a database of another program"):
        open_sqlite(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(open_sqlite, tmp_path):
    open_sqlite().close()
    statement(tmp_path / "var" / "b2bua.db", "UPDATE schema SET version = 7")
    with pytest.raises(StoreError, match="schema version 7 is newer than this program's 3"):
        open_sqlite()


def test_a_directory_is_refused(open_sqlite, tmp_path):
    with pytest.raises(StoreError, match=f"{tmp_path}: Is a directory"):
        open_sqlite(tmp_path)


def test_a_database_that_lost_its_tables_is_refused_in_one_line(open_sqlite, tmp_path):
    open_sqlite().close()
    statement(tmp_path / "var" / "b2bua.db", "DROP TABLE users")
    with pytest.raises(StoreError, match="no such table: users"):
        open_sqlite()


def test_after_closing_every_write_is_told_so(open_sqlite, reactor, binding):
    store = open_sqlite()
    store.close()
    store.close()
    heard = []
    store.save_bindings("6001", [binding()], heard.append)
    reactor.turn()
    assert "closed" in str(heard[0])
    with pytest.raises(StoreError, match="closed"):
        store.put_users([ALICE])


# ---- figures


def test_up_as_long_as_writes_succeed(open_sqlite, reactor, binding, tmp_path):
    store = open_sqlite()
    heard = []
    assert (store.up, store.waiting) == (True, 0)
    statement(tmp_path / "var" / "b2bua.db", "ALTER TABLE bindings RENAME TO elsewhere")
    store.save_bindings("6001", [binding()], heard.append)
    reactor.turn()
    assert not store.up
    store.poll()  # a look that succeeds does not show that writes do, nor one that takes another table
    store.records("any")
    while not reactor.idle():
        reactor.turn()
    assert not store.up
    statement(tmp_path / "var" / "b2bua.db", "ALTER TABLE elsewhere RENAME TO bindings")
    store.poll()
    while not store.up:
        reactor.turn()
    assert [record.aor for record in store.bindings()] == ["6001"] and len(heard) == 1


def test_down_while_nobody_can_look(open_sqlite, reactor, tmp_path):
    store = open_sqlite()
    statement(tmp_path / "var" / "b2bua.db", "ALTER TABLE users RENAME TO elsewhere")
    store.poll()
    reactor.turn()
    assert not store.up
    statement(tmp_path / "var" / "b2bua.db", "ALTER TABLE elsewhere RENAME TO users")
    store.poll()
    reactor.turn()
    assert store.up
