"""One connection of a stream transport (RFC 3261 §18): its end of the socket, and what it needs of its listener."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.logger import Logger
from zope.interface import implementer

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort, Put
from b2bua.sip.framer import Framer, Ping, Unframed
from b2bua.sip.message import Message
from b2bua.transport.stream_flow import State, StreamFlow

_log: Final = Logger()

LINGER_SECONDS: Final = 2.0
"""How long the answer to what could not be framed may take to arrive: closing at once would have the kernel throw it away."""

KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 32_000),
)
"""The kernel asks a silent peer whether it is there: a phone whose power went is known to be gone after two minutes, and
after 64·T1 where it was sent something."""


class Limits(NamedTuple):
    """What connections may take. Seconds, bytes, counts."""

    connections: int = 4096
    """Connections that one listener accepts, and as many that it may open."""
    unproven: int = 512
    """Of these, connections that have not brought a whole message yet; beyond it the oldest of them is closed."""
    idle: float = 3900.0
    """Silence after which a connection is closed: longer than the longest registration."""
    whole: float = 32.0
    """Within this a connection brings its first message, and each message that has begun its end."""
    backlog: int = 1_048_576
    """Bytes that wait for a reader which does not read; beyond it the connection is cut."""
    connect: float = 4.0
    """How long a connection may take to open."""


class StreamUser(Protocol):
    """The user of a stream: called with what arrives."""

    @property
    def received(self) -> Callable[[bytes, Flow], None]:
        """Called with each whole message."""

    @property
    def failed(self) -> Callable[[Flow], None]:
        """Called when the connection is gone, or could not be opened: nothing sent on this flow arrives any more."""

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        """The stream cannot be read any further; what is sent on the flow now still leaves, then it is closed."""


class Recorder(Protocol):
    """What a transport tells the trace; `b2bua.trace.recorder.Recorder` is one."""

    def received(self, flow: Flow, data: bytes) -> None: ...

    def sent(self, flow: Flow, message: Message, data: bytes) -> None: ...

    def resent(self, flow: Flow, data: bytes) -> None: ...


class Framing(Protocol):
    """The reading end of one connection; `b2bua.sip.framer.Framer` is one."""

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and not ended."""

    def feed(self, data: bytes) -> Sequence[object]:
        """Take the next bytes; the frames that they complete, in order."""


class StreamListener(Protocol):
    """What flows and connections need of their listener."""

    name: str
    limits: Limits
    user: StreamUser
    recorder: Recorder
    observer: Observer
    put: Put
    """`StreamFlow.put`, or what stands in its place."""
    certain: str
    """The name or address that a TLS client has to prove; "": none."""

    @property
    def transport(self) -> str: ...

    @property
    def via_transport(self) -> str: ...

    @property
    def secure(self) -> bool:
        """Whether its connections are TLS: nothing is sent before the handshake is done."""

    def seconds(self) -> float: ...

    def flow(self, remote: HostPort) -> Flow: ...

    def connect(self, flow: StreamFlow) -> None: ...

    def later(self, seconds: float, function: Any, *arguments: Any) -> None: ...

    def verified(self, connection: Connection) -> bool:
        """Whether the peer of a connection has proven the name or address that it should have; asked once its TLS handshake is
        done."""

    def shown(self, connection: Connection) -> frozenset[str]:
        """Whom the certificate proves that the peer of a connection to us showed; asked once its TLS handshake is done."""

    def proven(self, connection: Connection) -> None: ...

    def forget(self, flow: StreamFlow) -> None: ...

    def ended(self, connection: Connection) -> None: ...


