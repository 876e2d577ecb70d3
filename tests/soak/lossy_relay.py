"""A UDP relay of our own that loses, doubles and delays: phones speak to it as to the server, each by a port of its own there."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from b2bua.sip.flow import HostPort


class LossyRelay(DatagramProtocol):
    """Carries datagrams between phones and one server. What is lost or doubled a seed decides, datagram by datagram."""

    def __init__(self, reactor: Any, server: HostPort, share: float, seed: int) -> None:
        """`share`: how many of a hundred are lost, over a hundred; as many are doubled, as many come late."""
        self.carried = self.lost = self.doubled = self.delayed = 0
        self._reactor = reactor
        self._server = server
        self._share = share
        self._random = Random(seed)
        self._ways: dict[HostPort, _Way] = {}
        self._port: Any = None

    def listen(self, host: str) -> HostPort:
        self._port = self._reactor.listenUDP(0, self, host)
        return host, int(self._port.getHost().port)

    def close(self) -> None:
        for way in self._ways.values():
            way.transport.stopListening()
        self._ways.clear()
        if self._port is not None:
            self._port.stopListening()

    def datagramReceived(self, data: bytes, phone: Any) -> None:
        way = self._ways.get(phone)
        if way is None:
            way = self._ways[phone] = _Way(self, phone)
            self._reactor.listenUDP(0, way, self._port.getHost().host)
        self.carry(data, way.transport, self._server)

    def back(self, data: bytes, phone: HostPort) -> None:
        self.carry(data, self.transport, phone)

    def carry(self, data: bytes, transport: Any, destination: HostPort) -> None:
        self.carried += 1
        random = self._random
        if random.random() < self._share:
            self.lost += 1
            return
        copies = 1
        if random.random() < self._share:
            self.doubled += 1
            copies = 2
        for _ in range(copies):
            delay = 0.0
            if random.random() < self._share:
                self.delayed += 1
                delay = random.uniform(0, 0.2)
            self._reactor.callLater(delay, _write, transport, data, destination)


class _Way(DatagramProtocol):
    """The relay's port towards the server for one phone."""

    transport: Any

    def __init__(self, relay: LossyRelay, phone: HostPort) -> None:
        self._relay = relay
        self._phone = phone

    def datagramReceived(self, data: bytes, server: Any) -> None:
        self._relay.back(data, self._phone)


def _write(transport: Any, data: bytes, destination: HostPort) -> None:
    if transport is not None and getattr(transport, "socket", None) is not None and not transport.disconnecting:
        transport.write(data, destination)
