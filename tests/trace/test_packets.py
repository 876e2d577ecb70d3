"""Capture files of both kinds, whole and damaged."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.trace.packets import NoCapture, is_capture, packets
from tests.trace.captures import ethernet, pcap, pcapng, udp

FOUR = udp("192.0.2.1 5060", "192.0.2.2 5060", b"four")
SIX = udp("2001:db8::1 5060", "2001:db8::2 5060", b"six")
FRAMES = [(1000.25, FOUR), (1000.5, SIX)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap(order: str, nanoseconds: bool) -> None:
    data = pcap(FRAMES, order=order, nanoseconds=nanoseconds)
    assert is_capture(data) and [(round(found.time, 6), found.data) for found in packets(data)] == FRAMES


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resolution", [None, 9, 3, 0x80 | 20])
def test_pcapng(order: str, resolution: int | None) -> None:
    data = pcapng(FRAMES, order=order, resolution=resolution)
    assert is_capture(data) and [(round(found.time, 3), found.data) for found in packets(data)] == FRAMES


def test_sections_of_a_pcapng_follow_each_other() -> None:
    assert len(list(packets(pcapng(FRAMES) + pcapng(FRAMES, order=">")))) == 4


@pytest.mark.parametrize(("link", "head"), [(0, 4), (101, 0), (113, 16), (276, 20), (228, 0)])
def test_what_stands_before_the_ip_header(link: int, head: int) -> None:
    frame = b"\0" * head + FOUR
    assert [found.data for found in packets(pcap([(1.0, frame)], link))] == [FOUR]
    assert [found.data for found in packets(pcapng([(1.0, frame)], link))] == [FOUR]


@pytest.mark.parametrize("tags", [0, 1, 2])
def test_ethernet_and_its_tags(tags: int) -> None:
    frames = [(1.0, ethernet(FOUR, tags)), (2.0, ethernet(SIX, tags)), (3.0, b"\x02" * 12 + b"\x08\x06" + b"\0" * 28)]
    assert [found.data for found in packets(pcap(frames, 1))] == [FOUR, SIX], "ARP is passed over"


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_a_file_that_is_still_being_written_ends_with_its_last_whole_packet(write) -> None:
    data, one = write(FRAMES), len(write(FRAMES[:1]))
    for cut in range(one, len(data)):
        assert [found.data for found in packets(data[:cut])] == [FOUR]


def test_what_cannot_be_read_is_said_in_one_line() -> None:
    with pytest.raises(NoCapture, match="begins neither as pcap"):
        packets(b"INVITE sip:6001@example.com SIP/2.0")
    for data in (pcap([], 147), pcapng([], 147)):
        with pytest.raises(NoCapture, match="link type 147"):
            list(packets(data))


@given(st.sampled_from((pcap, pcapng)), st.integers(0, 400), st.binary(max_size=12))
def test_damage_never_raises_anything_else(write, place: int, noise: bytes) -> None:
    data = write(FRAMES)
    with suppress(NoCapture):
        list(packets(data[:place] + noise + data[place + len(noise) :]))
