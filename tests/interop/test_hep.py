"""The trace at collectors: sngrep over UDP; one of ours over TCP that comes late and goes."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.interop.lab import Lab
from tests.interop.script import Callee, Caller
from tests.interop.server import Server, free_port, wait_until
from tests.interop.tmux import Terminal
from tests.trace.hep_packets import Chunks, read_packets

HOST = "127.0.0.95"
PORT = free_port(HOST, socket.SOCK_DGRAM)
SETTINGS = f'hep = "udp:{HOST}:{PORT}"\n'


def held_call(lab: Lab) -> tuple[str, str]:
    """The users of a call that was held and ended."""
    caller, callee = lab.phones(2)
    lab.call(
        caller, Caller(callee.user).dial().pause(100).reinvite("sendonly").pause(100).bye(),
        callee, Callee().ring().accept().reinvited("sendonly", "recvonly").byed(),
    )  # fmt: skip
    return caller.user, callee.user


def test_sngrep_shows_the_call(lab: Lab, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, ["sngrep", "-F", "-L", f"udp:{HOST}:{PORT}"], 160, 50)
    try:
        terminal.until("sngrep", "Dialogs")
        users = held_call(lab)
        terminal.until("INVITE", *users, "COMPLETED")
    finally:
        terminal.close()


class Collector:
    def __init__(self, host: str, port: int) -> None:
        self._listening = socket.create_server((host, port))
        self._listening.settimeout(40)
        self._connection, _ = self._listening.accept()
        self._connection.settimeout(0.1)
        self._rest = b""
        self.packets: list[Chunks] = []

    def read(self) -> list[Chunks]:
        try:
            found, self._rest = read_packets(self._rest + self._connection.recv(65_536))
            self.packets += found
        except TimeoutError:
            pass
        return self.packets

    def close(self) -> None:
        self._connection.close()
        self._listening.close()


def test_a_collector_over_tcp_may_come_late_and_go(tmp_path: Path) -> None:
    port = free_port(HOST, socket.SOCK_STREAM)
    (tmp_path / "settings.toml").write_text(f'hep = "tcp:{HOST}:{port}"\n')
    options = ("--config", str(tmp_path / "settings.toml"))
    server = Server(tmp_path, HOST, {"6001": "one-word", "6002": "two-words"}, options=options)
    lab = Lab(server, tmp_path)
    try:
        collector = Collector(HOST, port)
        held_call(lab)
        wait_until("the BYE", lambda: any(packet[15].startswith(b"BYE ") for packet in collector.read()))
        invites = [packet for packet in collector.packets if packet[15].startswith(b"INVITE ")]
        call_ids = {line for packet in invites for line in packet[15].split(b"\r\n") if line.startswith(b"Call-ID:")}
        assert len({packet[17] for packet in invites}) == 1 and len(call_ids) == 2, "two legs, one correlation id"
        collector.close()
        server.check_healthy()
        assert server.stop() == 0
    finally:
        lab.close()
        server.kill()
