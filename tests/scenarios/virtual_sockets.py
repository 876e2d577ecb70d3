"""Byte streams on the virtual network, under the server's own listener: TCP, TLS, WebSocket and secure WebSocket.

The listener, its flows and its connections are those of the server (b2bua/transport/tcp.py, stream.py, websocket.py); only what
Twisted and the kernel do below them is played here: who connects to whom, bytes in pieces, connections that break. TLS is
played without its encryption: both ends show real certificates, and the server judges them as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from OpenSSL import crypto
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.framer import Unframed
from b2bua.transaction.timers import TICK
from b2bua.transaction.unreadable import stream_broken
from b2bua.transport.address import listener_name
from b2bua.transport.kinds import TCP, Kind
from b2bua.transport.tcp import TcpListener
from tests.certificates import Authority
from tests.scenarios.virtual_network import VirtualNetwork

MOST_PIECES = 4


class Segments:
    """How streams are cut and delayed; the figures may be changed while it runs."""

    def __init__(self, seed: int, most: int = MOST_PIECES) -> None:
        self.delay = 0.0
        self.jitter = 0.0
        """Seconds between two pieces, at most."""
        self._most = most
        self._random = Random(seed)

    def cut(self, data: bytes) -> list[bytes]:
        count = min(self._random.randrange(self._most), len(data) - 1)
        places = sorted(self._random.sample(range(1, len(data)), count)) if count > 0 else []
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]

    def pause(self) -> float:
        return self._random.uniform(0, self.jitter) if self.jitter else 0.0

    def chance(self, share: float) -> bool:
        return self._random.random() < share


class Peer(Protocol):
    """Whoever has the other end of a connection; a `Host` of the network at the address of each."""

    certificate: crypto.X509 | None
    """What it shows over TLS."""

    def dialled(self, wire: Wire) -> None:
        """The server has opened a connection to it."""

    def bytes_received(self, data: bytes, wire: Wire) -> None: ...

    def closed(self, wire: Wire) -> None:
        """The server has closed it: nothing more comes."""


class Piece(bytes):
    """Some bytes of a connection on their way."""

    arrive: Callable[[bytes], None]


class Wire:
    """One connection, whoever opened it. `far` is the peer's address on it."""

    def __init__(self, listener: VirtualListener, peer: Peer, far: HostPort) -> None:
        self.peer = peer
        self.far = far
        self.broken = False
        """Nothing arrives any more, what is under way is lost; the server may not know yet."""
        self.closed = False
        """The server has closed it, or knows that it is broken."""
        self.protocol: Any = None
        self._listener = listener
        self._arrival = {far: 0.0, listener.bound: 0.0}

    # -- the peer's side ---------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Bytes to the server."""
        self._carry(data, self.far, self._listener.bound, self._at_server)

    def hang_up(self, told: bool) -> None:
        """The peer is gone with what was under way; `told`: the server's kernel knows at once."""
        self.broken = True
        if told:
            self._listener.network.soon.append(self.lost)

    def lost(self) -> None:
        """The server's kernel tells that it is gone. Idempotent."""
        if not self.closed:
            self.closed = True
            self.protocol.connectionLost(None)

    # -- the server's side: what a connection asks of Twisted's transport ---------------------------------------

    @property
    def transport(self) -> Wire:
        """Of TLS' own transport, the socket below it."""
        return self

    def getHandle(self) -> Wire:
        return self

    def get_peer_certificate(self) -> crypto.X509 | None:
        return self.peer.certificate

    def setsockopt(self, *option: object) -> None:
        return

    def setTcpNoDelay(self, enabled: bool) -> None:
        return

    def registerProducer(self, producer: object, streaming: bool) -> None:
        return

    def unregisterProducer(self) -> None:
        return

    def write(self, data: bytes) -> None:
        if self.broken:
            self._listener.network.soon.append(self.lost)
        elif data and not self.closed:
            self._carry(data, self._listener.bound, self.far, lambda data: self.peer.bytes_received(data, self))

    def abortConnection(self) -> None:
        self._listener.network.soon.append(self.lost)
        self.loseWriteConnection()

    def loseConnection(self) -> None:
        self.abortConnection()

    def loseWriteConnection(self) -> None:
        """The peer reads to the end, and knows then."""
        if not self.broken:
            at = max(self._arrival[self.far], self._listener.network.clock.now())
            self._segment(b"", self._listener.bound, self.far, at, lambda data: self.peer.closed(self))

    # -- what is under way -------------------------------------------------------------------------------------

    def _at_server(self, data: bytes) -> None:
        if not self.closed:
            self.protocol.dataReceived(data)

    def _carry(self, data: bytes, source: HostPort, destination: HostPort, arrive: Callable[[bytes], None]) -> None:
        """In pieces, one after the other, never one before another."""
        segments, now = self._listener.segments, self._listener.network.clock.now()
        at = max(self._arrival[destination], now + segments.delay)
        for part in segments.cut(data):
            at += segments.pause()
            self._segment(part, source, destination, at, arrive)
        self._arrival[destination] = at

    def _segment(
        self, data: bytes, source: HostPort, destination: HostPort, at: float, arrive: Callable[[bytes], None]
    ) -> None:
        piece = Piece(data)
        piece.arrive = partial(self._arrived, arrive)
        self._listener.network.segment(piece, source, destination, at)

    def _arrived(self, arrive: Callable[[bytes], None], data: bytes) -> None:
        if not self.broken:
            arrive(bytes(data))


