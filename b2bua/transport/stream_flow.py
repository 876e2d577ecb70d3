"""The flow of a stream transport, as the core sees it (RFC 3261 §18).

A flow is one connection and dies with it. It may be made before there is a connection: that is opened once something is
sent. What is sent on a dead flow fails in a turn of its own: never inside `send`, whose caller is not ready for it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Message

if TYPE_CHECKING:
    from b2bua.transport.stream import Connection, StreamListener


class State(Enum):
    """What a flow's connection is at."""

    IDLE = "idle"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSED = "closed"


class StreamFlow:
    """The way to one peer over one connection. `local` names the listener, where the peer can always come back to."""

    __slots__ = ("_connection", "_listener", "_unsent", "_waiting", "identities", "local", "name", "proven", "remote", "state")

    reliable = True

    def __init__(self, listener: StreamListener, local: HostPort, remote: HostPort, name: str = "") -> None:
        self.local = local
        self.remote = remote
        self.name = name
        """What the peer's certificate must stand for, if it is no address."""
        self.identities: frozenset[str] = frozenset()
        """What the peer has proven by its certificate (RFC 5922 §7.1)."""
        self.state = State.IDLE
        self.proven = True
        """Whether the peer counts as the one at this address. False over TLS where the peer connected and has shown no
        certificate for it."""
        self._listener = listener
        self._connection: Connection | None = None
        self._unsent: list[tuple[bytes, Message | None]] = []
        self._waiting = 0

    @property
    def transport(self) -> str:
        return self._listener.transport

    @property
    def via_transport(self) -> str:
        return self._listener.via_transport

    @property
    def listener(self) -> str:
        return self._listener.name

    def send(self, message: Message) -> bytes:
        return self._listener.put(self, message.encode(), message)

    def resend(self, data: bytes) -> None:
        self._listener.put(self, data, None)

    def towards(self, remote: HostPort) -> Flow:
        return self._listener.flow(remote)

    @property
    def usable(self) -> bool:
        """Whether there is a connection, or one is being opened."""
        return self.state in (State.OPEN, State.CONNECTING)

    def put(self, data: bytes, message: Message | None) -> bytes:
        """Write the bytes of a message, now or once there is a connection."""
        connection = self._connection
        if self.state is State.OPEN and connection is not None:
            self._record(data, message)
            connection.write(data)
            return data
        if self.state is State.CLOSED:
            self._listener.observer.message_dropped("connection gone")
            self._listener.later(0, self._listener.user.failed, self)
            return data
        self._waiting += len(data)
        if self._waiting > self._listener.limits.backlog:
            self._listener.observer.message_dropped("slow reader")
            return data
        self._unsent.append((data, message))
        if self.state is State.IDLE:
            self.state = State.CONNECTING
            self._listener.connect(self)
        return data

    def _record(self, data: bytes, message: Message | None) -> None:
        if message is None:
            self._listener.recorder.resent(self, data)
        else:
            self._listener.recorder.sent(self, message, data)

    # -- from its connection -----------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """The connection stands: what waited for it leaves."""
        self.state = State.OPEN
        self._connection = connection
        unsent, self._unsent, self._waiting = self._unsent, [], 0
        for data, message in unsent:
            self._record(data, message)
            connection.write(data)

    def closed(self) -> None:
        """The connection is gone or never came. Idempotent."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._connection, self._unsent = None, []
        self._listener.forget(self)
        self._listener.user.failed(self)


def identities(flow: Flow) -> frozenset[str]:
    """The domains that the peer on this flow has proven by its certificate (RFC 5922 §7.1); none on any other flow."""
    return flow.identities if isinstance(flow, StreamFlow) else frozenset()
