"""Datagrams in and out of one listener, on a socket that is only pretended."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

import b2bua.transport.udp as udp
from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Message
from b2bua.transport.listener_set import ListenerSet
from b2bua.transport.udp import MAX_DATAGRAM, UdpListener
from tests.transaction.neighbours import request

PHONE: HostPort = ("192.0.2.10", 5060)


class FakeSocket:
    """What the kernel would do: `waiting` is what it has received, `error` what it says to a send."""

    def __init__(self, family: int, kind: int) -> None:
        self.family = family
        self.sent: list[tuple[bytes, HostPort]] = []
        self.options: dict[tuple[int, int], int] = {}
        self.waiting: list[tuple[bytes, tuple[Any, ...]] | OSError] = []
        self.error: OSError | None = None
        self.closed = False
        self.address: tuple[Any, ...] = ()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

    def bind(self, address: HostPort) -> None:
        if address[1] == 1:
            raise PermissionError(13, "Permission denied")
        more = (0, 0) if self.family == socket.AF_INET6 else ()
        self.address = (address[0], address[1] or 40000, *more)

    def getsockname(self) -> tuple[Any, ...]:
        return self.address

    def fileno(self) -> int:
        return 7

    def sendto(self, data: bytes, remote: HostPort) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((data, remote))

    def recvfrom(self, size: int) -> tuple[bytes, tuple[Any, ...]]:
        assert size == MAX_DATAGRAM and not self.closed
        if not self.waiting:
            raise BlockingIOError
        found = self.waiting.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    def close(self) -> None:
        self.closed = True


class FakeReactor:
    """Knows who reads."""

    def __init__(self) -> None:
        self.readers: list[object] = []

    def addReader(self, reader: object) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.remove(reader)


class FakeKernel:
    """Stands for the module `socket`."""

    def __init__(self) -> None:
        self.sockets: list[FakeSocket] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)

    def socket(self, family: int, kind: int) -> FakeSocket:
        self.sockets.append(FakeSocket(family, kind))
        return self.sockets[-1]


class Trace:
    def __init__(self) -> None:
        self.seen: list[tuple[str, Flow, bytes]] = []

    def received(self, flow: Flow, data: bytes) -> None:
        self.seen.append(("received", flow, data))

    def sent(self, flow: Flow, message: Message, data: bytes) -> None:
        self.seen.append(("sent", flow, data))

    def resent(self, flow: Flow, data: bytes) -> None:
        self.seen.append(("resent", flow, data))


class Bound:
    """A listener on a pretended socket."""

    def __init__(self, kernel: FakeKernel, address: HostPort, advertised: HostPort | None) -> None:
        self.observer = Observer()
        self.trace = Trace()
        self.heard: list[tuple[bytes, Flow]] = []
        self.listener = UdpListener(lambda *heard: self.heard.append(heard), self.trace, self.observer, advertised)
        self.set = ListenerSet()
        self.reactor = FakeReactor()
        self.set.listen(self.reactor, address[0], address[1], self.listener)
        self.socket = kernel.sockets[-1]

    def receive(self, data: bytes, remote: tuple[Any, ...] = PHONE) -> None:
        self.socket.waiting.append((data, remote))
        self.listener.doRead()

    def dropped(self, reason: str) -> int:
        return self.observer.counts["messages_dropped"][reason,]


Bind = Callable[..., Bound]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    pretended = FakeKernel()
    monkeypatch.setattr(udp, "socket", pretended)
    return pretended


@pytest.fixture
def bind(kernel: FakeKernel) -> Bind:
    def made(address: HostPort = ("192.0.2.1", 5060), advertised: HostPort | None = None) -> Bound:
        return Bound(kernel, address, advertised)

    return made


@pytest.fixture
def bound(bind: Bind) -> Bound:
    return bind()


def test_the_socket_is_tuned_and_read(bound: Bound) -> None:
    noted = {(socket.SOL_SOCKET, udp._SO_TIMESTAMPNS): 1}
    assert bound.socket.options == {(socket.SOL_SOCKET, socket.SO_RCVBUF): udp.RECEIVE_BUFFER} | noted
    assert bound.reactor.readers == [bound.listener]
    assert (bound.listener.fileno(), bound.listener.logPrefix()) == (7, "udp:192.0.2.1:5060")


def test_an_ipv6_socket_takes_ipv6_alone(bind: Bind) -> None:
    bound = bind(("2001:db8::1", 5060))
    assert bound.socket.family == socket.AF_INET6
    assert bound.socket.options[socket.IPPROTO_IPV6, socket.IPV6_V6ONLY] == 1
    assert bound.listener.bound == ("2001:db8::1", 5060)


def test_an_address_that_cannot_be_had(bind: Bind, kernel: FakeKernel) -> None:
    with pytest.raises(PermissionError):
        bind(("192.0.2.1", 1))
    assert kernel.sockets[0].closed


def test_a_burst_is_read_in_one_go_and_no_more(bound: Bound) -> None:
    bound.socket.waiting = [(b"OPTIONS", PHONE)] * 100
    bound.listener.doRead()
    assert len(bound.heard) == udp.MAX_BURST
    bound.listener.doRead()
    assert len(bound.heard) == 100


def test_an_icmp_error_loses_nothing_else(bound: Bound) -> None:
    bound.socket.waiting = [ConnectionRefusedError(), (b"OPTIONS", PHONE)]
    bound.listener.doRead()
    assert len(bound.heard) == 1


def test_closed_while_reading(bound: Bound) -> None:
    bound.listener._receive = lambda *_: bound.listener.close()
    bound.socket.waiting = [(b"OPTIONS", PHONE)] * 3
    bound.listener.doRead()
    assert len(bound.socket.waiting) == 2 and bound.socket.closed
    bound.listener.doRead()
    assert bound.listener.fileno() == -1


def test_a_mistake_in_one_datagram_does_not_close_the_socket(bound: Bound) -> None:
    """Whatever a reader raises makes Twisted take it out of the reactor: the server would be deaf."""
    heard = bound.listener._receive

    def fail(data: bytes, flow: Flow) -> None:
        if data == b"bad":
            raise RuntimeError("mistake")
        heard(data, flow)

    bound.listener._receive = fail
    bound.socket.waiting = [(b"bad", PHONE), (b"OPTIONS", PHONE)]
    while bound.socket.waiting:  # a mistake is written to the log, which may take the rest of a turn
        bound.listener.doRead()
    assert [data for data, _ in bound.heard] == [b"OPTIONS"]
    assert bound.observer.counts["internal_errors"]["listener",] == 1


def test_a_datagram_comes_with_its_flow(bound: Bound) -> None:
    bound.receive(b"OPTIONS", PHONE)
    [(data, flow)] = bound.heard
    assert data == b"OPTIONS"
    assert (flow.remote, flow.local, flow.listener) == (PHONE, ("192.0.2.1", 5060), "udp:192.0.2.1:5060")
    assert (flow.transport, flow.via_transport, flow.reliable) == ("udp", "UDP", False)
    assert bound.trace.seen == [("received", flow, data)]


def test_an_ipv6_sender_has_a_host_and_a_port(bind: Bind) -> None:
    bound = bind(("2001:db8::1", 5060))
    bound.receive(b"OPTIONS", ("2001:db8::10", 5062, 0, 0))
    assert bound.heard[0][1].remote == ("2001:db8::10", 5062)


def test_the_same_peer_has_the_same_flow(bound: Bound) -> None:
    for address in (PHONE, PHONE, ("192.0.2.10", 5062)):
        bound.receive(b"OPTIONS", address)
    first, second, third = (flow for _, flow in bound.heard)
    assert first is second is bound.listener.flow(PHONE) and third is not first
    assert first.towards(("192.0.2.10", 5062)) is third


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"\0", b""])
def test_a_keep_alive_is_dropped(data: bytes, bound: Bound) -> None:
    bound.receive(data, PHONE)
    assert bound.heard == [] and bound.trace.seen == [] and bound.socket.sent == []
    assert bound.dropped("keep-alive") == 1


@pytest.mark.parametrize("data", [b"ping", b"\r\n\r\n\r\nOPTIONS", b"abcd"])
def test_anything_else_is_for_the_parser(data: bytes, bound: Bound) -> None:
    bound.receive(data, PHONE)
    assert len(bound.heard) == 1 and bound.dropped("keep-alive") == 0


def test_send_and_resend(bound: Bound) -> None:
    flow = bound.listener.flow(PHONE)
    message = request("OPTIONS")
    data = flow.send(message)
    flow.resend(data)
    assert data == message.encode()
    assert bound.socket.sent == [(data, PHONE)] * 2
    assert [what for what, _, _ in bound.trace.seen] == ["sent", "resent"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BlockingIOError(), "socket full"),
        (InterruptedError(), "socket full"),
        (OSError(90, "Message too long"), "unreachable"),
        (ConnectionRefusedError(), "unreachable"),
        (PermissionError(), "unreachable"),
    ],
)
def test_what_the_kernel_refuses_is_counted(error: OSError, reason: str, bound: Bound) -> None:
    bound.socket.error = error
    message = request("OPTIONS", body=b"x" * 70_000)
    assert bound.listener.flow(PHONE).send(message) == message.encode()  # never raises for the network
    assert bound.dropped(reason) == 1


def test_nothing_is_sent_before_the_socket_is_open(bound: Bound) -> None:
    listener = UdpListener(lambda *_: None, bound.trace, bound.observer)
    listener.put(listener.flow(PHONE), b"x", None)
    assert bound.socket.sent == []


def test_an_advertised_address_stands_in_everything_told(bind: Bind) -> None:
    bound = bind(advertised=("203.0.113.1", 5080))
    assert bound.listener.flow(PHONE).local == ("203.0.113.1", 5080)
    assert bound.listener.flow(PHONE).listener == "udp:192.0.2.1:5060"
    assert bound.set.addresses() == [("192.0.2.1", 5060), ("203.0.113.1", 5080)]


def test_an_address_advertised_later(bind: Bind) -> None:
    bound = bind(("192.0.2.1", 0))
    assert bound.listener.bound == ("192.0.2.1", 40000)
    assert bound.listener.flow(PHONE).local == ("192.0.2.1", 40000)
    bound.listener.advertise(("203.0.113.1", 40000))
    assert bound.listener.advertised == ("203.0.113.1", 40000)
    assert bound.listener.flow(PHONE).local == ("203.0.113.1", 40000)


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::", ""])
def test_on_a_wildcard_the_address_towards_that_peer_is_told(
    wildcard: str, bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[HostPort] = []

    def kernel(_: str, remote: HostPort) -> str:
        asked.append(remote)
        return f"local-to-{remote[0]}"

    monkeypatch.setattr(udp, "kernel_address", kernel)
    bound = bind((wildcard, 5060))
    for remote in (PHONE, ("192.0.2.10", 5062), ("192.0.2.11", 5060)):
        assert bound.listener.flow(remote).local == (f"local-to-{remote[0]}", 5060)
    assert len(asked) == 2  # once a host


@pytest.mark.parametrize(("wildcard", "remote"), [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.9")])
def test_the_kernel_picks_the_source_address(wildcard: str, remote: str) -> None:
    """A connected UDP socket sends nothing: this only looks into the routing table."""
    assert udp.kernel_address(wildcard, (remote, 5060)).startswith("127.0.0.")
    assert udp.kernel_address(wildcard, (remote, 0)).startswith("127.0.0.")


def test_without_a_way_the_loopback_address_is_told() -> None:
    assert udp.kernel_address("0.0.0.0", ("nonsense.invalid.", 5060)) == "127.0.0.1"


def test_the_flows_are_bounded(bound: Bound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MAX_FLOWS", 3)
    for port in range(1, 100):
        bound.listener.flow(("192.0.2.10", port))
    assert len(bound.listener._flows) <= 3


# -- the set of listeners -----------------------------------------------------------------------------------------


def test_a_flow_is_found_by_the_name_of_its_listener(bound: Bound) -> None:
    assert bound.set.find("udp:192.0.2.1:5060", PHONE) is bound.listener.flow(PHONE)
    assert bound.set.find("udp:192.0.2.2:5060", PHONE) is None
    assert bound.set.first() is bound.listener
    assert bound.set.describe() == ["udp:192.0.2.1:5060"]


def test_an_empty_set() -> None:
    empty = ListenerSet()
    assert empty.first() is None and empty.addresses() == []
    empty.close()


def test_close_stops_every_listener(bound: Bound, kernel: FakeKernel) -> None:
    bound.set.listen(bound.reactor, "192.0.2.2", 5060, UdpListener(lambda *_: None, bound.trace, bound.observer))
    bound.set.close()
    bound.set.close()
    assert bound.reactor.readers == [] and all(made.closed for made in kernel.sockets)
    bound.listener.connectionLost(None)


def test_a_name_is_never_looked_up(bind: Bind) -> None:
    """Any stranger can write one into a Via (`maddr`), and the resolver would stop everybody else."""
    bound = bind(("192.0.2.1", 5060))
    flow = bound.listener.flow(("victim.example.com", 5060))
    flow.resend(b"x")
    assert flow.local == ("192.0.2.1", 5060)
    assert bound.observer.counts["messages_dropped"] == {("unreachable",): 1}


def test_the_flows_are_counted(bound: Bound) -> None:
    second = UdpListener(lambda *_: None, bound.trace, bound.observer)
    bound.set.listen(bound.reactor, "192.0.2.2", 5060, second)
    assert bound.set.count() == {"udp": 0}
    bound.receive(b"x")
    bound.receive(b"y")
    second.flow(PHONE)
    assert bound.set.count() == {"udp": 2}


def test_how_long_a_datagram_has_waited() -> None:
    """On a real socket: asked for once, and from then on for each as long as they wait for long."""
    waits: list[float] = []
    listener = UdpListener(lambda *_: waits.append(listener.waited), Trace(), Observer())
    listener.listen(FakeReactor(), "127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        for _ in range(100):  # the kernel begins to note times a moment after the first socket asks for them
            phone.sendto(b"OPTIONS", listener.bound)
            time.sleep(udp.PRESSING * 2)
            listener.sample()
            listener.doRead()
            if waits[-1] > udp.PRESSING:
                break
        waits.clear()
        for _ in range(3):
            phone.sendto(b"OPTIONS", listener.bound)
        time.sleep(udp.PRESSING * 2)
        listener.sample()
        listener.doRead()
        assert len(waits) == 3 and all(udp.PRESSING * 2 <= wait < 60 for wait in waits)
        assert listener.waited == 0.0
        phone.sendto(b"OPTIONS", listener.bound)
        listener.doRead()
        phone.sendto(b"OPTIONS", listener.bound)
        time.sleep(udp.PRESSING * 2)
        listener.doRead()
        assert waits[4] == 0.0, "nobody asked"
    listener.close()


def test_a_slow_reader_gives_others_their_turn(bound: Bound, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(udp.time, "monotonic", lambda: next(clock) * udp.MAX_BURST_SECONDS)
    bound.socket.waiting = [(b"OPTIONS", PHONE)] * 10
    bound.listener.doRead()
    assert len(bound.heard) == 2
    bound.listener.doRead()
    assert len(bound.heard) == 4
