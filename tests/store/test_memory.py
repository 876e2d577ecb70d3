from __future__ import annotations

from b2bua.store.memory import MemoryStore
from b2bua.store.records import User


def test_users_are_put_replaced_and_removed():
    store = MemoryStore(lambda: 0.0)
    store.put_users([User("6001", "example.com", {"MD5": "1" * 32}), User("6002", "example.com", {"MD5": "2" * 32})])
    store.put_users([User("6001", "example.com", {"MD5": "3" * 32})])
    assert store.user("6001") == User("6001", "example.com", {"MD5": "3" * 32})
    assert store.user("6003") is None
    assert store.remove_user("6002")
    assert not store.remove_user("6002")
    assert [user.name for user in store.users()] == ["6001"]


def test_bindings_are_replaced_and_expire(binding):
    now = [0.0]
    store = MemoryStore(lambda: now[0])
    heard = []
    store.save_bindings("6001", [binding(expires_at=10.0), binding(expires_at=20.0, reg_id=2)], heard.append)
    store.save_bindings("6002", [binding("6002", expires_at=30.0)], heard.append)
    store.save_bindings("6002", [], heard.append)
    assert heard == [None, None, None]
    now[0] = 10.0
    assert [record.expires_at for record in store.bindings()] == [20.0]
