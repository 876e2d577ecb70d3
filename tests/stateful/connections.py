"""Connections of model phones on the virtual network: bytes cut anywhere, lost with their connection, and connections anew.

What a connection carries goes through the server's own framer at both ends. A phone keeps one flow to the server for good
(`PhoneLink`), whatever connection it has; the server has a flow for each connection, as over real sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from b2bua.sip.errors import MalformedMessage
from b2bua.sip.flow import HostPort
from b2bua.sip.framer import Framer
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from tests.scenarios.server_under_test import TCP_SERVER
from tests.scenarios.virtual_network import VirtualNetwork
from tests.scenarios.virtual_streams import VirtualStream, VirtualTcp

LISTENING = 5060
MOST_PIECES = 4


class Piece(bytes):
    """Some bytes of a connection on their way."""

    connection: Connection


class Connection:
    """One connection, whoever opened it; `remote` is the phone's address on it."""

    def __init__(self, network: VirtualNetwork, segments: Segments, phone: PhoneLink, remote: HostPort) -> None:
        self.phone = phone
        self.remote = remote
        self.broken = False
        """Nothing arrives any more, what is under way is lost; the server may not know yet."""
        self.to_server, self.to_phone = Framer(), Framer()
        self._network = network
        self._segments = segments
        self._arrival = {remote: 0.0, TCP_SERVER: 0.0}

    def carry(self, data: bytes, source: HostPort, destination: HostPort) -> None:
        """Send bytes: in pieces, one after the other, never one before another."""
        at = max(self._arrival[destination], self._network.clock.now() + self._segments.delay)
        for part in self._segments.cut(data):
            piece = Piece(part)
            piece.connection = self
            at += self._segments.pause()
            self._network.segment(piece, source, destination, at)
        self._arrival[destination] = at


class Segments:
    """How streams are cut and delayed; the figures may be changed while it runs."""

    def __init__(self, seed: int) -> None:
        self.delay = 0.0
        self.jitter = 0.0
        """Seconds between two pieces, at most."""
        self._random = Random(seed)

    def cut(self, data: bytes) -> list[bytes]:
        places = sorted(self._random.sample(range(1, len(data)), min(self._random.randrange(MOST_PIECES), len(data) - 1)))
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]

    def pause(self) -> float:
        return self._random.uniform(0, self.jitter) if self.jitter else 0.0


class SegmentedStream(VirtualStream):
    """A connection as the server sees it."""

    connection: Connection | None = None

    def send(self, message: Message) -> bytes:
        data = super().send(message)
        self._owner._server.recorder.sent(self, message, data)
        return data

    def put(self, data: bytes, message: Message | None) -> bytes:
        owner = self._owner
        assert isinstance(owner, SegmentedTcp)
        network = owner.network
        if self.connection is None and self.open and self.remote in owner.phones and network.listens(self.remote):
            self.connection = owner.dial(self.remote)
        self.used = True
        connection = self.connection
        stands = connection is not None and self.open and not connection.broken
        said = parsed(data)
        if connection is not None and isinstance(said, Response) and said.status >= 200:
            network.note("SM", connection.phone.name, said)  # it has answered, whether that arrives or not
        if connection is not None and stands:
            connection.carry(data, owner.bound, self.remote)
        else:
            network.soon.append(lambda: owner.cut(self.remote, self))
        return data


class SegmentedTcp(VirtualTcp):
    """The server's listener. `phones`: who takes a connection at which address."""

    def __init__(self, network: VirtualNetwork, server: Any, segments: Segments) -> None:
        super().__init__(network, TCP_SERVER, server)
        self.put = SegmentedStream.put
        self.segments = segments
        self.phones: dict[HostPort, PhoneLink] = {}

    def flow(self, remote: HostPort, name: str = "") -> VirtualStream:
        return self._flows.get(remote) or self._flows.setdefault(remote, SegmentedStream(self, remote))

    def dial(self, remote: HostPort) -> Connection:
        """Open a connection to a phone that listens."""
        connection = Connection(self.network, self.segments, self.phones[remote], remote)
        connection.phone.taken.append(connection)
        return connection

    def accept(self, connection: Connection) -> None:
        """A phone has opened one."""
        flow = self._flows[connection.remote] = SegmentedStream(self, connection.remote)
        flow.connection = connection
        flow.used = True

    def hears_of(self, connection: Connection) -> None:
        """The kernel tells that a connection is gone."""
        flow = self._flows.get(connection.remote)
        if isinstance(flow, SegmentedStream) and flow.connection is connection:
            self.cut(connection.remote, flow)

    def listen(self, reactor: Any, host: str, port: int) -> None:
        self.network.attach(self._End(self), self.bound)

    class _End:
        """Where the pieces arrive; a `Host` of the network."""

        name = "SM"

        def __init__(self, listener: SegmentedTcp) -> None:
            self._listener = listener

        def datagram(self, data: bytes, source: HostPort) -> None:
            assert isinstance(data, Piece)
            flow = self._listener._flows.get(source)
            if data.connection.broken or not isinstance(flow, SegmentedStream) or flow.connection is not data.connection:
                return
            for frame in data.connection.to_server.feed(data):
                assert isinstance(frame, bytes), frame
                arrived(self._listener.network, data.connection.phone.name, self.name, frame)
                self._listener._server.message(frame, flow)


