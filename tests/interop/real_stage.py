"""Script phones on real sockets: the same phones and scripts as on the virtual network, against a server process."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from b2bua.sip.flow import HostPort
from b2bua.sip.message import Message, Response
from tests.interop.server import NotReached, Server
from tests.scenarios.script_phone import ScriptPhone

SECONDS: Final = 10.0
"""For anything that is waited for."""


class RealNetwork:
    """What a script phone asks of its network, on UDP sockets. Nothing sleeps: it reads until what is waited for is there."""

    def __init__(self) -> None:
        self._hosts: dict[HostPort, Any] = {}
        self._sockets: dict[HostPort, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self.clock = self

    def now(self) -> float:
        return time.monotonic()

    def attach(self, host: Any, address: HostPort) -> None:
        self._hosts[address] = host
        made = self._sockets[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(address)
        self._selector.register(made, selectors.EVENT_READ, address)

    def send(self, data: bytes, source: HostPort, destination: HostPort) -> None:
        self._sockets[source].sendto(data, destination)

    def run(self) -> None:
        """Take what is there already."""
        self._read(0)

    def wait(self, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not reached():
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotReached(f"{what}: not within {SECONDS:g} s")
            self._read(left)

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            sock: Any = key.fileobj
            data, source = sock.recvfrom(65535)
            self._hosts[key.data].datagram(data, source)

    def text(self) -> str:
        return "(the ladder is the server's: b2bua trace)"

    def close(self) -> None:
        self._selector.close()
        for sock in self._sockets.values():
            sock.close()


class RealPhone(ScriptPhone):
    """A script phone that waits for what the script says comes next."""

    network: Any

    def __lshift__(self, expected: str) -> Message:
        wants_100 = expected.startswith("100")
        self.network.wait(f"{self.name} wants {expected}", lambda: any(wants_100 or not _is_100(each) for each in self.inbox))
        return super().__lshift__(expected)


class RealStage:
    """Phones around one server process, each on an address of its own port."""

    def __init__(self, server: Server, host: str) -> None:
        self.network = RealNetwork()
        self._server = server
        self._host = host

    def phone(self, user: str) -> RealPhone:
        address = (self._host, int(user))
        network: Any = self.network
        return RealPhone(network, user, address, server=(self._server.host, self._server.port))

    def until(self, phone: ScriptPhone, reached: Callable[[], bool]) -> None:
        self.network.wait(f"the lamp of {phone.name}", reached)

    def close(self) -> None:
        self.network.close()


def _is_100(message: Message) -> bool:
    return isinstance(message, Response) and message.status == 100