class VirtualReactor(Clock):
    """What listeners ask of Twisted's reactor, on the clock of the network."""

    def __init__(self, network: VirtualNetwork) -> None:
        super().__init__()
        self._network = network
        self._listener: VirtualListener | None = None
        network.each_tick.append(lambda: self.advance(TICK))

    def serve(self, listener: VirtualListener) -> None:
        self._listener = listener

    def callLater(self, when: float, what: Callable[..., object], *arguments: Any, **named: Any) -> Any:
        if not when:
            self._network.soon.append(lambda: self.advance(0))
        return super().callLater(when, what, *arguments, **named)

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float, origin: object) -> None:
        self._network.soon.append(partial(self._connect, (host, port), factory))

    def _connect(self, address: HostPort, factory: Any) -> None:
        listener = self._listener
        assert listener is not None
        peer = listener.peers.get(address)
        if peer is None or not self._network.listens(address):
            factory.clientConnectionFailed(None, None)
            return
        wire = Wire(listener, peer, address)
        peer.dialled(wire)
        listener.begin(wire, factory.buildProtocol(None))


class _Unencrypted:
    """In place of `b2bua.transport.tls.Tls`."""

    def accepting(self, factory: Any, reactor: Any, web: bool) -> Any:
        return factory

    def connecting(self, factory: Any, reactor: Any, name: str = "") -> Any:
        return factory


class VirtualListener(TcpListener):
    """The server's listener of a kind, on the virtual network; a `Host` of it. `peers`: who takes connections, where."""

    def __init__(
        self, network: VirtualNetwork, address: HostPort, server: Any, kind: Kind = TCP, segments: Segments | None = None
    ) -> None:
        encryption: Any = _Unencrypted() if kind.secure else None
        super().__init__(_User(server), server.recorder, server.observer, kind=kind, tls=encryption)
        self.network = network
        self.segments = segments or Segments(0, most=1)
        self.peers: dict[HostPort, Peer] = {}
        self._bound = address
        self.name = listener_name(kind.transport, address)

    def listen(self, reactor: Any, host: str, port: int) -> None:
        self._reactor = made = VirtualReactor(self.network)
        made.serve(self)
        self._port = self
        self.network.attach(self._Host(), self._bound)
        self._sweep = made.callLater(2.0, self._look_for_idlers)

    def accept(self, peer: Peer, far: HostPort) -> Wire | None:
        """A peer has connected; None: it was refused."""
        protocol = self.accepted(IPv4Address("TCP", *far))
        if protocol is None:
            return None
        wire = Wire(self, peer, far)
        self.begin(wire, protocol)
        return wire

    def begin(self, wire: Wire, protocol: Any) -> None:
        """The connection stands, its TLS handshake done."""
        wire.protocol = protocol
        protocol.makeConnection(wire)
        if self.secure:
            protocol.handshakeCompleted()

    class _Host:
        name = "SM"

        def datagram(self, data: bytes, source: HostPort) -> None:
            assert isinstance(data, Piece)
            data.arrive(data)


class _User:
    """What the server under test hears of its listener, as in b2bua/service.py."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.failed = server.connection_failed

    def received(self, data: bytes, flow: Flow) -> None:
        try:
            self._server.taken(data, flow)
        except Exception as error:
            # The connection would count it and go on; a scenario wants to see it.
            self._server.errors.append(error)
            raise

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        stream_broken(self._server.layer, flaw, flow)


@lru_cache(maxsize=64)
def certificate_for(host: str) -> crypto.X509:
    """A certificate that stands for this host. Whose signature it bears nobody asks here: that is for the handshake."""
    with TemporaryDirectory(prefix="b2bua-certificates-") as made:
        issued = Authority(Path(made)).issue("phone", host)
        return crypto.load_certificate(crypto.FILETYPE_PEM, issued.certificate.read_bytes())
