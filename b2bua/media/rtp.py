"""RTP packets (RFC 3550 §5.1): the fixed header, made and read."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

VERSION: Final = 2
PCMU: Final = 0
"""Payload type of G.711 µ-law at 8,000 samples a second (RFC 3551 §6)."""
PCMA: Final = 8
"""The same of G.711 A-law."""
SAMPLES: Final = 160
"""A packet's 20 ms in samples, which are octets in G.711 (RFC 3551 §4.2)."""
PACKET_SECONDS: Final = 0.02

_HEADER: Final = struct.Struct("!BBHII")


class MalformedPacket(ValueError):
    """Bytes that are no RTP packet; the text says why."""


class RtpPacket(NamedTuple):
    """One packet, without padding, header extension and the list of contributing sources."""

    payload_type: int
    """0 to 127."""
    sequence: int
    """Modulo 2¹⁶."""
    timestamp: int
    """In samples, modulo 2³²."""
    source: int
    """SSRC, 32 bits."""
    payload: bytes
    marker: bool = False
    """The first packet after a silence (RFC 3551 §4.1)."""

    def encode(self) -> bytes:
        """The packet as it stands on the wire; sequence and timestamp wrap around."""
        second = self.payload_type | (0x80 if self.marker else 0)
        header = _HEADER.pack(
            VERSION << 6, second, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.source & 0xFFFFFFFF
        )
        return header + self.payload


def parse_packet(data: bytes) -> RtpPacket:
    """Read one datagram; MalformedPacket when it is not RTP of version 2 or shorter than it says."""
    if len(data) < _HEADER.size:
        raise MalformedPacket("shorter than an RTP header")
    first, second, sequence, timestamp, source = _HEADER.unpack_from(data)
    if first >> 6 != VERSION:
        raise MalformedPacket("not RTP version 2")
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        # RFC 3550 §5.3.1: 16 bits of anything, then the length in words of 32 bits.
        if len(data) < start + 4:
            raise MalformedPacket("header extension cut off")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    end = len(data)
    if first & 0x20:
        # RFC 3550 §5.1: the last octet counts the padding, itself included.
        padding = data[-1]
        if not padding:
            raise MalformedPacket("padding of no length")
        end -= padding
    if start > end:
        raise MalformedPacket("shorter than its header says")
    return RtpPacket(second & 0x7F, sequence, timestamp, source, data[start:end], bool(second & 0x80))
