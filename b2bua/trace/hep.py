"""HEPv3: the trace, redacted, as it comes, to a collector (Homer, heplify-server, sngrep) over UDP or TCP.

The correlation id is the call's id, the same on all its legs. What a collector does not take in time is dropped and counted
with the trace's other drops: SIP never waits for it.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any, Final

from b2bua.trace.pcap import Ends, sixteen
from b2bua.trace.recorder import Entry, Recorder
from b2bua.trace.records import Reader, Record

MAX_PACKET: Final = 65_507
"""Octets of one UDP datagram; the total length of HEPv3 has 16 bits."""
MAX_WAITING: Final = 2_000
"""Messages that wait to be sent."""
PORTION: Final = 64
"""Messages handled in one turn of the reactor."""
LATENCY: Final = 0.1
"""Seconds for which messages gather, so that one is read together with what it caused at once."""
AGENT: Final = 2001
"""Our capture agent's number."""

_SIP: Final = 1
_INET, _INET6 = 2, 10
_UDP, _TCP = 17, 6


def hep_packet(record: Record, ends: Ends) -> bytes:
    """One record as a HEPv3 packet; of a message too long for it the end is cut off."""
    (sender, source_port), (receiver, destination_port) = ends.of(record, "source"), ends.of(record, "destination")
    seconds, microseconds = divmod(round(float(record["time"]) * 1_000_000), 1_000_000)
    if isinstance(sender, IPv4Address) and isinstance(receiver, IPv4Address):
        addresses = _chunk(1, bytes((_INET,))) + _chunk(3, sender.packed) + _chunk(4, receiver.packed)
    else:
        addresses = _chunk(1, bytes((_INET6,))) + _chunk(5, sixteen(sender)) + _chunk(6, sixteen(receiver))
    chunks = (
        addresses + _chunk(2, bytes((_UDP if record["transport"] in ("udp", "memory") else _TCP,)))
        + _chunk(7, struct.pack(">H", source_port)) + _chunk(8, struct.pack(">H", destination_port))
        + _chunk(9, struct.pack(">I", seconds & 0xFFFFFFFF)) + _chunk(10, struct.pack(">I", microseconds))
        + _chunk(11, bytes((_SIP,))) + _chunk(12, struct.pack(">I", AGENT))
    )  # fmt: skip
    if record["call"]:
        chunks += _chunk(17, str(record["call"]).encode("utf-8", "replace")[:1024])
    room = MAX_PACKET - 6 - len(chunks) - 6
    chunks += _chunk(15, record["message"].encode("utf-8", "replace")[:room])
    return b"HEP3" + struct.pack(">H", 6 + len(chunks)) + chunks


def _chunk(kind: int, value: bytes) -> bytes:
    return struct.pack(">HHH", 0, kind, 6 + len(value)) + value


class HepFeed:
    """Listens to a recorder and sends. `send` takes one packet; False means that it could not be taken.

    `call_later` is the reactor's: it returns what has a `cancel`.
    """

    def __init__(self, recorder: Recorder, send: Callable[[bytes], bool], call_later: Callable[..., Any]) -> None:
        self._recorder = recorder
        self._send = send
        self._call_later = call_later
        self._reader = Reader(recorder)
        self._ends = Ends()
        self._waiting: deque[Entry] = deque()
        self._records: Iterator[Record | None] = iter(())
        self._turn: Any = None
        recorder.add_listener(self._heard)

    def close(self) -> None:
        """No more is sent."""
        self._recorder.remove_listener(self._heard)
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _heard(self, entry: Entry) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._recorder.dropped += 1
            return
        self._waiting.append(entry)
        if self._turn is None:
            self._turn = self._call_later(LATENCY, self._run)

    def _run(self) -> None:
        """One portion; then the next turn, or the wait for more."""
        self._turn = None
        for _ in range(PORTION):
            try:
                record = next(self._records)
            except StopIteration:
                if not self._waiting:
                    return
                batch, self._waiting = self._waiting, deque()
                self._records = self._reader.read(batch)
                break
            if record is not None:
                self._ends.learn(record)
                if not self._send(hep_packet(record, self._ends)):
                    self._recorder.dropped += 1
        self._turn = self._call_later(0, self._run)
