"""Connections of model phones on the virtual network: bytes cut anywhere, lost with their connection, and connections anew.

The server's end is its own listener (tests/scenarios/virtual_sockets.py). A phone keeps one flow to the server for good
(`PhoneLink`), whatever connection it has; the server has a flow for each connection, as over real sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from OpenSSL import crypto

from b2bua.sip.flow import HostPort
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.transport.kinds import Kind
from b2bua.transport.stream_flow import StreamFlow
from tests.scenarios.virtual_network import VirtualNetwork
from tests.scenarios.virtual_sockets import Piece, Segments, VirtualListener, Wire, certificate_for
from tests.scenarios.wire_ends import WireEnd, end_of

LISTENING = 5060


class ModelListener(VirtualListener):
    """The server's listener, which writes down what it hears and answers. `names`: whose host is whose."""

    def __init__(
        self, network: VirtualNetwork, address: HostPort, server: Any, kind: Kind, segments: Segments, names: Mapping[str, str]
    ) -> None:
        super().__init__(network, address, server, kind, segments)
        self.put = self._put
        self._names = names
        received, self.user.received = self.user.received, self._received
        self._take = received

    def _put(self, flow: StreamFlow, data: bytes, message: Message | None) -> bytes:
        said = message or parsed(data)
        if isinstance(said, Response) and said.status >= 200:
            # It has answered, whether that arrives or not.
            self.network.note("SM", self._names[flow.remote[0]], said)
        return StreamFlow.put(flow, data, message)

    def _received(self, data: bytes, flow: StreamFlow) -> None:
        arrived(self.network, self._names[flow.remote[0]], "SM", data)
        self._take(data, flow)


class PhoneLink:
    """A phone's way to the server for good: `b2bua.sip.flow.Flow`, and the `Peer` of its connections; unless it is a browser
    it takes some at its Contact.

    Whatever it has sent and got no final answer to is sent again when it has a new connection (RFC 3261 §17.1.4 leaves that
    to the phone): else a BYE that is lost with a connection would leave a call that only one side knows.
    """

    reliable = True

    def __init__(
        self, network: VirtualNetwork, name: str, host: str, server: VirtualListener, certified: bool, scheme: str = "sip"
    ) -> None:
        """`certified`: over TLS it has a certificate for its address, and so takes connections of the server's."""
        kind = server.kind
        self._scheme = scheme
        self.name = name
        self.transport, self.via_transport = kind.transport, kind.via_transport
        self.remote = server.bound
        self.local = (f"{name}.invalid" if kind.web else host, LISTENING)
        self.listener = f"{kind.transport}:{host}:{LISTENING}"
        self.certificate: crypto.X509 | None = certificate_for(host) if kind.secure and certified else None
        self.offline = False
        """It has no network: it takes no connections, and what it sends is lost."""
        self.received: Callable[[bytes], None]
        self.repeated: set[str] = set()
        """Branches of requests that it sent again over another connection: where the first one's transaction is over by then
        (its timers are 0 on a connection), the second is another request to the server."""
        self.failures: list[str] = []
        self._open: dict[tuple[str, str], bytes] = {}
        """Requests without a final answer yet."""
        self._refusals: dict[str, bytes] = {}
        """Failure responses to INVITEs, by branch, until their ACK: one that is lost with a connection is owed on the next."""
        self._ends: dict[Wire, WireEnd] = {}
        """Its connections."""
        self._own: Wire | None = None
        """The one that it opened last, by which it sends."""
        self._network = network
        self._server = server
        self._address = (host, LISTENING)
        self._ports = iter(range(49_152, 65_536))
        if not kind.web:
            server.peers[self._address] = self
            network.attach(self, self._address)

    @property
    def contact(self) -> str:
        """What it registers (RFC 7118 §5.3 of a browser: nobody can go there)."""
        if self._server.kind.web:
            return f'<{self._scheme}:{self.name}@{self.local[0]};transport=ws>;reg-id=1;+sip.instance="<urn:uuid:{self.name}>"'
        by = "" if self._scheme == "sips" else f";transport={self.transport}"
        return f"<{self._scheme}:{self.name}@{self.local[0]}:{self.local[1]}{by}>"

    @property
    def takes_connections(self) -> bool:
        return not self._server.kind.web and (not self._server.secure or self.certificate is not None)

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
        if self._own is None:
            self._own = self._connect()
        self._say(self._own, self._ends[self._own].encoded(data))

    def _connect(self) -> Wire:
        far = (self._address[0], next(self._ports))
        self._network.attach(self, far)
        wire = self._server.accept(self, far)
        assert wire is not None, "refused"
        self._begins(wire)
        return wire

    def _begins(self, wire: Wire) -> None:
        self._ends[wire] = end = end_of(self._server.kind, self._server.segments, self._server.bound[0])
        self._say(wire, end.begin())

    def _say(self, wire: Wire, data: bytes) -> None:
        if data:
            wire.send(data)

    # -- the peer ----------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, source: HostPort) -> None:
        assert isinstance(data, Piece)
        data.arrive(data)

    def dialled(self, wire: Wire) -> None:
        self._begins(wire)

    def bytes_received(self, data: bytes, wire: Wire) -> None:
        if wire not in self._ends:
            return
        messages, back = self._ends[wire].feed(data)
        self._say(wire, back)
        for frame in messages:
            message = parsed(frame)
            if isinstance(message, Response) and message.status >= 200:
                self._open.pop((message.top_via.branch, message.cseq_method), None)
            elif isinstance(message, Request) and message.method == "ACK":
                self._refusals.pop(message.top_via.branch, None)
            arrived(self._network, "SM", self.name, frame)
            self.received(frame)

    def closed(self, wire: Wire) -> None:
        """No phone gives the server a reason, but one that has no certificate for what the server has opened to it."""
        end = self._ends.pop(wire, None)
        if end is not None and (self.takes_connections or wire is self._own):
            self.failures.append(f"the server has closed a connection of {self.name}")

    # -- what befalls it ---------------------------------------------------------------------------------------

    def breaks(self, told: bool, polite: bool = False) -> None:
        """All connections are gone, with what was under way; `told`: the server's kernel knows at once. `polite`: it says so
        itself, so that what was under way to the server arrives before."""
        ends, self._ends, self._own = self._ends, {}, None
        for wire, end in ends.items():
            goodbye = end.goodbye() if polite else b""
            if goodbye:
                wire.send(goodbye)
            else:
                wire.hang_up(told)
            if wire.far != self._address and not goodbye:
                self._network.detach(wire.far)

    def goes(self) -> None:
        self.offline = True
        self._network.refusing.add(self._address)

    def comes_back(self, still_open: Callable[[tuple[str, str]], bool]) -> None:
        """On the network again: what has no answer yet, and is still waited for, is sent once more; what ends a call is in
        any case."""
        self.offline = False
        self._network.refusing.discard(self._address)
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
