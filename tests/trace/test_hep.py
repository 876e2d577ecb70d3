"""HEPv3 packets by their chunks, and the feed that sends them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from twisted.internet.task import Clock

from b2bua.trace.hep import LATENCY, MAX_WAITING, HepFeed, hep_packet
from b2bua.trace.pcap import Ends
from tests.trace.hand_made import CREDENTIALS, Scene, TwoLegs, request, standing_call
from tests.trace.hep_packets import Chunks, read_packets


class Collector:
    """What a feed sent; `takes` as long as it takes anything."""

    def __init__(self, scene: Scene) -> None:
        self.clock = Clock()
        self.packets: list[Chunks] = []
        self.takes = True
        self.feed = HepFeed(scene.recorder, self._send, self.clock.callLater)

    def _send(self, packet: bytes) -> bool:
        if self.takes:
            (chunks,), rest = read_packets(packet)
            assert rest == b""
            self.packets.append(chunks)
        return self.takes

    def turn(self) -> None:
        for _ in range(100):
            self.clock.advance(LATENCY)


def test_the_chunks_of_a_record() -> None:
    (record,) = (record for record in standing_call().scene.records()[:1])
    record |= {"destination_address": "192.0.2.100:5060"}
    (chunks,), _ = read_packets(hep_packet(record, Ends()))
    assert (chunks[1], chunks[2], chunks[11]) == (b"\x02", b"\x11", b"\x01")
    assert [str(ip_address(chunks[kind])) for kind in (3, 4)] == ["192.0.2.1", "192.0.2.100"]
    assert [struct.unpack(">H", chunks[kind]) for kind in (7, 8)] == [(5061,), (5060,)]
    assert struct.unpack(">II", chunks[9] + chunks[10]) == (1000, 250_000)
    assert chunks[15].decode() == record["message"] and chunks[17] == b"leg-a"


def test_ipv6_and_tcp() -> None:
    record = standing_call().scene.records()[0] | {"source_address": "[2001:db8::1]:5062", "transport": "wss"}
    (chunks,), _ = read_packets(hep_packet(record, Ends()))
    assert (chunks[1], chunks[2], str(ip_address(chunks[5]))) == (b"\x0a", b"\x06", "2001:db8::1")
    assert 3 not in chunks and 4 not in chunks


def test_a_long_message_is_cut_to_a_packet() -> None:
    (chunks,), rest = read_packets(hep_packet(standing_call().scene.records()[0] | {"message": "x" * 70_000}, Ends()))
    assert rest == b"" and 65_000 < len(chunks[15]) < 65_507


def test_both_legs_have_one_correlation_id_and_nothing_is_lost() -> None:
    scene = Scene()
    collector, call = Collector(scene), TwoLegs(scene)
    call.set_up()
    collector.turn()
    call.change("6001", "sendonly")
    collector.turn()
    assert [packet[15].decode() for packet in collector.packets] == [record["message"] for record in scene.records()]
    assert {packet.get(17) for packet in collector.packets} == {b"leg-a"}
    assert collector.clock.getDelayedCalls() == []


def test_outside_a_call_there_is_no_correlation_id_and_secrets_stay_here() -> None:
    scene = Scene()
    collector = Collector(scene)
    scene.up("6001", request("REGISTER", "6001", "6001", "r", 1, CREDENTIALS))
    collector.turn()
    (packet,) = collector.packets
    assert 17 not in packet and b"0123abcd" not in packet[15] and b'response="***"' in packet[15]


def test_what_is_not_taken_and_what_comes_too_fast_is_counted() -> None:
    scene = Scene()
    collector = Collector(scene)
    collector.takes = False
    scene.up("6001", request("OPTIONS", "6001", "6002", "o", 1))
    collector.turn()
    assert (scene.recorder.dropped, collector.packets) == (1, [])
    collector.takes = True
    for number in range(MAX_WAITING + 3):
        scene.up("6001", request("OPTIONS", "6001", "6002", "o", number))
    collector.turn()
    assert (scene.recorder.dropped, len(collector.packets)) == (4, MAX_WAITING)


def test_a_closed_feed_is_silent() -> None:
    scene = Scene()
    collector = Collector(scene)
    scene.up("6001", request("OPTIONS", "6001", "6002", "o", 1))
    collector.feed.close()
    scene.up("6001", request("OPTIONS", "6001", "6002", "o", 2))
    collector.turn()
    assert (collector.packets, collector.clock.getDelayedCalls()) == ([], [])