class PhoneLink:
    """A phone's way to the server for good: `b2bua.sip.flow.Flow`, and a `Host` that takes connections at its Contact.

    Whatever it has sent and got no final answer to is sent again when it has a new connection (RFC 3261 §17.1.4 leaves that
    to the phone): else a BYE that is lost with a connection would leave a call that only one side knows.
    """

    transport = via_transport = "TCP"
    reliable = True
    remote = TCP_SERVER

    def __init__(self, network: VirtualNetwork, name: str, host: str, server: SegmentedTcp) -> None:
        self.name = name
        self.local = (host, LISTENING)
        self.listener = f"tcp:{host}:{LISTENING}"
        self.offline = False
        """It has no network: it takes no connections, and what it sends is lost."""
        self.received: Callable[[bytes], None]
        self.taken: list[Connection] = []
        """Those that the server opened."""
        self.repeated: set[str] = set()
        """Branches of requests that it sent again over another connection: where the first one's transaction is over by then
        (its timers are 0 on a connection), the second is another request to the server."""
        self._open: dict[tuple[str, str], bytes] = {}
        """Requests without a final answer yet."""
        self._refusals: dict[str, bytes] = {}
        """Failure responses to INVITEs, by branch, until their ACK: one that is lost with a connection is owed on the next."""
        self._own: Connection | None = None
        self._network = network
        self._server = server
        self._ports = iter(range(49_152, 65_536))
        server.phones[self.local] = self
        network.attach(self, self.local)

    # -- the flow ----------------------------------------------------------------------------------------------

    def send(self, message: Message) -> bytes:
        data = message.encode()
        if isinstance(message, Request) and message.method != "ACK":
            self._open[message.top_via.branch, message.method] = data
        elif isinstance(message, Response) and message.status >= 300 and message.cseq_method == "INVITE":
            self._refusals[message.top_via.branch] = data
        self._put(data, message)
        return data

    def resend(self, data: bytes) -> None:
        self._put(data, None)

    def towards(self, remote: HostPort) -> PhoneLink:
        return self

    def _put(self, data: bytes, message: Message | None) -> None:
        if isinstance(message, Response) and message.status >= 200:
            self._network.note(self.name, "SM", message)  # it has answered, whether that arrives or not
        if self.offline:
            return
        if self._own is None or self._own.broken:
            self._connect()
        assert self._own is not None
        self._own.carry(data, self._own.remote, TCP_SERVER)

    def _connect(self) -> None:
        remote = (self.local[0], next(self._ports))
        self._network.attach(self, remote)
        self._own = Connection(self._network, self._server.segments, self, remote)
        self._server.accept(self._own)

    # -- the host ----------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, source: HostPort) -> None:
        assert isinstance(data, Piece)
        if data.connection.broken:
            return
        for frame in data.connection.to_phone.feed(data):
            assert isinstance(frame, bytes), frame
            message = parsed(frame)
            if isinstance(message, Response) and message.status >= 200:
                self._open.pop((message.top_via.branch, message.cseq_method), None)
            elif isinstance(message, Request) and message.method == "ACK":
                self._refusals.pop(message.top_via.branch, None)
            arrived(self._network, "SM", self.name, frame)
            self.received(frame)

    # -- what befalls it ---------------------------------------------------------------------------------------

    def breaks(self, told: bool) -> None:
        """All connections are gone, with what was under way; `told`: the server's kernel knows at once."""
        connections, self.taken = self.taken, []
        own, self._own = self._own, None
        for connection in (*connections, *([own] if own is not None else [])):
            connection.broken = True
            if connection is own:
                self._network.detach(connection.remote)
            if told:
                self._network.soon.append(partial(self._server.hears_of, connection))

    def goes(self) -> None:
        self.offline = True
        self._network.refusing.add(self.local)

    def comes_back(self, still_open: Callable[[tuple[str, str]], bool]) -> None:
        """On the network again: what has no answer yet, and is still waited for, is sent once more; what ends a call is in
        any case."""
        self.offline = False
        self._network.refusing.discard(self.local)
        self._open = {key: data for key, data in self._open.items() if key[1] in ("BYE", "CANCEL") or still_open(key)}
        for (branch, _), data in list(self._open.items()):
            self.repeated.add(branch)
            self._put(data, None)
        for data in list(self._refusals.values()):
            self._put(data, None)


def arrived(network: VirtualNetwork, source: str, destination: str, frame: bytes) -> None:
    """Write a message down that got through; final answers stand there already, from when they were given."""
    message = parsed(frame)
    if not isinstance(message, Response) or message.status < 200:
        network.note(source, destination, message)


def parsed(data: bytes) -> Message | None:
    try:
        return parse_message(data)
    except MalformedMessage:
        return None
