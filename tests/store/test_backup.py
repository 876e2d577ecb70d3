"""Copies of the database: taken from under a server's hands, and put back only when nobody has it open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from math import inf
from pathlib import Path

import pytest

from b2bua.store.backup import back_up, restore
from b2bua.store.call_record import CALL
from b2bua.store.console_user_record import CONSOLE_USER
from b2bua.store.interface import StoreError
from b2bua.store.mailbox_record import MAILBOX
from b2bua.store.opening import open_store
from b2bua.store.publication_record import PUBLICATION
from b2bua.store.secret_record import SECRET
from b2bua.store.setting_record import SETTING
from b2bua.store.subscription_record import SUBSCRIPTION
from b2bua.store.token_record import TOKEN
from b2bua.store.users_file import make_user

REALM = "example.com"


def store_at(path: Path):
    return open_store(f"sqlite:{path}", REALM, lambda function, *arguments: function(*arguments))


def fill(path: Path, *users: str) -> None:
    store = store_at(path)
    store.put_users([make_user(user, REALM, "secret") for user in users])
    store.close()


def users(path: Path) -> list[str]:
    store = store_at(path)
    names = sorted(user.name for user in store.users())
    store.close()
    return names


def test_copy_of_an_open_database(tmp_path: Path) -> None:
    """What is in the write-ahead log only is in the copy, which is one file of mode 0600."""
    path, copy = tmp_path / "b2bua.db", tmp_path / "copy"
    store = store_at(path)
    store.put_users([make_user("6001", REALM, "secret")])
    assert path.with_name("b2bua.db-wal").stat().st_size > 0
    back_up(path, copy)
    store.put_users([make_user("6002", REALM, "secret")])
    store.close()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert {found.name for found in tmp_path.iterdir() if found.name.startswith("copy")} == {"copy"}
    assert users(copy) == ["6001"]


def test_restore_keeps_the_old_one(tmp_path: Path) -> None:
    path, copy = tmp_path / "b2bua.db", tmp_path / "copy"
    fill(path, "6001")
    back_up(path, copy)
    fill(path, "6002")
    kept = restore(copy, path, "before")
    assert kept == tmp_path / "b2bua.db.before"
    assert users(path) == ["6001"] and users(kept) == ["6001", "6002"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_old_copy_has_what_was_chosen_and_not_what_went_on(tmp_path: Path) -> None:
    """Settings, mailboxes and accounts are as good as users; calls and subscriptions have gone on since, or are over."""
    path, copy = tmp_path / "b2bua.db", tmp_path / "copy"
    store = store_at(path)
    kinds = (SECRET, SETTING, MAILBOX, CONSOLE_USER, TOKEN, CALL, SUBSCRIPTION, PUBLICATION)
    for kind in kinds:
        store.keep(kind, "key", "text", inf)
    store.close()
    back_up(path, copy)
    restore(copy, path, "before")
    store = store_at(path)
    kept = {kind for kind in kinds if store.records(kind)}
    store.close()
    assert kept == {SECRET, SETTING, MAILBOX, CONSOLE_USER, TOKEN}


def test_restore_where_there_was_none(tmp_path: Path) -> None:
    path, copy = tmp_path / "new" / "b2bua.db", tmp_path / "copy"
    fill(tmp_path / "old.db", "6001")
    back_up(tmp_path / "old.db", copy)
    assert restore(copy, path, "before") is None
    assert users(path) == ["6001"]


def test_restore_of_a_damaged_database(tmp_path: Path) -> None:
    path, copy = tmp_path / "b2bua.db", tmp_path / "copy"
    fill(path, "6001")
    back_up(path, copy)
    path.write_bytes(b"no database at all" * 100)
    assert restore(copy, path, "before") == tmp_path / "b2bua.db.before"
    assert users(path) == ["6001"]


def test_no_restore_while_a_server_runs(tmp_path: Path) -> None:
    path, copy = tmp_path / "b2bua.db", tmp_path / "copy"
    fill(path, "6001")
    back_up(path, copy)
    store = store_at(path)
    with pytest.raises(StoreError, match="in use; stop the server first"):
        restore(copy, path, "before")
    store.put_users([make_user("6002", REALM, "secret")])
    store.close()
    assert users(path) == ["6001", "6002"]
    assert not [found for found in tmp_path.iterdir() if "before" in found.name or found.name.endswith(".new")]


def test_what_is_no_copy_of_ours_changes_nothing(tmp_path: Path) -> None:
    path, foreign, torn, newer = (tmp_path / name for name in ("b2bua.db", "foreign", "torn", "newer"))
    fill(path, "6001")
    with closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE things (name TEXT)")
        database.commit()
    back_up(path, torn)
    back_up(path, newer)
    with closing(sqlite3.connect(newer)) as database:
        database.execute("UPDATE schema SET version = 99")
        database.commit()
    content = bytearray(torn.read_bytes())
    content[5000:9000] = b"\xff" * 4000
    torn.write_bytes(bytes(content))
    for bad, why in ((foreign, "another program"), (torn, "torn"), (newer, "newer than"), (tmp_path / "none", "no such file")):
        with pytest.raises(StoreError, match=why):
            restore(bad, path, "before")
    assert users(path) == ["6001"]


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    fill(tmp_path / "b2bua.db", "6001")
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(StoreError, match="copy: File exists"):
        back_up(tmp_path / "b2bua.db", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"
    with pytest.raises(StoreError, match="no such file"):
        back_up(tmp_path / "none.db", tmp_path / "other")
    assert not (tmp_path / "none.db").exists() and not (tmp_path / "other").exists()
