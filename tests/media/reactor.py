"""Twisted's test clock with UDP ports that are lists."""

from __future__ import annotations

import errno

from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock


class Port:
    """One bound port; `written` are the datagrams that left, each with where to."""

    def __init__(self, reactor: Reactor, host: str, number: int) -> None:
        self.host = host
        self.number = number
        self.written: list[tuple[bytes, tuple[str, int]]] = []
        self.open = True
        self._reactor = reactor

    def getHost(self):
        return type("Address", (), {"port": self.number})

    def write(self, data, address):
        self.written.append((data, address))

    def stopListening(self):
        self.open = False


class Reactor(Clock):
    """`taken`: ports that cannot be bound; `foreign`: addresses that are not of this host."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Port] = []
        self.taken: set[int] = set()
        self.foreign: set[str] = set()

    @property
    def port(self) -> Port:
        """The one that was bound last."""
        return self.ports[-1]

    def listenUDP(self, port, protocol, interface):
        if interface in self.foreign:
            raise CannotListenError(interface, port, OSError(errno.EADDRNOTAVAIL, "not here"))
        if port in self.taken | {each.number for each in self.ports if each.open}:
            raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "taken"))
        self.ports.append(Port(self, interface, port or 30_000))
        return self.port
