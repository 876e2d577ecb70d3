"""Communication Manager in a process of its own: `kill -9` of either process, or of both, with calls that stand between them."""

from __future__ import annotations

import asyncio
import socket
from itertools import product
from pathlib import Path

import pytest

from tests.interop.feature_process import FeatureProcess
from tests.interop.server import Server, free_port, wait_until
from tests.restart.cells import ACTIONS, TRANSPORTS, Cell, Key
from tests.restart.matrix import USERS, everywhere, gauges, restarted
from tests.restart.phone import Phone

HOST, ELSEWHERE, PHONES = "127.0.0.95", "127.0.0.96", "127.0.0.97"
NAME = "communication_manager"
SETTINGS = """
feature_server = "none"
links = ["{name}={transport}:{link}={peer}"]
link_heartbeat = 2.0
"""
STANDING = ("talking", "held by caller", "held by callee", "held by both")
IN_FLIGHT = "re-INVITE in flight"


class Couple:
    """Session Manager and Communication Manager, two processes on stores of their own, linked."""

    def __init__(self, directory: Path, transport: str) -> None:
        self.store = f"sqlite:{directory / 'sm.db'}"
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        link, peer = f"{HOST}:{free_port(HOST, kind)}", f"{ELSEWHERE}:{free_port(ELSEWHERE, kind)}"
        config = directory / "session-manager.toml"
        config.write_text(SETTINGS.format(name=NAME, transport=transport, link=link, peer=peer))
        self.options = ("--config", str(config))
        self.server = Server(directory, HOST, USERS, self.store, self.options, more=[f"tcp:{HOST}"])
        http = f"{ELSEWHERE}:{free_port(ELSEWHERE, socket.SOCK_STREAM)}"
        options = ("--store", f"sqlite:{directory / 'cm.db'}", "--http", http)
        self.elsewhere = FeatureProcess(directory, f"{transport}:{peer}", link, options)
        self.elsewhere.start()
        self.linked()

    def linked(self) -> None:
        wait_until("linked", lambda: self.server.metric("b2bua_entity_up", entity=NAME) == 1)

    def dies(self, who: str) -> None:
        """Those that are named die, and then start anew."""
        if "Session" in who:
            self.server.kill()
        if "Communication" in who:
            self.elsewhere.kill()
        if "Session" in who:
            self.server = restarted(self.server, self.store, self.options)
        if "Communication" in who:
            self.elsewhere.start()
        self.linked()

    def close(self) -> None:
        self.elsewhere.kill()
        self.server.kill()


def keys(who: str) -> list[Key]:
    """What a re-INVITE in flight becomes is the same for phones as with one process only where Communication Manager lives on;
    and of phones on TCP, whose own side of it has failed with the connection, only where it ends by BYE. The rest stands in
    scenarios/test_restart_elsewhere.py."""
    made = [Key(*each) for each in product(STANDING, ACTIONS, TRANSPORTS)]
    if "Communication" not in who:
        made += [Key(IN_FLIGHT, action, "udp") for action in ACTIONS]
        made += [Key(IN_FLIGHT, action, "tcp") for action in ("BYE by A", "BYE by B")]
    return made


def cells(server: Server, who: str) -> list[Cell]:
    users = iter(USERS.items())
    made = []
    for key in keys(who):
        phones = [Phone(*next(users), (server.host, server.port), PHONES, key.transport) for _ in range(3)]
        made.append(Cell(key, *phones))
    return made


async def over(couple: Couple, who: str) -> dict[Key, str]:
    """All cells over one death; those that went wrong."""
    made = cells(couple.server, who)
    try:
        wrong = await everywhere(made, Cell.prepare)
        for cell in made:
            if cell.key not in wrong:
                cell.meanwhile()
        await asyncio.to_thread(couple.dies, who)
        return wrong | await everywhere([cell for cell in made if cell.key not in wrong], Cell.act)
    finally:
        await asyncio.gather(*(phone.close() for cell in made for phone in cell.phones), return_exceptions=True)


@pytest.mark.parametrize(
    ("who", "transport"),
    [
        ("Session Manager", "tcp"),
        ("Session Manager", "udp"),
        ("Communication Manager", "udp"),
        ("Session and Communication Manager", "tcp"),
    ],
)
def test_calls_go_on(tmp_path: Path, who: str, transport: str) -> None:
    couple = Couple(tmp_path, transport)
    try:
        wrong = asyncio.run(over(couple, who))
        assert not wrong, "\n\n".join(f"{key}: {why}" for key, why in wrong.items())
        assert (tmp_path / "cm.db").stat().st_mode & 0o777 == 0o600
        assert not any(value for name, value in gauges(couple.server).items() if name.startswith("b2bua_calls"))
        for log in (couple.server.log_text(), couple.elsewhere.log_text()):
            assert "Traceback" not in log and "internal error" not in log
    finally:
        couple.close()
