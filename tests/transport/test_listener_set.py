"""Which listener a flow is opened from, and who is asked for a connection when a request is long."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.sip.flow import Flow, HostPort, Put
from b2bua.sip.message import Message
from b2bua.transport import listener_set
from b2bua.transport.address import listener_name
from b2bua.transport.listener_set import FORGIVEN, ListenerSet
from tests.log_lines import kept_log
from tests.transaction.neighbours import FakeFlow

PHONE: HostPort = ("192.0.2.10", 5060)
PHONE6: HostPort = ("2001:db8::10", 5060)


class FakeListener:
    """One address with a flow to everybody."""

    advertised = None
    waited = 0.0

    def __init__(self, transport: str, host: str, port: int = 5060) -> None:
        self.transport = transport
        self.bound = (host, port)
        self.name = ""
        self._flows: dict[HostPort, FakeFlow] = {}
        self.put: Put = lambda flow, data, message: data

    def listen(self, reactor: Any, host: str, port: int) -> None:
        self.name = listener_name(self.transport, self.bound)

    def find(self, remote: HostPort) -> Flow | None:
        return self._flows.get(remote)

    def flow(self, remote: HostPort, name: str = "") -> Flow:
        return self._flows.setdefault(remote, FakeFlow(self.transport == "tcp", remote, self.bound))

    def flows(self) -> int:
        return len(self._flows)

    def sample(self) -> None:
        return

    def close(self) -> None:
        return


class Made:
    """A set with listeners, its clock and its log."""

    def __init__(self, *listeners: tuple[str, str]) -> None:
        self.now = 1000.0
        self.log: list[str] = []
        self.set = ListenerSet(lambda: self.now, kept_log(self.log))
        for transport, host in listeners:
            listener = FakeListener(transport, host)
            self.set.listen(None, host, 5060, listener)


ALL = Made(
    ("udp", "192.0.2.1"), ("udp", "0.0.0.0"), ("tcp", "0.0.0.0"), ("tcp", "192.0.2.1"), ("udp", "::"), ("tcp", "2001:db8::1"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("transport", "name", "remote", "local"),
    [
        ("udp", "udp:192.0.2.1:5060", PHONE, "192.0.2.1"),  # the one that was asked for
        ("tcp", "tcp:192.0.2.1:5060", PHONE, "192.0.2.1"),
        ("tcp", "udp:192.0.2.1:5060", PHONE, "192.0.2.1"),  # another transport on the same host
        ("tcp", "udp:0.0.0.0:5060", PHONE, "0.0.0.0"),
        ("tcp", "udp:192.0.2.77:5060", PHONE, "0.0.0.0"),  # a listener that is no more: any address will do
        ("tcp", "", PHONE, "0.0.0.0"),
        ("tcp", "udp:192.0.2.1:5060", PHONE6, "2001:db8::1"),  # another family
        ("udp", "udp:192.0.2.1:5060", PHONE6, "::"),
    ],
)
def test_the_nearest_listener(transport: str, name: str, remote: HostPort, local: str) -> None:
    flow = ALL.set.open(transport, name, remote)
    assert flow is not None and (flow.transport, flow.local[0], flow.remote) == (transport, local, remote)


@pytest.mark.parametrize(
    ("host", "every", "remote"), [("127.0.0.1", "0.0.0.0", PHONE), ("192.0.2.1", "0.0.0.0", PHONE), ("::1", "::", PHONE6)]
)
def test_one_on_all_addresses_goes_before_one_on_another_host(host: str, every: str, remote: HostPort) -> None:
    flow = Made(("udp", host), ("udp", every)).set.open("udp", "", remote)
    assert flow is not None and flow.local[0] == every


def test_what_can_be_called() -> None:
    """No WebSocket is opened by us (RFC 7118 §3)."""
    made = Made(*((transport, "192.0.2.1") for transport in ("udp", "tcp", "tls", "ws", "wss")), ("tls", "2001:db8::1"))
    assert made.set.reach() == {("udp", "A"), ("tcp", "A"), ("tls", "A"), ("tls", "AAAA")}


@pytest.mark.parametrize(("transport", "remote"), [("tls", PHONE), ("tcp", PHONE6)])
def test_no_listener_leads_there(transport: str, remote: HostPort) -> None:
    assert Made(("udp", "::"), ("tcp", "0.0.0.0")).set.open(transport, "", remote) is None


def test_names_and_addresses() -> None:
    made = Made(("udp", "192.0.2.1"), ("tcp", "2001:db8::1"))
    assert made.set.describe() == ["udp:192.0.2.1:5060", "tcp:[2001:db8::1]:5060"]
    assert made.set.addresses() == [("192.0.2.1", 5060), ("2001:db8::1", 5060)]
    made.set.open("udp", "", PHONE)
    assert made.set.count() == {"udp": 1, "tcp": 0}


# ---- long requests


def test_a_phone_that_refuses_is_left_alone_for_a_while() -> None:
    made = Made(("udp", "192.0.2.1"), ("tcp", "192.0.2.1"))
    udp = made.set.open("udp", "", PHONE)
    assert udp is not None
    stream = made.set.stream_beside(udp, 1400)
    assert stream is not None and stream.transport == "tcp" and stream.remote == PHONE
    assert made.set.stream_beside(udp, 1400) is stream
    assert len(made.log) == 1 and "size=1400" in made.log[0]
    made.set.refused(udp, 1400)
    assert len(made.log) == 2
    made.now += FORGIVEN - 1
    assert made.set.stream_beside(udp, 1400) is None
    made.now += 2
    assert made.set.stream_beside(udp, 1400) is stream
    assert len(made.log) == 2, "a peer is told of once"


def test_a_phone_behind_nat_is_not_asked() -> None:
    made = Made(("udp", "192.0.2.1"), ("tcp", "192.0.2.1"))
    udp = made.set.open("udp", "", PHONE)
    assert udp is not None
    made.set.no_stream(PHONE, 60)
    assert made.set.stream_beside(udp, 1400) is None and made.log == []


def test_without_a_tcp_listener_nothing_is_said() -> None:
    made = Made(("udp", "192.0.2.1"))
    udp = made.set.open("udp", "", PHONE)
    assert udp is not None and made.set.stream_beside(udp, 1400) is None and made.log == []


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_set, "MAX_REFUSERS", 5)
    made = Made(("udp", "192.0.2.1"), ("tcp", "192.0.2.1"))
    for port in range(1, 30):
        udp = made.set.open("udp", "", ("192.0.2.66", port))
        assert udp is not None and made.set.stream_beside(udp, 1400) is not None
        made.set.refused(udp, 1400)
    assert len(made.set._refusers) <= 5 and len(made.set._told) <= 5


def test_something_stands_between_and_goes_again() -> None:
    made = Made(("udp", "192.0.2.1"), ("tcp", "192.0.2.1"))
    seen: list[bytes] = []
    before = [made.set._listeners[name].put for name in made.set.describe()]

    def between(put: Put) -> Put:
        def through(flow: Flow, data: bytes, message: Message | None) -> bytes:
            seen.append(data)
            return put(flow, data, message)

        return through

    end = made.set.interpose(between)
    for name in made.set.describe():
        listener = made.set._listeners[name]
        assert listener.put(listener.flow(PHONE), name.encode(), None) == name.encode()
    assert seen == [b"udp:192.0.2.1:5060", b"tcp:192.0.2.1:5060"]
    end()
    assert [made.set._listeners[name].put for name in made.set.describe()] == before
