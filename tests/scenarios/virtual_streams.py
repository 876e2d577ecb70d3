"""Connections on the virtual network: whole messages in order, a connection that can be cut, one that nobody takes."""

from __future__ import annotations

from typing import Any

from b2bua.sip.flow import Flow, HostPort, Put
from b2bua.sip.message import Message
from b2bua.transport.kinds import TCP, Kind
from tests.scenarios.virtual_network import BRIDGE, VirtualNetwork


class VirtualStream:
    """One connection as the server sees it: `b2bua.sip.flow.Flow`."""

    reliable = True

    def __init__(self, owner: VirtualTcp, remote: HostPort) -> None:
        self._owner = owner
        self.transport = owner.kind.transport
        self.via_transport = owner.kind.via_transport
        self.local = owner.advertised or owner.bound
        self.remote = remote
        self.listener = owner.name
        self.open = True
        self.used = False
        self.dead = False
        """The peer is gone, and nobody has told us."""

    def send(self, message: Message) -> bytes:
        return self._owner.put(self, message.encode(), message)

    def resend(self, data: bytes) -> None:
        self._owner.put(self, data, None)

    def towards(self, remote: HostPort) -> Flow:
        return self._owner.flow(remote)

    def put(self, data: bytes, message: Message | None) -> bytes:
        network, recorder = self._owner.network, self._owner._server.recorder
        if message is not None:
            recorder.sent(self, message, data)
        else:
            recorder.resent(self, data)
        reached = not self.dead and network.listens(self.remote) and (self.used or not self._owner.kind.web)
        self.used = True
        if self.open and reached:
            network.send(data, self.local, self.remote)
        else:
            network.soon.append(lambda: self._owner.cut(self.remote, self))
        return data


class VirtualTcp:
    """A listener of the server under test whose messages travel on connections, of whatever kind:
    `b2bua.transport.listener_set.Listener`, and a `Host` of the network."""

    waited = 0.0

    def __init__(self, network: VirtualNetwork, address: HostPort, server: Any, kind: Kind = TCP) -> None:
        self.network = network
        self.bound = address
        self.advertised: HostPort | None = None
        self.kind = kind
        self.transport = kind.transport
        self._server = server
        self._flows: dict[HostPort, VirtualStream] = {}
        self.put: Put = VirtualStream.put

    def bridge(self) -> None:
        """It runs in a container: bound to BRIDGE, reached at what it was made for."""
        self.advertised, self.bound = self.bound, (BRIDGE, self.bound[1])

    @property
    def name(self) -> str:
        return f"{self.kind.transport}:{self.bound[0]}:{self.bound[1]}"

    def listen(self, reactor: Any, host: str, port: int) -> None:
        self.network.attach(self._Host(self), self.advertised or self.bound)

    def find(self, remote: HostPort) -> VirtualStream | None:
        flow = self._flows.get(remote)
        return flow if flow is not None and flow.used else None

    def flow(self, remote: HostPort, name: str = "") -> VirtualStream:
        return self._flows.get(remote) or self._flows.setdefault(remote, VirtualStream(self, remote))

    def alias(self, flow: Flow, port: int) -> None:
        return

    def flows(self) -> int:
        return len(self._flows)

    def sample(self) -> None:
        return

    def close(self) -> None:
        return

    def cut(self, remote: HostPort, flow: VirtualStream | None = None) -> None:
        """The connection with a peer breaks; the server hears of it."""
        flow = flow or self._flows[remote]
        if self._flows.get(remote) is flow:
            del self._flows[remote]
        flow.open = False
        self._server.connection_failed(flow)

    class _Host:
        """What the network knows of it."""

        name = "SM"

        def __init__(self, listener: VirtualTcp) -> None:
            self._listener = listener

        def datagram(self, data: bytes, source: HostPort) -> None:
            flow = self._listener.flow(source)
            flow.used = True
            self._listener._server.message(data, flow)
