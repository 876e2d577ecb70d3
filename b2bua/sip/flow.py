"""A flow: the pair of addresses and the transport that one peer is reached over (RFC 5626 §2), as the core sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from b2bua.sip.message import Message
from b2bua.sip.uri import host_text

HostPort = tuple[str, int]
"""Host without brackets, and port."""
Put = Callable[[Any, bytes, Message | None], bytes]
"""How a listener puts a message on a flow of its own: flow, bytes, and the message (None: the bytes are sent again). Returns
what a retransmission is to repeat. A listener looks it up for each message, so another may be put in its place."""


class Flow(Protocol):
    """Where a message came from and where one goes. Transports implement it; equal flows are the same object.

    On a stream a flow is one connection. What is sent when that is gone is lost, and the transport tells so later.

    `local` is what Via, Record-Route and Contact towards this peer carry: the advertised address where one is set.
    """

    @property
    def transport(self) -> str:
        """`udp`, `tcp`, `tls`, `ws`, `wss`, `memory`."""

    @property
    def via_transport(self) -> str:
        """The transport as a Via of ours names it; the link in process counts as TCP, which every parser knows."""

    @property
    def listener(self) -> str:
        """Name of the local end, the same after a restart: `udp:192.0.2.1:5060`, the address as bound, IPv6 in brackets."""

    @property
    def reliable(self) -> bool:
        """Whether the timers A, E and G are spared (RFC 3261 §17.1.1.1)."""

    @property
    def local(self) -> HostPort: ...

    @property
    def remote(self) -> HostPort: ...

    def send(self, message: Message) -> bytes:
        """Send a message; returns the bytes for `resend` (b"" where nothing is ever resent). Never raises for the network."""

    def towards(self, remote: HostPort) -> Flow:
        """The flow from the same local address to another peer: where a response goes that asked for no rport."""

    def resend(self, data: bytes) -> None:
        """Send the same bytes once more: a retransmission."""


WEB: Final = ("ws", "wss")
"""Transports whose connections only the peer opens (RFC 7118 §3)."""
_URI_TRANSPORTS: Final = {"udp": "", "memory": "", "tcp": ";transport=tcp", "tls": ";transport=tls", "ws": ";transport=ws",
                          "wss": ";transport=ws"}  # fmt: skip
"""Transport → the parameter that names it in a URI. Secure WebSocket has no name of its own there (RFC 7118 §5.2, §8.2)."""


SECURE: Final = frozenset(("tls", "wss", "memory"))
"""Transports that keep the promise of a `sips` URI (RFC 3261 §26.2.2, RFC 7118 §5.5). The link in process leaves no host."""


def is_secure(flow: Flow) -> bool:
    """Whether what goes by this flow is encrypted, or stays in this process."""
    return flow.transport in SECURE


def own_address(flow: Flow) -> str:
    """Our address towards this peer as it stands in a URI: `192.0.2.1:5060`, on a stream with `;transport=tcp`, or the peer
    would come back over UDP (RFC 3263 §4.1)."""
    host, port = flow.local
    return f"{host_text(host)}:{port}{_URI_TRANSPORTS[flow.transport]}"


def own_uri(flow: Flow, user: str, sips: bool) -> str:
    """Our URI towards this peer. With `sips` what it sent was to be secure (RFC 3261 §12.1.1, §16.6 step 4): then ours is
    too, over TLS; over another transport it would lie."""
    at = f"{user}@" if user else ""
    if not sips or flow.transport not in ("tls", "wss"):
        return f"sip:{at}{own_address(flow)}"
    host, port = flow.local
    return f"sips:{at}{host_text(host)}:{port}" + (";transport=ws" if flow.transport == "wss" else "")


class Flows(Protocol):
    """All listeners of an element: finds and opens flows by the name of a listener."""

    def alias(self, flow: Flow, port: int) -> None:
        """The peer of this connection over TLS, which it opened and has proven itself on, takes requests on it as if they came
        to this port of its host (RFC 5923 §8.2). On any other flow it means nothing."""

    def find(self, listener: str, remote: HostPort) -> Flow | None:
        """The flow of a listener to a peer, by the listener's name; None when there is no such listener (any more).

        On a stream only a connection that stands (or is being opened) counts, else None.
        """

    def open(self, transport: str, listener: str, remote: HostPort, name: str = "") -> Flow | None:
        """The flow to a peer over a transport, from the listener of this name or, where that is of another transport or
        address family, from the one nearest to it (`""`: the first that can). None when no listener can.

        On a stream it is the connection to that address, opened once something is sent. When that fails,
        `TransactionLayer.flow_failed` hears of it. The flow of a connection ends with it: open it anew for the next
        request.

        `name`: over TLS the peer's certificate must stand for this name (RFC 5922 §4); "": for its address.
        """
