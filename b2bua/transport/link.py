"""The ends of a link to a feature server over the network, by UDP, TCP or TLS.

A link is one flow for as long as the process lives. Over TCP and TLS connections come and go beneath it: the feature server opens
them, keeps one up and comes back with patience; what is under way on one that breaks fails at once, but for re-INVITEs that the
other end has taken: it answers by the next (transaction/flow_failure.py). Either end hears its peer and nobody else, which it
knows by address and port: over TCP, too, the feature server sends from a fixed port.
Over TLS each end has a certificate that stands for its name or address, and that is what proves it (RFC 5922).
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as StreamProtocol

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort, Put
from b2bua.sip.framer import Unframed
from b2bua.sip.message import Message, Response
from b2bua.transport.address import is_address, listener_name
from b2bua.transport.interposed import interpose
from b2bua.transport.kinds import TCP, TLS, Kind
from b2bua.transport.stream import Connection, Limits, Recorder, StreamUser
from b2bua.transport.stream_flow import State, StreamFlow
from b2bua.transport.tcp import TcpListener
from b2bua.transport.tls import Tls, is_proven
from b2bua.transport.udp import UdpListener

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
"""Seconds before a lost connection is tried again: the first time, and at most; doubled each time it comes to nothing."""
OWED: Final = 1000
"""Most responses that wait for a connection; beyond it the oldest is dropped."""
_CLOSE_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closed by a reset, also by the death of the process. Else the port would be in TIME_WAIT, and since we send from
a fixed one nobody could come back for a minute."""


class Link(Protocol):
    """One end."""

    @property
    def name(self) -> str:
        """What is listened on: `udp:127.0.0.1:5070`."""

    @property
    def link(self) -> Flow:
        """The way to the peer, once the link is open; always the same."""

    def open(self, reactor: Any) -> None:
        """Bind; OSError when the address cannot be had."""

    def close(self) -> None: ...


class UdpLink:
    """Either end by UDP."""

    def __init__(
        self, user: StreamUser, recorder: Recorder, observer: Observer, ours: HostPort, peer: HostPort
    ) -> None:
        self._listener = UdpListener(user.received, recorder, observer, only=peer)
        self._ours = ours
        self._peer = peer

    @property
    def name(self) -> str:
        return self._listener.name

    @property
    def link(self) -> Flow:
        return self._listener.flow(self._peer)

    def open(self, reactor: Any) -> None:
        self._listener.listen(reactor, *self._ours)

    def close(self) -> None:
        self._listener.close()

    def interpose(self, between: Callable[[Put], Put]) -> Callable[[], None]:
        """Have what is sent go through `between` (interposed.py)."""
        return interpose((self._listener,), between)


class LinkFlow:
    """The flow of a link by TCP or TLS, over whichever connection stands."""

    reliable = True

    def __init__(
        self, listener: str, local: HostPort, remote: HostPort, nowhere: Callable[[], None], kind: Kind = TCP
    ) -> None:
        self.transport = kind.transport
        self.via_transport = kind.via_transport
        self.listener = listener
        self.local = local
        self.remote = remote
        self.way: StreamFlow | None = None
        """The connection that stands, or is being opened."""
        self._nowhere = nowhere
        self._owed: deque[Response] = deque(maxlen=OWED)

    def send(self, message: Message) -> bytes:
        """While there is no connection a request fails; a response waits for the next one, since it is not retransmitted."""
        way = self.way
        if isinstance(message, Response) and (way is None or way.state is State.CONNECTING):
            self._owed.append(message)
            return message.encode()
        if way is None:
            self._nowhere()
            return message.encode()
        return way.send(message)

    def stands(self) -> None:
        """There is a connection that carries something."""
        while self._owed and self.way is not None:
            self.way.send(self._owed.popleft())

    def resend(self, data: bytes) -> None:
        if self.way is not None:
            self.way.resend(data)

    def towards(self, remote: HostPort) -> Flow:
        return self


class _Told:
    """Stands between the connections of a link and its user: to the user they are all one flow."""

    def __init__(
        self, user: StreamUser, flow: LinkFlow, lost: Callable[[], None], heard: Callable[[], None],
        came_from: Callable[[HostPort], None] = lambda address: None,
    ) -> None:  # fmt: skip
        self._came_from = came_from
        self._user = user
        self._flow = flow
        self._lost = lost
        self._heard = heard

    def received(self, data: bytes, way: Flow) -> None:
        flow = self._flow
        self._heard()
        if way is not flow.way and isinstance(way, StreamFlow):
            if flow.way is not None:
                self._user.failed(flow)  # the peer was gone without a word, and came back
            flow.way = way
            self._came_from(way.remote)
            flow.stands()
        self._user.received(data, flow)

    def failed(self, way: Flow) -> None:
        if way is self._flow.way:
            self._flow.way = None
            self._user.failed(self._flow)
            self._lost()

    def unframed(self, flaw: Unframed, way: Flow) -> None:
        self._user.unframed(flaw, self._flow)


