"""A phone behind a real NAT (network namespaces, nftables): it calls and is called, over UDP and over TCP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.nat import MAPPED, PRIVATE, PUBLIC, ROUTER, Nat
from tests.interop.server import Server, wait_until
from tests.interop.test_baresip import Conversation
from tests.interop.wire import parameter

USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6020)}
HOLE_SECONDS = 3


@pytest.fixture(scope="module")
def nat() -> Iterator[Nat]:
    """The three networks; the tests of this module run in the public one."""
    made = Nat()
    try:
        with made.inside(made.public):
            yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def server(nat: Nat, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    config = folder / "pbx.toml"
    config.write_text("keep_alive = 1\n")
    started = Server(
        folder, PUBLIC, USERS, options=("--config", str(config)), more=(f"tcp:{PUBLIC}",), http_host="127.0.0.1"
    )
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


class Phones:
    """baresip phones on both sides of the router."""

    def __init__(self, nat: Nat, server: Server, folder: Path, stack: ExitStack) -> None:
        self._nat = nat
        self._server = server
        self._folder = folder
        self._stack = stack

    def public(self, transport: str = "udp") -> Baresip:
        return self._phone(self._nat.public, PUBLIC, transport)

    def private(self, transport: str) -> Baresip:
        return self._phone(self._nat.private, PRIVATE, transport)

    def _phone(self, network: int, host: str, transport: str) -> Baresip:
        user = self._server.next_user()
        with self._nat.inside(network):
            phone = Baresip(self._folder / user, self._server.address, user, USERS[user], host, transport)
        self._stack.callback(phone.close)
        try:
            phone.registered()
        except BaseException:
            print(phone.said())
            raise
        return phone


@pytest.fixture
def phones(nat: Nat, server: Server, tmp_path: Path) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(nat, server, tmp_path, stack)


def is_behind_nat(server: Server, phone: Baresip) -> None:
    """The server saw it at the router's address, at a port that is not its own."""
    (answer, *_) = [hop for hop in server.hops(f"user={phone.user}") if hop.message.status == 200]
    via = answer.message.get("Via")
    assert via.split()[1].startswith(f"{PRIVATE}:") and parameter(via, "received") == ROUTER
    assert int(parameter(via, "rport")) in MAPPED


def all_transports(server: Server, phone: Baresip) -> set[str]:
    return {hop.transport for hop in server.hops(f"user={phone.user}") if phone.user in hop.way and "SM" in hop.way}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("calls", [True, False], ids=["calls", "is called"])
def test_phone_behind_nat(phones: Phones, server: Server, tmp_path: Path, transport: str, calls: bool) -> None:
    """A call from or to it; hold and resume by either party; the end."""
    far, near = phones.public(), phones.private(transport)
    is_behind_nat(server, near)
    caller, callee = (near, far) if calls else (far, near)
    conversation = Conversation(Lab(server, tmp_path), caller, callee)
    conversation.set_up()
    for phone in (near, far):
        conversation.change(phone, "hold")
        conversation.change(phone, "resume")
    conversation.hang_up()
    assert all_transports(server, near) == {transport}


def test_options_keep_the_hole_open(nat: Nat, phones: Phones, server: Server, tmp_path: Path) -> None:
    """The router forgets a silent flow after three seconds; the phone says nothing by itself, and is called after more."""
    nat.holes_last(HOLE_SECONDS)
    far, near = phones.public(), phones.private("udp")
    is_behind_nat(server, near)

    def answered() -> int:
        hops = server.hops(f"user={near.user}")
        return len([hop for hop in hops if hop.message.status and hop.message.cseq_method == "OPTIONS"])

    wait_until("OPTIONS answered", lambda: answered() > 2 * HOLE_SECONDS, 20)
    conversation = Conversation(Lab(server, tmp_path), far, near)
    conversation.set_up()
    conversation.hang_up()
