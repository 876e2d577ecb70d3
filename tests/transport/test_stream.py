"""Flows and connections of the TCP listener, on a pretended kernel."""

from __future__ import annotations

import socket

import pytest

from b2bua.sip.flow import Flow
from b2bua.transport import tcp
from b2bua.transport.listener_set import ListenerSet
from b2bua.transport.stream import LINGER_SECONDS, Limits
from tests.transaction.neighbours import reply, request
from tests.transport.streams import CONTACT, PHONE, Listening

OPTIONS = request("OPTIONS", transport="TCP")
DATA = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"
NO_LENGTH = b"OPTIONS sip:example.com SIP/2.0\r\n\r\n"
LONGEST = Limits().whole


@pytest.fixture
def listening() -> Listening:
    return Listening()


# ---- what comes in


def test_messages_come_with_the_flow_of_their_connection(listening: Listening) -> None:
    one, other = listening.phone(), listening.phone(("192.0.2.11", 40000))
    one.connection.dataReceived(DATA[:10])
    other.connection.dataReceived(DATA + DATA)
    one.connection.dataReceived(DATA[10:])
    flows = [flow for _, flow in listening.heard.messages]
    assert [data for data, _ in listening.heard.messages] == [DATA] * 3
    assert flows == [other.connection.flow] * 2 + [one.connection.flow]
    assert listening.heard.trace == [("received", flow, DATA) for flow in flows]
    flow: Flow = one.connection.flow
    port = listening.listener.bound[1]
    assert (flow.transport, flow.via_transport, flow.reliable) == ("tcp", "TCP", True)
    assert (flow.listener, flow.local, flow.remote) == (f"tcp:127.0.0.1:{port}", ("127.0.0.1", port), PHONE)
    assert one.no_delay and (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in one.handle.options


def test_a_double_crlf_is_answered_with_one(listening: Listening) -> None:
    """RFC 5626 §4.4.1; the trace does not show it."""
    pipe = listening.phone()
    pipe.connection.dataReceived(b"\r\n")
    assert pipe.take() == b""
    pipe.connection.dataReceived(b"\r\n")
    assert pipe.take() == b"\r\n" and listening.heard.trace == []


def test_the_advertised_address_is_told() -> None:
    listening = Listening(advertised=("203.0.113.1", 5070))
    assert listening.phone().connection.flow.local == ("203.0.113.1", 5070)
    assert listening.listener.flow(CONTACT).local == ("203.0.113.1", 5070)
    listening.listener.advertise(("203.0.113.2", 5070))
    assert listening.phone().connection.flow.local == ("203.0.113.2", 5070)


def test_on_a_wildcard_the_address_towards_that_peer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "kernel_address", lambda wildcard, remote: "192.0.2.77")
    listening = Listening(host="0.0.0.0")
    port = listening.listener.bound[1]
    assert listening.phone().connection.flow.local == ("192.0.2.77", port)
    assert listening.listener.flow(CONTACT).local == ("192.0.2.77", port)


def test_a_mistake_of_ours_does_not_cut_the_phone_off(listening: Listening) -> None:
    pipe = listening.phone()
    listening.heard.raising = RuntimeError("ours")
    pipe.connection.dataReceived(DATA + DATA)
    assert len(listening.heard.messages) == 2 and not pipe.lost
    assert listening.observer.counts["internal_errors"]["listener",] == 2


def test_what_cannot_be_framed_is_answered_and_then_nothing_is_read(listening: Listening) -> None:
    """Our side is closed behind the answer, and the whole soon: at once would have the kernel throw the answer away."""
    pipe = listening.phone()
    listening.heard.answer = reply(OPTIONS, 400)
    pipe.connection.dataReceived(DATA + NO_LENGTH + DATA)
    assert len(listening.heard.messages) == 1
    (flaw,) = listening.heard.flaws
    assert (flaw.head, flaw.status, flaw.reason) == (NO_LENGTH, 400, "Missing Content-Length")
    assert pipe.take().startswith(b"SIP/2.0 400 ") and pipe.half_closed and not pipe.lost
    assert listening.heard.lost == [pipe.connection.flow]
    pipe.connection.dataReceived(DATA)
    assert len(listening.heard.messages) == 1
    listening.pass_time(LINGER_SECONDS)
    assert pipe.aborted and listening.heard.lost == [pipe.connection.flow]
    assert listening.listener.flows() == 0


# ---- what goes out


def test_sent_on_the_connection_of_the_flow(listening: Listening) -> None:
    pipe = listening.phone()
    flow = pipe.connection.flow
    data = flow.send(OPTIONS)
    assert data == OPTIONS.encode() == pipe.take()
    flow.resend(data)
    assert pipe.take() == data
    assert [what for what, _, _ in listening.heard.trace] == ["sent", "resent"]


def test_a_flow_is_found_while_its_connection_stands(listening: Listening) -> None:
    pipe = listening.phone()
    assert listening.listener.find(PHONE) is listening.listener.flow(PHONE) is pipe.connection.flow
    assert listening.listener.flows() == 1
    pipe.lose()
    assert listening.listener.find(PHONE) is None and listening.listener.flows() == 0
    assert listening.heard.lost == [pipe.connection.flow]


