"""A TCP relay of our own: what it carries comes in pieces, some of them late, and now and then a connection breaks."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory

from b2bua.sip.flow import HostPort


class RoughRelay:
    """Between phones and one server. What is cut, late or broken a seed decides, piece by piece."""

    def __init__(self, reactor: Any, server: HostPort, share: float, seed: int) -> None:
        """`share`: how many of a hundred pieces are late, over a hundred; a tenth as many break their connection."""
        self.pieces = self.delayed = self.broken = 0
        self.random = Random(seed)
        self.reactor = reactor
        self.server = server
        self.share = share
        self._ends: set[_End] = set()
        self._port: Any = None

    def listen(self, host: str) -> HostPort:
        factory: Any = ServerFactory()
        factory.protocol = lambda: self.end(None)
        self._port = self.reactor.listenTCP(0, factory, interface=host)
        return host, int(self._port.getHost().port)

    def connections(self) -> int:
        """Sockets in use but the listening one."""
        return len(self._ends)

    def close(self) -> None:
        for end in list(self._ends):
            end.abort()
        if self._port is not None:
            self._port.stopListening()

    def end(self, other: _End | None) -> _End:
        made = _End(self, other)
        self._ends.add(made)
        return made

    def forget(self, end: _End) -> None:
        self._ends.discard(end)


class _End(Protocol):
    """One side of a connection; with `other` None it is the phone's, and opens the one to the server."""

    transport: Any

    def __init__(self, relay: RoughRelay, other: _End | None) -> None:
        self._relay = relay
        self._other = other
        self._early: list[bytes] = []
        """What came before the other side stood."""
        self._ready_at = 0.0
        """When the last piece for the other side arrives there."""
        self._under_way: deque[bytes] = deque()
        """Pieces for the other side: each timer lets the oldest go, so that none overtakes another."""
        self._gone = False

    def connectionMade(self) -> None:
        relay = self._relay
        self.transport.setTcpNoDelay(True)
        if self._other is None:
            factory: Any = ClientFactory()
            factory.protocol = lambda: relay.end(self)
            factory.noisy = False
            factory.clientConnectionFailed = lambda _connector, _reason: self.abort()
            host, port = relay.server
            relay.reactor.connectTCP(host, port, factory, bindAddress=(self.transport.getHost().host, 0))
            return
        if self._other._gone:
            self.abort()
            return
        self._other._other = self
        early, self._other._early = self._other._early, []
        for data in early:
            self._other.carry(data)

    def dataReceived(self, data: bytes) -> None:
        if self._other is None:
            self._early.append(data)
        else:
            self.carry(data)

    def carry(self, data: bytes) -> None:
        """To the other side, in two pieces or in one."""
        random, relay = self._relay.random, self._relay
        at = random.randrange(len(data) + 1) if random.random() < 0.5 else len(data)
        for piece in filter(None, (data[:at], data[at:])):
            relay.pieces += 1
            if random.random() < relay.share / 10:
                relay.broken += 1
                self.abort()
                return
            delay = 0.0
            if random.random() < relay.share:
                relay.delayed += 1
                delay = random.uniform(0, 0.2)
            now = relay.reactor.seconds()
            self._ready_at = max(self._ready_at, now + delay)
            self._under_way.append(piece)
            relay.reactor.callLater(self._ready_at - now, self._write)

    def _write(self) -> None:
        other, piece = self._other, self._under_way.popleft()
        if other is not None and not other._gone:
            other.transport.write(piece)

    def abort(self) -> None:
        """Both sides at once, whatever is still on its way."""
        for end in (self, self._other):
            if end is not None and not end._gone:
                end._gone = True
                if end.transport is not None:
                    end.transport.abortConnection()

    def connectionLost(self, reason: object = None) -> None:
        self.abort()
        self._relay.forget(self)