@implementer(IHandshakeListener)
class Connection(StreamProtocol):
    """One socket: bytes to frames, frames to the listener's user. A streaming producer, to learn of a slow reader.

    Over TLS its transport is Twisted's wrapper, which has the socket below it.
    """

    def __init__(self, listener: StreamListener, flow: StreamFlow, accepted: bool) -> None:
        self.flow = flow
        self.accepted = accepted
        """Whether the peer opened it."""
        self.proven = not accepted
        """Whether we opened it, or a whole message has come by it."""
        self.heard = self.begun = listener.seconds()
        """When bytes came last; when the message that has begun did, or the connection."""
        self._listener = listener
        self._framer = self._new_framer()
        self._paused = False
        self._backlog = 0
        self._over = False
        """It is cut: Twisted tells in a later turn, and nothing is written any more."""
        self._gone = False
        """Twisted has reported the loss."""
        self._handshaken = False
        """The TLS handshake is done."""

    # -- Twisted's side ----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        handle = (transport.transport if self._listener.secure else transport).getHandle()
        for option in KEEP_ALIVE:
            handle.setsockopt(*option)
        transport.registerProducer(self, True)
        if not self._listener.secure:
            self._stands()

    def handshakeCompleted(self) -> None:
        """TLS stands. Not called for any other connection."""
        self.flow.proven = self._listener.verified(self)
        if self.flow.proven or (self.accepted and not self._listener.certain):
            self._handshaken = True
            if self.accepted:
                self.flow.identities = self._listener.shown(self)
            elif self.flow.name:
                self.flow.identities = frozenset((self.flow.name,))  # what it has proven
            self._stands()
        else:
            self._over = True
            self._listener.later(0, self.cut)  # not from within the handshake

    def dataReceived(self, data: bytes) -> None:
        was_waiting = self._framer.waiting
        self.heard = self._listener.seconds()
        frames = self._framer.feed(data)
        for frame in frames:
            try:
                self._take(frame)
            except Exception:
                # Whatever a protocol raises, Twisted closes its connection for: one message would cut a phone off.
                self._listener.observer.internal_error("listener")
                _log.failure("message_failed", peer=self.flow.remote)
        if self._framer.waiting and (frames or not was_waiting):
            self.begun = self.heard

    def connectionLost(self, reason: object = None) -> None:
        self._gone = self._over = True
        if self._listener.secure and not self._handshaken:
            self._listener.observer.message_dropped("no TLS")
        _log.debug("connection_closed", peer=self.flow.remote, transport=self.flow.transport, accepted=self.accepted)
        self._listener.ended(self)
        self.flow.closed()

    def pauseProducing(self) -> None:
        # Twisted says so again with every write while its buffer is full.
        if not self._paused:
            self._paused = True
            self._backlog = 0

    def resumeProducing(self) -> None:
        self._paused = False

    def stopProducing(self) -> None:
        return

    # -- ours --------------------------------------------------------------------------------------------------

    def _new_framer(self) -> Framing:
        """What cuts the bytes into messages."""
        return Framer()

    def _stands(self) -> None:
        """Messages may be sent from now on."""
        self.flow.opened(self)
        _log.debug("connection_opened", peer=self.flow.remote, transport=self.flow.transport, accepted=self.accepted)

    def _take(self, frame: object) -> None:
        listener, flow = self._listener, self.flow
        if isinstance(frame, bytes):
            if not self.proven:
                self.proven = True
                listener.proven(self)
            listener.recorder.received(flow, frame)
            listener.user.received(frame, flow)
        elif isinstance(frame, Ping):
            # RFC 5626 §4.4.1: one CRLF back; it is no message, so the trace does not show it.
            self.write(b"\r\n")
        elif isinstance(frame, Unframed):
            if frame.head:
                listener.recorder.received(flow, frame.head)
            listener.user.unframed(frame, flow)
            self._close_gently()

    def write(self, data: bytes) -> None:
        """Send a message."""
        self._put(data)

    def _put(self, data: bytes) -> None:
        if self._over:
            return
        transport: Any = self.transport
        if self._paused:
            self._backlog += len(data)
            if self._backlog > self._listener.limits.backlog:
                self._listener.observer.message_dropped("slow reader")
                self.cut()
                return
        transport.write(data)

    def unfinished(self, now: float) -> bool:
        """Whether a handshake, a message, or the first one, takes longer than it may."""
        pending = self._framer.waiting or not self.proven or self.flow.state is State.CONNECTING
        return pending and now - self.begun > self._listener.limits.whole

    def cut(self) -> None:
        """Close without waiting for anything to be written. Idempotent."""
        self._over = True
        if self._gone:
            return
        transport: Any = self.transport
        transport.abortConnection()

    def end(self) -> None:
        """Close once what is written has left."""
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.loseConnection()

    def _close_gently(self) -> None:
        """Our side ends once what is written has left; the other is not read any more, and cut soon."""
        transport: Any = self.transport
        self.flow.closed()
        transport.unregisterProducer()
        if self._listener.secure:
            transport.loseConnection()  # TLS says that it closes, and waits for the peer to say so
        else:
            transport.loseWriteConnection()
        self._listener.later(LINGER_SECONDS, self.cut)
