"""Capture files written by hand: frames of UDP and TCP over IPv4 and IPv6, in pcap and pcapng."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address

Frame = tuple[float, bytes]
ETHERNET = b"\x02" * 12


def udp(source: str, destination: str, data: bytes) -> bytes:
    """`HOST PORT` on both sides."""
    (one, here), (other, there) = source.split(), destination.split()
    return ip(one, other, 17, struct.pack(">HHHH", int(here), int(there), 8 + len(data), 0) + data)


def tcp(source: str, destination: str, number: int, data: bytes, flags: int = 0x18) -> bytes:
    (one, here), (other, there) = source.split(), destination.split()
    head = struct.pack(">HHIIBBHHH", int(here), int(there), number % (1 << 32), 0, 0x50, flags, 65535, 0, 0)
    return ip(one, other, 6, head + data)


def ip(one: str, other: str, protocol: int, payload: bytes, number: int = 7, place: int = 0) -> bytes:
    """`place`: flags and offset of a fragment of IPv4."""
    source, destination = ip_address(one).packed, ip_address(other).packed
    if len(source) == 16:
        return struct.pack(">IHBB", 0x60000000, len(payload), protocol, 64) + source + destination + payload
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), number, place, 64, protocol, 0) + source + destination + payload


def fragments(packet: bytes, size: int) -> list[bytes]:
    """An IPv4 packet in pieces of `size` octets, a multiple of 8."""
    body, found = packet[20:], []
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        flags = 0x2000 if start + size < len(body) else 0
        found.append(packet[:2] + struct.pack(">HHH", 20 + len(piece), 7, flags | start // 8) + packet[8:20] + piece)
    return found


def fragments6(packet: bytes, size: int) -> list[bytes]:
    body, found = packet[40:], []
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        more = int(start + size < len(body))
        header = struct.pack(">BBHI", packet[6], 0, start | more, 99)
        found.append(packet[:4] + struct.pack(">HB", 8 + len(piece), 44) + packet[7:40] + header + piece)
    return found


def ethernet(packet: bytes, tags: int = 0) -> bytes:
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return ETHERNET + b"\x81\x00\x00\x05" * tags + kind + packet


def pcap(frames: Sequence[Frame], link: int = 101, order: str = "<", nanoseconds: bool = False) -> bytes:
    unit = 1_000_000_000 if nanoseconds else 1_000_000
    data = struct.pack(f"{order}IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for time, frame in frames:
        seconds, fraction = divmod(round(time * unit), unit)
        data += struct.pack(f"{order}IIII", seconds, fraction, len(frame), len(frame)) + frame
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    padded = body + b"\0" * (-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(padded))
    return struct.pack(f"{order}I", kind) + length + padded + length


def pcapng(frames: Sequence[Frame], link: int = 101, order: str = "<", resolution: int | None = None) -> bytes:
    """`resolution`: the option's value; microseconds without it."""
    options = b"" if resolution is None else struct.pack(f"{order}HHB3xHH", 9, 1, resolution, 0, 0)
    unit = 1e6 if resolution is None else 2.0 ** (resolution & 0x7F) if resolution & 0x80 else 10.0**resolution
    data = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    data += block(1, struct.pack(f"{order}HHI", link, 0, 65535) + options, order)
    data += block(5, b"statistics, which nobody reads", order)
    for time, frame in frames:
        high, low = divmod(round(time * unit), 1 << 32)
        data += block(6, struct.pack(f"{order}IIIII", 0, high, low, len(frame), len(frame)) + frame, order)
    return data
