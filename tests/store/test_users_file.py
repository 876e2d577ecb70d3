from __future__ import annotations

import hashlib

import pytest
from passlib.apache import HtdigestFile

from b2bua.store.interface import StoreError
from b2bua.store.users_file import htdigest_text, make_user, read_users


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


# ---- other algorithms


def test_an_ha1_by_each_algorithm_that_the_user_is_offered(tmp_path):
    lists = {"6001": ("SHA-512-256", "MD5")}
    path = written(tmp_path, b"6001,secret\n6002,secret\n")
    first, second = read_users(path, "example.com", lambda name: lists.get(name, ("SHA-256",)))
    assert list(first.ha1s) == ["SHA-512-256", "MD5"]
    assert second.ha1s == {"SHA-256": hashlib.sha256(b"6002:example.com:secret").hexdigest()}
    assert first.lacks(("SHA-256", "MD5")) == ("SHA-256",)


# ---- htdigest


def ha1_of(name, password, realm="example.com"):
    return hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest()


def test_an_htdigest_file_is_known_by_its_content(tmp_path):
    """As Apache's tool writes it, and as an editor may leave it."""
    lines = f"# the lab\r\n\r\n6001:example.com:{ha1_of('6001', 'one')}\r\n\n6002:example.com:{ha1_of('6002', 'two').upper()}"
    users = read_users(written(tmp_path, lines.encode()), "example.com")
    assert [(user.name, user.ha1s) for user in users] == [
        ("6001", {"MD5": ha1_of("6001", "one")}),
        ("6002", {"MD5": ha1_of("6002", "two")}),
    ]


def test_an_htdigest_file_by_passlib_is_read(tmp_path):
    file = HtdigestFile(default_realm="example.com")
    file.set_password("6001", "secret")
    path = tmp_path / "users.htdigest"
    file.save(str(path))
    [user] = read_users(path, "example.com")
    assert user == make_user("6001", "example.com", "secret")


def test_a_password_that_looks_like_htdigest_is_a_password(tmp_path):
    [user] = read_users(written(tmp_path, f"6001,a:b:{'0' * 32}\n".encode()), "example.com")
    assert user == make_user("6001", "example.com", f"a:b:{'0' * 32}")


HA1 = ha1_of("6001", "hunter2")
GOOD = f"6001:example.com:{HA1}\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"6001:example.org:{HA1}\n", "users.csv:1: user 6001 is of the realm 'example.org'; the domain is 'example.com'"),
        (f"{GOOD}6002,hunter2\n", "users.csv:2: not a line user:realm:HA1"),
        (f"{GOOD}6002:example.com\n", "users.csv:2: not a line user:realm:HA1"),
        (f"{GOOD}6002:example.com:hunter2:x\n", "users.csv:2: not a line user:realm:HA1"),
        ("6001:example.com:hunter2\n", "users.csv:1: the HA1 of user 6001 is not 32 hex digits"),
        (f"{GOOD}\n6002:example.com:{HA1}0\n", "users.csv:3: the HA1 of user 6002 is not 32 hex digits"),
        (f"{GOOD}60 02:example.com:{HA1}\n", "users.csv:2: '60 02' is not a user name"),
        (f"{GOOD}{GOOD}", "users.csv:2: user 6001 stands there twice"),
        (f"6001,x1\n{GOOD}", "users.csv:2: not a line user,password"),
        ("6001:hunter2\n", "users.csv:1: not a line user:realm:HA1"),
    ],
)  # fmt: skip
def test_a_bad_htdigest_line_is_named_without_what_is_in_it(tmp_path, content, expected):
    with pytest.raises(StoreError) as caught:
        read_users(written(tmp_path, content.encode()), "example.com")
    assert str(caught.value) == f"{tmp_path}/{expected}"
    assert "hunter2" not in str(caught.value) and HA1 not in str(caught.value)


def test_an_htdigest_file_cannot_give_a_stronger_ha1(tmp_path):
    with pytest.raises(StoreError, match=r":1: user 6001 needs an HA1 by SHA-256; an htdigest file has MD5 only"):
        read_users(written(tmp_path, GOOD.encode()), "example.com", lambda name: ("SHA-256", "MD5"))


def test_htdigest_as_we_write_it_reads_back(tmp_path):
    users = [make_user(name, "example.com", "secret") for name in ("6001", "anna.b+c")]
    strong = make_user("6003", "example.com", "secret", ("SHA-256",))
    path = written(tmp_path, htdigest_text([*users, strong]).encode())
    assert read_users(path, "example.com") == users
    assert HtdigestFile(str(path)).check_password("6001", "example.com", "secret") is True


# ---- spreadsheets


@pytest.mark.parametrize(
    "content",
    [
        '6001,"pass,""word"\n6002,plain,comma\n',
        'user,password\r\n6001,"pass,""word"\r\n6002,"plain,comma"\r\n',
        'Extension, Display , SECRET\n6001,"Anna, desk","pass,""word"\n6002,,"plain,comma"\n',
        'password,username\n"pass,""word",6001\n"plain,comma",6002\n',
        '"name","password"\n"6001","pass,""word"\n"6002","plain,comma"\n',
    ],
)
def test_csv_with_and_without_a_header(tmp_path, content):
    users = read_users(written(tmp_path, content.encode()), "example.com", spreadsheet=True)
    assert users == [make_user("6001", "example.com", 'pass,"word'), make_user("6002", "example.com", "plain,comma")]


def test_a_line_of_the_users_file_is_taken_as_it_stands(tmp_path):
    path = written(tmp_path, b'user,password\n6001,"quoted"\n')
    assert read_users(path, "example.com") == [
        make_user("user", "example.com", "password"),
        make_user("6001", "example.com", '"quoted"'),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('6001,"hunter2\n', "users.csv:1: unexpected end of data"),
        ('user,password\n6001,"hunter2" x\n', "users.csv:2: "),
        ("user,password\n6001,hunter2,more\n", "users.csv:2: 3 fields, not 2"),
        ("user,password\nhunter2\n", "users.csv:2: 1 fields, not 2"),
        ('6001,"hunter2","more"\n', "users.csv:1: 3 fields, not 2"),
        ("6001,x1\nhunter2\n", "users.csv:2: not a line user,password"),
        ("user,password\n6001,\n", "users.csv:2: the password is empty"),
    ],
)
def test_a_bad_csv_line_is_named_without_the_password(tmp_path, content, expected):
    with pytest.raises(StoreError) as caught:
        read_users(written(tmp_path, content.encode()), "example.com", spreadsheet=True)
    assert str(caught.value).startswith(f"{tmp_path}/{expected}")
    assert "hunter2" not in str(caught.value)
