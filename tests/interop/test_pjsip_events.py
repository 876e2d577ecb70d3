"""Presence and messages at PJSIP, on a running server and after it was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.pjsip import Pjsip
from tests.interop.server import DOMAIN, Server, wait_until
from tests.interop.test_message_waiting import mwi

HOST = "127.0.0.105"
USERS = {"6001": "one", "6002": "two"}
BUSY = 2
"""PJRPID_ACTIVITY_BUSY."""


@pytest.fixture
def phones() -> Iterator[list[Pjsip]]:
    made: list[Pjsip] = []
    yield made
    for phone in made:
        phone.close()


def test_pjsip_publishes_watches_and_is_told_of_messages(tmp_path: Path, phones: list[Pjsip]) -> None:
    server = Server(tmp_path, HOST, USERS, "sqlite:b2bua.db")

    def phone(user: str) -> Pjsip:
        phones.append(Pjsip(tmp_path / user, server.address, user, USERS[user], HOST, events=True))
        phones[-1].registered()
        return phones[-1]

    contact = f"sip:6002@{DOMAIN}"

    def shown(online: bool, activity: int = 0, note: str = "") -> None:
        wanted = {"online": online, "activity": activity, "note": note}
        wait_until(f"6002 is {wanted}", lambda: watcher.command("contact", uri=contact) == wanted, 15)

    def told(line: str) -> None:
        wait_until(line, lambda: line in watcher.command("messages").splitlines(), 15)

    try:
        watcher = phone("6001")
        watcher.command("watch", uri=contact)
        told("Messages-Waiting: no")
        shown(online=False)
        other = phone("6002")
        other.command("presence", online=True, busy=False)
        shown(online=True)
        other.command("presence", online=True, busy=True)
        shown(online=True, activity=BUSY, note="In a meeting")
        assert mwi(server, "set", "6001", "2", "1").returncode == 0
        told("Voice-Message: 2/1")
        server.kill()
        server = Server(tmp_path, HOST, USERS, "sqlite:b2bua.db", port=server.port, http_port=server.http_port)
        assert mwi(server, "set", "6001", "3").returncode == 0
        told("Voice-Message: 3/0")
        shown(online=True, activity=BUSY, note="In a meeting")
        other.command("presence", online=False, busy=False)
        shown(online=False)
        server.check_healthy()
    finally:
        server.kill()
