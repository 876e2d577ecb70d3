"""Packets of a capture file, pcap or pcapng, whoever wrote it: when, and the IP packet in each.

Of pcapng the blocks are read that hold packets and say what the clock counts; all others are passed over. A file that ends in
the middle of a packet, as one that is still being written does, ends with the packet before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class NoCapture(ValueError):
    """The bytes are no capture file, or one of a kind that cannot be read; a line that says so."""


class Packet(NamedTuple):
    """`time` in Unix seconds; `data` begins with an IPv4 or IPv6 header."""

    time: float
    data: bytes


_PCAP: Final[Mapping[bytes, tuple[str, float]]] = MappingProxyType({
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9), b"\xa1\xb2\x3c\x4d": (">", 1e-9),
})  # fmt: skip
"""First octets of a pcap file → byte order, and the unit of the fraction of its times."""
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_ORDERS: Final[Mapping[bytes, str]] = MappingProxyType({b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"})
_ETHERNET: Final = 1
_HEADS: Final[Mapping[int, int]] = MappingProxyType({0: 4, 12: 0, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20})
"""Link type → octets before the IP header: null, raw, loop, the two cooked ones of Linux, IPv4, IPv6."""
_TAGS: Final = (b"\x81\x00", b"\x88\xa8")
"""EtherTypes of a VLAN's tag, behind which the real one stands."""
_INTERFACE, _SIMPLE, _ENHANCED = 1, 3, 6
_RESOLUTION: Final = 9
"""Option of an interface: what the clock of its packets counts."""


def packets(data: bytes) -> Iterator[Packet]:
    """The packets in the order of the file, those alone that carry IP; NoCapture."""
    if data[:4] in _PCAP:
        return _of_pcap(data)
    if data[:4] == _PCAPNG:
        return _of_pcapng(data)
    raise NoCapture("no capture file: it begins neither as pcap nor as pcapng does")


def is_capture(data: bytes) -> bool:
    """Whether the first octets are those of a capture file."""
    return data[:4] in _PCAP or data[:4] == _PCAPNG


def _of_pcap(data: bytes) -> Iterator[Packet]:
    order, unit = _PCAP[data[:4]]
    if len(data) < 24:
        return
    link = int(struct.unpack_from(f"{order}I", data, 20)[0]) & 0x0FFF_FFFF
    _check(link)
    place = 24
    while place + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from(f"{order}IIII", data, place)
        frame = data[place + 16 : place + 16 + length]
        if len(frame) < length:
            return
        place += 16 + length
        if (inner := _inner(link, frame)) is not None:
            yield Packet(seconds + fraction * unit, inner)


def _of_pcapng(data: bytes) -> Iterator[Packet]:
    order, place = "<", 0
    interfaces: list[tuple[int, float]] = []
    while place + 12 <= len(data):
        if data[place : place + 4] == _PCAPNG:
            order, interfaces = _ORDERS.get(data[place + 8 : place + 12], ""), []
            if not order:
                raise NoCapture("no capture file: a section of it has no byte order")
        kind, length = struct.unpack_from(f"{order}II", data, place)
        block = data[place + 8 : place + length - 4]
        if length < 12 or length % 4 or place + length > len(data):
            return
        place += length
        if kind == _INTERFACE and len(block) >= 8:
            link = int(struct.unpack_from(f"{order}H", block)[0])
            _check(link)
            interfaces.append((link, _unit(order, block[8:])))
        elif kind == _ENHANCED and len(block) >= 20:
            yield from _enhanced(order, block, interfaces)
        elif kind == _SIMPLE and interfaces and (inner := _inner(interfaces[0][0], block[4:])) is not None:
            yield Packet(0.0, inner)


def _enhanced(order: str, block: bytes, interfaces: list[tuple[int, float]]) -> Iterator[Packet]:
    number, high, low, length = struct.unpack_from(f"{order}IIII", block)
    if number < len(interfaces):
        link, unit = interfaces[number]
        inner = _inner(link, block[20 : 20 + length])
        if inner is not None:
            yield Packet((high << 32 | low) * unit, inner)


def _unit(order: str, options: bytes) -> float:
    """Seconds of one count of an interface's clock: a millionth unless an option says otherwise."""
    place = 0
    while place + 4 <= len(options):
        code, length = struct.unpack_from(f"{order}HH", options, place)
        if code == _RESOLUTION and length >= 1:
            value = options[place + 4]
            return float(2.0 ** -(value & 0x7F) if value & 0x80 else 10.0**-value)
        place += 4 + (length + 3) // 4 * 4
        if code == 0:
            break
    return 1e-6


def _check(link: int) -> None:
    if link != _ETHERNET and link not in _HEADS:
        raise NoCapture(f"its packets are of link type {link}, which is not read here")


def _inner(link: int, frame: bytes) -> bytes | None:
    """The IP packet in a frame; None for what carries something else."""
    if link != _ETHERNET:
        inner = frame[_HEADS[link] :]
    else:
        place = 12
        while frame[place : place + 2] in _TAGS:
            place += 4
        inner = frame[place + 2 :]
    return inner if inner and inner[0] >> 4 in (4, 6) else None
