"""Reads HEPv3, for tests: the chunks of the packets in a stream or datagram."""

from __future__ import annotations

import struct

Chunks = dict[int, bytes]


def read_packets(data: bytes) -> tuple[list[Chunks], bytes]:
    """The whole packets, and what is left of one that has begun."""
    found: list[Chunks] = []
    while len(data) >= 6:
        magic, total = struct.unpack_from(">4sH", data)
        assert magic == b"HEP3"
        if len(data) < total:
            break
        found.append(_chunks(data[6:total]))
        data = data[total:]
    return found, data


def _chunks(data: bytes) -> Chunks:
    found: Chunks = {}
    while data:
        vendor, kind, length = struct.unpack_from(">HHH", data)
        assert vendor == 0 and 6 <= length <= len(data) and kind not in found
        found[kind], data = data[6:length], data[length:]
    return found
