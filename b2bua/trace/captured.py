"""SIP in captured packets: datagrams, and messages cut out of TCP, whose segments may come in any order and twice.

Nothing is decrypted: what went by TLS is not found. A connection that was there before the capture is read from its next
message on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple

from b2bua.sip.framer import Framer
from b2bua.sip.uri import host_text
from b2bua.trace.packets import Packet

_TCP, _UDP = 6, 17
_FRAGMENT: Final = 44
_OTHERS: Final = (0, 43, 60)
"""Extension headers of IPv6 that are passed over: hop by hop, routing, destination."""
MAX_HELD: Final = 256
"""Segments of one connection, and datagrams of one capture, that wait for what is missing before them."""
_SIP: Final = re.compile(rb"(?:[A-Za-z0-9\-.!%*_+`'~]{1,32} [^\r\n]{1,2000} SIP/2\.0|SIP/2\.0 [1-6][0-9][0-9] [^\r\n]*)\r?\n")
"""A start line (RFC 3261 §7.1, §7.2)."""
_SEQUENCE: Final = 1 << 32


class Captured(NamedTuple):
    """One message: `source` and `destination` as `HOST:PORT`, an IPv6 host in brackets."""

    time: float
    transport: str
    source: str
    destination: str
    data: bytes


def messages(found: Iterable[Packet]) -> Iterator[Captured]:
    """The SIP messages, each when its last octet came."""
    whole, streams = _Fragments(), dict[tuple[str, str], _Stream]()
    for packet in found:
        datagram = whole.take(packet.data)
        if datagram is None or len(datagram.payload) < 8:
            continue
        source, destination = datagram.ends()
        if datagram.protocol == _UDP:
            data = datagram.payload[8:].lstrip(b"\r\n")
            if _SIP.match(data):
                yield Captured(packet.time, "udp", source, destination, data)
        elif datagram.protocol == _TCP and len(datagram.payload) >= 20:
            for data in streams.setdefault((source, destination), _Stream()).take(datagram.payload):
                yield Captured(packet.time, "tcp", source, destination, data)


class _Datagram(NamedTuple):
    """What an IP packet carries: the header of UDP or TCP, and the rest."""

    source: bytes
    destination: bytes
    protocol: int
    payload: bytes

    def ends(self) -> tuple[str, str]:
        ports = (int.from_bytes(self.payload[start : start + 2], "big") for start in (0, 2))
        hosts = (host_text(str(ip_address(packed))) for packed in (self.source, self.destination))
        source, destination = (f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
        return source, destination


class _Fragments:
    """Puts IP packets together that came in pieces (RFC 791 §3.2, RFC 8200 §4.5)."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[bytes, bytes, int, int], dict[int, bytes]] = {}
        self._ends: dict[tuple[bytes, bytes, int, int], int] = {}

    def take(self, packet: bytes) -> _Datagram | None:
        """The whole datagram, once it is whole; None before, and for what is no IP."""
        return self._four(packet) if packet[0] >> 4 == 4 else self._six(packet)

    def _four(self, packet: bytes) -> _Datagram | None:
        head = (packet[0] & 15) * 4
        if head < 20 or len(packet) < head:
            return None
        total, number, place = (int.from_bytes(packet[start : start + 2], "big") for start in (2, 4, 6))
        payload = packet[head : total or None]  # 0: the network card cuts it into packets later
        key = packet[12:16], packet[16:20], packet[9], number
        return self._join(key, (place & 0x1FFF) * 8, bool(place & 0x2000), payload)

    def _six(self, packet: bytes) -> _Datagram | None:
        if len(packet) < 40:
            return None
        protocol, place, number, offset, more = packet[6], 40, 0, 0, False
        while protocol in (*_OTHERS, _FRAGMENT) and place + 8 <= len(packet):
            if protocol == _FRAGMENT:
                offset = int.from_bytes(packet[place + 2 : place + 4], "big")
                more, offset = bool(offset & 1), offset & ~7
                number = int.from_bytes(packet[place + 4 : place + 8], "big")
                protocol, place = packet[place], place + 8
            else:
                protocol, place = packet[place], place + 8 + packet[place + 1] * 8
        length = int.from_bytes(packet[4:6], "big")
        return self._join((packet[8:24], packet[24:40], protocol, number), offset, more, packet[place : 40 + length])

    def _join(self, key: tuple[bytes, bytes, int, int], offset: int, more: bool, payload: bytes) -> _Datagram | None:
        if not offset and not more:
            return _Datagram(*key[:3], payload)
        if len(self._pieces) >= MAX_HELD and key not in self._pieces:
            self._forget(next(iter(self._pieces)))
        pieces = self._pieces.setdefault(key, {})
        pieces[offset] = payload
        if not more:
            self._ends[key] = offset + len(payload)
        joined = b""
        while len(joined) in pieces and pieces[len(joined)]:
            joined += pieces[len(joined)]
        if len(joined) != self._ends.get(key, -1):
            return None
        self._forget(key)
        return _Datagram(*key[:3], joined)

    def _forget(self, key: tuple[bytes, bytes, int, int]) -> None:
        self._pieces.pop(key, None)
        self._ends.pop(key, None)


class _Stream:
    """One direction of one connection."""

    def __init__(self) -> None:
        self._next = -1
        """The number of the octet that comes next; -1 before there was one."""
        self._held: dict[int, bytes] = {}
        self._framer = Framer()

    def take(self, segment: bytes) -> Iterator[bytes]:
        number, flags = int.from_bytes(segment[4:8], "big"), segment[13]
        data = segment[(segment[12] >> 4) * 4 :]
        if flags & 2:  # SYN: a connection begins, perhaps with the ports of an old one
            self._next, self._framer = (number + 1) % _SEQUENCE, Framer()
            self._held.clear()
            return
        if not data:
            return
        if self._next < 0 or self._framer.broken:
            if not _SIP.match(data):
                return
            self._next, self._framer = number, Framer()
        self._held.setdefault(number, data)
        yield from self._in_order()
        if len(self._held) > MAX_HELD:  # something was not captured: on with the next message
            self._held.clear()
            self._next = -1

    def _in_order(self) -> Iterator[bytes]:
        while True:
            ready = next((number for number in self._held if (self._next - number) % _SEQUENCE < len(self._held[number])), -1)
            if ready < 0:
                late = [number for number in self._held if (self._next - number) % _SEQUENCE < _SEQUENCE // 2]
                for number in late:  # heard already
                    del self._held[number]
                return
            data = self._held.pop(ready)[(self._next - ready) % _SEQUENCE :]
            self._next = (self._next + len(data)) % _SEQUENCE
            yield from (frame for frame in self._framer.feed(data) if isinstance(frame, bytes))
