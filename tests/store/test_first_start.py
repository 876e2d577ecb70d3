from __future__ import annotations

import itertools
import stat
from pathlib import Path

import pytest

from b2bua.store.first_start import initial_users_path, make_initial_users
from b2bua.store.interface import StoreError
from b2bua.store.memory import MemoryStore
from b2bua.store.users_file import make_user, read_users
from tests.store.conftest import REALM


@pytest.fixture
def passwords():
    numbers = itertools.count(1)
    return lambda: f"password-{next(numbers)}"


def test_ten_users_whose_passwords_stand_in_the_file(open_sqlite, tmp_path, passwords):
    store = open_sqlite()
    path = make_initial_users(store, REALM, f"sqlite:{tmp_path}/var/b2bua.db", passwords)
    assert path == tmp_path / "var" / "initial-users"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = path.read_text().splitlines()
    assert lines[0] == "6001,password-1"
    assert lines[-1] == "6010,password-10"
    assert sorted(store.users(), key=lambda user: user.name) == read_users(path, REALM)
    assert sorted(entry.name for entry in path.parent.iterdir() if "b2bua" not in entry.name) == ["initial-users"]


def test_a_store_with_users_gets_none(open_sqlite, tmp_path, passwords):
    store = open_sqlite()
    store.put_users([make_user("7001", REALM, "secret")])
    assert make_initial_users(store, REALM, f"sqlite:{tmp_path}/var/b2bua.db", passwords) is None
    assert not (tmp_path / "var" / "initial-users").exists()


def test_the_file_of_an_earlier_start_is_used_again(tmp_path, passwords, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = MemoryStore(lambda: 0.0), MemoryStore(lambda: 0.0)
    assert make_initial_users(first, REALM, "memory:", passwords) == Path("var/initial-users")
    text = Path("var/initial-users").read_text()
    assert make_initial_users(second, REALM, "memory:", passwords) == Path("var/initial-users")
    assert Path("var/initial-users").read_text() == text
    assert list(first.users()) == list(second.users())


def test_a_password_that_could_not_be_read_back_is_not_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="password"):
        make_initial_users(MemoryStore(lambda: 0.0), REALM, "memory:", lambda: "two\nlines")
    assert not Path("var").exists()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, passwords, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("var").write_text("a file where the directory should be")
    with pytest.raises(StoreError, match="var/initial-users: "):
        make_initial_users(MemoryStore(lambda: 0.0), REALM, "memory:", passwords)


def test_where_the_file_stands():
    assert initial_users_path("memory:") == Path("var/initial-users")
    assert initial_users_path("sqlite:var/b2bua.db") == Path("var/initial-users")
    assert initial_users_path("sqlite:/srv/pbx/b2bua.db") == Path("/srv/pbx/initial-users")
