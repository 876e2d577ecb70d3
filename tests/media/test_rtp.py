import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.media.rtp import MalformedPacket, RtpPacket, parse_packet

PACKETS = st.builds(
    RtpPacket, st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200), st.booleans(),
)  # fmt: skip


@given(PACKETS)
def test_a_packet_reads_as_it_was_made(packet):
    assert parse_packet(packet.encode()) == packet


@given(st.binary(max_size=64))
def test_bytes_are_a_packet_or_malformed(data):
    try:
        assert len(parse_packet(data).payload) <= len(data) - 12
    except MalformedPacket:
        return


def test_the_header_is_that_of_the_rfc():
    data = RtpPacket(0, 0x1234, 0x01020304, 0xAABBCCDD, b"x", True).encode()
    assert data == bytes.fromhex("80 80 1234 01020304 aabbccdd") + b"x"


def test_counters_wrap_around():
    packet = parse_packet(RtpPacket(0, 0x1_0001, 0x1_0000_0002, 5, b"").encode())
    assert (packet.sequence, packet.timestamp) == (1, 2)


def test_sources_extension_and_padding_are_no_payload():
    header = bytes.fromhex("b1 00 0001 00000002 00000003")  # V=2, P, X, one CSRC
    data = header + b"csrc" + bytes.fromhex("abcd 0001") + b"word" + b"payload" + b"\0\0\x03"
    assert parse_packet(data).payload == b"payload"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(12),
        bytes.fromhex("8f 00 0001 00000002 00000003"),
        bytes.fromhex("90 00 0001 00000002 00000003 abcd"),
        bytes.fromhex("90 00 0001 00000002 00000003 abcd 0004"),
        bytes.fromhex("a0 00 0001 00000002 00000003 00"),
        bytes.fromhex("a0 00 0001 00000002 00000003 09"),
    ],
    ids=["empty", "short", "version", "sources", "extension", "extension length", "no padding", "padding"],
)
def test_what_is_no_packet_is_refused(data):
    with pytest.raises(MalformedPacket):
        parse_packet(data)
