"""Recording neighbours of a transaction: a clock turned by hand, a flow, a user, and the messages between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TICK, Timers

PHONE: HostPort = ("192.0.2.10", 5060)
SERVER: HostPort = ("192.0.2.1", 5060)


class Clock:
    """Seconds that only the test moves, and the wheel that they turn."""

    def __init__(self, start: float = 1000.0) -> None:
        self.start = start
        self.ticks = 0
        self.errors: list[BaseException] = []
        self.timers = Timers(self.now, self.errors.append)

    def now(self) -> float:
        return self.start + self.ticks * TICK

    def pass_time(self, seconds: float) -> None:
        """Tick by tick, as the service does."""
        for _ in range(round(seconds / TICK)):
            self.ticks += 1
            self.timers.advance()


class FakeFlow:
    """Keeps what is sent; `log` hears of it as words."""

    def __init__(
        self, reliable: bool = False, remote: HostPort = PHONE, local: HostPort = SERVER,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.reliable = reliable
        self.transport = "tcp" if reliable else "udp"
        self.via_transport = self.transport.upper()
        self.listener = f"{self.transport}:{local[0]}:{local[1]}"
        self.local = local
        self.remote = remote
        self.sent: list[Message] = []
        self.resent: list[bytes] = []
        self.others: dict[HostPort, FakeFlow] = {}
        self._log = log

    def send(self, message: Message) -> bytes:
        self.sent.append(message)
        self._log(f"send {name_of(message)}")
        return message.encode()

    def resend(self, data: bytes) -> None:
        self.resent.append(data)
        self._log(f"resend {data.decode().removeprefix('SIP/2.0 ').split()[0]}")

    def towards(self, remote: HostPort) -> Flow:
        return self.others.setdefault(remote, FakeFlow(self.reliable, remote, self.local, self._log))

    def requests(self, method: str) -> list[Request]:
        return [message for message in self.sent if isinstance(message, Request) and message.method == method]

    def statuses(self) -> list[int]:
        return [message.status for message in self.sent if isinstance(message, Response)]

    @property
    def last(self) -> Message:
        return self.sent[-1]

    def last_response(self) -> Response:
        assert isinstance(self.last, Response)
        return self.last

    def last_request(self) -> Request:
        assert isinstance(self.last, Request)
        return self.last


class ClientRecorder:
    """A client transaction's user: what it is told."""

    def __init__(self, log: Callable[[str], None] = lambda _: None) -> None:
        self.statuses: list[int] = []
        self.responses: list[Response] = []
        self.failures: list[int] = []
        self._log = log

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self.statuses.append(response.status)
        self.responses.append(response)
        self._log(f"user {response.status}")

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self.failures.append(status)
        self._log(f"user failed {status}")


class Core:
    """A transaction user that answers nothing by itself; `on_request` is run for each new request."""

    def __init__(self) -> None:
        self.requests: list[tuple[ServerTransaction, Request]] = []
        self.acks: list[Request] = []
        self.cancels: list[tuple[ServerTransaction, Request]] = []
        self.stray: list[Response] = []
        self.errors: list[BaseException] = []
        self.on_request: Callable[[ServerTransaction, Request], None] = lambda _transaction, _request: None
        self.on_ack: Callable[[Request], None] = lambda _: None

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        self.requests.append((transaction, request))
        self.on_request(transaction, request)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        self.cancels.append((transaction, cancel))

    def ack_received(self, ack: Request, flow: Flow) -> None:
        self.acks.append(ack)
        self.on_ack(ack)

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        self.stray.append(response)

    def internal_error(self, error: BaseException, message: Message) -> None:
        self.errors.append(error)


class Element:
    """A transaction layer with all its neighbours."""

    def __init__(self, reliable: bool = False, server: str = "") -> None:
        self.clock = Clock()
        self.observer = Observer()
        self.core = Core()
        self.flow = FakeFlow(reliable)
        self.layer = TransactionLayer(self.clock.timers, Identifiers("t"), self.observer, server)
        self.layer.user = self.core

    def receive(self, message: Request | Response, flow: FakeFlow | None = None) -> None:
        self.layer.message_received(message, flow or self.flow)

    def transaction(self) -> ServerTransaction:
        """Of the newest request."""
        return self.core.requests[-1][0]

    def count(self, name: str, *labels: str) -> int:
        return self.observer.counts[name][labels]


def name_of(message: Message) -> str:
    return message.method if isinstance(message, Request) else str(cast(Response, message).status)


def request(
    method: str = "INVITE", *, branch: str = "z9hG4bK1", sent_by: str = "192.0.2.10:5060", cseq: int = 1,
    call_id: str = "c1", to_tag: str = "", from_tag: str = "f", via: str = "", uri: str = "sip:6002@example.com",
    transport: str = "UDP",
    more: tuple[tuple[str, str], ...] = (), body: bytes = b"",
) -> Request:  # fmt: skip
    headers = [
        ("Via", via or f"SIP/2.0/{transport} {sent_by};branch={branch}"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:6001@example.com>;tag={from_tag}"),
        ("To", "<sip:6002@example.com>" + (f";tag={to_tag}" if to_tag else "")),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        *more,
    ]
    return Request(method, uri, [name for name, _ in headers], [f"{name}: {value}" for name, value in headers], body)


def unsent(method: str = "INVITE", **parts: str) -> Request:
    """A request of our own before the layer has put its Via on."""
    made = request(method, **parts)  # type: ignore[arg-type]  # names and types are those of `request`
    made.remove("Via")
    return made


def reply(to: Request, status: int, tag: str = "t") -> Response:
    return response_to(to, status, tag="" if status == 100 else tag)
