"""A record-routing, stateless proxy of another make (RFC 3261 §16.11) as an application: a host of the virtual network."""

from __future__ import annotations

from hashlib import sha256

from b2bua.sip.address import parse_address
from b2bua.sip.flow import HostPort
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from tests.scenarios.virtual_network import VirtualNetwork


class LooseProxy:
    """Hears Session Manager's end of a link and sends along Routes. `seen` has what came, oldest first."""

    def __init__(self, network: VirtualNetwork, name: str, address: HostPort, link: HostPort, transport: str) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.transport = transport
        self.seen: list[Message] = []
        self.refuses = 0
        """The status that a new INVITE gets here; 0: none."""
        self.refuses_messages = 0
        """The same for a MESSAGE."""
        self.silent = False
        """Whether nothing that comes is done anything with."""
        self.target = ""
        """Another Request-URI for new INVITEs."""
        self._link = link
        network.attach(self, address)

    @property
    def uri(self) -> str:
        parameter = ";transport=tcp" if self.transport == "TCP" else ""
        return f"sip:{self.address[0]}:{self.address[1]}{parameter};lr"

    def invites(self) -> list[Request]:
        """The INVITEs that came out of dialog."""
        return [each for each in self.seen if isinstance(each, Request) and each.method == "INVITE" and not each.to.tag]

    def datagram(self, data: bytes, source: HostPort) -> None:
        assert source == self._link, "nobody else knows it"
        message = parse_message(data)
        self.seen.append(message)
        if self.silent:
            return
        if isinstance(message, Response):
            self._send(message.without_top_via())
            return
        assert isinstance(message, Request)
        if self.refuses and message.method == "INVITE" and not message.to.tag:
            self._send(response_to(message, self.refuses, tag="proxy"))
        elif self.refuses_messages and message.method == "MESSAGE":
            self._send(response_to(message, self.refuses_messages, tag="proxy"))
        elif self.refuses and message.method == "ACK":
            return
        else:
            self._forward(message)

    def _forward(self, request: Request) -> None:
        top = parse_address(request.elements("Route")[0]).parsed_uri()
        assert (top.host, top.port) == self.address, "a Route of its own is on top"
        new = request.method == "INVITE" and not request.to.tag
        hops = (request.integer("Max-Forwards") or 70) - 1
        copy = request.forwarded(self.target if self.target and new else request.uri, hops, 1)
        following = parse_address(copy.elements("Route")[0]).parsed_uri()
        assert (following.host, following.port) == self._link, "it sends to whom the next Route names"
        if request.method == "INVITE":
            copy.insert_before("Record-Route", f"<{self.uri}>")
        branch = sha256(request.top_via.branch.encode()).hexdigest()[:16]  # the same for ACK and CANCEL
        host, port = self.address
        copy.insert_before("Via", f"SIP/2.0/{self.transport} {host}:{port};branch=z9hG4bK{branch}")
        self._send(copy)

    def _send(self, message: Message) -> None:
        self.network.carry(message.encode(), self.address, self._link)
