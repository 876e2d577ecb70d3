from __future__ import annotations

import pytest

from b2bua.sip.digest_offer import DigestOffer
from b2bua.store.file_users import FileUsers, check_ha1s
from b2bua.store.interface import StoreError
from b2bua.store.memory import MemoryStore
from b2bua.store.users_file import make_user

OFFER = DigestOffer()


@pytest.fixture
def store():
    made = MemoryStore(lambda: 0.0)
    made.put_users([make_user("6009", "example.com", "by-hand")])
    return made


@pytest.fixture
def take(store, tmp_path):
    """`take("6001,one\\n")`: the file with this text is read and taken."""
    users = FileUsers(store, "example.com")

    def taken(text):
        path = tmp_path / "users"
        path.write_text(text)
        found = users.read(path, OFFER)
        will_be = sorted(user.name for user in users.after(found))
        users.take(found)
        assert names(store) == will_be
        return will_be

    return taken


def names(store):
    return sorted(user.name for user in store.users())


def test_who_is_taken_out_of_the_file_is_removed_and_nobody_else(take):
    assert take("6001,one\n6002,two\n") == ["6001", "6002", "6009"]
    assert take("6002,other\n6003,three\n") == ["6002", "6003", "6009"]


def test_a_password_in_the_file_wins(take, store):
    take("6009,in-the-file\n")
    assert store.user("6009") == make_user("6009", "example.com", "in-the-file")
    take("6009,changed\n")
    assert store.user("6009") == make_user("6009", "example.com", "changed")


def test_a_bad_file_changes_nothing(take, store):
    take("6001,one\n")
    with pytest.raises(StoreError, match="users:2"):
        take("6002,two\nnonsense\n")
    assert names(store) == ["6001", "6009"]


def test_everybody_needs_the_ha1s_of_his_list():
    md5, both = make_user("6001", "r", "x"), make_user("6002", "r", "x", ("SHA-256", "MD5"))
    check_ha1s([md5, both], OFFER)
    check_ha1s([md5, both], DigestOffer(("MD5",), {"6002": ("SHA-256",)}))
    with pytest.raises(StoreError) as caught:
        check_ha1s([both, md5], DigestOffer(("MD5", "SHA-256")))
    expected = "digest_algorithms: user 6001 has no HA1 by SHA-256; give the password again: b2bua user add 6001"
    assert str(caught.value) == expected
    with pytest.raises(StoreError, match=r"user 6001 has no HA1 by SHA-512-256 \(1 more users lack one\)"):
        check_ha1s([both, md5], DigestOffer(("SHA-512-256",)))