def test_a_connection_is_opened_by_the_first_message(listening: Listening) -> None:
    """From the address that we listen on; what is sent meanwhile waits."""
    flow = listening.listener.flow(CONTACT)
    assert listening.listener.find(CONTACT) is None and listening.reactor.opening == []
    flow.send(OPTIONS)
    flow.send(reply(OPTIONS, 200))
    ((host, port, _, seconds, origin),) = listening.reactor.opening
    assert (host, port, seconds, origin) == (*CONTACT, Limits().connect, ("127.0.0.1", 0))
    assert listening.listener.find(CONTACT) is flow and listening.heard.trace == []
    pipe = listening.open()
    assert pipe.take() == OPTIONS.encode() + reply(OPTIONS, 200).encode()
    assert [what for what, _, _ in listening.heard.trace] == ["sent", "sent"]
    pipe.connection.dataReceived(DATA)
    assert listening.heard.messages == [(DATA, flow)]


def test_a_connection_that_is_refused_fails_its_flow(listening: Listening) -> None:
    flow = listening.listener.flow(CONTACT)
    flow.send(OPTIONS)
    listening.refuse()
    assert listening.heard.lost == [flow] and listening.heard.trace == []
    assert listening.listener.find(CONTACT) is None
    assert listening.listener.flow(CONTACT) is not flow


def test_sending_on_a_dead_flow_fails_in_a_turn_of_its_own(listening: Listening) -> None:
    """The sender is not ready to hear of it inside `send`."""
    pipe = listening.phone()
    flow = pipe.connection.flow
    pipe.lose()
    flow.send(OPTIONS)
    assert listening.heard.lost == [flow]
    listening.pass_time(1)
    assert listening.heard.lost == [flow, flow] and listening.dropped("connection gone") == 1


@pytest.mark.parametrize("remote", [("phone.example.com", 5060), ("2001:db8::1", 5060), ("192.0.2.10", 0)])
def test_what_cannot_be_reached_is_not_tried(listening: Listening, remote: tuple[str, int]) -> None:
    """Names are not looked up, and an IPv4 listener has no way to IPv6."""
    flow = listening.listener.flow(remote)
    flow.send(OPTIONS)
    assert listening.reactor.opening == [] and listening.heard.lost == []
    listening.pass_time(1)
    assert listening.heard.lost == [flow] and listening.dropped("unreachable") == 1


def test_towards_another_port_of_the_same_peer(listening: Listening) -> None:
    pipe = listening.phone()
    assert pipe.connection.flow.towards(PHONE) is pipe.connection.flow
    assert pipe.connection.flow.towards(CONTACT) is listening.listener.flow(CONTACT)


def test_the_newest_connection_from_an_address_counts(listening: Listening) -> None:
    """A phone that lost power connects from the same port again; the old connection ends later."""
    old, new = listening.phone(), listening.phone()
    assert listening.listener.find(PHONE) is new.connection.flow
    old.lose()
    assert listening.listener.find(PHONE) is new.connection.flow and listening.listener.flows() == 1


# ---- limits


def test_a_slow_reader_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = Listening(Limits(backlog=1000))
    pipe = listening.phone()
    flow = pipe.connection.flow
    pipe.connection.pauseProducing()  # Twisted's buffer is full
    for _ in range(3):
        flow.send(OPTIONS)
    pipe.connection.resumeProducing()
    pipe.connection.pauseProducing()  # what waited has left: it counts anew
    while not pipe.aborted:
        flow.send(OPTIONS)
        pipe.connection.pauseProducing()  # as Twisted says with every write
    assert len(pipe.take()) <= 2000 + 3 * len(OPTIONS.encode())
    assert listening.dropped("slow reader") == 1 and listening.heard.lost == [flow]


def test_what_waits_for_a_connection_is_bounded() -> None:
    listening = Listening(Limits(backlog=1000))
    flow = listening.listener.flow(CONTACT)
    for _ in range(10):
        flow.send(OPTIONS)
    assert len(listening.open().take()) <= 1000 and listening.dropped("slow reader") > 0


def test_no_more_connections_than_the_limit() -> None:
    listening = Listening(Limits(connections=2))
    one, _ = listening.phone(), listening.phone(("192.0.2.11", 1))
    assert listening.accept(("192.0.2.12", 1)) is None
    assert listening.dropped("too many connections") == 1
    one.lose()
    assert listening.accept(("192.0.2.12", 1)) is not None


def test_one_host_does_not_get_them_all() -> None:
    listening = Listening(Limits(connections=4))
    greedy = [listening.accept(("192.0.2.66", port)) for port in range(1, 6)]
    assert [pipe is not None for pipe in greedy] == [True, True, False, False, False]
    assert listening.accept(PHONE) is not None
    assert greedy[0] is not None
    greedy[0].lose()
    assert listening.accept(("192.0.2.66", 9)) is not None