class AcceptingLink:
    """Session Manager's end by TCP, or by TLS with a certificate of the peer's that stands for its name or address.
    `came_from` hears where from, once a message has come by a new connection."""

    def __init__(
        self, user: StreamUser, recorder: Recorder, observer: Observer, ours: HostPort, peer: HostPort, tls: Tls | None = None,
        came_from: Callable[[HostPort], None] = lambda address: None,
    ) -> None:  # fmt: skip
        kind = TCP if tls is None else TLS
        self.link = LinkFlow(listener_name(kind.transport, ours), ours, peer, self._nowhere, kind)
        self._user = user
        self._ours = ours
        self._observer = observer
        told = _Told(user, self.link, lambda: None, lambda: None, came_from)
        # A name comes from anywhere: handshakes of strangers must leave room for its own.
        only, limits = (peer, Limits(connections=8)) if is_address(peer[0]) else (None, Limits(connections=256, unproven=128))
        certain = "" if tls is None else peer[0]
        self._listener = TcpListener(
            told, recorder, observer, limits=limits, only=only, kind=kind, tls=tls, certain=certain
        )

    @property
    def name(self) -> str:
        return self._listener.name

    def open(self, reactor: Any) -> None:
        self._listener.listen(reactor, *self._ours)
        self.link.listener, self.link.local = self._listener.name, self._listener.bound

    def close(self) -> None:
        self._listener.close()

    def _nowhere(self) -> None:
        self._observer.message_dropped("connection gone")
        self._listener.later(0, self._user.failed, self.link)


class DiallingLink:
    """The feature server's end by TCP or TLS. `opened` is called whenever a connection stands; Session Manager
    learns of it by the first message.

    It is itself the `b2bua.transport.stream.StreamListener` of its one flow and connection.
    """

    def __init__(
        self, user: StreamUser, recorder: Recorder, observer: Observer, ours: HostPort, peer: HostPort,
        opened: Callable[[], None], tls: Tls | None = None,
    ) -> None:  # fmt: skip
        kind = TCP if tls is None else TLS
        self.transport = kind.transport
        self.via_transport = kind.via_transport
        self.secure = kind.secure
        self.certain = ""
        self._tls = tls
        self.name = listener_name(kind.transport, ours)
        self.limits = Limits()
        self.put: Put = StreamFlow.put
        self.recorder = recorder
        self.observer = observer
        self.link = LinkFlow(self.name, ours, peer, self._nowhere, kind)
        self.user: StreamUser = _Told(user, self.link, self._lost, self._heard)
        self._owner = user
        self._opened = opened
        self._wait = FIRST_WAIT
        self._reactor: Any = None
        self._connection: Connection | None = None
        self._closed = False

    def open(self, reactor: Any) -> None:
        """Begin to dial; a peer that is not there is no error. OSError when our address cannot be had."""
        with socket.socket(socket.AF_INET6 if ":" in self.link.local[0] else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(self.link.local)
        self._reactor = reactor
        self._dial()

    def close(self) -> None:
        """End the connection, and dial no more."""
        self._closed = True
        if self._connection is not None:
            self._connection.end()

    def interpose(self, between: Callable[[Put], Put]) -> Callable[[], None]:
        """Have what is sent go through `between` (interposed.py); not what waits for a connection."""
        return interpose((self,), between)

    # -- dialling ----------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        if self._closed:
            return
        flow = self.link
        way = flow.way = _Way(self, flow.local, flow.remote)
        way.state = State.CONNECTING
        self.connect(way)

    def connect(self, flow: StreamFlow) -> None:
        host, port = flow.remote
        factory: Any = _Dialling(self, flow)
        if self._tls is not None:
            factory = self._tls.connecting(factory, self._reactor, "" if is_address(host) else host)
        self._reactor.connectTCP(host, port, factory, self.limits.connect, flow.local)

    def connected(self, flow: StreamFlow) -> Connection:
        self._connection = Connection(self, flow, accepted=False)
        return self._connection

    def stands(self, connection: Connection) -> None:
        """The connection is open."""
        transport: Any = connection.transport
        handle = (transport.transport if self.secure else transport).getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
        self.link.stands()
        self._opened()

    def _lost(self) -> None:
        if not self._closed:
            self.later(self._wait, self._dial)
            self._wait = min(self._wait * 2, LONGEST_WAIT)

    def _heard(self) -> None:
        """Session Manager speaks to us: the next loss is a new one, however often it turned us away before."""
        self._wait = FIRST_WAIT

    def _nowhere(self) -> None:
        self.observer.message_dropped("connection gone")
        self.later(0, self._owner.failed, self.link)

    # -- from flow and connection ------------------------------------------------------------------------------

    def seconds(self) -> float:
        return float(self._reactor.seconds())

    def later(self, seconds: float, function: Any, *arguments: Any) -> None:
        self._reactor.callLater(seconds, function, *arguments)

    def flow(self, remote: HostPort) -> Flow:
        return self.link

    def verified(self, connection: Connection) -> bool:
        """Whether it is Session Manager that we have reached."""
        transport: Any = connection.transport
        good = is_proven(transport.getHandle(), self.link.remote[0])
        if not good:
            self.observer.message_dropped("certificate of another")
        return good

    def shown(self, connection: Connection) -> frozenset[str]:
        return frozenset()

    def proven(self, connection: Connection) -> None:
        return

    def forget(self, flow: StreamFlow) -> None:
        return

    def ended(self, connection: Connection) -> None:
        if connection is self._connection:
            self._connection = None


class _Way(StreamFlow):
    """The flow of one dialled connection, which says when that stands."""

    __slots__ = ("_link",)

    def __init__(self, link: DiallingLink, local: HostPort, remote: HostPort) -> None:
        super().__init__(link, local, remote)
        self._link = link

    def opened(self, connection: Connection) -> None:
        super().opened(connection)
        self._link.stands(connection)


class _Dialling(ClientFactory):
    noisy = False

    def __init__(self, link: DiallingLink, flow: StreamFlow) -> None:
        self._link = link
        self._flow = flow

    def buildProtocol(self, addr: IAddress | None) -> StreamProtocol | None:
        return self._link.connected(self._flow)

    def clientConnectionFailed(self, connector: object, reason: object) -> None:
        self._flow.closed()
