"""The socket to a HEP collector: UDP, or TCP that connects again by itself."""

# Twisted's factories are typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import DatagramProtocol, Protocol, ReconnectingClientFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from b2bua.trace.hep import HepFeed
from b2bua.trace.recorder import Recorder

MAX_DELAY: Final = 30
"""Seconds between two attempts to connect, at most."""


def start_hep(reactor: Any, transport: str, address: tuple[str, int], recorder: Recorder) -> Callable[[], None]:
    """Send what `recorder` records from now on to a collector (`udp` or `tcp`); call what is returned to stop."""
    sender = _Datagrams(reactor, address) if transport == "udp" else _Stream(reactor, address)
    feed = HepFeed(recorder, sender.send, reactor.callLater)

    def stop() -> None:
        feed.close()
        sender.close()

    return stop


class _Datagrams:
    def __init__(self, reactor: Any, address: tuple[str, int]) -> None:
        self._address = address
        self._port = reactor.listenUDP(0, DatagramProtocol(), interface="::" if ":" in address[0] else "0.0.0.0")

    def send(self, packet: bytes) -> bool:
        try:
            self._port.write(packet, self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._port.stopListening()


@implementer(IPushProducer)
class _Connection(Protocol):
    """Whether the transport takes more; it says so as to any producer."""

    def __init__(self) -> None:
        self.takes = False

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.registerProducer(self, True)
        self.takes = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.takes = False

    def pauseProducing(self) -> None:
        self.takes = False

    def resumeProducing(self) -> None:
        self.takes = True

    def stopProducing(self) -> None:
        self.takes = False


class _Stream(ReconnectingClientFactory):
    maxDelay = MAX_DELAY
    noisy = False

    def __init__(self, reactor: Any, address: tuple[str, int]) -> None:
        self.clock = reactor
        self._connection = _Connection()
        self._connector = reactor.connectTCP(*address, self)

    def buildProtocol(self, addr: Any) -> _Connection:
        self.resetDelay()
        self._connection = _Connection()
        return self._connection

    def send(self, packet: bytes) -> bool:
        if not self._connection.takes or self._connection.transport is None:
            return False
        self._connection.transport.write(packet)
        return True

    def close(self) -> None:
        self.stopTrying()
        # A producer that is registered would keep the connection open.
        transport: Any = self._connection.transport
        if transport is not None and self._connection.connected:
            transport.unregisterProducer()
        self._connector.disconnect()
