"""The link in process: two flows, back to back, that carry messages as objects (no bytes, no parse, no loss).

A delivery never happens inside the send that caused it: messages wait in `Turns`, and each is one turn of that queue. So
neither side is ever re-entered, and the order on the link is the order of the sends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Message

Receive = Callable[[Any, Flow], None]
"""Takes a Request or Response, and the flow that leads back."""
Record = Callable[[tuple[str, str], Message], None]
"""Source and destination; message."""


class Turns:
    """The queue of deliveries. Whoever drives the element (a datagram, a timer, a test) calls `run` when it is done.

    `wake` is called when something is posted while nobody is driving: it must call `run` soon.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.waiting: deque[tuple[Receive, Message, Flow]] = deque()
        """Receiver, message, and the flow that leads back. Append, and call `wake` unless `driving`."""
        self.driving = False

    def wake(self) -> None:
        """Start a turn of the queue, which is not `driving`."""
        self.driving = True
        self._wake()

    def run(self) -> None:
        """Deliver until nothing waits."""
        self.driving = True
        waiting = self.waiting
        try:
            while waiting:
                receive, message, flow = waiting.popleft()
                receive(message, flow)
        finally:
            # A delivery that raises must not stop the link: what still waits is driven anew.
            self.driving = bool(waiting)
            if waiting:
                self._wake()


class MemoryFlow:
    """One direction of the link, as the sender sees it."""

    transport = "memory"
    via_transport = "TCP"
    reliable = True

    def __init__(
        self, name: str, way: tuple[str, str], local: HostPort, remote: HostPort, turns: Turns, record: Record
    ) -> None:
        self._way = way
        self.listener = f"memory:{name}"
        self.local = local
        self.remote = remote
        self._turns = turns
        self._waiting = turns.waiting
        self._record = record
        self._peer: MemoryFlow
        self._receive: Receive

    def send(self, message: Message) -> bytes:
        """Post the message to the other side; there are no bytes to repeat, a reliable flow needs none."""
        self._record(self._way, message)
        peer = self._peer
        self._waiting.append((peer._receive, message, peer))
        if not self._turns.driving:
            self._turns.wake()
        return b""

    def resend(self, data: bytes) -> None:
        return

    def towards(self, remote: HostPort) -> Flow:
        return self

    def connect(self, peer: MemoryFlow, receive: Receive) -> None:
        """`receive` hears what the peer sends, with this flow as the way back."""
        self._peer = peer
        self._receive = receive


def memory_link(
    name: str, addresses: tuple[HostPort, HostPort], turns: Turns, record: Record
) -> tuple[MemoryFlow, MemoryFlow]:
    """The two ends of a link: Session Manager's flow to the feature server, and the feature server's to Session Manager.

    `addresses` stand in the Vias of the two sides; `record((source, destination), message)` sees every message once.
    Each end still wants `connect`.
    """
    ours, theirs = addresses
    down = MemoryFlow(name, ("SM", "CM"), ours, theirs, turns, record)
    up = MemoryFlow(name, ("CM", "SM"), theirs, ours, turns, record)
    return down, up
