"""The stream on Twisted's test clock, its socket replaced by a list."""

import pytest

from b2bua.media.rtp import RtpPacket, parse_packet
from b2bua.media.rtp_stream import RtpStream
from b2bua.media.tone import Tone
from tests.media.reactor import Reactor

THERE = ("192.0.2.20", 4000)


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def stream(reactor):
    made = RtpStream(reactor, Tone(), 7)
    assert made.open("192.0.2.10") == ("192.0.2.10", 30_000)
    return made


def packets(reactor):
    return [parse_packet(data) for data, _ in reactor.port.written]


def test_it_is_silent_until_it_is_told_where_to_send(reactor, stream):
    reactor.pump([0.02] * 10)
    assert stream.sent == 0


def test_a_packet_leaves_every_20_ms(reactor, stream):
    stream.send_to(THERE)
    reactor.pump([0.02] * 49)
    sent = packets(reactor)
    assert stream.sent == len(sent) == 50
    assert [packet.sequence for packet in sent] == list(range(50))
    assert [packet.timestamp for packet in sent] == list(range(0, 8000, 160))
    assert [packet.marker for packet in sent] == [True] + [False] * 49
    assert {address for _, address in reactor.port.written} == {THERE}
    assert {(packet.source, len(packet.payload)) for packet in sent} == {(7, 160)}


def test_it_stops_at_once_and_starts_again_with_a_marker(reactor, stream):
    stream.send_to(THERE)
    reactor.advance(0.02)
    stream.send_to(None)
    reactor.pump([0.02] * 10)
    assert stream.sent == 2
    stream.send_to(("192.0.2.21", 4002))
    assert packets(reactor)[-1].marker
    assert packets(reactor)[-1].sequence == 2


def test_a_new_address_takes_over_without_a_second_beat(reactor, stream):
    stream.send_to(THERE)
    stream.send_to(("192.0.2.21", 4002))
    reactor.pump([0.02] * 5)
    assert stream.sent == 6


def test_a_stall_is_not_caught_up_in_a_burst(reactor, stream):
    stream.send_to(THERE)
    reactor.advance(5)
    reactor.advance(0)
    assert stream.sent < 15


def test_only_rtp_is_counted(stream):
    stream.datagramReceived(RtpPacket(0, 1, 2, 3, b"x" * 160).encode(), THERE)
    stream.datagramReceived(b"stun?", THERE)
    assert stream.received == 1


def test_closing_gives_the_port_back_once(reactor, stream):
    stream.send_to(THERE)
    stream.close()
    stream.close()
    stream.send_to(THERE)
    assert not reactor.port.open
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    "remote",
    [("phone.example.com", 4000), ("2001:db8::1", 4000), ("239.0.0.1", 4000), ("255.255.255.255", 4000), ("192.0.2.20", 0),
     ("192.0.2.20", 65_536), ("", 4000)],
)  # fmt: skip
def test_what_no_packet_can_be_sent_to_is_silence(reactor, stream, remote):
    stream.send_to(THERE)
    before = stream.sent
    stream.send_to(remote)
    reactor.pump([0.02] * 5)
    assert stream.sent == before


def test_a_law_is_said_where_that_was_agreed(reactor, stream):
    stream.send_to(THERE, 8)
    (packet,) = packets(reactor)
    assert packet.payload_type == 8
    assert packet.payload == Tone().frame(8)
