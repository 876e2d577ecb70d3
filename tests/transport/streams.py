"""A TCP listener on a pretended kernel: connections whose bytes the test carries, on a clock that it turns."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.framer import Unframed
from b2bua.sip.message import Message
from b2bua.transport.kinds import TCP, Kind
from b2bua.transport.stream import Connection, Limits
from b2bua.transport.tcp import TcpListener
from b2bua.transport.tls import Tls

PHONE: HostPort = ("192.0.2.10", 49152)
CONTACT: HostPort = ("192.0.2.10", 5060)


class Handle:
    """The socket under a connection."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)  # type: ignore[arg-type]  # three each


class Pipe(StringTransport):
    """One connection. `full`: its reader reads nothing."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.handle = Handle()
        self.aborted = False
        self.half_closed = False
        self.lost = False

    def getHandle(self) -> Handle:
        return self.handle

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def write(self, data: bytes) -> None:
        if not self.half_closed and not self.lost:
            super().write(data)

    def abortConnection(self) -> None:
        self.aborted = True
        self.lose()

    def loseConnection(self) -> None:
        super().loseConnection()
        self.lose()

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def lose(self) -> None:
        if not self.lost:
            self.lost = True
            self.connection.connectionLost(Failure(ConnectionDone()))

    def take(self) -> bytes:
        """What was written since."""
        data = self.value()
        self.clear()
        return bytes(data)


class FakeReactor(Clock):
    """Time, one listening port, and connections being opened."""

    def __init__(self) -> None:
        super().__init__()
        self.factory: Any = None
        self.stopped = False
        self.opening: list[tuple[str, int, Any, float, Any]] = []

    def adoptStreamPort(self, fileno: int, family: int, factory: Any) -> Any:
        self.factory = factory
        return self

    def stopListening(self) -> None:
        self.stopped = True

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float, origin: Any) -> None:
        self.opening.append((host, port, factory, timeout, origin))


class Heard:
    """The user and the recorder of a listener."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.flaws: list[Unframed] = []
        self.answer: Message | None = None
        """Sent when a stream cannot be read."""
        self.lost: list[Flow] = []
        self.trace: list[tuple[str, Flow, bytes]] = []
        self.raising: Exception | None = None

    def received(self, data: bytes, flow: Flow) -> None:
        self.messages.append((data, flow))
        if self.raising is not None:
            raise self.raising

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        self.flaws.append(flaw)
        if self.answer is not None:
            flow.send(self.answer)

    def failed(self, flow: Flow) -> None:
        self.lost.append(flow)


class Trace:
    def __init__(self, seen: list[tuple[str, Flow, bytes]]) -> None:
        self.seen = seen

    def received(self, flow: Flow, data: bytes) -> None:
        self.seen.append(("received", flow, data))

    def sent(self, flow: Flow, message: Message, data: bytes) -> None:
        self.seen.append(("sent", flow, data))

    def resent(self, flow: Flow, data: bytes) -> None:
        self.seen.append(("resent", flow, data))


class Listening:
    """The listener and everything around it."""

    def __init__(
        self, limits: Limits | None = None, advertised: HostPort | None = None, host: str = "127.0.0.1", port: int = 0,
        kind: Kind = TCP, tls: Tls | None = None,
    ) -> None:  # fmt: skip
        self.reactor = FakeReactor()
        self.observer = Observer()
        self.heard = Heard()
        self.listener = TcpListener(
            self.heard, Trace(self.heard.trace), self.observer, advertised, limits, None, kind, tls
        )
        self.listener.listen(self.reactor, host, port)

    def accept(self, remote: HostPort = PHONE) -> Pipe | None:
        """A phone connects; None when it is refused."""
        connection = self.reactor.factory.buildProtocol(IPv4Address("TCP", *remote))
        return None if connection is None else self._made(connection)

    def phone(self, remote: HostPort = PHONE) -> Pipe:
        pipe = self.accept(remote)
        assert pipe is not None
        return pipe

    def open(self) -> Pipe:
        """The connection that the listener asked for last stands."""
        host, port, factory, _, _ = self.reactor.opening.pop()
        return self._made(factory.buildProtocol(IPv4Address("TCP", host, port)))

    def refuse(self) -> None:
        """The connection that the listener asked for last is refused."""
        factory = self.reactor.opening.pop()[2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def pass_time(self, seconds: float) -> None:
        self.reactor.pump([1.0] * round(seconds))

    def dropped(self, reason: str) -> int:
        return self.observer.counts["messages_dropped"][reason,]

    def _made(self, connection: Connection) -> Pipe:
        pipe = Pipe(connection)
        connection.makeConnection(pipe)
        return pipe
