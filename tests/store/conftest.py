"""What the store's tests share: a store in a temporary directory whose callbacks wait in a list, as on a reactor."""

from __future__ import annotations

import queue

import pytest

from b2bua.store.records import BindingRecord
from b2bua.store.sqlite import SqliteStore

REALM = "example.com"
NOW = 1_000_000.0


class Reactor:
    """The caller's thread: `post` may be called from any, `turn` runs what was posted on this one."""

    def __init__(self):
        self._posted = queue.Queue()
        self.turns = 0

    def post(self, function, *arguments):
        self._posted.put((function, arguments))

    def turn(self):
        """Run one posted call; fails when none comes."""
        function, arguments = self._posted.get(timeout=10)
        self.turns += 1
        function(*arguments)

    def idle(self):
        return self._posted.empty()


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def open_sqlite(tmp_path, reactor):
    """Opens stores on the same file (`path=`, `realm=`, `now=` differ) and closes them at the end."""
    opened = []

    def open_one(path=tmp_path / "var" / "b2bua.db", realm=REALM, now=lambda: NOW):
        opened.append(SqliteStore(path, realm, reactor.post, now))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def binding():
    def make(aor="6001", **changes):
        values = {
            "aor": aor, "contact": f'"A" <sip:{aor}@192.0.2.10:5060>;q=0.5', "uri": f"sip:{aor}@192.0.2.10:5060",
            "call_id": "c1@192.0.2.10", "cseq": 2, "expires_at": NOW + 60, "flow_transport": "udp",
            "flow_local": "192.0.2.1:5060", "flow_remote": "192.0.2.10:5060", "nat": True, "instance": "<urn:uuid:1>",
            "reg_id": 1, "path": ("<sip:edge.example.com;lr>",), "user_agent": "Phone/1",
        }  # fmt: skip
        return BindingRecord(**(values | changes))

    return make
