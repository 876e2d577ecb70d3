import wave

import pytest

from b2bua.media.media_server import MediaServer
from b2bua.media.rtp import RtpPacket, parse_packet
from b2bua.media.tone import Tone
from b2bua.sip.errors import SipError
from tests.media.reactor import Reactor

HERE = "192.0.2.1"
PHONE = ("192.0.2.20", 4000)


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def log():
    return []


@pytest.fixture
def server(reactor, log):
    return MediaServer(reactor, (20_001, 20_007), "", lambda event, **fields: log.append((event, fields)))


def test_streams_have_the_even_ports_of_the_range_in_turn(server, reactor):
    first, second = server.open("echo", HERE), server.open("melody", HERE)
    assert [first.address, second.address] == [(HERE, 20_002), (HERE, 20_004)]
    first.close()
    assert server.open("echo", HERE).address == (HERE, 20_006)
    assert server.open("echo", HERE).address == (HERE, 20_002)
    assert server.streams == 3


def test_a_port_of_somebody_elses_is_passed_over(server, reactor):
    reactor.taken = {20_002, 20_004}
    assert server.open("echo", HERE).address == (HERE, 20_006)


def test_no_port_is_free(server, reactor, log):
    for _ in range(3):
        server.open("echo", HERE)
    with pytest.raises(SipError) as refused:
        server.open("echo", HERE)
    assert (refused.value.status, refused.value.reason) == (480, "No Media Port")
    assert log == [("no_media_port", {"open": 3})]


def test_an_address_of_a_nat_is_told_and_all_of_the_host_heard(server, reactor):
    reactor.foreign = {"203.0.113.9"}
    stream = server.open("echo", "203.0.113.9")
    assert stream.address == ("203.0.113.9", 20_004)
    assert reactor.port.host == "0.0.0.0"


def test_a_name_is_told_and_all_of_the_host_heard(server, reactor):
    assert server.open("echo", "pbx.example.com").address == ("pbx.example.com", 20_002)
    assert reactor.port.host == "0.0.0.0"


def test_the_address_of_the_settings_is_told_to_everybody(reactor, log):
    server = MediaServer(reactor, (0, 0), "2001:db8::1", log.append)
    assert server.open("echo", HERE).address == ("2001:db8::1", 30_000)


def test_one_clock_beats_for_all(server, reactor):
    streams = [server.open(source, HERE) for source in ("tone:440", "melody", "tone:1000")]
    for stream in streams:
        stream.send_to(PHONE, 0)
    assert len(reactor.getDelayedCalls()) == 1
    reactor.pump([0.02] * 50)
    assert {stream.sent for stream in streams} <= {50, 51}
    for stream in streams:
        stream.close()
    assert not reactor.getDelayedCalls()
    assert server.streams == 0


def test_two_listeners_hear_a_melody_from_its_beginning(server, reactor):
    first = server.open("melody", HERE)
    first.send_to(PHONE, 0)
    reactor.pump([0.02] * 10)
    second = server.open("melody", HERE)
    second.send_to(("192.0.2.21", 4000), 0)
    reactor.pump([0.02] * 10)
    one, two = ([parse_packet(data).payload for data, _ in port.written] for port in reactor.ports)
    assert two[:5] == one[:5]


def test_the_tone_has_its_pitch(server, reactor):
    server.open("tone:1000", HERE).send_to(PHONE, 0)
    assert parse_packet(reactor.port.written[0][0]).payload == Tone(1000).frame()


def test_an_echo_says_what_it_hears_and_nothing_else(server, reactor):
    stream = server.open("echo", HERE)
    stream.datagramReceived(RtpPacket(0, 7, 8, 9, b"early").encode(), PHONE)
    stream.send_to(PHONE, 8)
    reactor.pump([0.02] * 5)
    stream.datagramReceived(RtpPacket(8, 10, 11, 12, b"hello").encode(), ("192.0.2.99", 5))
    stream.datagramReceived(RtpPacket(101, 11, 12, 12, b"key").encode(), PHONE)
    stream.datagramReceived(b"no RTP", PHONE)
    stream.send_to(None, 8)
    stream.datagramReceived(RtpPacket(8, 12, 13, 12, b"held").encode(), PHONE)
    ((data, where),) = reactor.port.written
    packet = parse_packet(data)
    assert where == PHONE
    assert (packet.payload_type, packet.payload, packet.marker, packet.timestamp) == (8, b"hello", True, 11)
    assert packet.source != 12
    assert stream.received == 4


@pytest.mark.parametrize("source", ["tone:", "tone:x", "noise", "file:/nowhere/at/all.wav"])
def test_a_source_that_cannot_be_played_is_in_the_log(server, log, source):
    with pytest.raises(SipError) as refused:
        server.open(source, HERE)
    assert refused.value.status == 480
    ((event, _),) = log
    assert event == "media_unplayable"
    assert server.streams == 0


def test_a_file_is_read_once(server, tmp_path):
    path = tmp_path / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\x10" * 800)
    server.open(f"file:{path}", HERE)
    path.unlink()
    server.open(f"file:{path}", HERE)


def test_closing_gives_all_ports_back(server, reactor):
    server.open("echo", HERE)
    server.open("melody", HERE).send_to(PHONE, 0)
    server.close()
    assert not any(port.open for port in reactor.ports)
    assert server.streams == 0
    assert not reactor.getDelayedCalls()
