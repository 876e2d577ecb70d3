"""Two phones, a watcher, any order of what their users may do, on networks good and bad: see whole_server.py.

A run that fails prints its steps, its seed, the ladder, and the `@reproduce_failure` line that repeats it (test_failing_run.py).
"""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.random_runs import chosen
from tests.stateful.whole_server import WholeServer


@pytest.mark.parametrize("link", ["memory", "udp", "tcp"])
def test_whole_server(link: str) -> None:
    """With Communication Manager in the server's process, and on another host."""
    machine = type(f"WholeServer_{link}", (WholeServer,), {"link": link})
    run_state_machine_as_test(machine, settings=chosen())


A, B, WATCHER = "6001", "6002", "6003"
CONNECTED: tuple[tuple[str, dict[str, str]], ...] = (
    ("memory", {A: "tcp", B: "tcp", WATCHER: "tcp"}),
    ("memory", {A: "tcp"}),
    ("tcp", {A: "tcp", B: "tcp"}),
    ("memory", {A: "tls", B: "tls", WATCHER: "tls"}),
    ("memory", {A: "ws", B: "wss", WATCHER: "wss"}),
    ("memory", {A: "wss", WATCHER: "tls"}),
    ("udp", {A: "tls", B: "ws", WATCHER: "tcp"}),
)


def name_of(link: str, connected: dict[str, str]) -> str:
    return "-".join((link, *(connected.get(user, "udp") for user in (A, B, WATCHER))))


@pytest.mark.parametrize(("link", "connected"), CONNECTED, ids=[name_of(*one) for one in CONNECTED])
def test_whole_server_over_connections(link: str, connected: dict[str, str]) -> None:
    """Phones over TCP, TLS and WebSocket, however the stream is cut into pieces, and whatever connection breaks and comes
    again."""
    name = "_".join(("WholeServer", link, *(f"{user}_{transport}" for user, transport in connected.items())))
    machine = type(name, (WholeServer,), {"link": link, "connected": connected})
    run_state_machine_as_test(machine, settings=chosen())


def test_whole_server_with_sips() -> None:
    """Every hop is secure, and every address of ours that a phone is told says so (RFC 3261 §12.1.1)."""
    connected = {A: "tls", B: "wss", WATCHER: "tls"}
    machine = type("WholeServer_sips", (WholeServer,), {"connected": connected, "scheme": "sips"})
    run_state_machine_as_test(machine, settings=chosen())
