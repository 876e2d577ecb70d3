"""The same script on the virtual network and on real sockets gives the same ladder and the same lamps. The plain hold is in
test_same_hold.py; here it is with phones over TCP, and with Communication Manager in a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.feature_process import FeatureProcess
from tests.interop.same_ladder import LINKED, OVER_TCP, PLAIN, Setting, compare
from tests.interop.server import Server, free_port, wait_until
from tests.scenarios.main_scripts import SCRIPTS, Script, glare, hold_and_resume, lost_datagrams
from tests.scenarios.options import password

HOST, PHONES, ELSEWHERE = "127.0.0.65", "127.0.0.66", "127.0.0.175"
USERS = {user: password(user) for user in ("6001", "6002")}
LINK = """
feature_server = "none"
links = ["cm=udp:{link}={peer}"]
link_heartbeat = 0.5
"""
CASES = [
    *((script, PLAIN) for script in SCRIPTS),
    (hold_and_resume, OVER_TCP),
    (hold_and_resume, LINKED),
    (glare, LINKED),
    (lost_datagrams, LINKED),
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def started(stack: ExitStack, directory: Path, setting: Setting) -> Server:
    """A server for one test."""
    if setting is not LINKED:
        server = Server(directory, HOST, USERS, own_ports=("tcp",) if setting is OVER_TCP else ())
        stack.callback(server.kill)
        return server
    link, peer = f"{HOST}:{free_port(HOST)}", f"{ELSEWHERE}:{free_port(ELSEWHERE)}"
    config = directory / "lab.toml"
    config.write_text(LINK.format(link=link, peer=peer))
    server = Server(directory, HOST, USERS, options=("--config", str(config)))
    stack.callback(server.kill)
    http = f"{ELSEWHERE}:{free_port(ELSEWHERE, socket.SOCK_STREAM)}"
    elsewhere = FeatureProcess(directory, f"udp:{peer}", link, ("--http", http, "--store", "memory:"))
    stack.callback(elsewhere.kill)
    elsewhere.start()
    wait_until("the link is up", lambda: server.metric("b2bua_entity_up", entity="cm") == 1)
    return server


@pytest.mark.parametrize(
    ("script", "setting"), CASES, ids=[f"{script.__name__} {setting.name}".strip() for script, setting in CASES]
)
def test_same_ladder(stack: ExitStack, tmp_path: Path, script: Script, setting: Setting) -> None:
    server = started(stack, tmp_path, setting)
    compare(server, PHONES, script, setting)
    server.check_healthy()
    assert server.stop() == 0