def test_our_own_connections_do_not_count() -> None:
    listening = Listening(Limits(connections=1))
    listening.listener.flow(CONTACT).send(OPTIONS)
    ours = listening.open()
    theirs = listening.phone()
    ours.lose()
    theirs.lose()
    assert listening.accept() is not None and listening.accept(("192.0.2.12", 1)) is None


def test_what_we_open_is_bounded_too() -> None:
    listening = Listening(Limits(connections=2))
    flows = [listening.listener.flow(("192.0.2.66", port)) for port in range(1, 4)]
    for flow in flows:
        flow.send(OPTIONS)
    assert len(listening.reactor.opening) == 2 and listening.dropped("too many connections") == 1
    listening.pass_time(1)
    assert listening.heard.lost == [flows[2]]
    listening.refuse()
    listening.open().lose()
    for port in (7, 8):
        listening.listener.flow(("192.0.2.66", port)).send(OPTIONS)
    assert len(listening.reactor.opening) == 2


def test_of_too_many_that_say_nothing_the_oldest_goes() -> None:
    """Who fills our table with silence does not shut out phones."""
    listening = Listening(Limits(unproven=2))
    phone = listening.phone()
    phone.connection.dataReceived(DATA)
    silent = [listening.phone(("192.0.2.66", port)) for port in range(1, 4)]
    listening.pass_time(1)
    assert [pipe.aborted for pipe in silent] == [True, False, False] and not phone.lost


def test_a_connection_that_says_nothing_is_cut(listening: Listening) -> None:
    silent, phone = listening.phone(), listening.phone(("192.0.2.11", 1))
    phone.connection.dataReceived(DATA)
    listening.pass_time(LONGEST - 1)
    assert not silent.lost
    listening.pass_time(5)
    assert silent.aborted and not phone.lost


def test_a_message_that_drips_in_is_cut(listening: Listening) -> None:
    """Each byte is a sign of life, but the message has to end."""
    pipe = listening.phone()
    pipe.connection.dataReceived(DATA + DATA[:1])
    for place in range(1, 50):
        listening.pass_time(1)
        pipe.connection.dataReceived(DATA[place : place + 1])
        if pipe.lost:
            break
    assert pipe.aborted and LONGEST - 1 < place < LONGEST + 5


def test_each_message_has_its_own_time(listening: Listening) -> None:
    pipe = listening.phone()
    for _ in range(4):
        pipe.connection.dataReceived(DATA[:20])
        listening.pass_time(LONGEST - 4)
        pipe.connection.dataReceived(DATA[20:] + DATA[:20])
        listening.pass_time(3)
        pipe.connection.dataReceived(DATA[20:])
    assert not pipe.lost and len(listening.heard.messages) == 8


def test_an_idle_connection_is_closed() -> None:
    listening = Listening(Limits(idle=100))
    phone, silent = listening.phone(), listening.phone(("192.0.2.11", 1))
    for pipe in (phone, silent):
        pipe.connection.dataReceived(DATA)
    listening.pass_time(90)
    phone.connection.dataReceived(b"\r\n\r\n")
    listening.pass_time(20)
    assert silent.aborted and not phone.lost


def test_close_ends_everything(listening: Listening) -> None:
    pipe = listening.phone()
    listening.listener.close()
    listening.listener.close()
    assert listening.reactor.stopped and pipe.lost and listening.reactor.getDelayedCalls() == []
    assert listening.accept() is None
    flow = listening.listener.flow(CONTACT)
    flow.send(OPTIONS)
    assert listening.reactor.opening == []


def test_the_table_of_flows_is_bounded(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_FLOWS", 5)
    pipe = listening.phone()
    for port in range(1, 20):
        listening.listener.flow(("192.0.2.66", port))
    assert len(listening.listener._flows) <= 6
    assert listening.listener.find(PHONE) is pipe.connection.flow


def test_an_address_that_cannot_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Listening(port=taken.getsockname()[1])


# ---- among other listeners


def test_flows_of_a_set() -> None:
    """By name where that fits, else by transport, family and host."""
    made = ListenerSet()
    four, six = Listening(), Listening(host="::1")
    for each in (four, six):
        made._listeners[each.listener.name] = each.listener
    assert made.find(four.listener.name, PHONE) is None
    pipe = four.phone()
    assert made.find(four.listener.name, PHONE) is pipe.connection.flow
    assert made.open("tcp", "", CONTACT) is four.listener.flow(CONTACT)
    assert made.open("tcp", six.listener.name, CONTACT) is four.listener.flow(CONTACT)
    assert made.open("tcp", "", ("2001:db8::7", 5060)) is six.listener.flow(("2001:db8::7", 5060))
    assert made.open("udp", "", CONTACT) is None and made.open("tls", "", CONTACT) is None
    assert made.count() == {"tcp": 1}
    assert made.describe() == [f"tcp:127.0.0.1:{four.listener.bound[1]}", f"tcp:[::1]:{six.listener.bound[1]}"]
