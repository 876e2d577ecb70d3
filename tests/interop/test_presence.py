"""Presence between two baresips: one publishes and talks, the other watches it in its list of contacts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.server import Server, wait_until

HOST = "127.0.0.102"
USERS = {"6001": "one", "6002": "two", "6003": "three"}


@pytest.fixture
def phones(tmp_path: Path) -> Iterator[list[Baresip]]:
    made: list[Baresip] = []
    yield made
    for phone in made:
        phone.close()


def test_baresip_publishes_and_watches(tmp_path: Path, phones: list[Baresip]) -> None:
    """Online, busy while it talks, offline by its own word; and right again after `kill -9`."""
    server = Server(tmp_path, HOST, USERS, "sqlite:b2bua.db")

    def phone(user: str, account: str = "", contacts: tuple[str, ...] = ()) -> Baresip:
        folder = tmp_path / user
        phones.append(Baresip(folder, server.address, user, USERS[user], HOST, account=account, contacts=contacts))
        phones[-1].registered()
        return phones[-1]

    def shown(word: str) -> None:
        wait_until(f"6002 is {word}", lambda: f"{word}\x1b[;m 6002 " in watcher.command("contacts"), 15)

    try:
        published, third = phone("6002", ";pubint=60"), phone("6003")
        watcher = phone("6001", contacts=("6002",))
        shown("Online")
        published.dial("6003")
        third.expect("CALL_INCOMING")
        third.command("accept")
        published.expect("CALL_ESTABLISHED")
        shown("Busy")
        server.kill()
        server = Server(tmp_path, HOST, USERS, "sqlite:b2bua.db", port=server.port, http_port=server.http_port)
        shown("Busy")
        published.command("hangup")
        shown("Online")
        published.command("presence_offline")
        shown("Offline")
        server.check_healthy()
    finally:
        server.kill()
