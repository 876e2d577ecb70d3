"""The TCP listener (RFC 3261 §18), bare, under TLS, for WebSockets: connections that phones open, and those that we open to
them from the same address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.internet.protocol import Protocol as StreamProtocol

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort, Put
from b2bua.transport.address import WILDCARDS, family_of, is_address, kernel_address, listener_name
from b2bua.transport.kinds import TCP, Kind
from b2bua.transport.stream import Connection, Limits, Recorder, StreamUser
from b2bua.transport.stream_flow import State, StreamFlow
from b2bua.transport.tls import Tls, identities_of, is_proven
from b2bua.transport.websocket import WebSocketConnection

BACKLOG: Final = 512
"""Connections that the kernel keeps until we take them."""
MAX_FLOWS: Final = 100_000
"""At this many peers those that no connection stands with are forgotten."""
SWEEP_SECONDS: Final = 2.0
"""How often silent and unfinished connections are looked for."""


class TcpListener:
    """One listening socket with its connections, one flow each. Connections that it opens come from the same host. With `only`
    nobody but this peer is let in: the listener of a link is the link. A `kind` that is secure needs `tls`. With `certain`
    whoever connects has to show a certificate of this name or address.

    `advertised` replaces the local address in everything peers are told. Listening on a wildcard address, the one told is
    the address that the kernel uses towards that peer.
    """

    waited = 0.0

    def __init__(
        self,
        user: StreamUser,
        recorder: Recorder,
        observer: Observer,
        advertised: HostPort | None = None,
        limits: Limits | None = None,
        only: HostPort | None = None,
        kind: Kind = TCP,
        tls: Tls | None = None,
        certain: str = "",
    ) -> None:
        assert tls is not None or not kind.secure, "TLS needs a certificate"
        self.user = user
        self.recorder = recorder
        self.observer = observer
        self.limits = limits or Limits()
        self.put: Put = StreamFlow.put
        self.name = ""
        self.kind = kind
        self._tls = tls
        self._connection = WebSocketConnection if kind.web else Connection
        self._advertised = advertised
        self._only = only
        self.certain = certain
        self._bound: HostPort = ("", 0)
        self._reactor: Any = None
        self._port: Any = None
        self._sweep: Any = None
        self._flows: dict[HostPort, StreamFlow] = {}
        """The newest flow to each peer, while it lives."""
        self._named: dict[tuple[HostPort, str], StreamFlow] = {}
        """Flows whose peer has to prove a name."""
        self._beside: dict[HostPort, StreamFlow] = {}
        """Flows of our own to addresses from which an unproven TLS client is connected."""
        self._connections: dict[Connection, None] = {}
        """All open ones, those that peers opened and ours."""
        self._accepted: dict[str, int] = {}
        """How many of them each host opened."""
        self._ours = 0
        """How many we opened, or are opening."""
        self._unproven: dict[Connection, None] = {}
        """Accepted ones without a whole message yet, oldest first."""

    @property
    def transport(self) -> str:
        return self.kind.transport

    @property
    def via_transport(self) -> str:
        return self.kind.via_transport

    @property
    def secure(self) -> bool:
        return self.kind.secure

    def listen(self, reactor: Any, host: str, port: int) -> None:
        """Bind and start to accept; OSError when the address cannot be had. Port 0 is any free one."""
        family = family_of(host)
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        with sock:  # the reactor takes a copy
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # IPv6 only: an IPv4 peer would else show up as ::ffff:… and match no flow of its own listener.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
            sock.listen(BACKLOG)
            bound = sock.getsockname()
            self._bound = (bound[0], bound[1])
            self.name = listener_name(self.transport, self._bound)
            self._reactor = reactor
            factory: Any = _Accepting(self)
            if self._tls is not None:
                factory = self._tls.accepting(factory, reactor, self.kind.web)
            self._port = reactor.adoptStreamPort(sock.fileno(), family, factory)
        self._sweep = reactor.callLater(SWEEP_SECONDS, self._look_for_idlers)

    def close(self) -> None:
        """Stop accepting, and end every connection. Idempotent."""
        port, self._port = self._port, None
        if port is None:
            return
        port.stopListening()
        if self._sweep is not None and self._sweep.active():
            self._sweep.cancel()
        for connection in list(self._connections):
            connection.end()

    @property
    def bound(self) -> HostPort:
        """The address the socket is bound to; the port is the real one even where 0 was asked for."""
        return self._bound

    @property
    def advertised(self) -> HostPort | None:
        return self._advertised

    def advertise(self, address: HostPort) -> None:
        """Tell peers this address from now on: for an advertised host whose port is the one that was bound."""
        self._advertised = address

    def flows(self) -> int:
        """Open connections."""
        return len(self._connections)

    def sample(self) -> None:
        """Nothing: of a stream the kernel does not tell how long bytes have waited."""

    # -- flows -------------------------------------------------------------------------------------------------

    def find(self, remote: HostPort) -> StreamFlow | None:
        """The flow of the connection that stands with a peer, or is being opened to it; None when there is none."""
        flow = self._flows.get(remote)
        return flow if flow is not None and flow.usable else None

    def _named_flow(self, remote: HostPort, name: str) -> StreamFlow:
        """A connection that has proven one name proves nothing of another (RFC 5922 §4, RFC 5923 §8.2)."""
        found = self._named.get((remote, name))
        if found is None or found.state is State.CLOSED:
            found = self._named[remote, name] = StreamFlow(self, self._local_towards(remote), remote, name)
            self._flows.setdefault(remote, found)
        return found

    def alias(self, flow: Flow, port: int) -> None:
        """`b2bua.sip.flow.Flows.alias`. A connection that stands to that address and name already stays the one."""
        if not isinstance(flow, StreamFlow) or not flow.usable:
            return
        for name in flow.identities:
            way = (flow.remote[0], port), name
            known = self._named.get(way)
            if known is None or not known.usable:
                if len(self._named) >= MAX_FLOWS:
                    self._named = {peer: known for peer, known in self._named.items() if known.usable}
                self._named[way] = flow

    def _local_towards(self, remote: HostPort) -> HostPort:
        """Our address towards this peer, for Via and Contact."""
        local = self._advertised or self._bound
        if self._advertised is None and local[0] in WILDCARDS:
            return kernel_address(local[0], remote) if is_address(remote[0]) else local[0], local[1]
        return local

    def flow(self, remote: HostPort, name: str = "") -> StreamFlow:
        """The flow to a peer; where no connection stands, one is opened once something is sent. Over TLS its certificate has
        to stand for `name`, if there is one, else for its address.

        Over TLS a connection that a peer opened from that address counts only where its certificate has proven it (RFC 5923
        §4, §9): anybody at the phone's address, behind its NAT perhaps, could else wait there for its calls.
        """
        if name and name != remote[0] and self.secure:
            return self._named_flow(remote, name)
        known = self._flows
        found = known.get(remote)
        if found is not None and (found.name or not found.proven) and not self.kind.web:
            known = self._beside
            found = known.get(remote)
        if found is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows = {peer: flow for peer, flow in self._flows.items() if flow.usable}
                self._beside = {peer: flow for peer, flow in self._beside.items() if flow.usable}
                self._named = {peer: flow for peer, flow in self._named.items() if flow.usable}
            found = known[remote] = StreamFlow(self, self._local_towards(remote), remote)
        return found

    def connect(self, flow: StreamFlow) -> None:
        """Open the connection of a flow; `closed` of the flow when that cannot be."""
        host, port = flow.remote
        bound = self._bound[0]
        reachable = is_address(host) and family_of(host) == family_of(bound) and 0 < port < 65536
        if self._port is None or self.kind.web or not reachable:
            # A name is not looked up: any stranger can write one into a Via or a Contact. A browser takes no connection.
            self.observer.message_dropped("unreachable")
            self.later(0, flow.closed)
            return
        if self._ours >= self.limits.connections:
            self.observer.message_dropped("too many connections")
            self.later(0, flow.closed)
            return
        self._ours += 1
        origin = None if bound in WILDCARDS else (bound, 0)
        factory: Any = _Connecting(self, flow)
        if self._tls is not None:
            factory = self._tls.connecting(factory, self._reactor, flow.name)
        self._reactor.connectTCP(host, port, factory, self.limits.connect, origin)

    # -- from connections --------------------------------------------------------------------------------------

    def seconds(self) -> float:
        return float(self._reactor.seconds())

    def later(self, seconds: float, function: Callable[..., None], *arguments: object) -> None:
        """Call in a later turn of the reactor."""
        self._reactor.callLater(seconds, function, *arguments)

    def accepted(self, address: Any) -> Connection | None:
        """A peer has connected; None refuses it."""
        if self._only is not None and (address.host, address.port) != self._only:
            self.observer.message_dropped("stranger on a link")
            return None
        limit = self.limits.connections
        # No host may have more than half, or one of them could shut out everybody else.
        ours = self._accepted.get(address.host, 0)
        if self._port is None or sum(self._accepted.values()) >= limit or ours >= max(limit // 2, 1):
            self.observer.message_dropped("too many connections")
            return None
        remote = (address.host, address.port)
        flow = StreamFlow(self, self._local_towards(remote), remote)
        flow.state = State.CONNECTING  # until the handshakes are done, if there are any
        flow.proven = not self.kind.secure
        self._flows[remote] = flow
        connection = self._connection(self, flow, accepted=True)
        self._accepted[address.host] = ours + 1
        self._connections[connection] = None
        self._unproven[connection] = None
        if len(self._unproven) > self.limits.unproven:
            oldest = next(iter(self._unproven))
            self.observer.message_dropped("too many connections")
            self.later(0, oldest.cut)
            del self._unproven[oldest]
        return connection

    def not_connected(self, flow: StreamFlow) -> None:
        """A connection could not be opened."""
        self._ours -= 1
        flow.closed()

    def connected(self, flow: StreamFlow) -> Connection:
        """A connection that we opened."""
        connection = self._connection(self, flow, accepted=False)
        self._connections[connection] = None
        return connection

    def verified(self, connection: Connection) -> bool:
        """Whether a TLS peer is who it should be: the name that was looked for, else its address. One that connected to us
        need not prove anything unless `certain` is set."""
        transport: Any = connection.transport
        flow = connection.flow
        wanted = (self.certain if connection.accepted else "") or flow.name or flow.remote[0]
        good = is_proven(transport.getHandle(), wanted)
        if not good and (self.certain or not connection.accepted):
            self.observer.message_dropped("certificate of another")
        return good

    def shown(self, connection: Connection) -> frozenset[str]:
        """Whom a TLS peer that called us has proven to be."""
        transport: Any = connection.transport
        return identities_of(transport.getHandle())

    def proven(self, connection: Connection) -> None:
        """A whole message came."""
        self._unproven.pop(connection, None)

    def forget(self, flow: StreamFlow) -> None:
        """A flow is dead: the next request for its peer opens another."""
        for known in (self._flows, self._beside):
            if known.get(flow.remote) is flow:
                del known[flow.remote]
        if flow.name or flow.identities:
            self._named = {way: known for way, known in self._named.items() if known is not flow}

    def ended(self, connection: Connection) -> None:
        """A socket is closed."""
        del self._connections[connection]
        self._unproven.pop(connection, None)
        if connection.accepted:
            host = connection.flow.remote[0]
            self._accepted[host] -= 1
            if not self._accepted[host]:
                del self._accepted[host]
        else:
            self._ours -= 1

    def _look_for_idlers(self) -> None:
        now = self.seconds()
        for connection in list(self._connections):
            if connection.unfinished(now) or now - connection.heard > self.limits.idle:
                connection.cut()
        self._sweep = self._reactor.callLater(SWEEP_SECONDS, self._look_for_idlers)


class _Accepting(ServerFactory):
    noisy = False

    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener

    def buildProtocol(self, addr: IAddress | None) -> StreamProtocol | None:
        return self._listener.accepted(addr)


class _Connecting(ClientFactory):
    noisy = False

    def __init__(self, listener: TcpListener, flow: StreamFlow) -> None:
        self._listener = listener
        self._flow = flow

    def buildProtocol(self, addr: IAddress | None) -> StreamProtocol | None:
        return self._listener.connected(self._flow)

    def clientConnectionFailed(self, connector: object, reason: object) -> None:
        self._listener.not_connected(self._flow)
