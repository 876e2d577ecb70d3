"""The ends of a link: who is heard, which connection is used, and what becomes of what is under way when it breaks."""

from __future__ import annotations

import socket
import struct

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure

from b2bua.observer import Observer
from b2bua.sip.flow import HostPort
from b2bua.sip.response_to import response_to
from b2bua.transport.link import FIRST_WAIT, LONGEST_WAIT, AcceptingLink, DiallingLink, UdpLink
from tests.transaction.neighbours import request
from tests.transport.streams import FakeReactor, Heard, Pipe, Trace

OURS: HostPort = ("127.0.0.1", 0)
THEIRS: HostPort = ("127.0.0.2", 5071)
DATA = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Accepting:
    """Session Manager's end, and who connects to it."""

    def __init__(self) -> None:
        self.reactor = FakeReactor()
        self.observer = Observer()
        self.heard = Heard()
        self.end = AcceptingLink(self.heard, Trace(self.heard.trace), self.observer, OURS, THEIRS)
        self.end.open(self.reactor)

    def connect(self, remote: HostPort = THEIRS) -> Pipe | None:
        connection = self.reactor.factory.buildProtocol(IPv4Address("TCP", *remote))
        if connection is None:
            return None
        pipe = Pipe(connection)
        connection.makeConnection(pipe)
        return pipe

    def feature_server(self) -> Pipe:
        """It connects and says something."""
        pipe = self.connect()
        assert pipe is not None
        pipe.connection.dataReceived(DATA)
        return pipe


