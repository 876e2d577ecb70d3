"""Script phones on real sockets: the same phones and scripts as on the virtual network, against a server process."""

from __future__ import annotations

import re
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


_LENGTH: Final = re.compile(rb"^Content-Length: *([0-9]+)", re.MULTILINE | re.IGNORECASE)


class RealNetwork:
    """What a script phone asks of its network, on UDP sockets, or a connection of its own to the server. Nothing sleeps: it
    reads until what is waited for is there."""

    def __init__(self) -> None:
        self._hosts: dict[HostPort, Any] = {}
        self._sockets: dict[HostPort, socket.socket] = {}
        self._streams: dict[HostPort, bytes] = {}
        """Of each connection what came and is no whole message yet."""
        self._selector = selectors.DefaultSelector()
        self.clock = self

    def now(self) -> float:
        return time.monotonic()

    def attach(self, host: Any, address: HostPort) -> None:
        self._hosts[address] = host
        over_tcp = host.transport == "TCP"
        made = self._sockets[address] = socket.socket(socket.AF_INET, socket.SOCK_STREAM if over_tcp else socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, over_tcp)
        made.bind(address)
        if over_tcp:
            made.settimeout(SECONDS)
            made.connect(host.server)
            self._streams[address] = b""
        self._selector.register(made, selectors.EVENT_READ, address)

    def send(self, data: bytes, source: HostPort, destination: HostPort) -> None:
        if source in self._streams:
            self._sockets[source].sendall(data)
        else:
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
            if key.data in self._streams:
                self._read_stream(key.data, sock.recv(65535))
                continue
            data, source = sock.recvfrom(65535)
            self._hosts[key.data].datagram(data, source)

    def _read_stream(self, address: HostPort, data: bytes) -> None:
        """Whole messages of a connection, by Content-Length (RFC 3261 §18.3)."""
        assert data, f"the server has closed the connection of {address}"
        left = self._streams[address] + data
        while b"\r\n\r\n" in left:
            left = left.lstrip(b"\r\n")
            head, blank, body = left.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            assert length is not None, head
            size = int(length[1])
            if not blank or len(body) < size:
                break
            left = body[size:]
            self._hosts[address].datagram(head + blank + body[:size], address)
        self._streams[address] = left

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

    def __init__(self, server: Server, host: str, transport: str = "UDP") -> None:
        """`transport`: that of all phones."""
        self.network = RealNetwork()
        self.phones: list[RealPhone] = []
        self._server = server
        self._host = host
        self._transport = transport

    def phone(self, user: str) -> RealPhone:
        address = (self._host, int(user))
        network: Any = self.network
        port = self._server.ports["tcp"] if self._transport == "TCP" else self._server.port
        made = RealPhone(network, user, address, server=(self._server.host, port), transport=self._transport)
        self.phones.append(made)
        return made

    def until(self, phone: ScriptPhone, reached: Callable[[], bool]) -> None:
        self.network.wait(f"what comes to {phone.name}", reached)

    def close(self) -> None:
        self.network.close()


def _is_100(message: Message) -> bool:
    return isinstance(message, Response) and message.status == 100
