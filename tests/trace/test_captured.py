"""SIP in packets: datagrams whole and in pieces, streams in any order."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.trace.captured import MAX_HELD, Captured, messages
from b2bua.trace.packets import Packet
from tests.trace.captures import fragments, fragments6, ip, tcp, udp

HERE, THERE = "192.0.2.1 5060", "192.0.2.2 5070"
HERE6, THERE6 = "2001:db8::1 5060", "2001:db8::2 5070"


def message(number: int, body: int = 0) -> bytes:
    head = f"OPTIONS sip:6001@example.com SIP/2.0\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: {body}\r\n\r\n"
    return head.encode() + b"x" * body


def found(packets: list[bytes]) -> list[Captured]:
    return list(messages(Packet(float(number), packet) for number, packet in enumerate(packets)))


def test_datagrams() -> None:
    packets = [udp(HERE, THERE, message(1)), udp(THERE6, HERE6, b"\r\n" + message(2)), udp(HERE, THERE, b"\r\n\r\n"),
               udp(HERE, THERE, b"\x80\x00 RTP"), ip("192.0.2.1", "192.0.2.2", 1, b"ping ping"), b"\x45", b"\x60"]  # fmt: skip
    assert found(packets) == [
        Captured(0.0, "udp", "192.0.2.1:5060", "192.0.2.2:5070", message(1)),
        Captured(1.0, "udp", "[2001:db8::2]:5070", "[2001:db8::1]:5060", message(2)),
    ]


def test_a_datagram_in_pieces_that_come_in_any_order() -> None:
    for pieces in (fragments(udp(HERE, THERE, message(1, 3000)), 1480), fragments6(udp(HERE6, THERE6, message(1, 3000)), 1232)):
        assert len(pieces) == 3
        for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 0, 2, 1)):
            assert [one.data for one in found([pieces[place] for place in order])] == [message(1, 3000)]
        assert found(pieces[:2]) == [] and found(pieces[1:]) == []


def test_pieces_that_never_come_are_bounded() -> None:
    lost = [fragments(udp(f"192.0.{number // 256}.{number % 256} 5060", THERE, message(number, 2000)), 1480)[0]
            for number in range(MAX_HELD + 20)]  # fmt: skip
    assert found([*lost, *fragments(udp(HERE, THERE, message(1, 2000)), 1480)])[-1].data == message(1, 2000)


def segments(data: bytes, sizes: list[int], start: int = 4_294_967_200) -> list[bytes]:
    """Over the end of the numbers."""
    made, place = [tcp(HERE, THERE, start - 1, b"", 2)], 0
    for size in sizes:
        if place < len(data):
            made.append(tcp(HERE, THERE, start + place, data[place : place + size]))
            place += size
    return made + ([tcp(HERE, THERE, start + place, data[place:])] if place < len(data) else [])


@given(st.lists(st.integers(1, 200), max_size=12), st.integers(0, 2**32 - 1), st.integers(0, 2**16))
def test_however_a_stream_is_cut_and_mixed(sizes: list[int], start: int, seed: int) -> None:
    """The connection's first segment first; the others in any order, some of them twice."""
    stream = message(1) + b"\r\n\r\n" + message(2, 40) + message(3)
    opening, *others = segments(stream, sizes, start)
    random = Random(seed)
    mixed = others + random.sample(others, len(others) // 2)
    random.shuffle(mixed)
    assert [one.data for one in found([opening, *mixed])] == [message(1), message(2, 40), message(3)]


def test_a_connection_that_stood_before_is_read_from_its_next_message_on() -> None:
    tail, rest = b"nd of something\r\n\r\n", message(1) + message(2)
    start = 500 + len(tail)
    packets = [tcp(HERE, THERE, 500, tail), tcp(HERE, THERE, start, rest[:60]), tcp(HERE, THERE, start + 60, rest[60:])]
    assert [(one.transport, one.data) for one in found(packets)] == [("tcp", message(1)), ("tcp", message(2))]


def test_a_segment_that_was_not_captured_costs_what_waited_for_it() -> None:
    packets = [tcp(HERE, THERE, 0, b"", 2), tcp(HERE, THERE, 1, message(1))]
    place = 1 + len(message(1)) + 10
    for number in range(MAX_HELD + 2):
        packets.append(tcp(HERE, THERE, place, message(number + 2)))
        place += len(message(number + 2))
    data = [one.data for one in found([*packets, tcp(HERE, THERE, place, message(9999))])]
    assert data[0] == message(1) and data[-1] == message(9999)


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x01 hello", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_is_no_sip_is_passed_over(answer: bytes) -> None:
    assert found([tcp(THERE, HERE, 0, b"", 2), tcp(THERE, HERE, 1, answer), tcp(HERE, THERE, 1, b"", 0x10)]) == []


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_nothing_raises(noise: list[bytes]) -> None:
    found([data for data in noise if data])
    found([tcp(HERE, THERE, len(data), data) for data in noise] + [udp(HERE, THERE, data) for data in noise])