class Dialling:
    """The feature server's end, and what becomes of its attempts."""

    def __init__(self) -> None:
        self.reactor = FakeReactor()
        self.observer = Observer()
        self.heard = Heard()
        self.opened = 0
        self.end = DiallingLink(self.heard, Trace(self.heard.trace), self.observer, OURS, THEIRS, self._opened)
        self.end.open(self.reactor)

    def _opened(self) -> None:
        self.opened += 1
        self.end.link.send(request("OPTIONS", transport="TCP"))

    def stands(self) -> Pipe:
        host, port, factory, _, _ = self.reactor.opening.pop()
        connection = factory.buildProtocol(IPv4Address("TCP", host, port))
        pipe = Pipe(connection)
        connection.makeConnection(pipe)
        return pipe

    def refused(self) -> None:
        self.reactor.opening.pop()[2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def wait(self) -> float:
        """Seconds until the next attempt."""
        start = self.reactor.seconds()
        while not self.reactor.opening:
            assert self.reactor.seconds() - start < 60
            self.reactor.advance(0.05)
        return self.reactor.seconds() - start


# ---- Session Manager's end


def test_all_connections_are_one_flow() -> None:
    accepting = Accepting()
    first = accepting.feature_server()
    first.lose()
    second = accepting.feature_server()
    link = accepting.end.link
    assert accepting.heard.messages == [(DATA, link)] * 2
    assert (link.transport, link.local[0], link.remote) == ("tcp", "127.0.0.1", THEIRS)
    assert link.listener == accepting.end.name == f"tcp:127.0.0.1:{link.local[1]}" and link.local[1]
    link.send(request("OPTIONS", transport="TCP"))
    assert second.take().startswith(b"OPTIONS ") and first.take() == b""
    assert link.towards(("192.0.2.1", 5060)) is link


@pytest.mark.parametrize("stranger", [("127.0.0.2", 5072), ("127.0.0.3", 5071)])
def test_nobody_else_is_let_in(stranger: HostPort) -> None:
    accepting = Accepting()
    assert accepting.connect(stranger) is None
    assert accepting.observer.counts["messages_dropped"]["stranger on a link",] == 1


def test_a_broken_connection_fails_the_flow_once() -> None:
    accepting = Accepting()
    pipe = accepting.feature_server()
    pipe.lose()
    accepting.reactor.advance(0.1)
    assert accepting.heard.lost == [accepting.end.link]


def test_what_is_sent_without_a_connection_fails_in_a_turn_of_its_own() -> None:
    accepting = Accepting()
    accepting.end.link.send(request("OPTIONS", transport="TCP"))
    assert accepting.heard.lost == []
    accepting.reactor.advance(0.1)
    assert accepting.heard.lost == [accepting.end.link]
    accepting.end.link.resend(b"again")  # nothing to repeat it on


def test_who_comes_back_without_having_gone() -> None:
    """Its host lost power: the old connection still seems to stand."""
    accepting = Accepting()
    old = accepting.feature_server()
    new = accepting.feature_server()
    assert accepting.heard.lost == [accepting.end.link]
    old.lose()
    assert len(accepting.heard.lost) == 1
    accepting.end.link.send(request("OPTIONS", transport="TCP"))
    assert new.take()


def test_what_is_no_message() -> None:
    accepting = Accepting()
    pipe = accepting.connect()
    assert pipe is not None
    pipe.connection.dataReceived(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n")
    assert len(accepting.heard.flaws) == 1


# ---- the feature server's end


def test_it_dials_from_its_own_port_and_speaks() -> None:
    dialling = Dialling()
    host, port, _, _, origin = dialling.reactor.opening[-1]
    assert ((host, port), origin) == (THEIRS, OURS)
    pipe = dialling.stands()
    assert dialling.opened == 1 and pipe.take().startswith(b"OPTIONS ")
    assert (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)) in pipe.handle.options
    pipe.connection.dataReceived(DATA)
    assert dialling.heard.messages == [(DATA, dialling.end.link)]


def test_what_is_sent_while_it_dials_waits() -> None:
    dialling = Dialling()
    dialling.end.link.send(request("INVITE", transport="TCP"))
    assert dialling.stands().take().startswith(b"INVITE ")


def test_it_dials_again_ever_more_patiently() -> None:
    dialling = Dialling()
    waits = []
    for _ in range(10):
        dialling.refused()
        waits.append(dialling.wait())
    assert waits == sorted(waits) and waits[0] < 2 * FIRST_WAIT and LONGEST_WAIT <= waits[-1] < LONGEST_WAIT + 0.1
    assert dialling.heard.lost == [dialling.end.link] * 10


def test_a_connection_that_only_closes_does_not_make_it_impatient() -> None:
    """Session Manager turns it away: it is not the peer of that link."""
    dialling = Dialling()
    waits = []
    for _ in range(4):
        dialling.stands().lose()
        waits.append(dialling.wait())
    assert waits[-1] > 4 * waits[0]
    pipe = dialling.stands()
    pipe.connection.dataReceived(DATA)
    pipe.lose()
    assert dialling.wait() < 2 * FIRST_WAIT


def test_what_is_sent_between_two_connections_fails() -> None:
    dialling = Dialling()
    dialling.stands().lose()
    dialling.heard.lost.clear()
    dialling.end.link.send(request("OPTIONS", transport="TCP"))
    assert dialling.heard.lost == []
    dialling.reactor.advance(0)
    assert dialling.heard.lost == [dialling.end.link]
    assert dialling.observer.counts["messages_dropped"]["connection gone",] == 1


def test_an_answer_between_two_connections_waits_for_the_next() -> None:
    """Nobody repeats it, and whoever asked may be alive: Session Manager's next process, or this one's peer."""
    dialling = Dialling()
    dialling.stands().lose()
    dialling.heard.lost.clear()
    answer = response_to(request("INVITE", transport="TCP"), 488)
    dialling.end.link.send(answer)
    dialling.wait()
    dialling.end.link.send(answer)  # while it dials
    dialling.refused()
    dialling.wait()
    pipe = dialling.stands()
    assert pipe.value().count(b"SIP/2.0 488") == 2
    accepting = Accepting()
    accepting.end.link.send(answer)
    assert accepting.feature_server().value().count(b"SIP/2.0 488") == 1
    assert accepting.heard.lost == []


def test_closed_it_dials_no_more() -> None:
    dialling = Dialling()
    pipe = dialling.stands()
    dialling.end.close()
    assert pipe.lost
    dialling.reactor.advance(60)
    assert dialling.reactor.opening == []


def test_an_address_that_is_not_ours() -> None:
    end = DiallingLink(Heard(), Trace([]), Observer(), ("192.0.2.1", 5071), THEIRS, lambda: None)
    with pytest.raises(OSError):
        end.open(FakeReactor())


# ---- UDP


class Readers:
    """A reactor for one socket that the test reads by hand."""

    def __init__(self) -> None:
        self.readers: list[object] = []

    def addReader(self, reader: object) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.remove(reader)


def test_udp_hears_its_peer_alone() -> None:
    reactor, heard, observer = Readers(), Heard(), Observer()
    end = UdpLink(heard, Trace(heard.trace), observer, OURS, THEIRS)
    end.open(reactor)
    try:
        (listener,) = reactor.readers
        for source in (THEIRS, ("127.0.0.2", 5072), ("127.0.0.3", 5071), THEIRS):
            listener.datagram_received(DATA, source)  # type: ignore[attr-defined]  # a UdpListener
        assert heard.messages == [(DATA, end.link)] * 2
        assert len(heard.trace) == 2
        assert observer.counts["messages_dropped"]["stranger on a link",] == 2
        assert end.link.remote == THEIRS and end.name == end.link.listener
    finally:
        end.close()
    assert reactor.readers == []
