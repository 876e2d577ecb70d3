"""A flow: the pair of addresses and the transport that one peer is reached over (RFC 5626 §2), as the core sees it."""

from __future__ import annotations

from typing import Protocol

from b2bua.sip.message import Message

HostPort = tuple[str, int]
"""Host without brackets, and port."""


class Flow(Protocol):
    """Where a message came from and where one goes. Transports implement it; equal flows are the same object.

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
        """Name of the local end, the same after a restart: `udp:192.0.2.1:5060`, the address as bound."""

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


class Flows(Protocol):
    """All listeners of an element, for whoever knows a flow by its name only."""

    def find(self, listener: str, remote: HostPort) -> Flow | None:
        """The flow of a listener to a peer; None when there is no such listener (any more) or the connection is gone."""
