from __future__ import annotations

import hashlib

import pytest

from b2bua.store.interface import StoreError
from b2bua.store.users_file import make_user, read_users


def written(tmp_path, content):
    path = tmp_path / "users.csv"
    path.write_bytes(content)
    return path


def test_lines_become_users_with_their_ha1(tmp_path):
    path = written(tmp_path, "\ufeff6001,secret\r\n\r\n6002,with,commas\nanna.b+c,pässword".encode())
    users = read_users(path, "example.com")
    assert [user.name for user in users] == ["6001", "6002", "anna.b+c"]
    for user, password in zip(users, ("secret", "with,commas", "pässword"), strict=True):
        assert user.ha1s["MD5"] == hashlib.md5(f"{user.name}:example.com:{password}".encode()).hexdigest()
        assert user.realm == "example.com"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"6001,x1\nhunter2\n", "users.csv:2: not a line user,password"),
        (b"\n6001,\n", "users.csv:2: the password is empty"),
        (b"6001, hunter2\n", "users.csv:1: the password begins or ends with a blank"),
        (b"6001,hunter2\t\n", "users.csv:1: the password begins or ends with a blank"),
        (b"6001,hun\x00ter2\n", "users.csv:1: the password has a control character"),
        (b",hunter2\n", "users.csv:1: '' is not a user name"),
        (b"60 01,hunter2\n", "users.csv:1: '60 01' is not a user name"),
        (b"a:b,hunter2\n", "users.csv:1: 'a:b' is not a user name"),
        (b"6001,x1\n6001,hunter2\n", "users.csv:2: user 6001 stands there twice"),
        (b"6001,hunter2\xff\n", "users.csv: not UTF-8 text"),
    ],
)
def test_an_error_names_file_and_line_but_never_the_password(tmp_path, content, expected):
    with pytest.raises(StoreError) as caught:
        read_users(written(tmp_path, content), "example.com")
    assert str(caught.value) == f"{tmp_path}/{expected}"
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(StoreError, match=r"users\.csv: No such file or directory"):
        read_users(tmp_path / "users.csv", "example.com")


def test_an_empty_file_has_no_users(tmp_path):
    assert read_users(written(tmp_path, b""), "example.com") == []


def test_one_user():
    assert make_user("6001", "example.com", "secret").name == "6001"
    with pytest.raises(ValueError, match="not a user name"):
        make_user("6001@example.com", "example.com", "secret")
