"""A trace as a capture file for tshark, Wireshark and sngrep: each message, whatever it came over, in a datagram of its own.

What TLS and WebSocket hid is readable in it, and the link in process is there, too. Between datagrams nothing has to be
put together, so a trace may begin in the middle of a connection. The Vias tell the transport.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from b2bua.trace.rows import Record

_MAGIC: Final = 0xA1B2C3D4
_SNAP: Final = 262_144
_RAW_IP: Final = 101
"""LINKTYPE_RAW: a packet begins with its IPv4 or IPv6 header."""
_UDP: Final = 17
_UDP_HEAD: Final = 8
MAX_PAYLOAD: Final = 65_507
"""Octets of a message that one datagram holds (RFC 768, RFC 791); what is behind them is cut off."""

_UNKNOWN: Final = int(IPv4Address("240.0.0.0"))
"""Who has no address (Communication Manager in process) gets one of RFC 1112 §4, which nobody has."""
_SIP_PORT: Final = 5060
MAX_PARTIES: Final = 65_536
"""Parties whose address is remembered."""

_Address = IPv4Address | IPv6Address
_End = tuple[_Address, int]


def pcap(records: Sequence[Record]) -> Iterator[bytes]:
    """The file in pieces, empty ones for work without output: a header of 24 octets, then a packet a record."""
    yield struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAP, _RAW_IP)
    ends = Ends()
    for record in records:
        ends.learn(record)
        yield b""
    for record in records:
        payload = record["message"].encode("utf-8", "replace")[:MAX_PAYLOAD]
        packet = _packet(ends.of(record, "source"), ends.of(record, "destination"), payload)
        seconds, microseconds = divmod(round(float(record["time"]) * 1_000_000), 1_000_000)
        yield struct.pack("<IIII", seconds & 0xFFFFFFFF, microseconds, len(packet), len(packet)) + packet


class Ends:
    """Addresses of the parties. Where a record has none, the party's first one that was learnt, else one made up."""

    def __init__(self) -> None:
        self._known: dict[str, _End] = {}
        self._made_up = 0

    def learn(self, record: Record) -> None:
        """Remember the addresses of both sides for records that have none."""
        for side in ("source", "destination"):
            end = _end(record.get(f"{side}_address", ""))
            if end is not None and len(self._known) < MAX_PARTIES:
                self._known.setdefault(record[side], end)

    def of(self, record: Record, side: str) -> _End:
        """Of `source` or `destination`."""
        name: str = record[side]
        end = _end(record.get(f"{side}_address", "")) or _end(name) or self._known.get(name)
        if end is None:
            self._made_up = self._made_up % 0xFFFF + 1
            end = IPv4Address(_UNKNOWN + self._made_up), _SIP_PORT
            if len(self._known) < MAX_PARTIES:
                self._known[name] = end
        return end


def _end(text: str) -> _End | None:
    """Of `192.0.2.1:5060` or `[2001:db8::1]:5060`; None where no IP address stands (`x.invalid`)."""
    host, _, port = text.rpartition(":")
    try:
        return ip_address(host.strip("[]")), int(port) & 0xFFFF
    except ValueError:
        return None


def _packet(source: _End, destination: _End, payload: bytes) -> bytes:
    sender, receiver = source[0], destination[0]
    if isinstance(sender, IPv4Address) and isinstance(receiver, IPv4Address):
        length = _UDP_HEAD + len(payload)
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, _UDP, 0) + sender.packed + receiver.packed
        head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
        return head + _datagram(sender.packed + receiver.packed, source[1], destination[1], payload)
    ends = sixteen(sender) + sixteen(receiver)
    return struct.pack(">IHBB", 0x60000000, _UDP_HEAD + len(payload), _UDP, 64) + ends + _datagram(
        ends, source[1], destination[1], payload
    )  # fmt: skip


def sixteen(address: _Address) -> bytes:
    """An IPv4 address beside an IPv6 one is mapped (RFC 4291 §2.5.5.2)."""
    return address.packed if isinstance(address, IPv6Address) else b"\0" * 10 + b"\xff\xff" + address.packed


def _datagram(ends: bytes, source: int, destination: int, payload: bytes) -> bytes:
    """UDP with its checksum over the pseudo header (RFC 768, RFC 8200 §8.1), in which length and protocol add the same."""
    length = _UDP_HEAD + len(payload)
    head = struct.pack(">HHHH", source, destination, length, 0)
    total = _checksum(ends + struct.pack(">II", length, _UDP) + head + payload) or 0xFFFF
    return head[:6] + struct.pack(">H", total) + payload


def _checksum(data: bytes) -> int:
    """RFC 1071: the one's complement sum of 16-bit words is the number modulo 65535."""
    padded = data + b"\0" * (len(data) % 2)
    rest = int.from_bytes(padded, "big") % 0xFFFF
    return 0xFFFF - (rest or 0xFFFF if any(padded) else 0)
